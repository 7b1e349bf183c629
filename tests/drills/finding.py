"""What a drill found, and the table of it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any, Literal

from rich.table import Table

__all__ = ["Finding", "Length", "Problems", "documents", "table"]

Length = Literal["short", "normal", "long"]
_SHOWN = 3


@dataclass(frozen=True)
class Finding:
    """What one drill found.

    Attributes
    ----------
    promise, drill
        What is promised, and what was done to break it.
    tries
        How often.
    held
        Whether it held; None where nothing is promised and a limit is stated.
    detail
        Figures, or what did not hold.
    """

    promise: str
    drill: str
    tries: int
    held: bool | None
    detail: str = ""

    @property
    def verdict(self) -> str:
        """As the table says it."""
        return {True: "held", False: "NOT HELD", None: "a limit"}[self.held]


class Problems:
    """Counts tries, and keeps what did not hold.

    Parameters
    ----------
    promise, drill
        Of the finding.
    """

    def __init__(self, promise: str, drill: str) -> None:
        self._promise, self._drill = promise, drill
        self.tries = 0
        self.found: list[str] = []

    def expect(self, holds: object, what: str) -> None:
        """Count a try, and what did not hold in it."""
        self.tries += 1
        if not holds:
            self.found.append(what)

    def finding(self, detail: str = "") -> Finding:
        """Return what was found; a drill that tried nothing has not held."""
        if not self.tries:
            return Finding(self._promise, self._drill, 0, False, "nothing was tried")
        if self.found:
            more = f"; and {len(self.found) - _SHOWN} more" if len(self.found) > _SHOWN else ""
            detail = "; ".join(self.found[:_SHOWN]) + more
        return Finding(self._promise, self._drill, self.tries, not self.found, detail)


def table(findings: Iterable[Finding]) -> Table:
    """Return the findings as people read them."""
    made = Table("promise", "drill", "tries", "", "", title=None, show_lines=True)
    for one in findings:
        colour = {True: "green", False: "bold red", None: "yellow"}[one.held]
        made.add_row(one.promise, one.drill, f"{one.tries:,}", f"[{colour}]{one.verdict}[/]", one.detail)
    return made


def documents(findings: Iterable[Finding]) -> list[dict[str, Any]]:
    """Return the findings as JSON has them."""
    return [{**asdict(one), "verdict": one.verdict} for one in findings]
