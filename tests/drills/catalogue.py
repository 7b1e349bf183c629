"""Every drill by its name, each a function of the ground and of how long it may take."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from lfr.database import create_store
from tests.drills import clocks, door, history, intruders, kept, stopping
from tests.drills.finding import Finding, Length
from tests.drills.ground import Ground

__all__ = ["DRILLS"]


def _door(ground: Ground, length: Length) -> Iterator[Finding]:
    yield from door.matrix(ground.interface)
    yield from intruders.drills(ground.interface, length)


def _history(ground: Ground, length: Length) -> Iterator[Finding]:
    folder = ground.folder("history")
    store = create_store(folder / "home")
    try:
        yield from history.drills(folder, store, length)
    finally:
        store.close()


def _kept(ground: Ground, length: Length) -> Iterator[Finding]:
    yield from kept.drills(ground.service, ground.model, length)


def _clocks(_: Ground, length: Length) -> Iterator[Finding]:
    yield from clocks.drills(length)


def _stopping(ground: Ground, length: Length) -> Iterator[Finding]:
    yield from stopping.drills(ground.service, ground.model, length)


DRILLS: Mapping[str, Callable[[Ground, Length], Iterator[Finding]]] = {
    "door": _door,
    "history": _history,
    "clocks": _clocks,
    "kept": _kept,
    "stopping": _stopping,
}
