"""``lfr evaluate quality``: does refusing poor faces lower the error, and does the gate earn its place."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from rich.table import Table
from typer import Option

from lfr.cli.console import JsonOption, ModelOption, ThreadsOption, emit, out
from lfr.cli.evaluation_data import (
    DatasetOption,
    ManifestOption,
    RootOption,
    TemplatesOption,
    about,
    save_figure,
    templates_for,
)
from lfr.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lfr.evaluation import Searches

__all__ = ["quality"]

_TARGETS = (0.01, 0.03, 0.1)


def quality(
    manifest: ManifestOption = None,
    dataset: DatasetOption = None,
    root: RootOption = None,
    templates: TemplatesOption = None,
    threshold: Annotated[
        float | None,
        Option("--threshold", metavar="T", help="Score from which a subject is found.  [default: for FPIR 0.01]"),
    ] = None,
    plot: Annotated[
        Path | None, Option("--plot", metavar="FILE", help="Draw error against discard: .svg, .png or .pdf.")
    ] = None,
    seed: Annotated[int, Option("--seed", help="Draws subjects again for the intervals.")] = 0,
    model: ModelOption = None,
    threads: ThreadsOption = None,
    json: JsonOption = False,
) -> None:
    """Refuse the worst faces by each quality measure and see what error is left.

    Gain is 1 where a measure refuses those that would be missed first, and 0
    where refusing at random does as well. The gate earns its place where the
    faces it refuses would be missed more often than those it lets through.
    """
    import numpy as np

    from lfr.evaluation import evaluate_quality, run_searches

    found = templates_for(manifest, dataset, root, templates, model=model, threads=threads)
    searches = run_searches(found)
    at, source = _threshold(searches, threshold)
    result = evaluate_quality(searches, threshold=at, rng=np.random.default_rng(seed))
    if plot is not None:
        save_figure(result.plot_discard(), plot)
    document = {**about(found), **result.as_dict(), "threshold_source": source, "seed": seed, "plot": plot}
    emit(document, as_json=json, show=partial(_show, document))


def _threshold(searches: Searches, given: float | None) -> tuple[float, str]:
    from lfr.evaluation import threshold_for_fpir

    if given is not None:
        return given, "as given"
    for target in _TARGETS:
        if (threshold := threshold_for_fpir(searches, target)) is not None:
            return threshold, f"the smallest with an FPIR of at most {target:g} on this data"
    raise InputError(f"{int((~searches.mated).sum())} non-mated searches show no threshold: give --threshold")


def _show(document: Mapping[str, Any]) -> None:
    gate, fnir = document["gate"], document["fnir"]
    out.print(f"the gate {gate['policy']}: [bold]{gate['verdict']}[/]")
    for name, said in (
        ("refused", "mated faces refused"),
        ("missed_if_refused", "of them missed, had they been searched"),
        ("missed_if_kept", "of those let through missed"),
        ("false_positive_if_refused", "strangers refused who would have raised an alert"),
        ("false_positive_if_kept", "strangers let through who raise one"),
    ):
        out.print(f"  {said}: {_rate(gate[name])}")
    out.print(f"threshold {document['threshold']:.4f}: {document['threshold_source']}")
    out.print(f"FNIR with nothing refused: {_rate(fnir)}; failures to acquire: {document['failures_to_acquire']}")
    if fnir["count"] in {0, fnir["of"]}:
        out.print("nobody was missed, or everybody, so no measure can show what it is good for")
        return
    table = Table("measure", "gain over random", "95% interval", "FNIR, worst 10% refused", "worst 30%")
    for row in document["measures"]:
        left = {round(point["refused"], 4): point["fnir"] for point in row["curve"]}
        interval = f"{row['gain_low']:.2f} to {row['gain_high']:.2f}"
        table.add_row(row["measure"], f"{row['gain']:.2f}", interval, f"{left[0.1]:.4f}", f"{left[0.3]:.4f}")
    out.print(table)


def _rate(rate: Mapping[str, Any]) -> str:
    if rate["value"] is None:
        return "none"
    return f"{rate['value']:.4f} ({rate['count']:,} of {rate['of']:,}, 95% {rate['low']:.4f} to {rate['high']:.4f})"
