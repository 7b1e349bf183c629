"""Runs of experiments side by side, with the interval of each difference: better is shown, not assumed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lfr.errors import InputError
from lfr.evaluation.paired import ScoredSearches, compare_at_fpir
from lfr.registry import Tracking
from lfr.training.measuring import read_scores
from lfr.training.runs import find_run, read_result

__all__ = ["Compared", "compare_runs"]


@dataclass(frozen=True, eq=False)
class Compared:
    """What runs measured, side by side.

    Attributes
    ----------
    rows
        A row for each condition and model of each run, as the runs have them.
    paired
        A row for each condition and each model that was measured on the first one's very faces.
    """

    rows: tuple[dict[str, Any], ...]
    paired: tuple[dict[str, Any], ...]

    def as_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {"rows": list(self.rows), "paired": list(self.paired)}


def compare_runs(
    tracking: Tracking, home: Path, wanted: Sequence[str], *, fpir: float, replicates: int = 2000, seed: int = 0
) -> Compared:
    """Compare what runs measured. What others are compared with is the first model of the first run.

    Parameters
    ----------
    tracking, home
        Where runs and their scores are kept.
    wanted
        Ids, or names of experiments for their newest run.
    fpir
        At which FNIR is compared.
    replicates, seed
        Of the bootstrap over subjects.

    Raises
    ------
    RegistryError
        A run is not there or not finished, or its scores are elsewhere.
    InputError
        Runs measured nothing on the same faces.
    """
    rows: list[dict[str, Any]] = []
    scores: dict[tuple[str, str], ScoredSearches] = {}
    for name in wanted:
        run = find_run(tracking, name)
        result = read_result(run)
        if not result.get("rows"):
            raise InputError(f"run {run.run_id} of {result['experiment']} searched nothing, so nothing can be compared")
        kept = read_scores(home / "experiments" / f"{run.run_id}.npz")
        for row in result["rows"]:
            label = f"{result['experiment']} {run.run_id[:8]} {row['model']}"
            rows.append({**row, "model": label, "run": run.run_id})
            scores[row["condition"], label] = kept[row["condition"], row["model"]]
    first = rows[0]["model"]
    pairs = []
    for row in rows:
        base = next((r for r in rows if r["model"] == first and r["views"] == row["views"]), None)
        if base is None or row["model"] == first:
            continue
        rates = compare_at_fpir(
            scores[base["condition"], first],
            scores[row["condition"], row["model"]],
            fpir=fpir,
            replicates=replicates,
            rng=np.random.default_rng(seed),
        )
        pairs.append({"condition": row["condition"], "first": first, "second": row["model"], **rates.as_dict()})
    if not pairs:
        raise InputError(f"{', '.join(wanted)}: no two models of these runs were measured on the same faces")
    return Compared(tuple(rows), tuple(pairs))
