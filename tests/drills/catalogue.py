"""Every drill by its name, each a function of the ground and of how long it may take."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from lfr.database import create_store
from tests.drills import (
    clocks,
    door,
    history,
    inputs,
    intruders,
    kept,
    lost,
    messages,
    packages,
    presented,
    refusals,
    soak,
    stopping,
)
from tests.drills.finding import Finding, Length
from tests.drills.ground import Ground

__all__ = ["DRILLS"]


def _door(ground: Ground, length: Length) -> Iterator[Finding]:
    yield from door.matrix(ground.interface)
    yield from intruders.drills(ground.interface, length)
    yield from packages.drills(length)


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


def _inputs(ground: Ground, length: Length) -> Iterator[Finding]:
    yield from inputs.drills(length)
    yield from messages.drills(ground.interface, length)


def _lost(ground: Ground, length: Length) -> Iterator[Finding]:
    yield from lost.drills(ground.service, ground.model, length, ground.folder("lost"))
    if length != "short":
        yield from lost.drills_with_database(
            ground.service_on_postgres, ground.postgres, ground.model, length, ground.folder("lost-with-database")
        )


def _refusals(ground: Ground, length: Length) -> Iterator[Finding]:
    yield from refusals.drills(ground.folder("refusals"), ground.interface.app, length)


def _soak(ground: Ground, length: Length) -> Iterator[Finding]:
    yield from soak.drills(ground.service, ground.model, length)


def _presented(ground: Ground, length: Length) -> Iterator[Finding]:
    yield from presented.drills(ground.model, length)


DRILLS: Mapping[str, Callable[[Ground, Length], Iterator[Finding]]] = {
    "refusals": _refusals,
    "door": _door,
    "history": _history,
    "clocks": _clocks,
    "inputs": _inputs,
    "presented": _presented,
    "kept": _kept,
    "stopping": _stopping,
    "lost": _lost,
    "soak": _soak,
}
"""Those that need no Ray come first."""
