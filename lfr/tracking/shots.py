"""Which faces of a track are worth embedding."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

import numpy as np

from lfr.types import FloatArray, IntArray

__all__ = ["BestShots"]

_REMEMBERED = 4096


@dataclass
class _Taken:
    """The shots taken of one track."""

    count: int
    best_quality: float
    last_s: float


class BestShots:
    """A budget of embeddings for each track, spent early, well and spread out.

    Every embedded face of a track is one more chance of a false match, so a
    decision rule is calibrated for a number of shots, and no track ever gets
    more. The first face offered is a shot at once: an alert should not wait.
    After that a face is a shot if it is at least ``apart_s`` later than the
    last one (neighbouring frames show the same thing) and either

    - better by ``better_by`` than every shot before it, or
    - so late that the track might leave with its budget unspent: 2, 4, 8, …
      times ``apart_s`` after the first, second, third, … shot.

    The growing wait keeps shots for when a person who walks towards the camera
    is near. Holds counts, qualities and times; no pixels and no templates.

    Parameters
    ----------
    shots
        Most shots of one track over its life: the decision rule's.
    apart_s
        Least seconds between two shots of a track.
    better_by
        Points of quality (0..100) that make a face worth a shot before its wait is over.

    Raises
    ------
    ValueError
        If ``shots`` is under 1, or another argument is negative.
    """

    def __init__(self, *, shots: int = 5, apart_s: float = 0.25, better_by: float = 10.0) -> None:
        if shots < 1 or not (apart_s >= 0.0 and better_by >= 0.0):
            raise ValueError(f"got shots={shots}, apart_s={apart_s}, better_by={better_by}")
        self._shots, self._apart_s, self._better_by = shots, apart_s, better_by
        self._taken: OrderedDict[int, _Taken] = OrderedDict()

    def select(self, track_id: IntArray, quality: FloatArray, *, time_s: float) -> IntArray:
        """Choose the faces to embed now; they count as embedded from here on.

        Parameters
        ----------
        track_id
            (n,) track of each face that could be embedded, no track twice. Only
            faces that passed the quality gate should be offered.
        quality
            (n,) quality of each face, 0..100; NaN: never chosen.
        time_s
            Seconds on the camera's clock; never falls.

        Returns
        -------
        (k,) positions in ``track_id``, rising.
        """
        chosen = [i for i, track in enumerate(track_id.tolist()) if self._take(track, float(quality[i]), time_s)]
        # Tracks are forgotten by number, not by age: one may go unoffered for as long as it lives.
        while len(self._taken) > _REMEMBERED:
            self._taken.popitem(last=False)
        return np.array(chosen, np.int64)

    def _take(self, track: int, quality: float, time_s: float) -> bool:
        if np.isnan(quality):
            return False
        taken = self._taken.get(track)
        if taken is None:
            self._taken[track] = _Taken(1, quality, time_s)
            return True
        self._taken.move_to_end(track)
        waited_s = time_s - taken.last_s
        better = quality >= taken.best_quality + self._better_by
        due = waited_s >= self._apart_s * 2.0**taken.count
        if taken.count >= self._shots or waited_s < self._apart_s or not (better or due):
            return False
        taken.count += 1
        taken.best_quality = max(taken.best_quality, quality)
        taken.last_s = time_s
        return True
