"""What a comparison of two groups could have shown: power, the smallest gap it would see, and the trials it needs.

The outcomes that each group may have are taken at equally likely quantiles of
its binomial, and every pair of them is put through the very interval that the
verdict rests on. Vectorised over pairs of groups.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtri

from lfr.statistics.proportions import Bounds
from lfr.statistics.two_groups import Measure, difference_of, limits, ratio_of

__all__ = [
    "power",
    "power_to_show_equal",
    "smallest_detectable_difference",
    "smallest_detectable_ratio",
    "trials_needed",
]

Floats = NDArray[np.float64]

_QUANTILES = (np.arange(31) + 0.5) / 31
_MOST_TRIALS = 1e9  # a claim that needs more cannot be tested


def power(
    first_rate: ArrayLike,
    second_rate: ArrayLike,
    first_of: ArrayLike,
    second_of: ArrayLike,
    *,
    measure: Measure = "ratio",
    confidence: ArrayLike = 0.95,
    exact: bool = False,
) -> Floats:
    """Probability that the interval of two groups leaves equality out.

    Parameters
    ----------
    first_rate, second_rate
        True rates in 0..1, of shapes that broadcast together with the trials.
    first_of, second_of
        Independent trials of each group, at least 1.
    measure
        `ratio_interval` or `difference_interval`. A ratio to a share of 0 is
        judged by its inverse; two shares of 0 show nothing.
    confidence
        Two-sided coverage of the interval.
    exact
        From Clopper-Pearson limits instead of Wilson's.
    """
    one, other = _outcomes(first_rate, first_of), _outcomes(second_rate, second_of)

    def excludes(low: Floats, high: Floats, low_inverse: Floats, high_inverse: Floats) -> NDArray[np.bool_]:
        if measure == "difference":
            return (low > 0) | (high < 0)
        return (high < 1) | (high_inverse < 1) | (low > 1) | (low_inverse > 1)

    return _share_of_outcomes(one, other, excludes, measure=measure, confidence=confidence, exact=exact)


def power_to_show_equal(
    rate: ArrayLike,
    first_of: ArrayLike,
    second_of: ArrayLike,
    *,
    low: float,
    high: float,
    measure: Measure = "ratio",
    confidence: ArrayLike = 0.95,
    exact: bool = False,
) -> Floats:
    """Probability that the interval lies inside the bounds when both groups have the same true rate.

    Parameters
    ----------
    rate
        True rate of both groups, in 0..1.
    first_of, second_of
        Independent trials of each group, at least 1.
    low, high
        Bounds that the whole interval must lie in.
    measure, confidence, exact
        As of `power`.
    """
    one, other = _outcomes(rate, first_of), _outcomes(rate, second_of)

    def inside(least: Floats, most: Floats, *_: Floats) -> NDArray[np.bool_]:
        return (least > low) & (most < high)

    return _share_of_outcomes(one, other, inside, measure=measure, confidence=confidence, exact=exact)


def trials_needed(
    rate: ArrayLike,
    *,
    low: float,
    high: float,
    measure: Measure = "ratio",
    confidence: ArrayLike = 0.95,
    exact: bool = False,
    power: float = 0.8,
) -> Floats:
    """Independent trials of each of two groups for `power_to_show_equal` to reach a level.

    Found by bisection, to about one in a thousand; infinite where a thousand
    million would not do, as for a ratio of rates of 0.
    """
    wanted = np.asarray(rate, np.float64)
    few, enough = np.zeros(wanted.shape), np.full(wanted.shape, np.log(_MOST_TRIALS))

    def reached(logarithm: Floats) -> NDArray[np.bool_]:
        of = np.ceil(np.exp(logarithm))
        shown = power_to_show_equal(
            wanted, of, of, low=low, high=high, measure=measure, confidence=confidence, exact=exact
        )
        return shown >= power

    never = ~reached(enough)
    for _ in range(15):
        middle = (few + enough) / 2.0
        shown = reached(middle)
        few, enough = np.where(shown, few, middle), np.where(shown, middle, enough)
    return np.where(never, np.inf, np.ceil(np.exp(enough)))


def smallest_detectable_ratio(
    rate: ArrayLike,
    first_of: ArrayLike,
    second_of: ArrayLike,
    *,
    confidence: ArrayLike = 0.95,
    exact: bool = False,
    power: float = 0.8,
) -> Floats:
    """Smallest ratio of the true rates that the ratio's interval would tell from equality, with a probability.

    The rates are spread about their geometric mean: ``rate * sqrt(ratio)``
    and ``rate / sqrt(ratio)``. NaN where no ratio that keeps both under 1
    would be seen.

    Parameters
    ----------
    rate
        Geometric mean of the two rates, in 0..1.
    first_of, second_of
        Independent trials of each group, at least 1.
    confidence
        Two-sided coverage of the interval.
    exact
        From Clopper-Pearson limits instead of Wilson's.
    power
        Probability to see it, as 0.8.
    """
    middle_rate = np.asarray(rate, np.float64)
    with np.errstate(divide="ignore"):
        most = np.minimum(-np.log(middle_rate), np.log(1e3))  # of the root of the ratio

    def spread(root: Floats) -> tuple[Floats, Floats]:
        return np.minimum(middle_rate * np.exp(root), 1.0), middle_rate * np.exp(-root)

    root = _smallest_seen(spread, most, first_of, second_of, "ratio", confidence, exact, power)
    return np.exp(2.0 * root)


def smallest_detectable_difference(
    rate: ArrayLike,
    first_of: ArrayLike,
    second_of: ArrayLike,
    *,
    confidence: ArrayLike = 0.95,
    exact: bool = False,
    power: float = 0.8,
) -> Floats:
    """Smallest difference of the true rates that the difference's interval would tell from equality.

    The rates are spread about their mean as far as 0 allows, and beyond that
    the greater one rises alone. Parameters as of `smallest_detectable_ratio`.
    """
    middle_rate = np.asarray(rate, np.float64)

    def spread(gap: Floats) -> tuple[Floats, Floats]:
        lesser = np.maximum(middle_rate - gap / 2.0, 0.0)
        return np.minimum(lesser + gap, 1.0), lesser

    return _smallest_seen(
        spread, np.ones(middle_rate.shape), first_of, second_of, "difference", confidence, exact, power
    )


def _smallest_seen(
    spread: Callable[[Floats], tuple[Floats, Floats]],
    most: Floats,
    first_of: ArrayLike,
    second_of: ArrayLike,
    measure: Measure,
    confidence: ArrayLike,
    exact: bool,
    wanted: float,
) -> Floats:
    """Bisect for the gap at which the power, with the greater rate in the group less likely to show it, is reached."""

    def seen(gap: Floats) -> NDArray[np.bool_]:
        greater, lesser = spread(gap)
        one = power(greater, lesser, first_of, second_of, measure=measure, confidence=confidence, exact=exact)
        other = power(lesser, greater, first_of, second_of, measure=measure, confidence=confidence, exact=exact)
        return np.minimum(one, other) >= wanted

    least, seen_at = np.zeros(most.shape), most
    never = ~seen(most)
    for _ in range(18):
        middle = (least + seen_at) / 2.0
        now = seen(middle)
        least, seen_at = np.where(now, least, middle), np.where(now, middle, seen_at)
    return np.where(never, np.nan, seen_at)


def _outcomes(rate: ArrayLike, of: ArrayLike) -> tuple[Floats, Floats]:
    """Equally likely counts of a group, (..., q), and its trials, (..., 1)."""
    trials = np.maximum(np.rint(np.asarray(of, np.float64)), 1.0)[..., None]
    rates, trials = np.broadcast_arrays(np.asarray(rate, np.float64)[..., None], trials)
    mean, variance = trials * rates, trials * rates * (1.0 - rates)
    # Exact quantiles are slow. With a variance from 25 on, the normal ones with a term for skewness are within a count
    # (E. A. Cornish and R. A. Fisher, 1938).
    z = ndtri(_QUANTILES)
    counts = np.ceil(mean + np.sqrt(variance) * z + (1.0 - 2.0 * rates) * (z**2 - 1.0) / 6.0 - 0.5)
    few = variance[..., 0] < 25.0
    if np.any(few):
        from scipy.stats import binom  # noqa: PLC0415 - half a second to import, and few who import this ask for power

        counts[few] = binom.ppf(_QUANTILES, trials[few], rates[few])
    return np.clip(counts, 0.0, trials), trials


def _share_of_outcomes(
    first: tuple[Floats, Floats],
    second: tuple[Floats, Floats],
    holds: Callable[..., NDArray[np.bool_]],
    *,
    measure: Measure,
    confidence: ArrayLike,
    exact: bool,
) -> Floats:
    """Share of the pairs of outcomes whose interval has a property; an undefined interval has none."""
    level = np.asarray(confidence, np.float64)[..., None]
    one = tuple(part[..., :, None] for part in limits(first, level, exact=exact))
    other = tuple(part[..., None, :] for part in limits(second, level, exact=exact))
    interval: Callable[..., Bounds] = ratio_of if measure == "ratio" else difference_of
    found = holds(*interval(one, other), *interval(other, one))
    result: Floats = found.mean(axis=(-2, -1))
    return result
