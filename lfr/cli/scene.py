"""``lfr evaluate scene``: the live pipeline against a simulated scene's truth."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from lfr.cli.console import DetectEveryOption, JsonOption, ModelOption, ThreadsOption, emit, err, out, recogniser_for

if TYPE_CHECKING:
    from lfr.evaluation.rehearsal_scene import SceneSetup
    from lfr.evaluation.scene import SceneScore
    from lfr.pipeline import AlertProposal, FrameResult, Recogniser
    from lfr.sources import SceneSettings

__all__ = ["scene"]

DEMO_THRESHOLD = 0.45
SHOTS = 5


def scene(
    manifest: Annotated[
        Path | None,
        typer.Option(
            "--manifest",
            metavar="CSV",
            help="References are listed, probes walk.  [default: the shipped made-up people]",
        ),
    ] = None,
    threshold: Annotated[
        float, typer.Option("--threshold", min=-1, max=1, help="Score at or over which an alert is raised.")
    ] = DEMO_THRESHOLD,
    duration: Annotated[float, typer.Option("--duration", min=10, max=3600, help="Length in seconds.")] = 60.0,
    people_per_minute: Annotated[
        float, typer.Option("--people-per-minute", min=1, max=90, help="How crowded it is.")
    ] = 22.0,
    difficulty: Annotated[
        float, typer.Option("--difficulty", min=0, max=1, help="Turn, blur, light and noise: 0 to 1.")
    ] = 0.5,
    fps: Annotated[float, typer.Option("--fps", min=1, max=60, help="Frames per second.")] = 12.5,
    resolution: Annotated[
        str, typer.Option("--resolution", metavar="WxH", help="Picture size in pixels.")
    ] = "1280x720",
    seed: Annotated[int, typer.Option("--seed", min=0, help="Another seed, another scene.")] = 0,
    detect_every: DetectEveryOption = 1,
    video: Annotated[
        Path | None, typer.Option("--video", metavar="FILE.mp4", help="Write the scene as a video as well.")
    ] = None,
    model: ModelOption = None,
    threads: ThreadsOption = None,
    json: JsonOption = False,
) -> None:
    """Play a simulated street and count, pass by pass, who was recognised.

    TPIR is over listed passes and FPIR over unlisted ones, each with a 95%
    interval. The scene is the same, frame by frame, for the same settings.
    """
    from pydantic import ValidationError

    from lfr.errors import SettingsError
    from lfr.evaluation.rehearsal_scene import demo_setup, manifest_setup
    from lfr.sources import Scene, SceneSettings

    try:
        width, height = (int(side) for side in resolution.lower().split("x"))
        settings = SceneSettings(
            resolution_wh=(width, height),
            fps=fps,
            duration_s=duration,
            people_per_minute=people_per_minute,
            difficulty=difficulty,
            seed=seed,
        )
    except ValidationError as error:
        raise SettingsError(f"the scene cannot be drawn: {error.errors()[0]['msg']}") from error
    except ValueError as error:
        raise SettingsError(f"--resolution {resolution}: write it as 1280x720") from error
    setup = manifest_setup(manifest) if manifest else demo_setup(settings)
    recogniser = recogniser_for(model, threads=threads)
    if video is not None:
        with err.status(f"writing {video}"):
            Scene(setup.walkers, settings).write_video(video)
    score = _run_scene(settings, setup, recogniser, threshold=threshold, detect_every=detect_every, live=not json)
    document = _scene_document(score, recogniser, setup, threshold=threshold) | {"detect_every": detect_every}
    if video is not None:
        document["video"] = str(video)

    def show() -> None:
        _show_score(score)
        if video is not None:
            out.print(f"video: {video}")

    emit(document, as_json=json, show=show)


def _run_scene(
    settings: SceneSettings,
    setup: SceneSetup,
    recogniser: Recogniser,
    *,
    threshold: float,
    detect_every: int,
    live: bool,
) -> SceneScore:
    """Enrol, render, process and score a scene, with a live table or a progress bar on standard error."""
    from lfr.evaluation.rehearsal_scene import play
    from lfr.evaluation.scene import SceneEvaluation
    from lfr.matching import DecisionRule
    from lfr.pipeline import StreamProcessor, StreamSettings, enrol
    from lfr.sources import Scene

    with err.status(f"enrolling {len(setup.references)} references"):
        watchlist = enrol(setup.references, recogniser)
    with err.status("painting the street"):
        scene = Scene(setup.walkers, settings)
    rule, stream = DecisionRule(threshold=threshold, shots=SHOTS), StreamSettings(detect_every=detect_every)
    processor = StreamProcessor(recogniser, watchlist, rule, settings=stream)
    evaluation = SceneEvaluation(scene.passes, watchlist.subjects)
    recent: list[AlertProposal] = []
    # A terminal gets a table that lives; a log file gets the result only.
    shown = Live(console=err, transient=True, refresh_per_second=8) if live and err.is_terminal else nullcontext()
    with shown as table:
        for _, result in play(scene, processor, evaluation):
            recent += result.proposals
            if isinstance(table, Live):
                table.update(_live_view(recent, result, processor.faces_seen, settings.duration_s))
    return evaluation.score(faces_seen=processor.faces_seen)


def _scene_document(
    score: SceneScore, recogniser: Recogniser, setup: SceneSetup, *, threshold: float
) -> dict[str, Any]:
    """Return the JSON document of a scene."""
    return score.as_dict() | {
        "threshold": threshold,
        "watchlist_size": len({subject for subject, _ in setup.references}),
        "model": {"version": recogniser.model.version.name, "digest": recogniser.model.digest},
    }


def _show_score(score: SceneScore) -> None:
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
