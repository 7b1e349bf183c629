"""Whatever the counts, intervals hold what they promise."""

from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom

from lfr.statistics import (
    GroupCount,
    clopper_pearson,
    clopper_pearson_upper,
    compare_difference,
    compare_ratio,
    rates_over_subjects,
    subjects_needed,
    wilson,
)


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


@given(st.lists(st.integers(1, 8).flatmap(lambda of: st.tuples(st.integers(0, of), st.just(of))), min_size=1))
def test_an_interval_over_subjects_holds_the_share_and_wilsons_is_no_narrower_than_the_naive_one(
    sums: list[tuple[int, int]],
) -> None:
    events, trials = zip(*sums, strict=True)
    for exact in (False, True):
        rate = rates_over_subjects(events, trials, exact=exact)[0]
        assert rate.low is not None
        assert rate.value is not None
        assert rate.high is not None
        assert 0.0 <= rate.low <= rate.value <= rate.high <= 1.0
        if not exact:
            naive = wilson(sum(events), sum(trials))
            assert rate.low <= (naive.low or 0.0) + 1e-12
            assert rate.high >= (naive.high or 1.0) - 1e-12


groups = st.lists(
    st.integers(0, 3000).flatmap(lambda of: st.tuples(st.integers(0, of), st.just(of))), min_size=2, max_size=4
)


@settings(max_examples=15, deadline=None)
@given(groups)
def test_no_verdict_depends_on_the_order_of_groups_and_none_contradicts_its_pairs(
    counts: list[tuple[int, int]],
) -> None:
    named = [GroupCount(str(i), count, of, of) for i, (count, of) in enumerate(counts)]
    for compare in (compare_ratio, lambda some: compare_difference(some, max_difference=0.05)):
        comparison, reverse = compare(named), compare(named[::-1])
        assert comparison.verdict == reverse.verdict
        verdicts = [pair.verdict for pair in comparison.pairs]
        assert (comparison.verdict == "equitable") == (set(verdicts) == {"equitable"})
        assert (comparison.verdict == "not equitable") == ("not equitable" in verdicts)
        for pair in comparison.pairs:
            if pair.verdict == "equitable":
                assert pair.low is not None
                assert pair.high is not None
                assert comparison.low < pair.low <= pair.high < comparison.high
