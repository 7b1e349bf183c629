"""Which decisions of one camera become alerts, so that one person is not alerted on over and over."""

from __future__ import annotations

from collections import OrderedDict

__all__ = ["Cooldown"]

_PAIRS = 4096


class Cooldown:
    """Lets through one alert a track and subject, and one a subject in a while.

    One to a camera. A second alert on the same person within seconds tells an
    operator nothing new; the first is never held back. The last 4,096 alerts
    are remembered: a track that outlives them alerts once more, which is
    better than not at all.

    Parameters
    ----------
    per_subject_s
        Seconds of capture time after an alert on a subject in which no other
        track alerts on the same subject.

    Raises
    ------
    ValueError
        If ``per_subject_s`` is negative.
    """

    def __init__(self, *, per_subject_s: float = 30.0) -> None:
        if not per_subject_s >= 0.0:
            raise ValueError(f"per_subject_s must not be negative, got {per_subject_s}")
        self._per_subject_s = per_subject_s
        self._time_s = float("-inf")
        # Both in order of time, so that what is to be forgotten stands first.
        self._alerted_s: OrderedDict[str, float] = OrderedDict()
        self._alerted: OrderedDict[tuple[int, str], None] = OrderedDict()

    def admit(self, track_id: int, subject_id: str, time_s: float) -> bool:
        """Whether this decision is to become an alert; if so, it counts as one from here on.

        Parameters
        ----------
        track_id, subject_id
            The track decided on and the subject it was decided to be.
        time_s
            Capture time; never falls from call to call.

        Raises
        ------
        ValueError
            If ``time_s`` is before that of an earlier call, or not a number.
        """
        if not time_s >= self._time_s:
            raise ValueError(f"time_s fell from {self._time_s} to {time_s}")
        self._time_s = time_s
        while self._alerted_s and time_s - next(iter(self._alerted_s.values())) >= self._per_subject_s:
            self._alerted_s.popitem(last=False)
        if (track_id, subject_id) in self._alerted or subject_id in self._alerted_s:
            return False
        self._alerted[track_id, subject_id] = None
        self._alerted_s[subject_id] = time_s
        if len(self._alerted) > _PAIRS:
            self._alerted.popitem(last=False)
        return True

    def __len__(self) -> int:
        """Entries remembered."""
        return len(self._alerted) + len(self._alerted_s)
