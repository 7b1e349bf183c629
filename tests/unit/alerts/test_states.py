"""What may follow what, and who decides."""

from __future__ import annotations

import pytest

from lfr.alerts.states import (
    ALERT_STATES,
    OUTCOME_STATES,
    AlertState,
    Decision,
    OutcomeState,
    after_outcome,
    decided,
    standing,
)
from lfr.errors import ConflictError, InputError

A_VIABLE, B_VIABLE, A_NOT, B_NOT = (
    Decision(person, decision) for decision in ("viable", "not_viable") for person in ("a", "b")
)
A_BACK = Decision("a", "retracted")

ALLOWED = {
    ("viable", "engaged"),
    ("viable", "not_engaged"),
    ("engaged", "confirmed_true"),
    ("engaged", "confirmed_false"),
}


@pytest.mark.parametrize("outcome", OUTCOME_STATES)
@pytest.mark.parametrize("state", ALERT_STATES)
def test_only_the_drawn_transitions_are_possible(state: AlertState, outcome: OutcomeState) -> None:
    if (state, outcome) in ALLOWED:
        assert after_outcome("alert-1", state, outcome, None) == outcome
    else:
        with pytest.raises(ConflictError, match=f"alert-1 is {state} and cannot become {outcome}"):
            after_outcome("alert-1", state, outcome, None)


def test_an_outcome_before_adjudication_says_what_is_missing() -> None:
    with pytest.raises(ConflictError, match="adjudicated first"):
        after_outcome("alert-1", "new", "engaged", None)


def test_nobody_engaged_leads_to_nothing() -> None:
    with pytest.raises(InputError, match="without an engagement"):
        after_outcome("alert-1", "viable", "not_engaged", "arrest")


@pytest.mark.parametrize(
    ("made", "one", "two"),
    [
        ((), "new", "new"),
        ((A_VIABLE,), "viable", "new"),
        ((A_VIABLE, B_VIABLE), "viable", "viable"),
        ((A_VIABLE, A_VIABLE), "viable", "new"),
        ((A_NOT,), "not_viable", "not_viable"),
        ((A_VIABLE, B_NOT), "not_viable", "not_viable"),
    ],
)
def test_two_different_persons_under_the_two_person_rule(
    made: tuple[Decision, ...], one: AlertState, two: AlertState
) -> None:
    assert decided(made, two_person_rule=False) == one
    assert decided(made, two_person_rule=True) == two


def test_a_retraction_undoes_that_persons_decision_and_nobody_elses() -> None:
    assert standing((A_VIABLE, B_VIABLE, A_BACK)) == (B_VIABLE,)
    assert standing((A_NOT, A_BACK, A_VIABLE)) == (A_VIABLE,)
