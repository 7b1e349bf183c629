"""The drills of what is lost and of the soak find a loss, a double and growth."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from lfr.models import Model
from tests.drills import lost, presented, soak, stopping
from tests.drills.finding import Problems
from tests.support.findings import Findings


def compared(told: list[list[str]], committed: list[str], delivered: list[str], *, killed: bool) -> list[str]:
    problems = Problems("", "")
    lost.compare(lost.Passes(told), committed, delivered, problems, killed=killed)
    return problems.found


def test_what_came_of_every_pass_once_is_no_loss() -> None:
    assert compared([["a"], ["b"]], ["b", "a"], ["a", "b"], killed=False) == []
    assert compared([["a"], ["b", "c"]], ["b", "a", "c"], ["a", "b", "b", "c"], killed=True) == []


@pytest.mark.parametrize(
    ("told", "committed", "delivered", "killed", "said"),
    [
        ([["a"], []], ["a"], ["a"], True, "pass 1: 0 alerts"),
        ([["a", "b"]], ["a", "b"], ["a", "b"], False, "pass 0: 2 alerts"),
        ([["a"]], [], [], True, "a was told and is not committed"),
        ([["a"]], ["a"], [], True, "a was never delivered"),
        ([["a"]], ["a", "a"], ["a"], True, "an alert was committed twice"),
        ([], [], [], True, "nobody walked past"),
    ],
)
def test_a_loss_is_found(
    told: list[list[str]], committed: list[str], delivered: list[str], killed: bool, said: str
) -> None:
    assert said in compared(told, committed, delivered, killed=killed)


@pytest.mark.parametrize(
    ("raised_s", "told_s", "said"),
    [
        ([-3.0, 0.9], [-2.0, 0.9], []),
        ([-3.0, 1.1], [-2.0], ["end: an alert was committed 1.10 s later"]),
        ([-3.0], [1.2, -2.0], ["end: an alert was told 1.20 s after the answer"]),
        ([], [], ["nobody alerted, so nothing was stopped"]),
    ],
)
def test_an_alert_after_the_stop_is_found(raised_s: list[float], told_s: list[float], said: list[str]) -> None:
    problems, at = Problems("", ""), datetime(2026, 3, 2, 10, tzinfo=UTC)
    raised, told = ([at + timedelta(seconds=s) for s in some] for some in (raised_s, told_s))
    stopping.judge("end", at, at, raised, told, problems)
    assert problems.found == said


def test_growth_is_found_and_what_a_start_takes_is_none() -> None:
    flat = {"MiB": 500.0, "files": 40.0, "threads": 20.0}
    first = {"camera 7": {"MiB": 300.0, "files": 10.0, "threads": 5.0}}
    assert soak.grown([first, first, *[{"camera 7": flat}] * 7]) == []
    leaks = [{"camera 7": {**flat, "files": 40.0 + 5 * number}} for number in range(9)]
    assert soak.grown(leaks) == ["camera 7 grew by 15 files from 60"]


def test_how_often_a_picture_of_a_face_alerts_is_counted(model: Model, findings: Findings) -> None:
    found = list(presented.drills(model, "short"))
    findings.all_held(found)
    assert [one.held for one in found] == [None] * 3
    assert found[0].detail == "4 of 4 alert", "somebody in person does"
