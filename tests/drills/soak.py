"""Soak: two clips in turn through the service, and what its processes take of memory, files and threads stays flat."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median

import cv2
import psutil

from lfr.client import FieldUnit
from lfr.deployments import end
from lfr.models import Model
from lfr.sources import open_source
from tests.drills.finding import Finding, Length, Problems
from tests.drills.places import processes
from tests.support.service import RunningService

__all__ = ["PROMISE", "drills", "grown"]

PROMISE = "It stays as it is"
_EMPTY, _STREET = "one_by_one_no_faces.mp4", "street_crowd_1080p.mp4"
_FRAMES = 105
_MOST = {"MiB": 48.0, "files": 12.0, "threads": 8.0}
_LEAST_ROUNDS = 6
_WINDOW_MINUTES = 60.0  # the longest that a demo may have, in which the last round ends however slow it is
_STINTS_MINUTES: dict[Length, tuple[float, ...]] = {"short": (0.0,), "normal": (1.0, 1.0), "long": (30.0, 30.0)}
Sizes = dict[str, dict[str, float]]


def drills(service: RunningService, model: Model, length: Length) -> Iterator[Finding]:
    """Play the clip without faces and the street in turn, for so long, and look at every process after each round."""
    stints = _STINTS_MINUTES[length]
    flat = Problems(PROMISE, f"{sum(stints):.0f} minutes of two clips in turn: memory, files, threads of every process")
    empty = Problems(PROMISE, "alerts from the clip without faces")
    folder = os.environ.get("LFR_EVAL_DATA")
    if not folder:
        yield Finding(PROMISE, "two clips in turn", 0, None, "LFR_EVAL_DATA is not set, so it was not tried")
        return
    frames = {name: _jpegs(Path(folder) / "video" / name) for name in (_EMPTY, _STREET)}
    of_stints = [_stint(service, model, frames, minutes, empty) for minutes in stints]
    every = [sizes for rounds in of_stints for sizes in rounds]
    for what in dict.fromkeys(what for rounds in (every, *of_stints) for what in grown(rounds)):
        flat.expect(False, what)
    flat.tries = len(every)
    last = {unit: sum(sizes[unit] for sizes in every[-1].values()) for unit in _MOST}
    told = ", ".join(f"{value:,.0f} {unit}" for unit, value in last.items())
    yield flat.finding(
        f"{len(every) * 2 * _FRAMES:,} frames in {len(stints)} deployments; all processes at the end: {told}"
    )
    yield empty.finding()


def _stint(
    service: RunningService, model: Model, frames: Mapping[str, list[bytes]], minutes: float, empty: Problems
) -> list[Sizes]:
    """Play the clips to a deployment of their own, then end it; what every process took after each round."""
    one, seen = service.made.another(model, minutes=_WINDOW_MINUTES), list[Sizes]()
    began, at = time.monotonic(), datetime.now(UTC) - timedelta(hours=20)
    with FieldUnit(service.url, one.keys["field_unit"]) as unit:
        while len(seen) < _LEAST_ROUNDS or time.monotonic() - began < 60 * minutes:
            for name, jpegs in frames.items():
                timed = [(jpeg, at + timedelta(seconds=index / 10)) for index, jpeg in enumerate(jpegs)]
                at += timedelta(seconds=len(jpegs) / 10 + 1)
                with unit.frames(one.deployment_id, "north") as stream:
                    alerts = [alert for result in stream.results(timed) for alert in result.alerts]
                if name == _EMPTY:
                    empty.expect(not alerts, f"{len(alerts)} alerts")
            seen.append(_sizes(service))
    store = one.open()
    try:
        end(store, one.principal(store, "operator"), one.deployment_id)
    finally:
        store.close()
    return seen


def grown(seen: list[Sizes]) -> list[str]:
    """What grew: the last third of the rounds lies over the second one by more than it may; the first fills pools."""
    third, found = len(seen) // 3, []
    for process in set(seen[-1]) & set(seen[third]):
        for unit, most in _MOST.items():
            middle, end = (
                median(sizes[process][unit] for sizes in some if process in sizes)
                for some in (seen[third : 2 * third], seen[-third:])
            )
            if end - middle > most:
                found.append(f"{process} grew by {end - middle:.0f} {unit} from {middle:.0f}")
    return found


def _jpegs(path: Path) -> list[bytes]:
    found = []
    with open_source(path) as source:
        for frame in source:
            found.append(cv2.imencode(".jpg", frame.pixels)[1].tobytes())
            if len(found) == _FRAMES:
                break
    return found


def _sizes(service: RunningService) -> Sizes:
    found: Sizes = {}
    for kind, some in processes(service).items():
        for process in some:
            try:
                found[f"{kind} {process.pid}"] = {
                    "MiB": process.memory_info().rss / 2**20,
                    "files": float(process.num_fds()),
                    "threads": float(process.num_threads()),
                }
            except psutil.Error:
                continue
    return found
