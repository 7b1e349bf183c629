"""The rows of ``lfr bench serve``, each with what shows that both sides did the same."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from pydantic import SecretStr

from lfr.cli.service_benchmark.consumption import Consumption
from lfr.cli.service_benchmark.feed import SOURCE, fed, read_again
from lfr.cli.service_benchmark.footage import FIELD_UNIT_WH, Footage, Sizes, read_footage
from lfr.cli.service_benchmark.installed import installed_row
from lfr.cli.service_benchmark.matching import ask_matcher, with_large_list
from lfr.cli.service_benchmark.rows import core_ms, sameness, sizing_of, start_row, timed_row
from lfr.cli.service_benchmark.sides import Run, decoded, in_process, over_http
from lfr.deployments import SHIPPED, calibration_named
from lfr.errors import ModelMismatchError
from lfr.evaluation.made_up import MadeUpForce, make_up_force
from lfr.models import Model
from lfr.serving.node import NodeSettings, free_port
from lfr.serving.settings import AppArgs, SourceSpec
from lfr.serving.supervisor import Supervisor

__all__ = ["bench_serve", "feed_row", "frame_rows", "matcher_row"]

Progress = Callable[[str], None]
Side = Callable[[MadeUpForce], Run]
_PACE_FPS = 5.0
_IN_ONE_PROCESS = "the same pipeline in one process, alerts committed too"
_HTTP_AIM, _FEED_AIM = 0.7, 0.85
_PACED_FACTOR, _PACED_MS = 1.5, 15.0
_MATCHER_MS = 5.0


def bench_serve(
    model: Model,
    *,
    source: Path | None,
    threads: int,
    calibration: str = SHIPPED,
    sizes: Sizes | None = None,
    in_flight: int = 4,
    detect_every: int = 1,
    weights: Path | None = None,
    progress: Progress = lambda _: None,
) -> dict[str, Any]:
    """Run a service on a store of its own, and time it against the same pipeline in this process.

    Parameters
    ----------
    model
        For this process, made with ``threads`` threads; the service loads the same version.
    source
        Recorded; None: a simulated scene. A video file is also read by the service itself.
    threads
        Threads of the networks on both sides.
    calibration
        File with the threshold of both sides, of this model; `SHIPPED`: the one that comes with lfr, of the default
        one.
    sizes
        How much; None takes the sizes of the aims.
    in_flight
        Frames on their way at once.
    detect_every
        Frames per detection of the recording that the service reads itself, on both sides.
    weights
        Folder of the weight pack; None takes the installed one.
    progress
        Told what runs.

    Returns
    -------
    ``rows`` of the benchmark document, and ``sizing``: what a frame, a camera and a list need of cores and memory.

    Raises
    ------
    LfrError
        As `read_footage`; ServiceError where the service does not start, ModelMismatchError where the calibration is of
        another model.
    """
    sizes = sizes or Sizes()
    if (of := calibration_named(calibration, folder=Path()).model_digest) != model.digest:
        raise ModelMismatchError(f"{model.version.name} is model {model.digest}, the calibration is of model {of}")
    folder = Path(tempfile.mkdtemp(prefix="lfr-"))  # short, because of the sockets below it
    try:
        progress("encoding the frames")
        footage = read_footage(source, model, folder=folder, frames=sizes.frames)
        force = make_up_force(folder / "home", model, footage.people, calibration=calibration)
        video = {SOURCE: SourceSpec(address=SecretStr(str(footage.video.absolute())))} if footage.video else {}
        args = AppArgs(
            home=force.home,
            model=model.version.name,
            threads=threads,
            weights=weights,
            sources=video,
            detect_every=detect_every,
        )
        node = NodeSettings(folder / "ray", port=free_port())
        installed = installed_row()
        progress("starting the service")
        with Supervisor(args, node, port=free_port()) as service:
            assert service.started is not None, "it has started"
            start = start_row(service.started, model, threads=threads, weights=weights)
            used = Consumption(service.node_pid)
            rows = frame_rows(force, model, service.url, footage, used, sizes, in_flight=in_flight, progress=progress)
            if footage.video:
                rows.insert(
                    1,
                    feed_row(
                        force,
                        model,
                        service.url,
                        footage,
                        used,
                        sizes,
                        detect_every=detect_every,
                        progress=progress,
                    ),
                )
            feed_mib = used.largest_mib("camera") if footage.video else None
            resident = used.resident_mib()
            progress(f"one probe against {sizes.references} references")
            rows += [matcher_row(force, model, node, args, sizes), start, installed]
            sizing = sizing_of(
                rows[0],
                resident,
                used,
                references=sizes.references,
                searched=sizes.searched,
                feed_camera_mib=feed_mib,
            )
        shared = {"version": model.version.name, "threads": threads, "data": footage.name}
        return {"rows": [row | shared for row in rows], "sizing": sizing}
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def frame_rows(
    force: MadeUpForce,
    model: Model,
    url: str,
    footage: Footage,
    used: Consumption,
    sizes: Sizes,
    *,
    in_flight: int,
    progress: Progress = lambda _: None,
) -> list[dict[str, Any]]:
    """Time frames in flight, and one field unit at 5 frames a second of 720p, against the pipeline in this process.

    Parameters
    ----------
    force
        Has the service's store.
    model
        The one that the service runs.
    url
        Of the service.
    footage, sizes, in_flight
        What is sent, how much of it, and how many frames are on their way at once.
    used
        Of the service's processes.
    progress
        Told what runs.

    Returns
    -------
    A row for each: frames a second; milliseconds from a frame to its alerts.
    """
    frames, (width, height) = len(footage.jpegs), footage.resolution_wh
    ours, peer = _in_turn(
        force,
        model,
        lambda again: over_http(again, url, footage, used, in_flight=in_flight),
        lambda again: in_process(again, model, decoded(footage.jpegs, fps=footage.fps)),
        sizes,
        progress=lambda turn: progress(f"frames in flight, {turn}"),
    )
    fast = _rate_row(
        "http", f"{frames} JPEGs of {width}x{height} over HTTP, {in_flight} in flight", ours, peer, sizes, aim=_HTTP_AIM
    )
    small = footage.resized(FIELD_UNIT_WH, most=sizes.paced_frames)
    ours, peer = _in_turn(
        force,
        model,
        lambda again: over_http(again, url, small, used, in_flight=1, pace_fps=_PACE_FPS),
        lambda again: in_process(again, model, decoded(small.jpegs, fps=small.fps), pace_fps=_PACE_FPS),
        sizes,
        progress=lambda turn: progress(f"one field unit, {turn}"),
    )
    times = [[1000 * s for run in side[sizes.warm_up :] for s in run.frame_s[1:]] for side in (ours, peer)]
    bound = _PACED_FACTOR * median(times[1]) + _PACED_MS
    paced = timed_row(
        "paced",
        "one unit at 5 frames/s of 1280x720, frame to alerts",
        *times,
        peer_name=_IN_ONE_PROCESS,
        unit="ms, less is better",
        parity=sameness(ours, peer),
    )
    paced |= {
        "aim": f"at most {_PACED_FACTOR} times as long and {_PACED_MS:.0f} ms: {bound:.1f} ms",
        "reached": median(times[0]) <= bound,
        "bound_ms": round(bound, 2),
    }
    return [fast, paced]


def feed_row(
    force: MadeUpForce,
    model: Model,
    url: str,
    footage: Footage,
    used: Consumption,
    sizes: Sizes,
    *,
    detect_every: int = 1,
    progress: Progress = lambda _: None,
) -> dict[str, Any]:
    """Time a video file that the service reads itself, against the pipeline in this process reading it.

    Parameters are those of `frame_rows`; ``footage`` is of a video file, which the service knows as `SOURCE`, and
    ``detect_every`` what the service was made with.

    Returns
    -------
    A row of frames a second.
    """
    video = footage.video
    assert video is not None, "the footage is of a video file"
    ours, peer = _in_turn(
        force,
        model,
        lambda again: fed(again, url, footage, used),
        lambda again: in_process(again, model, read_again(video), detect_every=detect_every),
        sizes,
        progress=lambda turn: progress(f"the service reads the recording, {turn}"),
    )
    width, height = footage.resolution_wh
    stride = "" if detect_every == 1 else f", faces found in one of {detect_every} frames"
    row = _rate_row("feed", f"{width}x{height} video, read by the service{stride}", ours, peer, sizes, aim=_FEED_AIM)
    return row | {"detect_every": detect_every}


def matcher_row(force: MadeUpForce, model: Model, node: NodeSettings, args: AppArgs, sizes: Sizes) -> dict[str, Any]:
    """Time one probe through Ray to the matcher of a large sealed list, against the same list in one process.

    Parameters
    ----------
    force, model
        Whose store, and of which model the list is.
    node, args
        The service's node and arguments.
    sizes
        How large, and how often.

    Returns
    -------
    A row of milliseconds within which 99% of the calls were answered; ``p50_ms`` has the medians.
    """
    large = with_large_list(force, model, references=sizes.references)
    asked = ask_matcher(node, args, large.deployment_id, calls=sizes.calls, repeats=sizes.repeats)
    sides = [[1000 * float(np.quantile(turn, 0.99)) for turn in asked[side]] for side in ("ours_s", "peer_s")]
    row = timed_row(
        "matcher",
        f"matcher, {asked['entries']} references, 1 probe: 99% of calls within",
        *sides,
        peer_name="the same list in one process",
        unit="ms, less is better",
        parity={"same_scores": asked["same_scores"], "same_subjects": asked["same_subjects"]},
    )
    return row | {
        "aim": f"under {_MATCHER_MS:.0f} ms",
        "reached": median(sides[0]) < _MATCHER_MS,
        "p50_ms": [round(1000 * float(np.median(asked[side])), 3) for side in ("ours_s", "peer_s")],
    }


def _in_turn(
    force: MadeUpForce, model: Model, ours: Side, peer: Side, sizes: Sizes, *, progress: Progress
) -> tuple[list[Run], list[Run]]:
    """Run both sides in turn, the other one first each time.

    Each turn is a deployment of its own, so that no track or cool-down reaches another.
    """
    our_runs: list[Run] = []
    peer_runs: list[Run] = []
    for turn in range(1 - sizes.warm_up, sizes.repeats + 1):
        progress(f"turn {turn} of {sizes.repeats}" if turn > 0 else "warming up")
        again = force.another(model)
        if turn % 2:
            our_runs.append(ours(again))
            peer_runs.append(peer(again))
        else:
            peer_runs.append(peer(again))
            our_runs.append(ours(again))
    return our_runs, peer_runs


def _rate_row(kind: str, name: str, ours: list[Run], peer: list[Run], sizes: Sizes, *, aim: float) -> dict[str, Any]:
    counted = ours[sizes.warm_up :], peer[sizes.warm_up :]
    rates = [[run.frames / run.total_s for run in side] for side in counted]
    row = timed_row(kind, name, *rates, peer_name=_IN_ONE_PROCESS, unit="frames/s", parity=sameness(ours, peer))
    return row | {
        "aim": f"a ratio of at least {aim}",
        "reached": median(rates[0]) >= aim * median(rates[1]),
        "core_ms_per_frame": [core_ms(side) for side in counted],
        "faces_per_frame": round(peer[-1].faces / peer[-1].frames, 2),
        "searches_per_frame": round(peer[-1].searches / peer[-1].frames, 3),
    }
