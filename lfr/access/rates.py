"""How often somebody may come."""

from __future__ import annotations

import time

from lfr.errors import BusyError

__all__ = ["Rates"]


class Rates:
    """How often somebody may come: a bucket of one second's worth each.

    Parameters
    ----------
    per_second
        Most in a second.
    what
        What messages call it.
    """

    _MOST = 10_000

    def __init__(self, per_second: float, *, what: str) -> None:
        self._per_second, self._what = per_second, what
        self._full = max(1.0, per_second)
        self._left: dict[str, tuple[float, float]] = {}

    def check(self, name: str) -> None:
        """Raise BusyError where none is left; takes none."""
        self._refuse_under_one(name, self._left_of(name))

    def take(self, name: str) -> None:
        """Take one; raises BusyError where none is left."""
        left = self._left_of(name)
        if len(self._left) > self._MOST:
            self._left.clear()
        self._left[name] = (left - 1 if left >= 1 else left, time.monotonic())
        self._refuse_under_one(name, left)

    def _refuse_under_one(self, name: str, left: float) -> None:
        if left < 1:
            raise BusyError(f"{name}: over {self._per_second:g} {self._what} a second, which is the limit")

    def _left_of(self, name: str) -> float:
        now = time.monotonic()
        left, at = self._left.get(name, (self._full, now))
        return min(self._full, left + (now - at) * self._per_second)
