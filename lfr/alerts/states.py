"""The states of an alert and what may follow what: an alert is advice, and a person decides (R6)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal, get_args

from lfr.errors import ConflictError, InputError

__all__ = [
    "ALERT_STATES",
    "OUTCOME_KINDS",
    "OUTCOME_STATES",
    "RETRACTION_WINDOW",
    "AlertState",
    "Decision",
    "OutcomeKind",
    "OutcomeState",
    "Verdict",
    "after_outcome",
    "decided",
    "standing",
]

AlertState = Literal[
    "new", "viable", "not_viable", "lapsed", "engaged", "not_engaged", "confirmed_true", "confirmed_false"
]
Verdict = Literal["viable", "not_viable"]
OutcomeState = Literal["engaged", "not_engaged", "confirmed_true", "confirmed_false"]
OutcomeKind = Literal[
    "arrest",
    "voluntary-attendance",
    "summons-or-warning",
    "order-checked",
    "safeguarded",
    "no-further-action",
    "other",
]

ALERT_STATES: tuple[AlertState, ...] = get_args(AlertState)
OUTCOME_STATES: tuple[OutcomeState, ...] = get_args(OutcomeState)
OUTCOME_KINDS: tuple[OutcomeKind, ...] = get_args(OutcomeKind)
"""What an engagement can come to; an alert counts under the last kind recorded for it."""

RETRACTION_WINDOW = timedelta(seconds=10)
"""How long the officer who adjudicated can take it back."""

_AFTER: dict[AlertState, tuple[OutcomeState, ...]] = {
    "viable": ("engaged", "not_engaged"),
    "engaged": ("confirmed_true", "confirmed_false"),
}


@dataclass(frozen=True)
class Decision:
    """One line of an alert's adjudications.

    Attributes
    ----------
    person_id
        Who made it.
    decision
        ``viable``, ``not_viable``, or ``retracted``, which undoes that person's one before.
    """

    person_id: str
    decision: str


def standing(decisions: Iterable[Decision]) -> tuple[Decision, ...]:
    """Return the decisions, given in the order they were made, that were not retracted."""
    kept: list[Decision] = []
    for made in decisions:
        if made.decision == "retracted":
            kept = [one for one in kept if one.person_id != made.person_id]
        else:
            kept.append(made)
    return tuple(kept)


def decided(stand: Iterable[Decision], *, two_person_rule: bool) -> AlertState:
    """Return ``viable``, ``not_viable`` or, where more is needed, ``new``.

    One ``not_viable`` decides; ``viable`` takes one person, or two different
    ones under the two-person rule.
    """
    made = tuple(stand)
    if any(one.decision == "not_viable" for one in made):
        return "not_viable"
    persons = {one.person_id for one in made if one.decision == "viable"}
    return "viable" if len(persons) >= (2 if two_person_rule else 1) else "new"


def after_outcome(alert_id: str, state: str, outcome: OutcomeState, kind: OutcomeKind | None) -> OutcomeState:
    """Return the state that an outcome leads to.

    Raises
    ------
    ConflictError
        The alert's state does not lead there.
    InputError
        A kind where nobody was engaged.
    """
    allowed = next((after for before, after in _AFTER.items() if before == state), ())
    if outcome not in allowed:
        follows = f"; {' or '.join(allowed)} can follow" if allowed else "; nothing follows"
        if state == "new":
            follows = "; it must be adjudicated first"
        raise ConflictError(f"{alert_id} is {state} and cannot become {outcome}{follows}")
    if kind is not None and outcome == "not_engaged":
        raise InputError(f"{alert_id}: kind {kind} without an engagement; leave it out with not_engaged")
    return outcome
