"""FPIR against the size of the watchlist: measured on lists that are drawn, beside what independence would give."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lfr.evaluation.search_scores import Hits
from lfr.evaluation.searches import Searches

__all__ = ["SizeEstimate", "fpir_by_size"]

_DRAWS = 100


@dataclass(frozen=True)
class SizeEstimate:
    """FPIR at one threshold and watchlist size, measured and as if comparisons were independent.

    Attributes
    ----------
    watchlist_size
        Subjects on each list drawn.
    threshold
        Score from which a subject is a candidate.
    measured
        Mean FPIR over the lists drawn.
    low, high
        The middle 95% of the lists: how much it depends on who is listed. That is no confidence interval.
    draws
        Lists drawn; one, where all subjects are on it.
    fmr
        Share of non-mated comparisons at or over the threshold.
    independent
        ``1 - (1 - fmr)^N``: over the measured value, where look-alikes cluster.
    """

    watchlist_size: int
    threshold: float
    measured: float
    low: float
    high: float
    draws: int
    fmr: float
    independent: float


def fpir_by_size(
    searches: Searches,
    sizes: Sequence[int],
    thresholds: Sequence[float],
    *,
    rng: np.random.Generator,
    draws: int = _DRAWS,
) -> list[SizeEstimate]:
    """FPIR of the non-mated searches against smaller watchlists, drawn from the one that was searched.

    Parameters
    ----------
    searches
        The table; the same non-mated searches are used at every size.
    sizes
        Subjects on each list, at most as many as are enrolled.
    thresholds
        Scores to measure at.
    rng
        Draws the lists.
    draws
        Lists of each size.

    Raises
    ------
    ValueError
        A size is under 1 or over the number of enrolled subjects.
    """
    enrolled = len(searches.watchlist.snapshot.subjects)
    non_mated = int((~searches.mated).sum())
    hits = searches.scores.hits(min(thresholds))
    hits = hits[~searches.mated[hits.search]]
    estimates = []
    for size in sizes:
        if not 1 <= size <= enrolled:
            raise ValueError(f"watchlist size {size}: expected 1 to {enrolled}, the subjects enrolled")
        lists = 1 if size == enrolled else draws
        measured = np.array([_drawn_fpir(hits, thresholds, enrolled, size, rng) for _ in range(lists)]) / non_mated
        for column, threshold in enumerate(thresholds):
            fmr = float((hits.score.astype(np.float64) >= threshold).sum() / (non_mated * enrolled))
            low, high = np.quantile(measured[:, column], (0.025, 0.975))
            independent = float(-np.expm1(size * np.log1p(-fmr))) if fmr < 1 else 1.0
            mean = float(measured[:, column].mean())
            estimates.append(SizeEstimate(size, threshold, mean, float(low), float(high), lists, fmr, independent))
    return estimates


def _drawn_fpir(
    hits: Hits, thresholds: Sequence[float], enrolled: int, size: int, rng: np.random.Generator
) -> list[int]:
    """Non-mated searches with a candidate among ``size`` subjects drawn, at each threshold."""
    listed = np.zeros(enrolled, np.bool_)
    listed[rng.permutation(enrolled)[:size]] = True
    kept = hits[listed[hits.subject]]
    if not len(kept):
        return [0] * len(thresholds)
    starts = np.flatnonzero(np.diff(kept.search, prepend=-1))  # hits come search by search
    highest = np.maximum.reduceat(kept.score, starts).astype(np.float64)
    return [int((highest >= threshold).sum()) for threshold in thresholds]
