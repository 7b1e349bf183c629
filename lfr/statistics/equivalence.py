"""Whether groups are equal enough: shown, shown not to be, or not shown.

For every pair of groups, over independent trials:

- ``equitable`` when the whole 95% interval of their ratio, or difference, lies inside the bounds;
- ``not equitable`` when the interval at the pair's Holm level leaves equality out and the estimate lies
  outside the bounds;
- else ``not shown``, with the subjects that would be needed.

The whole is ``equitable`` when every pair is, which needs no correction (an
intersection-union test: R. L. Berger, Technometrics 24(4), 1982), ``not
equitable`` when one pair is, else ``not shown``. A test that finds no
difference is no evidence of equality (D. G. Altman and J. M. Bland, "Absence
of evidence is not evidence of absence", BMJ 311, 1995).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lfr.statistics.comparison import Comparison, GroupCount, PairComparison, Verdict
from lfr.statistics.over_subjects import effective_trials_of_sums
from lfr.statistics.power import (
    power_to_show_equal,
    smallest_detectable_difference,
    smallest_detectable_ratio,
    trials_needed,
)
from lfr.statistics.proportions import check_confidence, ratio_or_nan
from lfr.statistics.two_groups import Measure, difference_interval, p_value_of_equality, ratio_interval

__all__ = ["LEAST_EVENTS_FOR_RATIO", "compare_difference", "compare_fpir", "compare_ratio", "group_counts", "holm"]

Floats = NDArray[np.float64]

LEAST_EVENTS_FOR_RATIO = 155
"""Fewest events of each of two groups whose equal rates a ratio within 0.8 to 1.25 could be shown for.

