"""``lfr calibrate``: the threshold a deployment may use, and whether the data show that it holds."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from lfr.cli.console import JsonOption, ModelOption, ThreadsOption, emit, out
from lfr.cli.evaluation_data import (
    DatasetOption,
    Fusion,
    ManifestOption,
    RootOption,
    TemplatesOption,
    kept_in_home,
    save_figure,
    templates_for,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lfr.evaluation import CalibrationResult

__all__ = ["calibrate"]


def calibrate(
    fpir: Annotated[
        float,
        typer.Option("--fpir", metavar="P", help="Share of passers-by not on the list who may raise an alert."),
    ],
    watchlist_size: Annotated[
        int,
        typer.Option("--watchlist-size", min=1, metavar="N", help="Entries of the largest list it is to hold for."),
    ],
    manifest: ManifestOption = None,
    dataset: DatasetOption = None,
    root: RootOption = None,
    templates: TemplatesOption = None,
    shots: Annotated[
        int | None,
        typer.Option("--shots", min=1, metavar="K", help="Most images of a track.  [default: 5; 1 without tracks]"),
    ] = None,
    fusion: Annotated[
        Fusion, typer.Option("--fusion", help="Score of a track: its best image's, or the mean.")
    ] = Fusion.MAX,
    quality_gate: Annotated[
        bool,
        typer.Option(
            "--quality-gate/--no-quality-gate", help="The gates of live use; without, no deployment takes the result."
        ),
    ] = True,
    lists: Annotated[int, typer.Option("--lists", min=1, metavar="D", help="Watchlists to draw.")] = 20,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="Calibration file.  [default: in LFR_HOME/evaluation]"),
    ] = None,
    plot: Annotated[
        Path | None,
        typer.Option("--plot", metavar="FILE", help="Draw false alerts by watchlist size: .svg, .png or .pdf."),
    ] = None,
    score_map: Annotated[
        Path | None,
        typer.Option("--score-map", metavar="FILE", help="Also fit what a score means as a probability."),
    ] = None,
    listed_share: Annotated[
        float,
        typer.Option("--listed-share", metavar="P", help="For the score map: share of passers-by who are listed."),
    ] = 0.001,
    seed: Annotated[int, typer.Option("--seed", help="Draws the watchlists.")] = 0,
    model: ModelOption = None,
    threads: ThreadsOption = None,
    json: JsonOption = False,
) -> None:
    """Choose the threshold for a false positive rate at a watchlist size.

    The threshold is the smallest at which the data show the rate to be at or
    under P: its one-sided 95% upper bound is. With too few subjects the
    verdict is `insufficient_data`, the threshold holds the observed rate, and
    only a deployment marked demo may use it; the numbers still needed are
    said. `lfr deployment create --calibration FILE` takes the file.
    """
    import numpy as np

    from lfr.errors import InputError
    from lfr.evaluation import calibrate as calibrated
    from lfr.evaluation import fit_score_map

    for option, share in (("--fpir", fpir), ("--listed-share", listed_share)):
        if not 0.0 < share < 1.0:
            raise InputError(f"{option} {share}: expected a share between 0 and 1, such as 0.001")
    found = templates_for(manifest, dataset, root, templates, model=model, threads=threads)
    result = calibrated(
        found,
        target_fpir=fpir,
        watchlist_size=watchlist_size,
        rng=np.random.default_rng(seed),
        created=datetime.now(UTC).replace(microsecond=0),
        lists=lists,
        quality_gate=quality_gate,
        fusion=fusion.value,
        shots=shots,
    )
    made = result.calibration
    file = output or kept_in_home(f"calibration-{made.digest[:12]}.json")
    made.write(file)
    if plot is not None:
        save_figure(result.plot_false_alerts(), plot)
    document = {**result.as_dict(), "seed": seed, "manifest": found.manifest.name, "file": file, "plot": plot}
    if score_map is not None:
        fitted = fit_score_map(result.scores, made, listed_share=listed_share, created=made.created)
        fitted.score_map.write(score_map)
        document["score_map"] = {**fitted.as_dict(), "file": score_map}
    emit(document, as_json=json, show=partial(_show, document, result))


def _show(document: Mapping[str, Any], result: CalibrationResult) -> None:
    made = result.calibration
    sufficient = made.verdict == "sufficient"
    out.print(
        f"[bold]{'sufficient' if sufficient else 'insufficient data'}[/]: threshold [bold]{made.threshold:.4f}[/] "
        f"for an FPIR of {made.target_fpir:g} at a watchlist of {made.watchlist_size:,}"
    )
    for reason in result.reasons:
        out.print(f"  {reason}")
    for name, rate, subjects in (
        ("FPIR", made.fpir, made.non_mated_subjects),
        ("TPIR", made.tpir, made.subjects),
    ):
        if rate.value is None or rate.low is None or rate.high is None:
            out.print(f"{name}: no such pass")
            continue
        out.print(
            f"{name} {rate.value:.5f} ({rate.count:,} of {rate.of:,} passes of {subjects:,} subjects), "
            f"95% interval {rate.low:.5f} to {rate.high:.5f}"
        )
    out.print(
        f"{made.unit}s, at most {made.shots} shots, {made.fusion}; quality gate {made.quality_policy}; "
        f"failures to acquire {document['failures_to_acquire']:,}, to enrol {document['failures_to_enrol']:,}"
    )
    if made.simulated:
        out.print("made from drawn faces: only a deployment marked demo may use it")
    table = Table("watchlist", "threshold", "measured", "95% of lists drawn", "if independent",
                  title="expected false alerts per 10,000 faces")  # fmt: skip
    for at in document["expected_false_alerts"]:
        table.add_row(
            f"{at['watchlist_size']:,}",
            f"{at['threshold']:.4f}",
            f"{at['measured']:.2f}",
            f"{at['low']:.2f} to {at['high']:.2f}" if at["lists"] > 1 else "-",
            f"{at['independent']:.2f}",
        )
    out.print(table)
    out.print(f"calibration {made.digest[:12]}: {document['file']}", soft_wrap=True)
    if fitted := document.get("score_map"):
        out.print(
            f"score map {fitted['digest'][:12]}: {fitted['file']}; one passer-by in {1 / fitted['listed_share']:,.0f} "
            f"listed; at most {fitted['most']:.0%} can be shown; off by {fitted['calibration_error']:.3f} on subjects "
            "it was not fitted on",
            soft_wrap=True,
        )
