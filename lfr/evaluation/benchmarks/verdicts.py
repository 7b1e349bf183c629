"""An aim and what became of it."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Aim"]


@dataclass(frozen=True)
class Aim:
    """One aim and what became of it.

    Attributes
    ----------
    what, aim
        What is measured, and what it is to be.
    measured
        What it was; blank: not measured.
    reached
        None: there was no figure to reach, or it was not measured.
    done
        What is done for it in the code.
    """

    what: str
    aim: str
    measured: str
    reached: bool | None
    done: str

    @property
    def verdict(self) -> str:
        """In a word or two."""
        if not self.measured:
            return "not measured"
        return {True: "reached", False: "missed", None: ""}[self.reached]
