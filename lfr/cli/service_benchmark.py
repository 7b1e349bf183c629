"""How much of the speed of one process is left behind HTTP and Ray, in one run on one machine."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from typing import Any

import cv2
import numpy as np

from lfr.alerts import RaisedAlert
from lfr.client import FieldUnit, FrameResult
from lfr.deployments import live
from lfr.errors import ImageError
from lfr.evaluation.made_up import MadeUpForce, make_up_force
from lfr.evaluation.rehearsal_scene import demo_setup
from lfr.models import Model
from lfr.pipeline import Recogniser, StreamProcessor
from lfr.pipeline.station import Station
from lfr.serving.node import NodeSettings, free_port
from lfr.serving.settings import AppArgs
from lfr.serving.supervisor import Supervisor
from lfr.sources import Scene, SceneSettings, decode_image
from lfr.types import Frame
from lfr.watchlist import load_sealed

__all__ = ["bench_serve"]

_JPEG_QUALITY = 92
_PACE_FPS = 5.0


@dataclass(frozen=True)
class _Run:
    """What one pass over the frames came to: seconds of each frame and of all, faces seen, and who alerted."""

    frame_s: tuple[float, ...]
    total_s: float
    faces_seen: int
    alerts: tuple[str, ...]


def bench_serve(
    model: Model,
    *,
    threads: int,
    seconds: float = 20.0,
    repeats: int = 3,
    in_flight: int = 4,
    weights: Path | None = None,
    progress: Callable[[str], None] = lambda _: None,
) -> list[dict[str, Any]]:
    """Run a service on a store of its own, and time it against the same pipeline in this process.

    Both get the same JPEGs of a simulated scene, encoded beforehand, in live demonstrations with the same list, and
    commit their alerts.

    Parameters
    ----------
    model
        For this process, made with ``threads`` threads; the service loads the same version.
    threads
        Threads of the networks on both sides.
    seconds
        Length of the scene, 10 frames a second of 1280x720.
    repeats
        Runs of each side after one to warm up; medians count.
    in_flight
        Frames on their way at once.
    weights
        Folder of the weight pack; None takes the installed one.
    progress
        Told what runs.

    Returns
    -------
    Rows of the benchmark document: frames a second with frames in flight; milliseconds from a frame to its alerts at
    5 frames a second. Each says in how many seconds the service answered first.
    """
    progress("drawing and encoding the scene")
    settings = SceneSettings(resolution_wh=(1280, 720), duration_s=seconds, fps=10.0)
    setup = demo_setup(settings)
    jpegs = [_jpeg(seen.frame) for seen in Scene(setup.walkers, settings).frames()]
    folder = Path(tempfile.mkdtemp(prefix="lfr-"))  # short, because of the sockets below it
    try:
        force = make_up_force(folder / "home", model, dict(setup.references))
        args = AppArgs(home=force.home, model=model.version.name, threads=threads, weights=weights)
        node = NodeSettings(folder / "ray", port=free_port())
        began = time.perf_counter()
        progress("starting the service")
        with Supervisor(args, node, port=free_port()) as service:
            first_s = time.perf_counter() - began
            return _rows(
                force, model, service.url, jpegs, first_s=first_s, fps=settings.fps, threads=threads,
                repeats=repeats, in_flight=in_flight, progress=progress,
            )  # fmt: skip
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _rows(
    force: MadeUpForce,
    model: Model,
    url: str,
    jpegs: Sequence[bytes],
    *,
    first_s: float,
    fps: float,
    threads: int,
    repeats: int,
    in_flight: int,
    progress: Callable[[str], None],
) -> list[dict[str, Any]]:
    ours: list[_Run] = []
    peer: list[_Run] = []
    for run in range(repeats + 1):
        progress(f"frames in flight, run {run} of {repeats}" if run else "warming up")
        # Another deployment each time, so that no cool-down or track reaches from one run to the next.
        again = force.another(model)
        ours.append(_over_http(again, url, jpegs, fps=fps, in_flight=in_flight))
        peer.append(_in_process(again, model, jpegs, fps=fps))
    progress("one field unit at 5 frames a second")
    again, some = force.another(model), jpegs[: max(2, round(10 * _PACE_FPS))]
    paced_ours = _over_http(again, url, some, fps=fps, in_flight=1, pace_fps=_PACE_FPS)
    paced_peer = _in_process(again, model, some, fps=fps, pace_fps=_PACE_FPS)
    rates = [[len(jpegs) / run.total_s for run in side[1:]] for side in (ours, peer)]
    times = [[1000 * s for s in run.frame_s[1:]] for run in (paced_ours, paced_peer)]
    same = {
        "faces_seen": ours[-1].faces_seen == peer[-1].faces_seen,
        "alerts": sorted(ours[-1].alerts) == sorted(peer[-1].alerts),
    }
    # Ray's node, then Serve, then a process for each part, each of which loads its model.
    shared = {"version": model.version.name, "threads": threads, "service_started_in_s": round(first_s, 1)}
    return [
        _row(f"{len(jpegs)} JPEGs of 720p over HTTP, {in_flight} in flight", *rates, unit="frames/s")
        | shared
        | {"parity": same | {"alerts_raised": len(ours[-1].alerts), "people": ours[-1].faces_seen}},
        _row("one unit at 5 frames a second, frame to alerts", *times, unit="ms, less is better")
        | shared
        | {"parity": {"faces_seen": paced_ours.faces_seen == paced_peer.faces_seen}},
    ]


def _row(name: str, ours: Sequence[float], peer: Sequence[float], *, unit: str) -> dict[str, Any]:
    return {
        "name": name,
        "ours": round(median(ours), 2),
        "peer": round(median(peer), 2),
        "peer_name": "the same pipeline in one process, alerts committed too",
        "ratio": round(median(ours) / median(peer), 2),
        "unit": unit,
        "repeats": len(ours),
        "ours_spread": [round(min(ours), 2), round(max(ours), 2)],
        "peer_spread": [round(min(peer), 2), round(max(peer), 2)],
    }


def _over_http(
    force: MadeUpForce, url: str, jpegs: Sequence[bytes], *, fps: float, in_flight: int, pace_fps: float | None = None
) -> _Run:
    with FieldUnit(url, force.keys["field_unit"]) as unit:
        with unit.frames(force.deployment_id, "north") as warm:  # the camera's process is up
            before = list(warm.results([(jpegs[0], datetime.now(UTC))]))[-1].faces_seen
        began_at = datetime.now(UTC)
        frame_s: list[float] = []
        results: list[FrameResult] = []
        with unit.frames(force.deployment_id, "north", in_flight=in_flight) as camera:
            began = time.perf_counter()
            for index, jpeg in enumerate(jpegs):
                _keep_pace(began, index, pace_fps)
                sent = time.perf_counter()
                results += camera.send(jpeg, captured_at=began_at + timedelta(seconds=index / fps))
                frame_s.append(time.perf_counter() - sent)
            results += camera.finish()
            total_s = time.perf_counter() - began
    faces = results[-1].faces_seen - before
    return _Run(tuple(frame_s), total_s, faces, tuple(a.subject_id for r in results for a in r.alerts))


def _in_process(
    force: MadeUpForce, model: Model, jpegs: Sequence[bytes], *, fps: float, pace_fps: float | None = None
) -> _Run:
    with closing(force.open()) as store:
        operator = force.principal(store, "operator")
        granted = live(store, operator, force.deployment_id)
        sealed = load_sealed(
            store, granted.watchlist_id, digest=granted.watchlist_digest, model_digest=granted.model_digest
        )
        processor = StreamProcessor(Recogniser(model), sealed.snapshot, granted.rule)
        station = Station(store, granted, "south", processor, wall_clock=True)
        station.begin(operator, live_source=False)
        began_at = time.time()
        frame_s: list[float] = []
        alerts: list[RaisedAlert] = []
        began = time.perf_counter()
        for index, jpeg in enumerate(jpegs):
            _keep_pace(began, index, pace_fps)
            sent = time.perf_counter()
            frame = Frame(index, began_at + index / fps, decode_image(jpeg, name="frame"))
            alerts += station.take(operator, frame)[1]
            frame_s.append(time.perf_counter() - sent)
        alerts += station.finish(operator)
        total_s = time.perf_counter() - began
        faces = station.faces_seen
        station.end(operator)
    return _Run(tuple(frame_s), total_s, faces, tuple(alert.subject_id for alert in alerts))


def _keep_pace(began: float, index: int, pace_fps: float | None) -> None:
    if pace_fps is not None:
        time.sleep(max(0.0, began + index / pace_fps - time.perf_counter()))


def _jpeg(frame: Frame) -> bytes:
    done, data = cv2.imencode(".jpg", frame.pixels, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
    if not done:
        raise ImageError(f"frame {frame.index}: cannot be encoded")
    return np.asarray(data, np.uint8).tobytes()
