"""The rows of ``lfr bench serve``, each with what shows that both sides did the same."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from lfr.cli.service_benchmark.consumption import Consumption
from lfr.cli.service_benchmark.footage import FIELD_UNIT_WH, Footage, Sizes, read_footage
from lfr.cli.service_benchmark.matching import ask_matcher, with_large_list
from lfr.cli.service_benchmark.sides import Run, decoded, in_process, over_http
from lfr.errors import ServiceError
from lfr.evaluation.made_up import MadeUpForce, make_up_force
from lfr.models import Model
from lfr.serving.node import NodeSettings, free_port
from lfr.serving.settings import AppArgs
from lfr.serving.starting import StartTimes
from lfr.serving.supervisor import Supervisor

__all__ = ["bench_serve", "frame_rows", "matcher_row"]

Progress = Callable[[str], None]
_PACE_FPS = 5.0
_IN_ONE_PROCESS = "the same pipeline in one process, alerts committed too"
_RATE_AIM = 0.7
_PACED_FACTOR, _PACED_MS = 1.5, 15.0
_MATCHER_MS = 5.0
_CAMERA_FPS = (5, 12, 25)
_ENTRIES_TOLD = 10_000
_LEAST_MS = 0.05


def bench_serve(
    model: Model,
    *,
    source: Path | None,
    threads: int,
    sizes: Sizes | None = None,
    in_flight: int = 4,
    weights: Path | None = None,
    progress: Progress = lambda _: None,
) -> dict[str, Any]:
    """Run a service on a store of its own, and time it against the same pipeline in this process.

    Parameters
    ----------
    model
        For this process, made with ``threads`` threads; the service loads the same version. It must be one that the
        shipped calibration is of.
    source
        Recorded; None: a simulated scene.
    threads
        Threads of the networks on both sides.
    sizes
        How much; None takes the sizes of the aims.
    in_flight
        Frames on their way at once.
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
        As `read_footage`; ServiceError where the service does not start.
    """
    sizes = sizes or Sizes()
    folder = Path(tempfile.mkdtemp(prefix="lfr-"))  # short, because of the sockets below it
    try:
        progress("encoding the frames")
        footage = read_footage(source, model, folder=folder, frames=sizes.frames)
        force = make_up_force(folder / "home", model, footage.people)
        args = AppArgs(home=force.home, model=model.version.name, threads=threads, weights=weights)
        node = NodeSettings(folder / "ray", port=free_port())
        progress("starting the service")
        with Supervisor(args, node, port=free_port()) as service:
            assert service.started is not None, "it has started"
            rows = [_start_row(service.started, model, threads=threads, weights=weights)]
            used = Consumption(service.node_pid)
            frames = frame_rows(force, model, service.url, footage, used, sizes, in_flight=in_flight, progress=progress)
            resident = used.resident_mib()
            progress(f"one probe against {sizes.references} references")
            asked = matcher_row(force, model, node, args, sizes)
            sizing = _sizing(frames[0], resident, used, references=sizes.references)
        rows = [*frames, asked, *rows]
        return {
            "rows": [row | {"version": model.version.name, "threads": threads} for row in rows],
            "sizing": sizing,
        }
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
        Has the service's store; each turn is a deployment of its own, so that no track or cool-down reaches another.
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

    def turns(sent: Footage, what: str, *, in_flight: int, pace_fps: float | None) -> tuple[list[Run], list[Run]]:
        ours: list[Run] = []
        peer: list[Run] = []
        for turn in range(1 - sizes.warm_up, sizes.repeats + 1):
            progress(f"{what}, turn {turn} of {sizes.repeats}" if turn > 0 else f"{what}, warming up")
            again = force.another(model)
            for side in (ours, peer) if turn % 2 else (peer, ours):
                if side is ours:
                    run = over_http(again, url, sent, used, in_flight=in_flight, pace_fps=pace_fps)
                else:
                    run = in_process(again, model, decoded(sent.jpegs, fps=sent.fps), pace_fps=pace_fps)
                side.append(run)
        return ours, peer

    ours, peer = turns(footage, "frames in flight", in_flight=in_flight, pace_fps=None)
    width, height = footage.resolution_wh
    frames = len(footage.jpegs)
    rates = [[frames / run.total_s for run in side[sizes.warm_up :]] for side in (ours, peer)]
    fast = _row(
        f"{frames} JPEGs of {width}x{height} over HTTP, {in_flight} in flight",
        *rates,
        peer_name=_IN_ONE_PROCESS,
        unit="frames/s",
        parity=_parity(ours, peer),
    )
    fast |= {
        "aim": f"a ratio of at least {_RATE_AIM}",
        "reached": median(rates[0]) >= _RATE_AIM * median(rates[1]),
        "core_ms_per_frame": [_core_ms(side[sizes.warm_up :], frames) for side in (ours, peer)],
        "faces_per_frame": round(ours[-1].faces / frames, 2),
        "data": footage.name,
    }
    small = footage.resized(FIELD_UNIT_WH, most=sizes.paced_frames)
    ours, peer = turns(small, "one field unit", in_flight=1, pace_fps=_PACE_FPS)
    times = [[1000 * s for run in side[sizes.warm_up :] for s in run.frame_s[1:]] for side in (ours, peer)]
    bound = _PACED_FACTOR * median(times[1]) + _PACED_MS
    paced = _row(
        "one unit at 5 frames/s of 1280x720, frame to alerts",
        *times,
        peer_name=_IN_ONE_PROCESS,
        unit="ms, less is better",
        parity=_parity(ours, peer),
    )
    paced |= {
        "aim": f"at most {_PACED_FACTOR} times as long and {_PACED_MS:.0f} ms: {bound:.1f} ms",
        "reached": median(times[0]) <= bound,
        "bound_ms": round(bound, 2),
        "data": footage.name,
    }
    return [fast, paced]


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
    A row of milliseconds within which 99% of the calls were answered; ``p50_ms`` has the median of all.
    """
    large = with_large_list(force, model, references=sizes.references)
    asked = ask_matcher(node, args, large.deployment_id, calls=sizes.calls, repeats=sizes.repeats)
    sides = [[1000 * float(np.quantile(turn, 0.99)) for turn in asked[side]] for side in ("ours_s", "peer_s")]
    row = _row(
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


def _start_row(started: StartTimes, model: Model, *, threads: int, weights: Path | None) -> dict[str, Any]:
    """How long the service took to its first answer, and a process that has the pipeline and no service to be ready."""
    began = time.perf_counter()
    load = f"load_model({model.version.name!r}, threads={threads}, weights={str(weights) if weights else None!r})"
    code = f"import pathlib, lfr.pipeline.watching; from lfr.models import load_model; print({load}.digest)"
    if weights is not None:
        code = code.replace(repr(str(weights)), f"pathlib.Path({str(weights)!r})")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode:
        raise ServiceError(f"the pipeline did not start: {''.join(done.stderr.strip().splitlines()[-1:])}")
    took_s = time.perf_counter() - began
    row = _row(
        "lfr serve, to its first answer",
        [started.total_s],
        [took_s],
        peer_name="one process with pipeline and model, no service",
        unit="s, less is better",
        parity={"same_model": done.stdout.strip() == model.digest},
    )
    return row | {"start": started.as_dict()}


def _sizing(fast: dict[str, Any], resident: dict[str, float], used: Consumption, *, references: int) -> dict[str, Any]:
    """Return what a frame, a camera and a list need, from what the service's processes used."""
    frames_s = 1000 / sum(fast["core_ms_per_frame"][0].values())
    small = resident.get("matcher", 0.0)
    return {
        "of": fast["name"],
        "frames_per_core_s": round(frames_s, 2),
        "faces_per_core_s": round(frames_s * fast["faces_per_frame"], 1),
        "cameras_per_core": {f"{fps}_fps": round(frames_s / fps, 2) for fps in _CAMERA_FPS},
        "resident_mib": resident,
        "matcher_mib_per_10000_entries": round((used.largest_mib("matcher") - small) * _ENTRIES_TOLD / references, 1),
    }


def _core_ms(runs: Sequence[Run], frames: int) -> dict[str, float]:
    """Return the milliseconds of a core that each part uses for a frame, those that use none left out."""
    spent = {
        part: 1000 * median(run.core_s.get(part, 0.0) for run in runs) / frames
        for part in sorted({part for run in runs for part in run.core_s})
    }
    return {part: round(ms, 1) for part, ms in spent.items() if ms >= _LEAST_MS}


def _parity(ours: Sequence[Run], peer: Sequence[Run]) -> dict[str, Any]:
    """Whether both sides came to the same in every turn, and to what in the last."""
    same = [a.same(b) for a, b in zip(ours, peer, strict=True)]
    return {
        "faces_seen": all(turn["faces_seen"] for turn in same),
        "alerts": all(turn["alerts"] for turn in same),
        "alerts_raised": len(ours[-1].alerts),
        "people": ours[-1].faces_seen,
    }


def _row(
    name: str, ours: Sequence[float], peer: Sequence[float], *, peer_name: str, unit: str, parity: dict[str, Any]
) -> dict[str, Any]:
    return {
        "name": name,
        "ours": round(median(ours), 2),
        "peer": round(median(peer), 2),
        "peer_name": peer_name,
        "ratio": round(median(ours) / median(peer), 2),
        "unit": unit,
        "parity": parity,
        "repeats": len(ours),
        "ours_spread": [round(min(ours), 2), round(max(ours), 2)],
        "peer_spread": [round(min(peer), 2), round(max(peer), 2)],
    }
