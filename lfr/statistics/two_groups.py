"""Intervals for the ratio and the difference of two groups' shares, and the p value of equality by inverting them.

Both are built from the interval of each share (method of variance estimates
recovery): they are as good where shares are near 0 or 1 or samples small as
those are, which the usual normal intervals are not.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lfr.statistics.proportions import Bounds, clopper_pearson_bounds, ratio_or_nan, wilson_bounds

__all__ = ["LEAST_P_VALUE", "Measure", "difference_interval", "p_value_of_equality", "ratio_interval"]

Measure = Literal["ratio", "difference"]
Floats = NDArray[np.float64]
Counts = tuple[ArrayLike, ArrayLike]

LEAST_P_VALUE = 1e-12
"""p values under this are given as this: nothing rests on how much smaller one is."""


def ratio_interval(first: Counts, second: Counts, *, confidence: ArrayLike = 0.95, exact: bool = False) -> Bounds:
    """Ends of the interval of the first share over the second, element by element.

    With shares a and b and their limits (l, u), MOVER-R gives
    ``[ab - sqrt((ab)^2 - l_a u_b (2a - l_a)(2b - u_b))] / [u_b (2b - u_b)]``
    and ``[ab + sqrt((ab)^2 - u_a l_b (2a - u_a)(2b - l_b))] / [l_b (2b - l_b)]``
    (A. Donner and G. Y. Zou, "Closed-form confidence intervals for functions
    of the normal mean and standard deviation", Statistical Methods in Medical
    Research 21(4), 2012, equation 9). The interval of the inverse ratio has
    the inverse ends.

    Parameters
    ----------
    first, second
        (events, trials) of each group, of shapes that broadcast together;
        effective numbers need not be whole.
    confidence
        Two-sided coverage, between 0 and 1; one, or one for each element.
    exact
        From Clopper-Pearson limits instead of Wilson's.

    Returns
    -------
    Low and high; both NaN, for undefined, where the second share is 0 or a
    group has no trials.

    Raises
    ------
    ValueError
        If a count is not in 0..trials or ``confidence`` is not between 0 and 1.
    """
    return ratio_of(limits(first, confidence, exact=exact), limits(second, confidence, exact=exact))


def difference_interval(first: Counts, second: Counts, *, confidence: ArrayLike = 0.95, exact: bool = False) -> Bounds:
    """Ends of the interval of the first share less the second, element by element.

    With shares a and b and their limits (l, u): ``a - b - sqrt((a - l_a)^2 +
    (u_b - b)^2)`` and ``a - b + sqrt((u_a - a)^2 + (b - l_b)^2)`` (R. G.
    Newcombe, "Interval estimation for the difference between independent
    proportions: comparison of eleven methods", Statistics in Medicine 17,
    1998, method 10; MOVER-D of G. Y. Zou and A. Donner, 2008).

    Parameters
    ----------
    first, second
        (events, trials) of each group, of shapes that broadcast together;
        effective numbers need not be whole.
    confidence
        Two-sided coverage, between 0 and 1; one, or one for each element.
    exact
        From Clopper-Pearson limits instead of Wilson's, as for FPIR.

    Returns
    -------
    Low and high in -1..1; NaN where a group has no trials.

    Raises
    ------
    ValueError
        If a count is not in 0..trials or ``confidence`` is not between 0 and 1.
    """
    return difference_of(limits(first, confidence, exact=exact), limits(second, confidence, exact=exact))


def p_value_of_equality(first: Counts, second: Counts, *, measure: Measure = "ratio", exact: bool = False) -> Floats:
    """Smallest 1 - confidence at which the interval leaves equality out, element by element.

    It inverts `ratio_interval` (equality is 1) or `difference_interval`
    (equality is 0) by bisection, so that p value and interval never disagree.

    Parameters
    ----------
    first, second
        (events, trials) of each group, of shapes that broadcast together.
    measure
        Which interval.
    exact
        From Clopper-Pearson limits instead of Wilson's.

    Returns
    -------
    p values in `LEAST_P_VALUE`..1; NaN where the interval is undefined.
    """
    counts = np.broadcast_arrays(*(np.asarray(part, np.float64) for part in (*first, *second)))
    a, b = ratio_or_nan(counts[0], counts[1]), ratio_or_nan(counts[2], counts[3])
    # The lesser share over the greater: that ratio is defined unless both are 0, and the inverse agrees with it.
    turned = a > b
    lesser = np.where(turned, counts[2], counts[0]), np.where(turned, counts[3], counts[1])
    greater = np.where(turned, counts[0], counts[2]), np.where(turned, counts[1], counts[3])
    interval, equal = (ratio_interval, 1.0) if measure == "ratio" else (difference_interval, 0.0)
    # Bisection over the logarithm of 1 - confidence: `excluding` leaves equality out, `holding` does not.
    holding, excluding = np.full(a.shape, np.log(LEAST_P_VALUE)), np.zeros(a.shape)
    for _ in range(45):
        middle = (holding + excluding) / 2.0
        high = interval(lesser, greater, confidence=-np.expm1(middle), exact=exact)[1]
        out = high < equal
        holding, excluding = np.where(out, holding, middle), np.where(out, middle, excluding)
    undefined = np.isnan(a + b) | ((measure == "ratio") & (a == 0) & (b == 0))
    return np.where(undefined, np.nan, np.exp(excluding))


Limits = tuple[Floats, Floats, Floats]
"""A share and the ends of its interval."""


def limits(counts: Counts, confidence: ArrayLike, *, exact: bool) -> Limits:
    """Share of each group with the ends of its interval; the share is NaN where there were no trials."""
    bounds = clopper_pearson_bounds if exact else wilson_bounds
    low, high = bounds(counts[0], counts[1], confidence=confidence)
    share = ratio_or_nan(counts[0], counts[1])
    # Rounding may put an end on the wrong side of its share.
    return share, np.fmin(low, share), np.fmax(high, share)


def ratio_of(first: Limits, second: Limits) -> Bounds:
    """Ends of `ratio_interval` from those of each share."""
    a, b = first[0], second[0]
    with np.errstate(divide="ignore", invalid="ignore"):
        low, high = _low_ratio(first, second), 1.0 / _low_ratio(second, first)
    undefined = ~(b > 0) | np.isnan(a)
    return np.where(undefined, np.nan, np.where(a == 0, 0.0, low)), np.where(undefined, np.nan, high)


def difference_of(first: Limits, second: Limits) -> Bounds:
    """Ends of `difference_interval` from those of each share."""
    (a, low_a, high_a), (b, low_b, high_b) = first, second
    return a - b - np.hypot(a - low_a, high_b - b), a - b + np.hypot(high_a - a, b - low_b)


def _low_ratio(first: Limits, second: Limits) -> Floats:
    """Low end, without the difference of near-equal numbers that the published form has where u_b is near 2b."""
    (a, low, _), (b, _, high) = first, second
    least = low * (2.0 * a - low)
    return least / (a * b + np.sqrt(np.maximum((a * b) ** 2 - least * high * (2.0 * b - high), 0.0)))
