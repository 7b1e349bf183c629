"""Shares of trials of which several are of one subject, with intervals over subjects."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lfr.statistics.proportions import (
    Bounds,
    Method,
    Rate,
    check_confidence,
    clopper_pearson_bounds,
    rate_with,
    ratio_or_nan,
    wilson_bounds,
)

__all__ = [
    "adjusted_bounds",
    "effective_trials",
    "effective_trials_of_sums",
    "rate_over_subjects",
    "rates_over_subjects",
]

Floats = NDArray[np.float64]

AGREEING_UNITS = 0.25
"""Subjects, or pairs of them, whose trials all agree, that are added where a design effect is estimated."""


def effective_trials(event: ArrayLike, subject: ArrayLike) -> float:
    """Number of independent trials that would carry as much information as these.

    See `effective_trials_of_sums` for the formula.

    Parameters
    ----------
    event
        (n,) whether each trial had the event.
    subject
        (n,) subject of each trial.
    """
    events, trials = _sums(event, subject)
    return float(effective_trials_of_sums(events, trials)[0])


def effective_trials_of_sums(events: ArrayLike, trials: ArrayLike) -> Floats:
    """Number of independent trials that would carry as much information, from each subject's sums.

    The variance of the share is that of drawing whole subjects again, in its
    closed form for a ratio: ``sum (e_i - p t_i)^2 / (sum t_i)^2`` (W. G.
    Cochran, "Sampling Techniques", 1977, section 2.11; for FNMR it is the
    plug-in estimator of R. Fogliato, P. Patil, P. Perona, arXiv 2306.01198).
    Over that of independent trials, ``p (1 - p) / sum t_i``, it is the design
    effect, and the trials over the design effect are the number, at most as
    many as there are.

    Few events say little of how alike a subject's trials are, and the plain
    ratio then covers under 90%. So a quarter of a subject of the usual size
    whose trials all agree is added to both variances (our choice: the tests
    hold its coverage at 93% and over, from few events to many); it changes
    nothing where each subject has one trial or all trials of a subject agree.
    Where every trial ends alike a subject counts as one trial.

    Parameters
    ----------
    events, trials
        (s, k) events and trials of each of s subjects in each of k columns; a
        subject without trials in a column is not counted there. ``trials`` of
        shape (s,) holds for every column.

    Returns
    -------
    (k,) numbers; 0 where there were no trials.
    """
    counts, sizes = _columns(events, trials)
    of, count = sizes.sum(axis=0), counts.sum(axis=0)
    share = ratio_or_nan(count, of)
    # The size that a trial's subject has on average (L. Kish, "Survey Sampling", 1965, section 5.4).
    size = ratio_or_nan(np.sum(sizes**2, axis=0), of)
    drawn = np.sum((counts - share * sizes) ** 2, axis=0) + AGREEING_UNITS * size**2
    independent = share * (1.0 - share) * of + AGREEING_UNITS * size
    number = of / np.maximum(drawn / independent, 1.0)
    alike = (count == 0) | (count == of)
    effective: Floats = np.where(alike, (sizes > 0).sum(axis=0), number)
    return effective


def rate_over_subjects(event: ArrayLike, subject: ArrayLike, *, exact: bool = False, confidence: float = 0.95) -> Rate:
    """Share of trials with an event, with its interval over subjects.

    Wilson's interval, or Clopper-Pearson's, for `effective_trials`. With one
    trial a subject it is the plain interval, and its method says so.

    Parameters
    ----------
    event
        (n,) whether each trial had the event.
    subject
        (n,) subject of each trial.
    exact
        Clopper-Pearson instead of Wilson, as for FPIR.
    confidence
        Two-sided coverage, between 0 and 1.

    Raises
    ------
    ValueError
        If ``event`` and ``subject`` differ in length or ``confidence`` is not between 0 and 1.
    """
    events, trials = _sums(event, subject)
    return rates_over_subjects(events, trials, exact=exact, confidence=confidence)[0]


def rates_over_subjects(
    events: ArrayLike, trials: ArrayLike, *, exact: bool = False, confidence: float = 0.95
) -> tuple[Rate, ...]:
    """Shares with intervals over subjects, one for each column of each subject's sums.

    Parameters
    ----------
    events, trials
        (s, k) events and trials of each of s subjects in each of k columns;
        ``trials`` of shape (s,) holds for every column.
    exact
        Clopper-Pearson instead of Wilson, as for FPIR.
    confidence
        Two-sided coverage, between 0 and 1.

    Returns
    -------
    k rates; the value is None where a column has no trials.

    Raises
    ------
    ValueError
        If the shapes differ, a subject has more events than trials, or
        ``confidence`` is not between 0 and 1.
    """
    counts, sizes = _columns(events, trials)
    of, count = sizes.sum(axis=0), counts.sum(axis=0)
    low, high = adjusted_bounds(count, of, effective_trials_of_sums(counts, sizes), exact=exact, confidence=confidence)
    plain = np.count_nonzero(sizes, axis=0) == of
    return tuple(
        rate_with(int(count[i]), int(of[i]), (low[i], high[i]), method=_method(exact=exact, plain=bool(plain[i])))
        for i in range(len(of))
    )


def adjusted_bounds(
    count: ArrayLike, of: ArrayLike, effective: ArrayLike, *, exact: bool = False, confidence: float = 0.95
) -> Bounds:
    """Ends of the interval of a share whose trials carry the information of ``effective`` independent ones.

    Wilson's or Clopper-Pearson's interval for ``count / of * effective``
    events in ``effective`` trials, element by element; 0 and 1 where there
    were no trials.
    """
    check_confidence(confidence)
    counts, sizes, number = (np.asarray(part, np.float64) for part in (count, of, effective))
    share = np.nan_to_num(ratio_or_nan(counts, sizes))
    bounds = clopper_pearson_bounds if exact else wilson_bounds
    # As the share of a whole, so that all of them stay all of them.
    return bounds(np.where(share == 1.0, number, share * number), number, confidence=confidence)


def _method(*, exact: bool, plain: bool) -> Method:
    if exact:
        return "clopper-pearson" if plain else "clopper-pearson-over-subjects"
    return "wilson" if plain else "wilson-over-subjects"


def _sums(event: ArrayLike, subject: ArrayLike) -> tuple[Floats, Floats]:
    """Events and trials of each subject, (s, 1) each."""
    happened, of_subject = np.asarray(event, np.float64), np.asarray(subject)
    if happened.shape != of_subject.shape or happened.ndim != 1:
        raise ValueError(f"event and subject must be of one length, got {happened.shape} and {of_subject.shape}")
    number = np.unique(of_subject, return_inverse=True)[1]
    # Without any trial, bincount of weights would be whole numbers.
    events = np.bincount(number, happened).astype(np.float64)
    return events[:, None], np.bincount(number).astype(np.float64)[:, None]


def _columns(events: ArrayLike, trials: ArrayLike) -> tuple[Floats, Floats]:
    """Events and trials as (s, k) floats, checked."""
    counts = np.asarray(events, np.float64)
    sizes = np.asarray(trials, np.float64)
    if counts.ndim == 1:
        counts = counts[:, None]
    if sizes.ndim == 1:
        sizes = np.broadcast_to(sizes[:, None], (len(sizes), counts.shape[1]))
    if counts.shape != sizes.shape:
        raise ValueError(f"events and trials must be (subjects, columns) alike, got {counts.shape} and {sizes.shape}")
    if not np.all((counts >= 0) & (counts <= sizes)):
        raise ValueError("a subject's events must lie in 0..trials")
    return counts, sizes
