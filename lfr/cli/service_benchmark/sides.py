"""The two ways of a frame: over HTTP to the service, and through the same pipeline in this process."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from lfr.alerts import RaisedAlert
from lfr.cli.service_benchmark.consumption import Consumption
from lfr.cli.service_benchmark.footage import Footage
from lfr.client import FieldUnit, FrameResult
from lfr.deployments import live
from lfr.evaluation.made_up import MadeUpForce
from lfr.matching import Snapshot
from lfr.models import Model
from lfr.pipeline import Recogniser, StreamProcessor, StreamSettings
from lfr.pipeline.station import Station
from lfr.sources import decode_image
from lfr.types import Embeddings, FloatArray, Frame
from lfr.watchlist import load_sealed

__all__ = ["OVER_HTTP", "Run", "decoded", "in_process", "over_http"]

OVER_HTTP, _IN_PROCESS = "north", "south"
"""Cameras of the two sides: of one deployment, so that both search the same list."""


@dataclass(frozen=True)
class Run:
    """What one pass over the frames came to.

    Attributes
    ----------
    frame_s
        Seconds from each frame to its alerts, where one was on its way at once.
    total_s
        Seconds for all of them.
    core_s
        Seconds of processor cores that each part of the side used.
    faces, searches
        In all frames together, and templates that were compared with the list; 0 where the side does not count them.
    faces_seen, alerts
        People who passed, and subjects who alerted, in order of their names.
    frames
        How many there were.
    """

    frame_s: tuple[float, ...]
    total_s: float
    core_s: Mapping[str, float]
    faces: int
    faces_seen: int
    alerts: tuple[str, ...]
    frames: int
    searches: int = 0


def over_http(
    force: MadeUpForce,
    url: str,
    footage: Footage,
    consumption: Consumption,
    *,
    in_flight: int,
    pace_fps: float | None = None,
) -> Run:
    """Send the frames to a service, as a field unit does.

    Parameters
    ----------
    force
        Whose deployment.
    url
        Of the service.
    footage
        What is sent.
    consumption
        Of the service's processes.
    in_flight
        Frames on their way at once.
    pace_fps
        Frames a second; None: as fast as they are taken.
    """
    with FieldUnit(url, force.keys["field_unit"]) as unit:
        with unit.frames(force.deployment_id, OVER_HTTP) as warm:  # the camera's process is up
            before = list(warm.results([(footage.jpegs[0], datetime.now(UTC))]))[-1].faces_seen
        began_at = datetime.now(UTC)
        frame_s: list[float] = []
        results: list[FrameResult] = []
        used = consumption.core_s()
        with unit.frames(force.deployment_id, OVER_HTTP, in_flight=in_flight) as camera:
            began = time.perf_counter()
            for index, jpeg in enumerate(footage.jpegs):
                _keep_pace(began, index, pace_fps)
                sent = time.perf_counter()
                results += camera.send(jpeg, captured_at=began_at + timedelta(seconds=index / footage.fps))
                frame_s.append(time.perf_counter() - sent)
            results += camera.finish()
            total_s = time.perf_counter() - began
    return Run(
        tuple(frame_s),
        total_s,
        consumption.core_s_since(used),
        sum(result.faces for result in results),
        results[-1].faces_seen - before,
        tuple(sorted(alert.subject_id for result in results for alert in result.alerts)),
        len(footage.jpegs),
    )


def in_process(
    force: MadeUpForce,
    model: Model,
    frames: Iterable[Frame],
    *,
    detect_every: int = 1,
    pace_fps: float | None = None,
) -> Run:
    """Take the frames of `decoded` or of an opened source, and commit the alerts they raise.

    Parameters
    ----------
    force
        Whose deployment.
    model
        The one that the service runs.
    frames
        Their times are on the clock of day.
    detect_every
        Frames per detection.
    pace_fps
        As for `over_http`.
    """
    with closing(force.open()) as store:
        operator = force.principal(store, "operator")
        granted = live(store, operator, force.deployment_id)
        sealed = load_sealed(
            store, granted.watchlist_id, digest=granted.watchlist_digest, model_digest=granted.model_digest
        )
        settings = StreamSettings(detect_every=detect_every)
        references = _Counting(sealed.snapshot)
        processor = StreamProcessor(Recogniser(model), references, granted.rule, settings=settings)
        station = Station(store, granted, _IN_PROCESS, processor, wall_clock=True)
        station.begin(operator, live_source=False)
        frame_s: list[float] = []
        alerts: list[RaisedAlert] = []
        faces, used_s, began = 0, time.process_time(), time.perf_counter()
        waiting = iter(frames)
        for index in range(1 << 62):
            _keep_pace(began, index, pace_fps)
            sent = time.perf_counter()
            frame = next(waiting, None)  # it is decoded here, which is part of the frame's way
            if frame is None:
                break
            result, raised = station.take(operator, frame)
            alerts += raised
            faces += len(result.faces)
            frame_s.append(time.perf_counter() - sent)
        alerts += station.finish(operator)
        total_s, used_s = time.perf_counter() - began, time.process_time() - used_s
        seen = station.faces_seen
        station.end(operator)
    names = tuple(sorted(alert.subject_id for alert in alerts))
    used, searches = {"this process": used_s}, references.searches
    return Run(tuple(frame_s), total_s, used, faces, seen, names, len(frame_s), searches)


class _Counting:
    """References that count the templates which are compared with them."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot
        self.searches = 0

    @property
    def subjects(self) -> tuple[str, ...]:
        """Each subject once."""
        return self._snapshot.subjects

    def subject_scores(self, probes: Embeddings) -> FloatArray:
        """Return (probes, subjects) scores."""
        self.searches += len(probes)
        return self._snapshot.subject_scores(probes)


def decoded(jpegs: Sequence[bytes], *, fps: float) -> Iterator[Frame]:
    """Yield the frames of JPEGs, the first of them taken now."""
    began_at = time.time()
    for index, jpeg in enumerate(jpegs):
        yield Frame(index, began_at + index / fps, decode_image(jpeg, name="frame"))


def _keep_pace(began: float, index: int, pace_fps: float | None) -> None:
    if pace_fps is not None:
        time.sleep(max(0.0, began + index / pace_fps - time.perf_counter()))
