"""``lfr evaluate fairness``: is everybody treated alike, and how sure is that."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from lfr.cli.console import JsonOption, ModelOption, ThreadsOption, emit, err, out
from lfr.cli.evaluation_data import (
    DatasetOption,
    Fusion,
    ManifestOption,
    RootOption,
    TemplatesOption,
    about,
    read_data,
    templates_for,
)
from lfr.errors import InputError

if TYPE_CHECKING:
    from lfr.evaluation import Fairness

__all__ = ["fairness"]


def fairness(
    manifest: ManifestOption = None,
    dataset: DatasetOption = None,
    root: RootOption = None,
    templates: TemplatesOption = None,
    by: Annotated[
        str,
        typer.Option("--by", metavar="COLUMNS", help="Group columns; `sex,ethnicity` gives each and both together."),
    ] = "",
    adjust: Annotated[
        str,
        typer.Option("--adjust", metavar="COLUMNS", help="Columns that the error models hold equal, as an age band."),
    ] = "",
    watchlist_size: Annotated[
        int | None,
        typer.Option("--watchlist-size", min=1, metavar="N", help="Draw N subjects for the list.  [default: all]"),
    ] = None,
    threshold: Annotated[
        float | None, typer.Option("--threshold", min=-1, max=1, help="Score from which a subject is a candidate.")
    ] = None,
    calibration: Annotated[
        Path | None, typer.Option("--calibration", metavar="FILE", help="Take the threshold of this calibration.")
    ] = None,
    max_fpir_difference: Annotated[
        float | None,
        typer.Option(
            "--max-fpir-difference",
            min=0,
            max=1,
            help="Largest FPIR difference that counts as equal.  [default: the threshold's target, or 0.01]",
        ),
    ] = None,
    quality_gate: Annotated[
        bool, typer.Option("--quality-gate", help="References and probes must pass the gates of live use.")
    ] = False,
    fusion: Annotated[
        Fusion, typer.Option("--fusion", help="Score of a track: its best image's, or the mean.")
    ] = Fusion.MAX,
    shots: Annotated[
        int | None, typer.Option("--shots", min=1, metavar="K", help="Most images of a track.  [default: all]")
    ] = None,
    report: Annotated[
        Path | None, typer.Option("--report", metavar="HTML", help="Write a page for readers who are no statisticians.")
    ] = None,
    seed: Annotated[int, typer.Option("--seed", help="Draws the watchlist and the resampled subjects.")] = 0,
    model: ModelOption = None,
    threads: ThreadsOption = None,
    json: JsonOption = False,
) -> None:
    """Compare groups: who is found less often, who is falsely alerted more often, and is the data enough to tell.

    For example `lfr evaluate fairness --manifest M.csv --by sex,ethnicity --report fairness.html`.
    The threshold is --threshold, that of --calibration, or the one for FPIR
    0.01 on this data; equity belongs to a threshold and a watchlist size,
    and the report shows others beside it. The exit code is 0 whatever the
    verdict: saying no is the gate's work.
    """
    import numpy as np

    from lfr.evaluation import EquityPolicy, evaluate_fairness, fairness_threshold, run_searches
    from lfr.evaluation.fairness_report import write_fairness_report

    columns = tuple(name.strip() for name in by.split(",") if name.strip())
    if not columns:
        raise InputError("--by: name the group columns to compare, for example --by sex,ethnicity")
    if threshold is not None and calibration is not None:
        raise InputError("which threshold: give one of --threshold and --calibration")
    held = tuple(name.strip() for name in adjust.split(",") if name.strip())
    if templates is None:  # a column that is not there is found before anything is embedded
        read_data(manifest, dataset, root).group(*columns, *held)
    found = templates_for(manifest, dataset, root, templates, model=model, threads=threads)
    rng = np.random.default_rng(seed)
    searches = run_searches(
        found, watchlist_size=watchlist_size, rng=rng, quality_gate=quality_gate, fusion=fusion.value, shots=shots
    )
    at, target, source = fairness_threshold(searches, threshold=threshold, calibration=calibration)
    policy = EquityPolicy(max_fpir_difference=target if max_fpir_difference is None else max_fpir_difference)
    with err.status("comparing groups"):
        result = evaluate_fairness(searches, by=columns, threshold=at, policy=policy, rng=rng, adjust=held)
    document: dict[str, Any] = {
        **about(found),
        **result.as_dict(),
        "threshold_source": source,
        "unit": "track" if (found.manifest.track_id != "").any() else "image",
        "quality_gate": quality_gate,
        "fusion": fusion.value,
        "shots": shots,
        "seed": seed,
    }
    if report is not None:
        facts = {
            "model": f"{found.model_version}, digest {found.model_digest}",
            "data": f"{found.manifest.name}, digest {found.data_digest}",
            "threshold is": source,
            "quality gate": "on, as in live use" if quality_gate else "off",
        }
        with err.status("writing the report"):
            write_fairness_report(report, result, facts=facts)
        document["report"] = report
    emit(document, as_json=json, show=partial(_show, result, source, report))


def _show(result: Fairness, source: str, report: Path | None) -> None:
    from lfr.evaluation.fairness_view import headline, interval_text

    colour = {"equitable": "green", "not equitable": "red", "not shown": "yellow"}[result.verdict]
    out.print(f"[bold {colour}]{result.verdict}[/]")
    out.print(headline(result), markup=False)
    for reason in result.reasons[1:]:
        out.print(f"  {reason}", markup=False)
    out.print(
        f"threshold {result.threshold:.4f}: {source}; watchlist of {len(result.searches.watchlist):,}", markup=False
    )
    for grouping in result.groupings:
        table = Table(grouping.name, "TPIR", "of", "FPIR", "of", "no face")
        for group in grouping.groups:
            tpir, fpir = ((interval_text(rate), f"{rate.of:,}") for rate in (group.tpir, group.fpir))
            table.add_row(group.name, *tpir, *fpir, str(group.fta.count))
        out.print(table)
    if worst := result.concentration.references:
        table = Table("worst references", "false positives", "share of searches", "")
        for culprit in worst[:5]:
            note = "stands out" if culprit.stands_out else ""
            table.add_row(culprit.subject_id, str(culprit.false_positives), f"{culprit.share:.1%}", note)
        out.print(table)
    if report is not None:
        out.print(f"report: [bold]{report}[/]  (open it in a browser)", soft_wrap=True)
