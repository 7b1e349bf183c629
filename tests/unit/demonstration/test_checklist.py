from __future__ import annotations

from pathlib import Path

import pytest

from lfr.demonstration import STEPS, Finding, Outcome, Stage, Step, go_through, verdict_of
from lfr.errors import ConflictError
from lfr.sources import SceneSettings


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path / "out", SceneSettings(duration_s=10), folder=tmp_path / "stage")


def holds(_: Stage) -> Finding:
    return Finding({"it is so": True}, said=("yes",), facts={"count": 1})


def is_not_so(_: Stage) -> Finding:
    return Finding({"one is so": True, "another is so": False})


def breaks_off(_: Stage) -> Finding:
    raise ConflictError("list: was sealed already")


def checks_nothing(_: Stage) -> Finding:
    return Finding({})


def outcomes_of(stage: Stage, *steps: Step) -> list[Outcome]:
    return list(go_through(steps, stage))


def test_everything_held_only_where_every_step_did(stage: Stage) -> None:
    steps = (Step("one", "One", holds), Step("two", "Two", holds))
    verdict = verdict_of(steps, outcomes_of(stage, *steps))
    assert (verdict["held"], verdict["failed"], verdict["why"]) == (True, None, None)
    assert [step["facts"] for step in verdict["steps"]] == [{"count": 1}] * 2


@pytest.mark.parametrize(
    ("run", "why"),
    [
        (is_not_so, "not so: another is so"),
        (breaks_off, "list: was sealed already"),
        (checks_nothing, "not so: nothing was checked"),
    ],
)
def test_a_step_that_does_not_hold_is_named_and_ends_it_but_for_what_tidies(
    stage: Stage, run: object, why: str
) -> None:
    steps = (
        Step("one", "One", holds),
        Step("two", "Two", run),  # type: ignore[arg-type]
        Step("three", "Three", holds),
        Step("four", "Four", holds, tidies=True),
    )
    begun: list[str] = []
    outcomes = list(go_through(steps, stage, begun=lambda step: begun.append(step.name)))
    verdict = verdict_of(steps, outcomes)
    assert (verdict["held"], verdict["failed"], verdict["why"]) == (False, "two", why)
    assert [outcome.held for outcome in outcomes] == [True, False, False, True]
    assert outcomes[2].why == "not tried: two did not hold"
    assert begun == ["one", "two", "four"]


def test_steps_that_were_never_come_to_did_not_hold(stage: Stage) -> None:
    steps = (Step("one", "One", holds), Step("two", "Two", holds))
    verdict = verdict_of(steps, outcomes_of(stage, steps[0]))
    assert (verdict["held"], verdict["failed"]) == (False, "two")
    assert verdict_of(steps, [])["held"] is False


def test_what_must_go_is_tried_even_after_a_step_that_did_not_hold() -> None:
    assert [step.name for step in STEPS if step.tidies] == ["purge", "stop"]
    assert len({step.name for step in STEPS}) == len(STEPS) == 12
