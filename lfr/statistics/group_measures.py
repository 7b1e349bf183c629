"""How unequal error rates of groups are, as one number each.

Every measure takes arrays whose last axis is the groups, so it runs on one set
of rates and on bootstrap replicates alike. Where a formula divides by zero,
because a group has rate 0, the element is NaN, to be reported as "undefined: a
group has rate 0": 1 would claim equality and infinity a gap that few trials
cannot show. A group whose rate is NaN makes the element NaN too.

The rates are FMR and FNMR one-to-one; for one-to-many, FPIR and FNIR take
their places.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lfr.statistics.proportions import ratio_or_nan

__all__ = [
    "fairness_discrepancy_rate",
    "garbe",
    "gini",
    "inequity_rate",
    "max_over_geometric_mean",
    "max_over_min",
]

Floats = NDArray[np.float64]


def max_over_min(rates: ArrayLike) -> Floats:
    """Largest rate over smallest: ``max x / min x``; 1 when equal.

    P. Grother, "Face recognition vendor test part 8: summarizing demographic
    differentials", NISTIR 8429, 2022, where it is called too sensitive to the
    smallest rate.

    Parameters
    ----------
    rates
        (..., n) error rates of n groups.

    Returns
    -------
    (...) ratios, at least 1; NaN where the smallest rate is 0.

    Raises
    ------
    ValueError
        If there are fewer than two groups or a rate is not in 0..1.
    """
    x = _rates(rates)
    return ratio_or_nan(x.max(axis=-1), x.min(axis=-1))


def max_over_geometric_mean(rates: ArrayLike) -> Floats:
    """Largest rate over the geometric mean: ``max x / (x_1 ... x_n)^(1/n)``; 1 when equal.

    P. Grother, NISTIR 8429, 2022.

    Parameters
    ----------
    rates
        (..., n) error rates of n groups.

    Returns
    -------
    (...) ratios, at least 1; NaN where a rate is 0.

    Raises
    ------
    ValueError
        If there are fewer than two groups or a rate is not in 0..1.
    """
    x = _rates(rates)
    with np.errstate(divide="ignore"):
        mean = np.exp(np.log(x).mean(axis=-1))
    # A mean rounded up would make equal rates a little less than equal.
    return ratio_or_nan(np.maximum(x.max(axis=-1), mean), mean)


def gini(rates: ArrayLike) -> Floats:
    """Gini coefficient of the rates: ``n/(n-1) * sum_i sum_j |x_i - x_j| / (2 n^2 mean)``; 0 when equal, at most 1.

    With the factor n/(n-1) for few groups: C. Gini 1912; G. Deltas, "The
    small-sample bias of the Gini coefficient", Review of Economics and
    Statistics 85(1), 2003; as in J. J. Howard, E. J. Laird, Y. B. Sirotin,
    R. E. Rubin, J. L. Tipton, A. R. Vemury, arXiv 2203.05051.

    Parameters
    ----------
    rates
        (..., n) error rates of n groups.

    Returns
    -------
    (...) coefficients in 0..1; NaN where every rate is 0.

    Raises
    ------
    ValueError
        If there are fewer than two groups or a rate is not in 0..1.
    """
    x = np.sort(_rates(rates), axis=-1)
    n = x.shape[-1]
    # Of sorted rates, sum_i sum_j |x_i - x_j| = 2 sum_i (2 i - n + 1) x_i, i from 0.
    spread = 2.0 * (x @ (2.0 * np.arange(n) - n + 1.0))
    return ratio_or_nan(n / (n - 1) * np.maximum(spread, 0.0), 2.0 * n**2 * x.mean(axis=-1))


def garbe(fmr: ArrayLike, fnmr: ArrayLike, *, alpha: float = 0.5) -> Floats:
    """Gini aggregation rate for biometric equitability: ``alpha Gini(FMR) + (1 - alpha) Gini(FNMR)``; 0 when equal.

    J. J. Howard and others, arXiv 2203.05051, 2022, with `gini` as there:
    public code defines it in three ways.

    Parameters
    ----------
    fmr, fnmr
        (..., n) error rates of n groups.
    alpha
        Weight of FMR, in 0..1.

    Returns
    -------
    (...) values in 0..1; NaN where every FMR or every FNMR is 0.

    Raises
    ------
    ValueError
        If there are fewer than two groups, a rate or ``alpha`` is not in 0..1.
    """
    _check_alpha(alpha)
    return alpha * gini(fmr) + (1.0 - alpha) * gini(fnmr)


def fairness_discrepancy_rate(fmr: ArrayLike, fnmr: ArrayLike, *, alpha: float = 0.5) -> Floats:
    """Fairness discrepancy rate: ``1 - (alpha max|dFMR| + (1 - alpha) max|dFNMR|)``; 1 when equal, smaller is worse.

    max|d| is the largest difference of any two groups. T. de Freitas Pereira
    and S. Marcel, "Fairness in biometrics: a figure of merit to assess
    biometric verification systems", IEEE T-BIOM 4(1), 2022, doi
    10.1109/TBIOM.2021.3102862. It divides by nothing, so it is always defined;
    where FMR is small it is near 1 whatever the groups' ratio.

    Parameters
    ----------
    fmr, fnmr
        (..., n) error rates of n groups.
    alpha
        Weight of FMR, in 0..1.

    Returns
    -------
    (...) values in 0..1.

    Raises
    ------
    ValueError
        If there are fewer than two groups, a rate or ``alpha`` is not in 0..1.
    """
    _check_alpha(alpha)
    match, non_match = _rates(fmr), _rates(fnmr)
    result: Floats = 1.0 - (alpha * np.ptp(match, axis=-1) + (1.0 - alpha) * np.ptp(non_match, axis=-1))
    return result


def inequity_rate(fmr: ArrayLike, fnmr: ArrayLike, *, alpha: float = 0.5) -> Floats:
    """Inequity rate: ``(max FMR / min FMR)^alpha * (max FNMR / min FNMR)^(1 - alpha)``; 1 when equal.

    NIST, as given in P. Grother, NISTIR 8429, 2022, and J. J. Howard and
    others, arXiv 2203.05051.

    Parameters
    ----------
    fmr, fnmr
        (..., n) error rates of n groups.
    alpha
        Weight of FMR, in 0..1.

    Returns
    -------
    (...) values of at least 1; NaN where a smallest rate is 0.

    Raises
    ------
    ValueError
        If there are fewer than two groups, a rate or ``alpha`` is not in 0..1.
    """
    _check_alpha(alpha)
    result: Floats = max_over_min(fmr) ** alpha * max_over_min(fnmr) ** (1.0 - alpha)
    return result


def _rates(rates: ArrayLike) -> Floats:
    x = np.asarray(rates, np.float64)
    if not x.ndim or x.shape[-1] < 2:
        raise ValueError(f"a group measure needs two groups or more along the last axis, got shape {x.shape}")
    if np.any((x < 0) | (x > 1)):
        raise ValueError("rates must lie in 0..1")
    return x


def _check_alpha(alpha: float) -> None:
    if not 0.0 <= alpha <= 1.0:
        raise ValueError(f"alpha must lie in 0..1, got {alpha}")
