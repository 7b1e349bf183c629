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
    late: int
    best_quality: float
    last_s: float


class BestShots:
    """A budget of embeddings for each track, spent early, well and spread out.

    Every embedded face of a track is one more chance of a false match, so a
    decision rule is calibrated for a number of shots, and no track ever gets
    more. The first face offered is a shot at once: an alert should not wait.
    After that a face is a shot if it is at least ``apart_s`` later than the
    last one (neighbouring frames show the same thing) and either

    - clearly better than every shot before it: it makes up ``better_share`` of
      what the best of them lacks to 100, so that a rising quality is followed
      in few steps and the budget lasts until a walker is near; or
    - ``late_s`` after the last one, so that a track whose quality does not
      rise is seen more than once too; fewer than half of the shots go this way.

    A budget may stay unspent. Holds counts, qualities and times; no pixels and
    no templates.

    Parameters
    ----------
    shots
        Most shots of one track over its life: the decision rule's. The 4,096
        tracks last offered are remembered; one that outlives so many others
        without being offered starts anew.
    apart_s
        Least seconds between two shots of a track.
    better_share
        Share of the best quality's distance to 100 that a better face makes up, 0..1.
    late_s
        Seconds after which a face need not be better.

    Raises
    ------
    ValueError
        If ``shots`` is under 1, a time is negative or the share is not in 0..1.
    """

    def __init__(self, *, shots: int = 5, apart_s: float = 0.1, better_share: float = 0.3, late_s: float = 2.0) -> None:
        if shots < 1 or not (apart_s >= 0.0 and late_s >= 0.0 and 0.0 <= better_share <= 1.0):
            raise ValueError(f"got shots={shots}, apart_s={apart_s}, better_share={better_share}, late_s={late_s}")
        self._shots, self._apart_s, self._better_share, self._late_s = shots, apart_s, better_share, late_s
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

        Raises
        ------
        ValueError
            If there are not as many qualities as tracks.
        """
        if len(track_id) != len(quality):
            raise ValueError(f"{len(track_id)} tracks but {len(quality)} qualities")
        chosen = [i for i, track in enumerate(track_id.tolist()) if self._take(track, float(quality[i]), time_s)]
        # Tracks are forgotten by number, not by age: one may go unoffered for as long as it lives.
        while len(self._taken) > _REMEMBERED:
            self._taken.popitem(last=False)
        return np.array(chosen, np.int64)

    def __len__(self) -> int:
        """Tracks remembered."""
        return len(self._taken)

    def _take(self, track: int, quality: float, time_s: float) -> bool:
        if np.isnan(quality):
            return False
        taken = self._taken.get(track)
        if taken is None:
            self._taken[track] = _Taken(1, 0, quality, time_s)
            return True
        self._taken.move_to_end(track)
        waited_s = time_s - taken.last_s
        if taken.count >= self._shots or waited_s < self._apart_s:
            return False
        lacking = 100.0 - taken.best_quality
        better = quality > taken.best_quality and quality >= taken.best_quality + self._better_share * lacking
        late = waited_s >= self._late_s and 2 * (taken.late + 1) < self._shots
        if not (better or late):
            return False
        taken.count += 1
        taken.late += not better
        taken.best_quality = max(taken.best_quality, quality)
        taken.last_s = time_s
        return True
