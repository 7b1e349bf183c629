"""Whatever the counts, intervals hold what they promise."""

from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom

from lfr.statistics import clopper_pearson, clopper_pearson_upper, subjects_needed, wilson


@st.composite
def counts(draw: st.DrawFn) -> tuple[int, int]:
    of = draw(st.integers(1, 3_000_000))
    return draw(st.integers(0, of)), of


@given(counts(), st.floats(0.5, 0.999))
def test_intervals_hold_the_share_and_lie_in_nought_to_one(pair: tuple[int, int], confidence: float) -> None:
    for rate in (wilson(*pair, confidence=confidence), clopper_pearson(*pair, confidence=confidence)):
        assert rate.low is not None
        assert rate.high is not None
        assert rate.value is not None
        assert 0.0 <= rate.low <= rate.value <= rate.high <= 1.0


@given(counts())
def test_the_interval_of_the_opposite_event_is_the_mirror_image(pair: tuple[int, int]) -> None:
    count, of = pair
    for interval in (wilson, clopper_pearson):
        rate, opposite = interval(count, of), interval(of - count, of)
        assert rate.low is not None
        assert opposite.high is not None
        assert abs(rate.low - (1.0 - opposite.high)) < 1e-12


@given(counts(), st.floats(0.6, 0.99))
def test_the_upper_bound_is_where_so_few_events_become_unlikely(pair: tuple[int, int], confidence: float) -> None:
    count, of = pair
    upper = clopper_pearson_upper(count, of, confidence=confidence)
    if count < of:
        assert abs(binom.cdf(count, of, upper) - (1.0 - confidence)) < 1e-6


@given(st.floats(1e-6, 0.5), st.floats(0.6, 0.99))
def test_the_subjects_needed_are_enough_and_not_one_too_many(max_rate: float, confidence: float) -> None:
    needed = subjects_needed(max_rate, confidence=confidence)
    slack = 1e-9 * max_rate
    assert clopper_pearson_upper(0, needed, confidence=confidence) <= max_rate + slack
    if needed > 1:
        assert clopper_pearson_upper(0, needed - 1, confidence=confidence) > max_rate - slack
