"""Scores of one-to-one comparisons, condensed so that any number of them fit in memory.

A comparison matches where its score is at or over the threshold. One that
could not be made, because an image gave no template, is a false non-match if
mated and no false match if not; it stays in every denominator.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lfr.statistics import Rate, rate_over_subjects
from lfr.types import FloatArray, IntArray

__all__ = [
    "BIN_EDGES",
    "FMR_TARGETS",
    "ComparisonScores",
    "ErrorCurve",
    "ErrorTradeOff",
    "bin_counts",
    "det_curve",
]

FMR_TARGETS = (0.1, 0.01, 0.001, 0.0001, 0.00001, 0.000001)

_BINS = 1 << 16
_PER_UNIT = np.float32(_BINS / 2)


def _edges() -> FloatArray:
    """Least float32 score that `bin_counts` puts in each bin; it rounds ``score + 1`` to float32 first."""
    wanted = (np.arange(_BINS) / float(_PER_UNIT)).astype(np.float32)
    below = np.nextafter(wanted, np.float32(-1)).astype(np.float64)
    # What lies half-way goes to the even neighbour, which a multiple of 2**-15 is.
    least = (below + wanted) / 2 - 1.0
    edges = least.astype(np.float32)
    edges = np.where(edges < least, np.nextafter(edges, np.float32(2)), edges)
    edges[0] = -np.inf
    return edges


BIN_EDGES: FloatArray = _edges()
"""(65536,) lower ends of the bins that non-mated scores are counted in, 3.1e-5 apart; the first is -inf."""


@dataclass(frozen=True)
class ErrorTradeOff:
    """FNMR where FMR is held at a target.

    Attributes
    ----------
    fmr
        The target; the observed FMR is at or under it.
    fnmr
        Share of mated comparisons under the threshold, over subjects.
    threshold
        The smallest that keeps the observed FMR at or under the target.
    """

    fmr: float
    fnmr: Rate
    threshold: float

    def as_dict(self) -> dict[str, Any]:
        """Return the documented JSON form."""
        return {"fmr": self.fmr, "fnmr": self.fnmr.as_dict(), "threshold": self.threshold}


@dataclass(frozen=True, eq=False)
class ErrorCurve:
    """Both errors against the threshold: the points of a DET plot.

    Attributes
    ----------
    threshold
        (k,) rising; the last may be infinite, where nothing matches.
    fmr, fnmr
        (k,) shares at or over, and under, each threshold: falling and rising.
    """

    threshold: NDArray[np.float64]
    fmr: NDArray[np.float64]
    fnmr: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.threshold)

    @property
    def eer(self) -> float:
        """Equal error rate: where FMR and FNMR meet, on the straight line between the points beside that."""
        over = np.flatnonzero(self.fnmr >= self.fmr)
        after = int(over[0]) if len(over) else len(self) - 1
        before = max(after - 1, 0)
        gap_before = self.fmr[before] - self.fnmr[before]
        gap_after = self.fnmr[after] - self.fmr[after]
        if gap_before <= 0 or gap_after < 0:  # the curve does not cross between them
            return float((self.fmr[after] + self.fnmr[after]) / 2)
        share = gap_before / (gap_before + gap_after)
        return float(self.fmr[before] + share * (self.fmr[after] - self.fmr[before]))

    def thinned(self, points: int = 200) -> ErrorCurve:
        """At most so many points, evenly apart in the logarithm of FMR: enough to draw."""
        some = np.flatnonzero(self.fmr > 0)
        if len(self) <= points or not len(some):
            return self
        levels = np.geomspace(self.fmr[some[0]], self.fmr[some[-1]], points - 1)
        # The lowest threshold that keeps FMR at or under each level; the curve's FMR falls.
        keep = np.unique(np.append(np.searchsorted(-self.fmr, -levels * (1 + 1e-12)), len(self) - 1))
        return ErrorCurve(self.threshold[keep], self.fmr[keep], self.fnmr[keep])

    def as_dict(self) -> dict[str, list[float | None]]:
        """Columns; None stands for an infinite threshold."""
        threshold = [value if np.isfinite(value) else None for value in self.threshold.tolist()]
        return {"threshold": threshold, "fmr": self.fmr.tolist(), "fnmr": self.fnmr.tolist()}


@dataclass(frozen=True, eq=False)
class ComparisonScores:
    """Scores of a set of comparisons: all mated ones, and the non-mated ones as counts with an exact upper tail.

    Attributes
    ----------
    mated
        (m,) ascending; -inf where the comparison could not be made.
    mated_subject
        (m,) number of the subject of each.
    bins
        (65536,) non-mated comparisons by score: bin i holds ``BIN_EDGES[i] <= score < BIN_EDGES[i + 1]``.
    tail
        (t,) ascending: every non-mated score at or over ``tail_from``. FMRs up to ``t / non_mated`` are exact.
    tail_from
        Where the tail begins.
    not_compared
        Non-mated comparisons that could not be made.
    subject_pairs
        Pairs of different subjects among the non-mated comparisons: at best so
        many are independent, however many images there are.
    """

    mated: FloatArray = field(repr=False)
    mated_subject: IntArray = field(repr=False)
    bins: IntArray = field(repr=False)
    tail: FloatArray = field(repr=False)
    tail_from: float
    not_compared: int
    subject_pairs: int

    @classmethod
    def of(
        cls,
        mated: FloatArray,
        non_mated: FloatArray,
        *,
        mated_subject: Sequence[str] | None = None,
        subject_pairs: int | None = None,
    ) -> ComparisonScores:
        """Condense scores that are in memory; nothing is lost.

        Parameters
        ----------
        mated, non_mated
            (m,) and (n,) scores; NaN where a comparison could not be made.
        mated_subject
            Subject of each mated comparison; None: no two are of one subject.
        subject_pairs
            Pairs of subjects among the non-mated; None: no two comparisons are of one pair.
        """
        subject = np.arange(len(mated)) if mated_subject is None else np.unique(mated_subject, return_inverse=True)[1]
        scores = np.where(np.isnan(mated), np.float32(-np.inf), mated).astype(np.float32)
        order = np.argsort(scores, kind="stable")
        tail = np.sort(non_mated[~np.isnan(non_mated)]).astype(np.float32)
        pairs = len(non_mated) if subject_pairs is None else subject_pairs
        failed = len(non_mated) - len(tail)
        return cls(scores[order], subject[order].astype(np.int64), bin_counts(tail), tail, -np.inf, failed, pairs)

    @property
    def non_mated(self) -> int:
        """Number of non-mated comparisons, with those that could not be made."""
        return int(self.bins.sum()) + self.not_compared

    def fmr(self, threshold: ArrayLike) -> NDArray[np.float64]:
        """Share of non-mated comparisons at or over each threshold; NaN where there is none.

        Exact from ``tail_from`` up and at `BIN_EDGES`; elsewhere that of the edge below, which is no less.
        """
        at = np.asarray(threshold, np.float64)
        from_bin = np.cumsum(self.bins[::-1])[::-1]
        bin_of = np.maximum(np.searchsorted(BIN_EDGES, at, side="right") - 1, 0)
        in_tail = len(self.tail) - np.searchsorted(self.tail.astype(np.float64), at)
        count = np.where(at >= self.tail_from, in_tail, from_bin[bin_of])
        return count / self.non_mated if self.non_mated else np.full(at.shape, np.nan)

    def fnmr(self, threshold: ArrayLike) -> NDArray[np.float64]:
        """Share of mated comparisons under each threshold; NaN where there is none."""
        at = np.asarray(threshold, np.float64)
        missed = np.searchsorted(self.mated.astype(np.float64), at)
        return missed / len(self.mated) if len(self.mated) else np.full(at.shape, np.nan)

    def threshold_at(self, fmr: float) -> float:
        """Smallest threshold that keeps FMR at or under a target, in -1 to just over the highest score.

        Below the tail it is the smallest of `BIN_EDGES`, at most 3.1e-5 higher.
        """
        allowed = int(fmr * self.non_mated + 1e-9)  # 0.07 * 100 is a little over 7
        if allowed >= int(self.bins.sum()):
            return -1.0
        if allowed < len(self.tail):
            # The first score that must not match decides; -1 is the least cosine there is.
            return float(max(np.nextafter(self.tail[-1 - allowed], np.float32(np.inf)), np.float32(-1.0)))
        over = np.cumsum(self.bins[::-1])[::-1]
        return float(max(BIN_EDGES[int(np.argmax(over <= allowed))], np.float32(-1.0)))

    def can_show(self, fmr: float) -> bool:
        """Whether the data say anything of such an FMR: it would be a pair of subjects or more, if all were alike."""
        return fmr * min(self.subject_pairs, self.non_mated) >= 1 - 1e-9

    def fnmr_at_fmr(self, targets: Sequence[float] = FMR_TARGETS) -> list[ErrorTradeOff]:
        """FNMR at the smallest threshold that keeps FMR at or under each target that the data can show."""
        points = []
        rank = np.arange(len(self.mated))
        for target in targets:
            if self.can_show(target):
                threshold = self.threshold_at(target)
                missed = int(np.searchsorted(self.mated.astype(np.float64), threshold))
                points.append(ErrorTradeOff(target, rate_over_subjects(rank < missed, self.mated_subject), threshold))
        return points

    def curve(self) -> ErrorCurve:
        """Both errors at every bin's edge below the tail and at every distinct score in it."""
        edges = BIN_EDGES[(self.bins > 0) & (self.tail_from > BIN_EDGES)]
        last = np.nextafter(self.tail[-1:], np.float32(np.inf))
        at = np.unique(np.concatenate([edges[np.isfinite(edges)], self.tail, last])).astype(np.float64)
        return ErrorCurve(at, self.fmr(at), self.fnmr(at))

    @classmethod
    def together(cls, parts: Sequence[ComparisonScores], *, subject_pairs: int) -> ComparisonScores:
        """Several sets as one; ``subject_pairs`` is that of the whole, and the numbers of subjects are shared."""
        mated = np.concatenate([part.mated for part in parts])
        order = np.argsort(mated, kind="stable")
        tail_from = max(part.tail_from for part in parts)
        tail = np.concatenate([part.tail[np.searchsorted(part.tail, np.float32(tail_from)) :] for part in parts])
        return cls(
            mated[order],
            np.concatenate([part.mated_subject for part in parts])[order],
            np.sum([part.bins for part in parts], axis=0),
            np.sort(tail),
            tail_from,
            sum(part.not_compared for part in parts),
            subject_pairs,
        )

    def as_dict(self, targets: Sequence[float] = FMR_TARGETS) -> dict[str, Any]:
        """Return the documented JSON form."""
        curve = self.curve() if self.non_mated and len(self.mated) else None
        return {
            "mated": len(self.mated),
            "non_mated": self.non_mated,
            "subject_pairs": self.subject_pairs,
            "eer": None if curve is None else curve.eer,
            "fnmr_at_fmr": [point.as_dict() for point in self.fnmr_at_fmr(targets)] if len(self.mated) else [],
            "insufficient_data": [target for target in targets if not self.can_show(target)],
            "det": None if curve is None else curve.thinned().as_dict(),
        }


