"""Clocks: what must go goes on time, whatever the clock of the host does; nothing goes early, nothing alerts late."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from lfr.access import Principal
from lfr.audit import export_chain, force_chain, verify_export
from lfr.database import Store, create_store
from lfr.deployments import end, live_now, still_live
from lfr.errors import LfrError
from lfr.oversight import SweepReport, sweep
from tests.drills.finding import Finding, Length, Problems
from tests.integration.conftest import Clock, add_force
from tests.integration.deployments_scene import Cast, cast_of, started
from tests.integration.test_oversight import alert, image_of

__all__ = ["LONDON", "PROMISE", "Sweep", "drills", "missed", "on_time", "stepped_back", "when_local_time_changes"]

PROMISE = "What the clocks say must go, goes"
_SYSTEM = Principal.system("essex")
LONDON = ZoneInfo("Europe/London")
_CHANGES = (datetime(2026, 3, 28, 15, tzinfo=UTC), datetime(2026, 10, 24, 15, tzinfo=UTC))
"""The afternoon before the clocks of London go forward, and back."""
Sweep = Callable[[Store, Principal], SweepReport]


@dataclass
class _Use:
    store: Store
    clock: Clock
    cast: Cast
    deployment_id: str
    alert_id: str
    folder: Path

    @property
    def kept(self) -> bool:
        return image_of(self.store, self.alert_id) is not None


def drills(length: Length, *, swept: Sweep = sweep) -> Iterator[Finding]:
    """Move the clock in every way it moves; ``swept`` is what is drilled."""
    yield on_time(length, swept)
    yield when_local_time_changes(swept)
    yield stepped_back(length, swept)
    yield missed(length, swept)


def on_time(length: Length, swept: Sweep) -> Finding:
    """Sweep a second before and a second after an image's and a list's clocks run out."""
    problems = Problems(PROMISE, "swept a second before and after 24 hours")
    for minute in range({"short": 2, "normal": 6, "long": 60}[length]):
        with _use(datetime(2026, 3, 2, 9, minute % 60, 17, tzinfo=UTC)) as use:
            raised_at = use.clock.time
            use.clock.time = raised_at + timedelta(hours=24, seconds=-1)
            swept(use.store, _SYSTEM)
            problems.expect(use.kept, "an image went early")
            use.clock.time = raised_at + timedelta(hours=24, seconds=1)
            swept(use.store, _SYSTEM)
            problems.expect(not use.kept, "an image was kept over 24 hours")
            # The window closed after four hours, whenever that was noticed.
            use.clock.time = raised_at + timedelta(hours=28, seconds=1)
            swept(use.store, _SYSTEM)
            problems.expect(use.store.keys.names() == (), f"keys are left: {use.store.keys.names()}")
    return problems.finding("images after 24 hours, lists 24 hours after their window")


def when_local_time_changes(swept: Sweep) -> Finding:
    """Keep the host on London's time over both nights on which it changes: 24 hours stay 24 hours."""
    problems = Problems(PROMISE, "daylight saving begins and ends")
    for begins in _CHANGES:
        with _use(begins.astimezone(LONDON)) as use:
            for hours, kept in ((23.99, True), (24.01, False)):
                use.clock.time = (begins + timedelta(hours=hours)).astimezone(LONDON)
                swept(use.store, _SYSTEM)
                problems.expect(use.kept is kept, f"{hours:g} hours after {begins:%d %B}: kept is {use.kept}")
    return problems.finding()


def stepped_back(length: Length, swept: Sweep) -> Finding:
    """Step the clock back, before and after a use has ended: what ended stays so, nothing breaks, all goes in time."""
    problems = Problems(PROMISE, "the host's clock stepped back")
    for hours in {"short": (2,), "normal": (1, 2, 30), "long": range(1, 49)}[length]:
        with _use(datetime(2026, 3, 2, 9, tzinfo=UTC)) as use:
            raised_at = use.clock.time
            use.clock.advance(hours=1)
            end(use.store, use.cast.operator, use.deployment_id)
            use.clock.advance(hours=-hours)
            problems.expect(not still_live(use.store, use.deployment_id), "what had ended is live again")
            problems.expect(not live_now(use.store), "what had ended is served again")
            try:
                alert(use.store, use.cast, use.deployment_id)
                problems.expect(False, "an alert after the end")
            except LfrError:
                problems.expect(True, "")
            report = swept(use.store, _SYSTEM)
            problems.expect(not report.failed, f"a sweep failed: {report.failed}")
            problems.expect(use.kept, "an image went early")
            use.clock.time = raised_at + timedelta(hours=25, seconds=1)
            swept(use.store, _SYSTEM)
            problems.expect(not use.kept, "an image was kept although the clock is right again")
            path = use.folder / "chain.jsonl"
            export_chain(use.store, force_chain("essex"), path)
            verdict = verify_export(path, public_key=use.store.signing.public_hex)
            problems.expect(verdict.complete, verdict.text)
    return problems.finding("while it is back, what is due waits as long: a limit")


def missed(length: Length, swept: Sweep) -> Finding:
    """Sweep nothing for days: a use whose window closed alerts nobody, and one sweep catches all up."""
    problems = Problems(PROMISE, "no sweep for days")
    for days in {"short": (3,), "normal": (3, 10), "long": (2, 3, 10, 30, 400)}[length]:
        with _use(datetime(2026, 3, 2, 9, tzinfo=UTC)) as use:
            use.clock.advance(days=days)
            problems.expect(not still_live(use.store, use.deployment_id), "a use is live past its window")
            report = swept(use.store, _SYSTEM)
            problems.expect(not report.failed and report.ended == (use.deployment_id,), f"{report}")
            problems.expect(not use.kept and use.store.keys.names() == (), "something is left after a sweep")
            problems.expect(swept(use.store, _SYSTEM).idle, "a second sweep found more")
    return problems.finding()


@contextmanager
def _use(time: datetime) -> Iterator[_Use]:
    """A live use with an alert, at a time."""
    folder, clock = Path(tempfile.mkdtemp(prefix="lfr-clocks-")), Clock(time)
    store = create_store(folder / "home", now=clock)
    try:
        add_force(store, "essex")
        cast = cast_of(store)
        deployment_id = started(store, cast)
        yield _Use(store, clock, cast, deployment_id, alert(store, cast, deployment_id), folder)
    finally:
        store.close()
        shutil.rmtree(folder, ignore_errors=True)
