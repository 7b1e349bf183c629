"""The drills of the clocks hold, and find a sweep that is late, early, or forgets the lists."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from lfr.access import Principal
from lfr.database import Store
from lfr.oversight import SweepReport, sweep
from tests.drills import clocks
from tests.drills.catalogue import DRILLS
from tests.drills.ground import Ground
from tests.support.findings import Findings


def test_what_the_clocks_say_must_go_goes(ground: Ground, findings: Findings) -> None:
    findings.all_held(DRILLS["clocks"](ground, "short"))


def off_by(hours: float) -> clocks.Sweep:
    def swept(store: Store, principal: Principal) -> SweepReport:
        return sweep(replace(store, now=lambda: store.now() + timedelta(hours=hours)), principal)

    return swept


def never(store: Store, principal: Principal) -> SweepReport:
    return SweepReport()


@pytest.mark.parametrize(
    ("swept", "said"),
    [
        (off_by(-1), "an image was kept over 24 hours"),
        (off_by(1), "an image went early"),
        (never, "keys are left"),
    ],
)
def test_a_sweep_that_is_wrong_is_found(swept: clocks.Sweep, said: str) -> None:
    found = clocks.on_time("short", swept)
    assert found.held is False
    assert said in found.detail


def test_a_use_that_is_not_swept_for_days_is_found() -> None:
    assert clocks.missed("short", never).held is False
    assert clocks.stepped_back("short", never).held is False


def test_a_day_that_is_counted_by_the_clock_on_the_wall_is_found() -> None:
    def swept(store: Store, principal: Principal) -> SweepReport:
        shift = store.now().astimezone(clocks.LONDON).utcoffset() or timedelta()
        return sweep(replace(store, now=lambda: store.now() + shift), principal)

    assert clocks.when_local_time_changes(swept).held is False
