"""``lfr demo``: made-up people walk past a camera; a table of what happens, and a report."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from lfr.cli.console import JsonOption, ModelOption, ThreadsOption, emit, err, out, recogniser_for

if TYPE_CHECKING:
    from lfr.evaluation.rehearsal_scene import SceneSetup
    from lfr.evaluation.scene import SceneScore
    from lfr.pipeline import AlertProposal, FrameResult, Recogniser
    from lfr.sources import SceneFrame, SceneSettings
    from lfr.types import Pixels

__all__ = ["DEMO_THRESHOLD", "demo", "run_scene"]

DEMO_THRESHOLD = 0.45
_PREVIEW_WH = (720, 405)
_PREVIEW_FPS = 5.0


def demo(
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FOLDER", help="Where the report goes.")] = Path(
        "lfr-demo"
    ),
    duration: Annotated[
        float, typer.Option("--duration", min=10, max=600, help="Length of the scene in seconds.")
    ] = 60.0,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Another seed, another scene.")] = 0,
    difficulty: Annotated[
        float, typer.Option("--difficulty", min=0, max=1, help="Turn, blur, light and noise: 0 to 1.")
    ] = 0.5,
    threshold: Annotated[
        float, typer.Option("--threshold", min=-1, max=1, help="Score at or over which an alert is raised.")
    ] = DEMO_THRESHOLD,
    model: ModelOption = None,
    threads: ThreadsOption = None,
    json: JsonOption = False,
) -> None:
    """See the whole way of a face: a street, a watchlist, alerts, and how right they were.

    Everybody in it is made up, the street is drawn, and nothing is alerted
    for real: this is a rehearsal. It ends with TPIR and FPIR against the
    scene's truth and an HTML report with a timeline and the alerts.
    """
    from lfr.evaluation.rehearsal_scene import demo_setup
    from lfr.evaluation.scene_report import AlertPicture, write_report
    from lfr.pipeline import draw_preview
    from lfr.sources import SceneSettings, read_image

    settings = SceneSettings(duration_s=duration, seed=seed, difficulty=difficulty)
    setup = demo_setup(settings)
    recogniser = recogniser_for(model, threads=threads)
    reference_of = dict(setup.references)
    pictures: list[AlertPicture] = []
    preview: list[Pixels] = []
    best: dict[int, AlertProposal] = {}

    def on_frame(seen: SceneFrame, result: FrameResult) -> None:
        for alert in result.proposals:
            best[alert.track_id] = max(best.get(alert.track_id, alert), alert, key=lambda a: a.score)
            reference = _resized(read_image(reference_of[alert.subject_id]), (224, 224))
            pictures.append(AlertPicture(alert, _face(seen.frame.pixels, alert.xyxy), reference))
        if result.time_s * _PREVIEW_FPS >= len(preview):
            alerted = {track_id: f"{a.subject_id} {a.score:.2f}" for track_id, a in best.items()}
            shown = draw_preview(seen.frame.pixels, faces=result.faces, tracks=result.tracks, alerted=alerted)
            preview.append(_resized(shown, _PREVIEW_WH))

    score = run_scene(settings, setup, recogniser, threshold=threshold, live=not json, on_frame=on_frame)
    report = output / "report.html"
    facts = {
        "Model": f"{recogniser.model.version.name}, digest {recogniser.model.digest}",
        "Threshold": f"{threshold:.2f}, chosen for this demo by no calibration",
        "Watchlist": f"{len(reference_of)} made-up subjects",
        "Scene": f"{duration:.0f} s at {settings.fps:g} frames a second, difficulty {difficulty:g}, seed {seed}",
    }
    write_report(report, score, pictures=pictures, preview=preview, preview_fps=_PREVIEW_FPS, facts=facts)
    document = scene_document(score, recogniser, setup, threshold=threshold) | {"report": str(report)}

    def show() -> None:
        show_score(score)
        out.print(f"report: [bold]{report}[/]  (open it in a browser)")

    emit(document, as_json=json, show=show)


def run_scene(
    settings: SceneSettings,
    setup: SceneSetup,
    recogniser: Recogniser,
    *,
    threshold: float,
    live: bool,
    on_frame: Callable[[SceneFrame, FrameResult], None] | None = None,
) -> SceneScore:
    """Enrol, render, process and score a scene, with a live table or a progress bar on standard error."""
    from lfr.evaluation.rehearsal_scene import play
    from lfr.evaluation.scene import SceneEvaluation
    from lfr.matching import DecisionRule
    from lfr.pipeline import StreamProcessor, enrol
    from lfr.sources import Scene

    with err.status(f"enrolling {len(setup.references)} references"):
        watchlist = enrol(setup.references, recogniser)
    with err.status("painting the street"):
        scene = Scene(setup.walkers, settings)
    processor = StreamProcessor(recogniser, watchlist, DecisionRule(threshold=threshold, shots=SHOTS))
    evaluation = SceneEvaluation(scene.passes, watchlist.subjects)
    recent: list[AlertProposal] = []
    # A terminal gets a table that lives; a log file gets the result only.
    shown = Live(console=err, transient=True, refresh_per_second=8) if live and err.is_terminal else nullcontext()
    with shown as table:
        for seen, result in play(scene, processor, evaluation):
            recent += result.proposals
            if on_frame is not None:
                on_frame(seen, result)
            if isinstance(table, Live):
                table.update(_live_view(recent, result, processor.faces_seen, settings.duration_s))
    return evaluation.score(faces_seen=processor.faces_seen)


SHOTS = 5


def scene_document(score: SceneScore, recogniser: Recogniser, setup: SceneSetup, *, threshold: float) -> dict[str, Any]:
    """Return the JSON document of a scene."""
    return score.as_dict() | {
        "threshold": threshold,
        "watchlist_size": len({subject for subject, _ in setup.references}),
        "model": {"version": recogniser.model.version.name, "digest": recogniser.model.digest},
    }


def show_score(score: SceneScore) -> None:
    """Print what people read after a scene: each alert, then the rates."""
    table = Table("time", "alert for", "score", "who walked", "", title="Alerts", title_justify="left")
    for row in score.as_dict()["alerts"]:
        verdict = "[green]right[/]" if row["correct"] else "[red]wrong[/]"
        table.add_row(
            f"{row['time_s']:.1f} s",
            row["subject_id"],
            f"{row['score']:.3f}",
            row["true_subject_id"] or "nobody",
            verdict,
        )
    out.print(table)
    rates = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
    rates.add_row("faces seen", f"[bold]{score.faces_seen}[/]", f"tracks; {len(score.passes)} people walked")
    for name, rate, meaning in (
        ("TPIR", score.tpir, "listed passes with the right alert"),
        ("FPIR", score.fpir, "unlisted passes with an alert"),
    ):
        if rate.value is None or rate.low is None or rate.high is None:
            rates.add_row(name, "none", "no such pass")
        else:
            interval = f"95% interval {rate.low:.1%} to {rate.high:.1%}"
            rates.add_row(name, f"[bold]{rate.value:.1%}[/]", f"{rate.count} of {rate.of} {meaning}, {interval}")
    times = score.as_dict()["time_to_alert_s"]
    if times["count"]:
        rates.add_row(
            "time to alert",
            f"[bold]{times['median']:.1f} s[/]",
            f"median from first in view; longest {times['max']:.1f} s",
        )
    out.print(rates)
    out.print("A rehearsal on made-up people: its figures say nothing about a real street.", style="dim")


def _live_view(recent: list[AlertProposal], result: FrameResult, faces_seen: int, duration_s: float) -> Group:
    table = Table("time", "alert for", "score", "track", expand=False)
    for alert in recent[-8:]:
        table.add_row(f"{alert.time_s:.1f} s", alert.subject_id, f"{alert.score:.3f}", str(alert.track_id))
    counters = Text(
        f"{result.time_s:5.1f} of {duration_s:.0f} s   in view {int(result.tracks.confirmed.sum()):2d}   "
        f"faces seen {faces_seen:3d}   alerts {len(recent):2d}"
    )
    return Group(counters, ProgressBar(total=duration_s, completed=result.time_s, width=60), table)


def _face(pixels: Pixels, xyxy: tuple[float, float, float, float]) -> Pixels:
    left, top, right, bottom = xyxy
    half = 0.75 * max(right - left, bottom - top)
    x, y = (left + right) / 2, (top + bottom) / 2
    rows = slice(max(0, int(y - half)), max(1, int(y + half)))
    columns = slice(max(0, int(x - half)), max(1, int(x + half)))
    return _resized(pixels[rows, columns], (224, 224))


def _resized(pixels: Pixels, size_wh: tuple[int, int]) -> Pixels:
    import cv2
    import numpy as np

    return np.asarray(cv2.resize(pixels, size_wh, interpolation=cv2.INTER_AREA), np.uint8)
