"""``lfr evaluate scene``: the live pipeline against a simulated scene's truth."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lfr.cli.console import JsonOption, ModelOption, ThreadsOption, emit, err, out, recogniser_for
from lfr.cli.demo import DEMO_THRESHOLD, run_scene, scene_document, show_score

__all__ = ["scene"]


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
    score = run_scene(settings, setup, recogniser, threshold=threshold, live=not json)
    document = scene_document(score, recogniser, setup, threshold=threshold)
    if video is not None:
        document["video"] = str(video)

    def show() -> None:
        show_score(score)
        if video is not None:
            out.print(f"video: {video}")

    emit(document, as_json=json, show=show)
