"""What goes through a batch and is not kept by it."""

from __future__ import annotations

from typing import Generic, TypeVar

__all__ = ["Box"]

Given = TypeVar("Given")
Answer = TypeVar("Answer")


class Box(Generic[Given, Answer]):
    """One request's input and its answer; empty once the answer was taken.

    Serve's batches keep what they were given, and what came of it, until the
    next batch: for as long as nobody passes. So they are given boxes.

    Parameters
    ----------
    given
        The input.
    """

    def __init__(self, given: Given) -> None:
        self._given: list[Given] = [given]
        self._answer: list[Answer] = []

    @property
    def given(self) -> Given:
        """The input, until there is an answer."""
        return self._given[0]

    def put(self, answer: Answer) -> None:
        """Let go of the input, and hold the answer."""
        self._given.clear()
        self._answer.append(answer)

    def clear(self) -> None:
        """Let go of everything, whatever happened."""
        self._given.clear()
        self._answer.clear()

    def take(self) -> Answer:
        """Return the answer, and let go of it."""
        return self._answer.pop()
