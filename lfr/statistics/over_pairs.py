"""Share of non-mated comparisons with an event, with an interval over the subjects that they share."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lfr.statistics.over_subjects import adjusted_bounds
from lfr.statistics.proportions import Rate, rate_with

__all__ = ["effective_pairs", "pair_rate"]

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]


def pair_rate(
    first: ArrayLike,
    second: ArrayLike,
    *,
    events: ArrayLike,
    comparisons: ArrayLike,
    trials_by_subject: ArrayLike,
    confidence: float = 0.95,
) -> Rate:
    """Share of non-mated comparisons with an event, as FMR, with a Wilson interval over subjects.

    Only the pairs of subjects that had an event need be listed, so 87 million
    comparisons come as a few thousand rows. See `effective_pairs` for the
    variance.

    Parameters
    ----------
    first, second
        (p,) the two subjects of each listed pair, as numbers in 0..s-1. A pair
        is listed once, in either order.
    events
        (p,) comparisons of the pair with an event.
    comparisons
        (p,) all comparisons of the pair: faces of the one times faces of the other.
    trials_by_subject
        (s,) all comparisons that each subject took part in, of listed pairs and of others.
    confidence
        Two-sided coverage, between 0 and 1.

    Raises
    ------
    ValueError
        If shapes differ, a pair is of one subject or has more events than
        comparisons, a subject's comparisons exceed its trials, or
        ``confidence`` is not between 0 and 1.
    """
    a, b, counts, sizes, trials = _checked_pairs(first, second, events, comparisons, trials_by_subject)
    count, of = int(counts.sum()), round(float(trials.sum()) / 2.0)
    effective = _effective(a, b, counts, sizes, trials)
    bounds = adjusted_bounds(count, of, effective, confidence=confidence)
    return rate_with(count, of, bounds, method="wilson-over-pairs")


def effective_pairs(
    first: ArrayLike, second: ArrayLike, *, events: ArrayLike, comparisons: ArrayLike, trials_by_subject: ArrayLike
) -> float:
    """Number of independent comparisons that would carry as much information as these.

    With ``r = events - p * comparisons`` of a pair and ``d_i`` the sum of r
    over the pairs of subject i, the variance of the share p is ``(sum_i d_i^2
    - sum_pairs r^2) / (all comparisons)^2``: a pair's product with each pair
    that shares a subject with it, and with itself once (R. Fogliato, P. Patil,
    P. Perona, arXiv 2306.01198, the plug-in estimator of FMR). As there, what
    the shared subjects add is not taken to be negative. ``p (1 - p)`` over it
    is the number, at most as many as there are comparisons.

    Few events show few of the subjects that cause them, and the interval of
    the plain estimator then covers down to 91%. So what the worst subject's
    comparisons add to one another is counted twice, as though there were one
    more like it (our choice: the tests hold its coverage at 93% and over).

    Pairs that are not listed had no event. Their own ``r^2``, of order p^2,
    is not subtracted, which can only widen the interval. Where no comparison
    had an event, or all had, all those that share a subject are taken to have
    ended alike: ``(all comparisons)^2 / sum_i trials_i^2``, a quarter of the
    number of subjects when each has one face.

    Parameters and errors are those of `pair_rate`.
    """
    return _effective(*_checked_pairs(first, second, events, comparisons, trials_by_subject))


def _effective(first: Ints, second: Ints, events: Floats, comparisons: Floats, trials: Floats) -> float:
    count, of = float(events.sum()), float(trials.sum()) / 2.0
    if not of:
        return 0.0
    if count in {0.0, of}:
        return of**2 / float(np.sum(trials**2))
    share = count / of
    number = len(trials)
    by_subject = np.bincount(first, events, number) + np.bincount(second, events, number) - share * trials
    own = (events - share * comparisons) ** 2
    shared = by_subject**2 - np.bincount(first, own, number) - np.bincount(second, own, number)
    # Each pair's own square is taken off twice above, once for each subject, and belongs in once.
    squares = float(own.sum()) + max(float(shared.sum()), 0.0) + max(float(shared.max()), 0.0)
    return min(share * (1.0 - share) * of**2 / squares, of)


def _checked_pairs(
    first: ArrayLike, second: ArrayLike, events: ArrayLike, comparisons: ArrayLike, trials_by_subject: ArrayLike
) -> tuple[Ints, Ints, Floats, Floats, Floats]:
    a, b = np.asarray(first, np.intp), np.asarray(second, np.intp)
    counts, sizes = np.asarray(events, np.float64), np.asarray(comparisons, np.float64)
    trials = np.asarray(trials_by_subject, np.float64)
    if a.ndim != 1 or not a.shape == b.shape == counts.shape == sizes.shape or trials.ndim != 1:
        raise ValueError(
            f"first, second, events and comparisons must be of one length, got "
            f"{a.shape}, {b.shape}, {counts.shape} and {sizes.shape}"
        )
    if len(a) and not (min(a.min(), b.min()) >= 0 and max(a.max(), b.max()) < len(trials)):
        raise ValueError(f"a subject of a pair is not in 0..{len(trials) - 1}")
    if np.any(a == b):
        raise ValueError("a non-mated pair needs two different subjects")
    low, high = np.minimum(a, b), np.maximum(a, b)
    if len(np.unique(low * len(trials) + high)) != len(a):
        raise ValueError("a pair of subjects is listed twice")
    if not np.all((counts >= 0) & (counts <= sizes)):
        raise ValueError("a pair's events must lie in 0..comparisons")
    listed = np.bincount(a, sizes, len(trials)) + np.bincount(b, sizes, len(trials))
    if np.any(listed > trials):
        raise ValueError("a subject's listed comparisons are more than its trials")
    return a, b, counts, sizes, trials
