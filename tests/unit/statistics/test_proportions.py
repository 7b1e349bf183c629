"""Intervals against published counts and an independent implementation."""

from collections.abc import Callable

import numpy as np
import pytest
from scipy.stats import binom, binomtest

from lfr.statistics import (
    Rate,
    clopper_pearson,
    clopper_pearson_bounds,
    clopper_pearson_upper,
    subjects_needed,
    wilson,
    wilson_bounds,
    wilson_by_subject,
)

Interval = Callable[[int, int], Rate]


# Counts of published deployments, and the ends printed for them.
@pytest.mark.parametrize(
    ("count", "of", "low", "high"),
    [
        (10, 3_147_436, 1.52e-6, 5.84e-6),
        (0, 2_500_000, 0.0, 1.48e-6),
        (1, 383_356, 6.6e-8, 1.45e-5),
        (1, 61, 0.0004, 0.088),
        (10, 2_077, 0.0023, 0.0088),
    ],
)
def test_clopper_pearson_gives_the_published_intervals(count: int, of: int, low: float, high: float) -> None:
    rate = clopper_pearson(count, of)
    assert rate.value == count / of
    assert rate.low == pytest.approx(low, rel=0.05)
    assert rate.high == pytest.approx(high, rel=0.005)


def test_no_false_alert_in_2_5_million_faces_still_allows_1_in_678_000() -> None:
    high = clopper_pearson(0, 2_500_000).high
    assert high is not None
    assert round(1 / high, -3) == 678_000


def test_wilson_gives_the_published_interval() -> None:
    rate = wilson(96, 188)
    assert (round(rate.low or 0, 2), round(rate.high or 0, 2)) == (0.44, 0.58)


@pytest.mark.parametrize("confidence", [0.8, 0.95, 0.999])
@pytest.mark.parametrize(("count", "of"), [(0, 1), (0, 40), (1, 40), (17, 40), (39, 40), (40, 40), (3, 100_000)])
def test_intervals_agree_with_scipy(count: int, of: int, confidence: float) -> None:
    test = binomtest(count, of)
    exact = test.proportion_ci(confidence, method="exact")
    score = test.proportion_ci(confidence, method="wilson")
    for ours, theirs in (
        (clopper_pearson(count, of, confidence=confidence), exact),
        (wilson(count, of, confidence=confidence), score),
    ):
        assert ours.low == pytest.approx(theirs.low, abs=1e-12)
        assert ours.high == pytest.approx(theirs.high, abs=1e-12)


@pytest.mark.parametrize("interval", [wilson, clopper_pearson])
def test_intervals_end_exactly_at_nought_and_one(interval: Interval) -> None:
    assert interval(0, 7).low == 0.0
    assert interval(7, 7).high == 1.0


def test_one_sided_bound_leaves_five_per_cent_below_it() -> None:
    upper = clopper_pearson_upper(3, 5_000)
    assert binom.cdf(3, 5_000, upper) == pytest.approx(0.05)
    assert upper < (clopper_pearson(3, 5_000).high or 0)


def test_one_sided_bound_is_one_when_every_trial_or_none_was_seen() -> None:
    assert clopper_pearson_upper(4, 4) == 1.0
    assert clopper_pearson_upper(0, 0) == 1.0


@pytest.mark.parametrize(("one_in", "needed"), [(1_000, 2_995), (6_000, 17_973), (33_000, 98_858), (60_000, 179_743)])
def test_subjects_needed_for_the_published_claims(one_in: int, needed: int) -> None:
    assert subjects_needed(1 / one_in) == needed
    assert clopper_pearson_upper(0, needed) <= 1 / one_in < clopper_pearson_upper(0, needed - 1)


@pytest.mark.parametrize("interval", [wilson, clopper_pearson])
def test_no_trials_give_no_figures(interval: Interval) -> None:
    rate = interval(0, 0)
    assert (rate.value, rate.low, rate.high, rate.count, rate.of) == (None, None, None, 0, 0)


def test_a_rate_is_written_with_exactly_the_documented_keys() -> None:
    rate = Rate(0.25, 0.05, 0.6, 2, 8, "wilson")
    assert rate.as_dict() == {"value": 0.25, "low": 0.05, "high": 0.6, "count": 2, "of": 8, "method": "wilson"}


def test_bounds_take_arrays() -> None:
    counts, of = np.array([[0], [5]]), np.array([10, 0, 20])
    counts = np.minimum(counts, of)
    for bounds, single in ((wilson_bounds, wilson), (clopper_pearson_bounds, clopper_pearson)):
        low, high = bounds(counts, of)
        assert low.shape == high.shape == (2, 3)
        assert (low[1, 2], high[1, 2]) == (single(5, 20).low, single(5, 20).high)
        assert (low[0, 1], high[0, 1]) == (0.0, 1.0)


def test_trials_that_share_subjects_widen_the_interval() -> None:
    each_alone = wilson_by_subject(20, np.ones(100))
    in_fives = wilson_by_subject(20, np.full(20, 5))
    assert (each_alone.low, each_alone.high) == (wilson(20, 100).low, wilson(20, 100).high)
    assert (in_fives.low, in_fives.high) == (wilson(4, 20).low, wilson(4, 20).high)
    assert (in_fives.count, in_fives.of) == (20, 100)
    assert wilson_by_subject(0, []).value is None


@pytest.mark.parametrize("interval", [wilson, clopper_pearson, clopper_pearson_upper])
@pytest.mark.parametrize(("count", "of"), [(-1, 3), (4, 3), (float("nan"), 3), (0, -1)])
def test_impossible_counts_are_refused(interval: Callable[[int, int], object], count: int, of: int) -> None:
    with pytest.raises(ValueError, match=r"count must lie in 0\.\.of"):
        interval(count, of)


@pytest.mark.parametrize("confidence", [0.0, 1.0, 95.0])
def test_confidence_outside_nought_to_one_is_refused(confidence: float) -> None:
    with pytest.raises(ValueError, match="confidence"):
        clopper_pearson(1, 3, confidence=confidence)


@pytest.mark.parametrize("max_rate", [0.0, 1.0, -0.1])
def test_no_number_of_subjects_shows_a_rate_of_nought(max_rate: float) -> None:
    with pytest.raises(ValueError, match="max_rate"):
        subjects_needed(max_rate)
