"""Nothing is kept: a stranger walks past the real service, and is looked for in every place that could hold them."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx

from lfr.client import FieldUnit
from lfr.client.streams import FrameStream
from lfr.deployments import end
from lfr.models import Model
from lfr.serving.settings import Limits
from tests.drills.canary import OVERLAP, Canary
from tests.drills.finding import Finding, Length, Problems
from tests.drills.places import ENGINE, core_limits, in_files, in_memory, processes, swapped_kib
from tests.support.served import LISTED, Served, walk
from tests.support.service import RunningService, held, until

__all__ = [
    "PROMISE",
    "after_the_end",
    "drills",
    "in_parts",
    "look_at_engine",
    "look_at_files",
    "look_at_parts",
    "nothing_alive",
]

PROMISE = "Nothing is kept"
_FRAMES = 12
_NATIVE = ("raylet/raylet", "gcs_server", "haproxy")
_IN_FLIGHT = 4
_WAITING = Limits().frames_waiting
"""Frames of a camera that may be on their way at once: each of as many threads may still hold its last."""
_GONE_S = 60.0
_SCRATCH = 50
"""Marks, of 20 bytes each, that HAProxy's stack and its scratch buffer may hold until something else comes."""


def drills(service: RunningService, model: Model, length: Length) -> Iterator[Finding]:
    """Let the canary stand before a camera, round after round, and look for it meanwhile, after, and at the end."""
    rounds = {"short": 2, "normal": 8, "long": 300}[length]
    since, canary, one = time.time() - 1, Canary(model), service.made.another(model)
    files = Problems(PROMISE, "files: database, MLflow, logs, Ray's, temporary, unlinked, core dumps")
    engine = Problems(PROMISE, "memory of Ray's own processes, its object store with it")
    seen_by_people = Problems(PROMISE, "what an operator is shown: alert images, previews, metrics")
    with FieldUnit(service.url, one.keys["field_unit"]) as unit:
        for number in range(rounds):
            with unit.frames(one.deployment_id, "south", in_flight=_IN_FLIGHT) as stream:
                for jpeg, at in canary.stand(_FRAMES):
                    results = list(stream.send(jpeg, captured_at=at))
                    assert all(not result.alerts for result in results), "the canary is on no list"
                if number == rounds // 2:
                    look_at_pictures(service, one, canary, unit, stream, seen_by_people)
                list(stream.finish())
            if number % max(1, rounds // 4) == 0 or number == rounds - 1:
                look_at_files(service, canary, files, since=since)
                if length != "short" or number == rounds - 1:
                    look_at_engine(service, canary, engine, length)
        working = look_at_parts(service, canary, length)
    yield files.finding(f"searched {files.tries} times, by bytes and by correlation")
    yield engine.finding(f"of HAProxy at most {_SCRATCH} marks")
    yield seen_by_people.finding()
    yield nothing_alive(service)
    yield in_parts(working, frames=rounds * _FRAMES, marks_each=canary.marks_each)
    yield after_the_end(service, one, canary)
    yield look_at_limits(service)


def look_at_files(
    service: RunningService, canary: Canary, problems: Problems, *, since: float
) -> dict[str, dict[str, int]]:
    """Search every file; each place in which something is found is a problem, and returned with what it is."""
    found = in_files(service, canary.found, since=since, overlap=OVERLAP)
    problems.tries += max(0, len(found) - 1)
    leaks = {place: dict(counted) for place, counted in found.items() if counted}
    problems.expect(not leaks, f"{leaks}")
    return leaks


def look_at_engine(service: RunningService, canary: Canary, problems: Problems, length: Length) -> None:
    """Search the memory of the processes that frames only pass; in the short form Python's for bytes alone."""
    running = processes(service)
    for kind in (*ENGINE, "haproxy"):
        for process in running.get(kind, []):
            full = length != "short" or kind in _NATIVE
            found = in_memory(process, canary.found_in_memory if full else canary.bytes_in_memory, overlap=OVERLAP)
            if kind == "haproxy" and found["mark"] <= _SCRATCH:
                del found["mark"]
            problems.expect(not found, f"{kind}: {dict(found)}")


def look_at_pictures(
    service: RunningService, one: Served, canary: Canary, unit: FieldUnit, stream: FrameStream, problems: Problems
) -> None:
    """Have somebody who is listed raise an alert, and look at its images, a preview of the canary, and the metrics."""
    operator, url = one.bearer("operator"), f"{service.url}/v1"
    began = datetime.now(UTC)
    with unit.frames(one.deployment_id, "north") as frames:
        timed = ((jpeg, began + timedelta(seconds=index / 10)) for index, jpeg in enumerate(walk(LISTED)))
        alerts = [alert for result in frames.results(timed) for alert in result.alerts]
    for alert in alerts:
        answer = httpx.get(
            f"{url}/alerts/{alert.id}/images/probe", params={"purpose": "a drill"}, headers=operator, timeout=60
        )
        problems.expect(not canary.found(answer.content) and not canary.shows(answer.content), "an alert's image")
    problems.expect(alerts, "nobody alerted, so there was no image to look at")
    with ThreadPoolExecutor(1) as looking:
        preview = f"{url}/deployments/{one.deployment_id}/cameras/south/preview"
        shown = looking.submit(_first_picture, preview, operator)
        while not shown.done():
            for jpeg, at in canary.stand(2):
                stream.send(jpeg, captured_at=at)
        picture = shown.result()
    problems.expect(not canary.marks(picture) and not canary.shows(picture), "a preview shows the stranger")
    problems.expect(not canary.marks(httpx.get(f"{service.url}/metrics", timeout=60).content), "the metrics")


def _first_picture(preview: str, headers: dict[str, str]) -> bytes:
    """Look at a camera until there is a picture of it."""
    content = b""
    with httpx.stream("GET", preview, headers=headers, timeout=60) as pictures:
        for part in pictures.iter_bytes():
            content += part
            if b"\xff\xd9" in content:
                break
    return content[content.index(b"\xff\xd8") : content.index(b"\xff\xd9") + 2]


def look_at_parts(service: RunningService, canary: Canary, length: Length) -> dict[str, Counter[str]]:
    """Count what lies in the memory of the processes that work on frames."""
    search = canary.bytes_in_memory if length == "short" else canary.found_in_memory
    found: dict[str, Counter[str]] = {}
    for kind, some in processes(service).items():
        if kind in ENGINE or kind == "haproxy":
            continue
        for process in some:
            counted = in_memory(process, search, overlap=OVERLAP)
            found.setdefault(kind, Counter()).update(counted)
    return found


def in_parts(found: dict[str, Counter[str]], *, frames: int, marks_each: int) -> Finding:
    """Say what lies in freed memory of the processes that work on frames: at most as much as is on its way at once."""
    problems = Problems(PROMISE, f"memory of the processes that work on frames, after {frames} of them")
    for kind, counted in found.items():
        copies = -(-counted["mark"] // marks_each) + sum(n for name, n in counted.items() if name != "mark")
        most = max(counted[name] for name in ("template", "picture", "crop", "plane"))
        problems.expect(counted["mark"] / marks_each <= _WAITING + 1, f"{kind}: {copies} copies of {frames} frames")
        problems.expect(most <= _WAITING + 1, f"{kind}: {dict(counted)} of {frames} frames")
    return problems.finding(_told(found))


def nothing_alive(service: RunningService, *, within_s: float = _GONE_S) -> Finding:
    """Wait until no live object holds a crop or a template, as the gauges say; matchers' own lists are no probes."""
    problems = Problems(PROMISE, "live objects: the gauges of crops and templates")
    with suppress(AssertionError):
        until(lambda: not any(held(service).values()), timeout_s=within_s)
    for name, value in held(service).items():
        problems.expect(value == 0, f"{name}: {value:g}")
    return problems.finding("all are 0")


def after_the_end(service: RunningService, one: Served, canary: Canary, *, within_s: float = _GONE_S) -> Finding:
    """End the deployment, and count what is left in any process after a minute at most."""
    problems = Problems(PROMISE, f"all memory, {within_s:.0f} s after the deployment ended")
    store = one.open()
    try:
        end(store, one.principal(store, "operator"), one.deployment_id)
    finally:
        store.close()
    ended, left = time.monotonic(), dict[str, Counter[str]]()
    while time.monotonic() - ended < within_s:
        left = look_at_parts(service, canary, "short")
        if not any(left.values()):
            break
        time.sleep(2)
    took = time.monotonic() - ended
    for kind, counted in left.items():
        problems.expect(not counted, f"{kind}: {_told({kind: counted})}")
    return problems.finding(f"nothing was left after {took:.0f} s")


def look_at_limits(service: RunningService) -> Finding:
    """See that no process may leave a core dump, and none of it lies in swap."""
    problems = Problems(PROMISE, "core dumps off in every process, nothing in swap")
    for process, limit in core_limits(service).items():
        problems.expect(limit == "0", f"{process} may leave a core dump of {limit} bytes")
    swapped = swapped_kib(service)
    problems.expect(swapped == 0, f"{swapped:,} KiB lie in swap")
    areas = len(Path("/proc/swaps").read_text(encoding="ascii").splitlines()) - 1
    return problems.finding("this machine has no swap" if not areas else f"{areas} areas of swap, none of it in them")


def _told(found: dict[str, Counter[str]]) -> str:
    counted = {kind: ", ".join(f"{n:,} {name}" for name, n in some.items()) for kind, some in found.items() if some}
    return "; ".join(f"{kind} {what}" for kind, what in sorted(counted.items())) or "none"