The logarithm of a ratio of two rare rates has the variance 2/x with x events
each, and ``1.96 sqrt(2/x)`` is under ``ln 1.25`` from x = 155.
"""


def group_counts(groups: Sequence[str], events: ArrayLike, trials: ArrayLike) -> tuple[GroupCount, ...]:
    """Counts of independent trials of each group, from each subject's sums.

    Parameters
    ----------
    groups
        Names of k groups.
    events, trials
        (s, k) events and trials of each of s subjects in each group: 0 trials
        where a subject is not of a group.

    Returns
    -------
    k counts, of as many independent trials as carry the same information
    (`effective_trials_of_sums`).
    """
    counts, sizes = np.asarray(events, np.float64), np.asarray(trials, np.float64)
    if counts.ndim != 2 or counts.shape != sizes.shape or counts.shape[1] != len(groups):
        raise ValueError(f"{len(groups)} groups need (subjects, groups), got {counts.shape} and {sizes.shape}")
    effective = effective_trials_of_sums(counts, sizes)
    count, of = counts.sum(axis=0), sizes.sum(axis=0)
    subjects = np.count_nonzero(sizes, axis=0)
    return tuple(
        GroupCount(
            name,
            count=float(effective[i] if count[i] == of[i] else count[i] / of[i] * effective[i]),
            of=float(effective[i]),
            subjects=int(subjects[i]),
        )
        for i, name in enumerate(groups)
    )


def compare_ratio(
    groups: Sequence[GroupCount], *, low: float = 0.8, high: float = 1.25, confidence: float = 0.95
) -> Comparison:
    """Compare every pair of groups by the ratio of their rates, as for TPIR.

    Intervals are `ratio_interval` from Wilson limits. A pair whose second
    rate is 0 is turned round, so that its ratio is 0; of two rates of 0 there
    is no ratio, and nothing is shown.

    Parameters
    ----------
    groups
        Events and independent trials of each group.
    low, high
        Bounds of the ratio that count as equal, as 0.8 and 1.25. The inverse
        ratio must lie inside them too, so that the order of groups does not matter.
    confidence
        Two-sided coverage, between 0 and 1.

    Raises
    ------
    ValueError
        If two groups have one name, or unless ``0 < low < 1 < high`` and ``confidence`` is between 0 and 1.
    """
    check_confidence(confidence)
    if not 0.0 < low < 1.0 < high < np.inf:
        raise ValueError(f"the ratio's bounds must be 0 < low < 1 < high, got {low} and {high}")
    return _compare(groups, "ratio", max(low, 1.0 / high), min(high, 1.0 / low), confidence, exact=False)


def compare_difference(groups: Sequence[GroupCount], *, max_difference: float, confidence: float = 0.95) -> Comparison:
    """Compare every pair of groups by the difference of their rates, as for FPIR with few false positives.

    Intervals are `difference_interval` from Clopper-Pearson limits, which
    hold where events are few.

    Parameters
    ----------
    groups
        Events and independent trials of each group.
    max_difference
        Largest difference that counts as equal, between 0 and 1: the policy's
        ``max_fpir_difference``, by default its FPIR cap. A pair is
        ``equitable`` when the upper bound of its difference, whichever group
        is worse, is under it.
    confidence
        Two-sided coverage, between 0 and 1.

    Raises
    ------
    ValueError
        If two groups have one name, ``max_difference`` or ``confidence`` is not between 0 and 1.
    """
    check_confidence(confidence)
    if not 0.0 < max_difference < 1.0:
        raise ValueError(f"max_difference must lie between 0 and 1, got {max_difference}")
    return _compare(groups, "difference", -max_difference, max_difference, confidence, exact=True)


def compare_fpir(
    groups: Sequence[GroupCount],
    *,
    max_difference: float,
    low: float = 0.8,
    high: float = 1.25,
    least_events: float = LEAST_EVENTS_FOR_RATIO,
    confidence: float = 0.95,
) -> Comparison:
    """Compare FPIR of every pair of groups: by ratio where every group has enough false positives, else by difference.

    Parameters and errors are those of `compare_ratio` and
    `compare_difference`; ``least_events`` is the fewest false positives of a
    group for a ratio, in independent trials as `GroupCount` has them.
    """
    if groups and min(group.count for group in groups) >= least_events:
        return compare_ratio(groups, low=low, high=high, confidence=confidence)
    return compare_difference(groups, max_difference=max_difference, confidence=confidence)


def holm(p_values: ArrayLike) -> Floats:
    """Return p values adjusted for their number: at most alpha where Holm's method rejects at alpha.

    S. Holm, "A simple sequentially rejective multiple test procedure",
    Scandinavian Journal of Statistics 6(2), 1979: the i-th smallest of m, from
    0, times ``m - i``, and never less than one before it. A NaN counts as 1.
    """
    p = np.nan_to_num(np.asarray(p_values, np.float64), nan=1.0)
    order = np.argsort(p, kind="stable")
    adjusted = np.empty(len(p))
    adjusted[order] = np.minimum(np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1)), 1.0)
    return adjusted


def _compare(
    groups: Sequence[GroupCount], measure: Measure, low: float, high: float, confidence: float, *, exact: bool
) -> Comparison:
    names = [group.group for group in groups]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ValueError(f"a group is there twice: {', '.join(twice)}")
    reasons = [f"{group.group}: no trials" for group in groups if not group.of]
    if len(groups) < 2:
        reasons.append("there is no second group to compare with")
        return Comparison("not shown", measure, low, high, confidence, tuple(groups), (), tuple(reasons))
    pairs = list(combinations(groups, 2))
    if measure == "ratio":
        pairs = [(b, a) if a.count > 0 and b.count == 0 and b.of > 0 else (a, b) for a, b in pairs]
    compared = _compare_pairs(pairs, measure, low, high, confidence, exact=exact)
    reasons += [
        f"{a.group} and {b.group}: undefined: both have rate 0"
        for (a, b), pair in zip(pairs, compared, strict=True)
        if pair.estimate is None and a.of and b.of
    ]
    found = {pair.verdict for pair in compared}
    whole: Verdict = "not shown"
    if found == {"equitable"}:
        whole = "equitable"
    elif "not equitable" in found:
        whole = "not equitable"
    return Comparison(whole, measure, low, high, confidence, tuple(groups), tuple(compared), tuple(reasons))


def _compare_pairs(
    pairs: Sequence[tuple[GroupCount, GroupCount]],
    measure: Measure,
    low: float,
    high: float,
    confidence: float,
    *,
    exact: bool,
) -> list[PairComparison]:
    one, other = (
        (np.array([pair[side].count for pair in pairs]), np.array([pair[side].of for pair in pairs])) for side in (0, 1)
    )
    first, second = ratio_or_nan(*one), ratio_or_nan(*other)
    ratio = measure == "ratio"
    estimate, equal = (ratio_or_nan(first, second), 1.0) if ratio else (first - second, 0.0)
    interval = ratio_interval if ratio else difference_interval
    p_value = p_value_of_equality(one, other, measure=measure, exact=exact)
    level = _holm_levels(p_value, 1.0 - confidence)
    ends = interval(one, other, confidence=confidence, exact=exact)
    holm_ends = interval(one, other, confidence=level, exact=exact)
    # A comparison with NaN, for undefined, is false.
    inside = (low < ends[0]) & (ends[1] < high)
    apart = ((holm_ends[0] > equal) | (holm_ends[1] < equal)) & ((estimate < low) | (estimate > high))
    needed, shown, seen = _plan(pairs, measure, low, high, confidence, exact=exact, undecided=~(inside | apart))
    return [
        PairComparison(
            first=a.group,
            second=b.group,
            estimate=_number(estimate[i]),
            low=_number(ends[0][i]),
            high=_number(ends[1][i]),
            holm_level=float(level[i]),
            holm_low=_number(holm_ends[0][i]),
            holm_high=_number(holm_ends[1][i]),
            p_value=_number(p_value[i]),
            verdict="equitable" if inside[i] else "not equitable" if apart[i] else "not shown",
            needed=int(needed[i]) if np.isfinite(needed[i]) else None,
            power=_number(shown[i]),
            smallest_detectable=_number(seen[i]),
        )
        for i, (a, b) in enumerate(pairs)
    ]


def _holm_levels(p_value: Floats, alpha: float) -> Floats:
    """Confidence of each pair's interval, so that those that leave equality out are those that Holm rejects.

    The i-th smallest p value, from 0, is judged at ``alpha / (m - i)``; from
    the first that is not rejected on, the level stays.
    """
    p = np.nan_to_num(p_value, nan=1.0)
    order = np.argsort(p, kind="stable")
    levels = alpha / np.arange(len(p), 0, -1)
    kept = np.flatnonzero(p[order] > levels)
    if len(kept):
        levels[kept[0] :] = levels[kept[0]]
    confidence = np.empty(len(p))
    confidence[order] = 1.0 - levels
    return confidence


def _plan(
    pairs: Sequence[tuple[GroupCount, GroupCount]],
    measure: Measure,
    low: float,
    high: float,
    confidence: float,
    *,
    exact: bool,
    undecided: NDArray[np.bool_],
) -> tuple[Floats, Floats, Floats]:
    """Subjects that each undecided pair needs, power to show equality, and smallest gap to be seen; else NaN."""
    count = np.array([a.count + b.count for a, b in pairs])
    of = np.array([[a.of, b.of] for a, b in pairs]).T
    # Half an event is added, since no event seen is not a rate of 0.
    rate = (count + 0.5) / (of.sum(axis=0) + 1.0)
    # A subject's trials are worth the same information in a larger study.
    per_subject = np.array([max(_subjects_a_trial(a), _subjects_a_trial(b)) for a, b in pairs])
    needed = np.full(len(pairs), np.nan)
    asked = undecided & (of.max(axis=0) > 0)
    if np.any(asked):
        trials = trials_needed(rate[asked], low=low, high=high, measure=measure, confidence=confidence, exact=exact)
        needed[asked] = np.ceil(trials * per_subject[asked])
    shown = power_to_show_equal(rate, *of, low=low, high=high, measure=measure, confidence=confidence, exact=exact)
    smallest = smallest_detectable_ratio if measure == "ratio" else smallest_detectable_difference
    # At the level that the first of the pairs must reach.
    seen = smallest(rate, *of, confidence=1.0 - (1.0 - confidence) / len(pairs), exact=exact)
    counted = of.min(axis=0) > 0
    return needed, np.where(counted, shown, np.nan), np.where(counted, seen, np.nan)


def _subjects_a_trial(group: GroupCount) -> float:
    return group.subjects / group.of if group.of else 1.0


def _number(value: float) -> float | None:
    """The number as JSON holds it; None for undefined."""
    return float(value) if np.isfinite(value) else None