def bin_counts(scores: FloatArray) -> IntArray:
    """(65536,) how many of the float32 scores, of any shape, fall into each bin of `BIN_EDGES`."""
    place = np.add(scores, np.float32(1), dtype=np.float32)
    place *= _PER_UNIT
    counts = np.bincount(place.astype(np.int32).ravel(), minlength=_BINS + 1).astype(np.int64)
    counts[_BINS - 1] += counts[_BINS:].sum()  # rounding puts a cosine of 1 a little over it
    return counts[:_BINS]


def det_curve(mated: FloatArray, non_mated: FloatArray) -> ErrorCurve:
    """Detection error trade-off at every distinct score, as ``sklearn.metrics.det_curve`` gives it.

    From the highest threshold with the least FNMR to the lowest with no false
    match, which is infinite where the highest score of all is non-mated.

    Parameters
    ----------
    mated, non_mated
        (m,) and (n,) scores, at least one of each; NaN where a comparison could not be made.

    Raises
    ------
    ValueError
        One of the two kinds is missing.
    """
    if not len(mated) or not len(non_mated):
        raise ValueError("det_curve: scores of both kinds are needed")
    right, wrong = (np.sort(kind[~np.isnan(kind)].astype(np.float64)) for kind in (mated, non_mated))
    threshold = np.append(np.unique(np.concatenate([right, wrong])), np.inf)
    found = len(right) - np.searchsorted(right, threshold)
    false = len(wrong) - np.searchsorted(wrong, threshold)
    first = int(np.flatnonzero(found == found[0])[-1])
    last = int(np.flatnonzero(false == 0)[0])
    kept = slice(first, max(first, last) + 1)
    return ErrorCurve(threshold[kept], false[kept] / len(non_mated), (len(mated) - found[kept]) / len(mated))
