"""Steps with a verdict each: a step holds only where everything that it looked at is so."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx
from sqlalchemy.exc import SQLAlchemyError

from lfr.demonstration.stage import Stage
from lfr.errors import LfrError

__all__ = ["Finding", "Outcome", "Step", "go_through", "is_refused", "verdict_of"]

_FAILED = (LfrError, OSError, SQLAlchemyError, httpx.HTTPError)


@dataclass(frozen=True)
class Finding:
    """What a step came to.

    Attributes
    ----------
    checks
        What had to be so, as a sentence, and whether it is.
    said
        Lines for people.
    facts
        For programs.
    """

    checks: Mapping[str, bool]
    said: tuple[str, ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Step:
    """One step.

    Attributes
    ----------
    name, title
        For programs and for people.
    run
        Does it, and looks whether it holds.
    tidies
        Whether it is tried even where one before it did not hold.
    """

    name: str
    title: str
    run: Callable[[Stage], Finding]
    tidies: bool = False


@dataclass(frozen=True)
class Outcome:
    """What became of a step.

    Attributes
    ----------
    step
        Which.
    held
        Whether it was tried and everything it looked at is so.
    seconds
        How long it took.
    why
        What is not so, in a line; empty where it held.
    finding
        What it found; None where it broke off or was not tried.
    """

    step: Step
    held: bool
    seconds: float
    why: str = ""
    finding: Finding | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return the outcome as JSON has it."""
        found = self.finding
        return {
            "name": self.step.name,
            "held": self.held,
            "seconds": round(self.seconds, 2),
            "why": self.why or None,
            "checks": dict(found.checks) if found else {},
            "facts": dict(found.facts) if found else {},
        }


def go_through(
    steps: Sequence[Step], stage: Stage, *, begun: Callable[[Step], None] = lambda _: None
) -> Iterator[Outcome]:
    """Go through the steps in order, and yield what became of each.

    After one that does not hold, only those that tidy up are tried.

    Parameters
    ----------
    steps, stage
        What is done, and on what.
    begun
        Told of each step that is tried.
    """
    broken = ""
    for step in steps:
        if broken and not step.tidies:
            yield Outcome(step, held=False, seconds=0.0, why=f"not tried: {broken} did not hold")
            continue
        begun(step)
        outcome = _tried(step, stage)
        if not outcome.held:
            broken = broken or step.name
        yield outcome


def verdict_of(steps: Sequence[Step], outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """Return the document of a demonstration: it held only where every one of the steps did."""
    failed = next((outcome for outcome in outcomes if not outcome.held), None)
    missing = next((step.name for step in steps if step not in {outcome.step for outcome in outcomes}), None)
    return {
        "held": failed is None and missing is None,
        "failed": failed.step.name if failed else missing,
        "why": failed.why if failed else "never came to it" if missing else None,
        "seconds": round(sum(outcome.seconds for outcome in outcomes), 1),
        "steps": [outcome.as_dict() for outcome in outcomes],
    }


def is_refused(attempt: Callable[[], object], refusal: type[LfrError]) -> bool:
    """Return whether an attempt is refused with an error of a kind; another error is raised on."""
    try:
        attempt()
    except refusal:
        return True
    return False


def _tried(step: Step, stage: Stage) -> Outcome:
    began = time.monotonic()
    try:
        found = step.run(stage)
    except _FAILED as error:
        return Outcome(step, held=False, seconds=time.monotonic() - began, why=str(error) or type(error).__name__)
    wrong = [check for check, so in found.checks.items() if not so]
    held = bool(found.checks) and not wrong
    why = "" if held else "not so: " + ("; ".join(wrong) or "nothing was checked")
    return Outcome(step, held=held, seconds=time.monotonic() - began, why=why, finding=found)
