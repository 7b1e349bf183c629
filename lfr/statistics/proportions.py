"""Intervals for the share of independent trials that had an event.

Counts are of independent trials: subjects or tracks, never comparisons or
frames, because those of one person are alike. Printed intervals are two-sided;
gates and calibration verdicts use the one-sided upper bound.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import betaincinv, ndtri

__all__ = [
    "Bounds",
    "Method",
    "Rate",
    "check_confidence",
    "clopper_pearson",
    "clopper_pearson_bounds",
    "clopper_pearson_upper",
    "rate_with",
    "ratio_or_nan",
    "wilson",
    "wilson_bounds",
    "wilson_by_subject",
]

Method = Literal[
    "wilson",
    "clopper-pearson",
    "wilson-by-subject",
    "wilson-over-subjects",
    "clopper-pearson-over-subjects",
    "wilson-over-pairs",
]
Bounds = tuple[NDArray[np.float64], NDArray[np.float64]]


@dataclass(frozen=True)
class Rate:
    """A share with its two-sided interval.

    Attributes
    ----------
    value, low, high
        The share and the ends of its interval in 0..1; None where nothing was
        counted (``of`` is 0), because no trial is no evidence.
    count, of
        Events, and the trials they were counted in.
    method
        How the interval was computed.
    """

    value: float | None
    low: float | None
    high: float | None
    count: int
    of: int
    method: Method

    def as_dict(self) -> dict[str, float | int | str | None]:
        """The rate as JSON documents show it."""
        return {
            "value": self.value,
            "low": self.low,
            "high": self.high,
            "count": self.count,
            "of": self.of,
            "method": self.method,
        }


def wilson(count: int, of: int, *, confidence: float = 0.95) -> Rate:
    """Share with its Wilson score interval, as used for TPIR.

    See `wilson_bounds` for the formula and the errors raised.
    """
    return rate_with(count, of, wilson_bounds(count, of, confidence=confidence), method="wilson")


def wilson_by_subject(count: int, trials: ArrayLike, *, confidence: float = 0.95) -> Rate:
    """Share of trials of which several are of one subject, with a Wilson interval that allows for it.

    Trials of one subject are taken to agree wholly, which is the worst case:
    ``(sum m)^2 / sum m^2`` independent trials then carry as much information
    (L. Kish, "Survey Sampling", 1965, sections 5.4 and 8.2), and the interval
    is Wilson's for that many. With one trial a subject it is `wilson`.

    Parameters
    ----------
    count
        Events among all trials.
    trials
        Number of trials m of each subject, each at least 1.
    confidence
        Two-sided coverage, between 0 and 1.

    Raises
    ------
    ValueError
        If ``count`` is not in 0..``sum(trials)`` or ``confidence`` is not between 0 and 1.
    """
    sizes = np.asarray(trials, np.float64)
    of = int(sizes.sum())
    effective = float(of**2 / np.sum(sizes**2)) if of else 0.0
    _checked(count, of, confidence)
    bounds = wilson_bounds(count / of * effective if of else 0, effective, confidence=confidence)
    return rate_with(count, of, bounds, method="wilson-by-subject")


def clopper_pearson(count: int, of: int, *, confidence: float = 0.95) -> Rate:
    """Share with its two-sided Clopper-Pearson interval, as used for FPIR.

    See `clopper_pearson_bounds` for the formula and the errors raised.
    """
    return rate_with(count, of, clopper_pearson_bounds(count, of, confidence=confidence), method="clopper-pearson")


def clopper_pearson_upper(count: int, of: int, *, confidence: float = 0.95) -> float:
    """One-sided upper bound on a share, as gates and calibration verdicts use it.

    The largest p under which ``count`` or fewer events in ``of`` trials still
    have probability ``1 - confidence``: C. J. Clopper and E. S. Pearson, "The
    use of confidence or fiducial limits illustrated in the case of the
    binomial", Biometrika 26(4), 1934. With no trials it is 1.

    Raises
    ------
    ValueError
        If ``count`` is not in 0..``of`` or ``confidence`` is not between 0 and 1.
    """
    counts, trials = _checked(count, of, confidence)
    return float(_beta_upper(counts, trials, 1.0 - confidence))


def wilson_bounds(count: ArrayLike, of: ArrayLike, *, confidence: ArrayLike = 0.95) -> Bounds:
    """Ends of the Wilson score interval, element by element.

    E. B. Wilson, "Probable inference, the law of succession, and statistical
    inference", JASA 22(158), 1927: the p at which the score test of p against
    the observed share just rejects.

    Parameters
    ----------
    count, of
        Events and trials, of shapes that broadcast together.
    confidence
        Two-sided coverage, between 0 and 1; one, or one for each element.

    Returns
    -------
    Low and high in 0..1; 0 and 1 where there were no trials.

    Raises
    ------
    ValueError
        If a count is not in 0..``of`` or ``confidence`` is not between 0 and 1.
    """
    counts, trials = _checked(count, of, confidence)
    z2 = ndtri(0.5 + np.asarray(confidence, np.float64) / 2.0) ** 2
    with np.errstate(divide="ignore", invalid="ignore"):
        share = counts / trials
        centre = (share + z2 / (2.0 * trials)) / (1.0 + z2 / trials)
        half = np.sqrt(z2 * (share * (1.0 - share) / trials + z2 / (4.0 * trials**2))) / (1.0 + z2 / trials)
    # At the ends the formula gives 0 and 1 but for rounding.
    low = np.where(counts == 0, 0.0, np.clip(centre - half, 0.0, None))
    high = np.where(counts == trials, 1.0, np.clip(centre + half, None, 1.0))
    return low, high


def clopper_pearson_bounds(count: ArrayLike, of: ArrayLike, *, confidence: ArrayLike = 0.95) -> Bounds:
    """Ends of the two-sided Clopper-Pearson interval, element by element.

    Each end leaves ``(1 - confidence) / 2`` in its binomial tail, so coverage
    is never under ``confidence``. Quantiles of the beta distribution give it:
    L. D. Brown, T. T. Cai, A. DasGupta, "Interval estimation for a binomial
    proportion", Statistical Science 16(2), 2001, section 4.2.1.

    Parameters
    ----------
    count, of
        Events and trials, of shapes that broadcast together.
    confidence
        Two-sided coverage, between 0 and 1; one, or one for each element.

    Returns
    -------
    Low and high in 0..1; 0 and 1 where there were no trials.

    Raises
    ------
    ValueError
        If a count is not in 0..``of`` or ``confidence`` is not between 0 and 1.
    """
    counts, trials = _checked(count, of, confidence)
    tail = (1.0 - np.asarray(confidence, np.float64)) / 2.0
    # The lower end is the upper end of the opposite event.
    return 1.0 - _beta_upper(trials - counts, trials, tail), _beta_upper(counts, trials, tail)


def rate_with(count: int, of: int, bounds: Bounds, *, method: Method) -> Rate:
    """Rate with an interval computed elsewhere; None throughout where there were no trials."""
    if of == 0:
        return Rate(None, None, None, int(count), int(of), method)
    low, high = bounds
    return Rate(int(count) / int(of), float(low), float(high), int(count), int(of), method)


def _beta_upper(counts: NDArray[np.float64], trials: NDArray[np.float64], tail: ArrayLike) -> NDArray[np.float64]:
    """Upper Clopper-Pearson end that leaves ``tail`` below it; 1 where every trial was an event."""
    missed = trials - counts
    quantile = betaincinv(counts + 1.0, np.maximum(missed, 1.0), 1.0 - np.asarray(tail))
    return np.where(missed == 0, 1.0, quantile)


def _checked(count: ArrayLike, of: ArrayLike, confidence: ArrayLike) -> Bounds:
    """Counts and trials as floats of one shape, which hold integers exactly up to 2**53."""
    check_confidence(confidence)
    counts, trials = np.broadcast_arrays(np.asarray(count, np.float64), np.asarray(of, np.float64))
    if not np.all((counts >= 0) & (counts <= trials)):
        raise ValueError(f"count must lie in 0..of, got {count!r} of {of!r}")
    return counts, trials


def ratio_or_nan(numerator: ArrayLike, denominator: ArrayLike) -> NDArray[np.float64]:
    """One over the other, element by element; NaN, and no warning, where the denominator is 0 or NaN."""
    top, bottom = np.broadcast_arrays(np.asarray(numerator, np.float64), np.asarray(denominator, np.float64))
    quotient = np.full(top.shape, np.nan)
    np.divide(top, bottom, out=quotient, where=bottom > 0)
    return quotient


def check_confidence(confidence: ArrayLike) -> None:
    """Raise ValueError unless a confidence, or each of several, lies between 0 and 1."""
    values = np.asarray(confidence, np.float64)
    if not np.all((values > 0.0) & (values < 1.0)):
        raise ValueError(f"confidence must lie between 0 and 1, got {confidence!r}")
