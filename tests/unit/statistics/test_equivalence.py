"""Verdicts on groups: equal is shown, not assumed."""

import json

import numpy as np
import pytest
from scipy.stats import binom
from statsmodels.stats.multitest import multipletests

from lfr.statistics import (
    GroupCount,
    compare_difference,
    compare_fpir,
    compare_ratio,
    group_counts,
    holm,
    ratio_interval,
)


def counted(of: float, *counts: float) -> list[GroupCount]:
    return [GroupCount(name, count, of, int(of)) for name, count in zip("abcdefgh", counts, strict=False)]


ESSEX_300 = counted(300, 180, 138)
ESSEX_94 = counted(94, 56, 43)
NPL_056 = counted(6000, 22, 2, 1)


@pytest.mark.parametrize(
    ("groups", "verdict"),
    [
        (ESSEX_300, "not equitable"),
        (ESSEX_94, "not shown"),
        (counted(2000, 1400, 1410), "equitable"),
        (counted(50, 35, 35), "not shown"),
    ],
)
def test_tpir_is_compared_by_ratio(groups: list[GroupCount], verdict: str) -> None:
    for order in (groups, groups[::-1]):
        comparison = compare_ratio(order)
        assert comparison.verdict == verdict
        assert comparison.measure == "ratio"


@pytest.mark.parametrize("cap", [1 / 60_000, 1 / 6_000, 0.001, 0.003])
def test_the_npl_counts_are_not_equitable_under_any_cap_that_a_field_policy_may_have(cap: float) -> None:
    comparison = compare_fpir(NPL_056, max_difference=cap)
    assert comparison.verdict == "not equitable"
    assert comparison.measure == "difference"
    assert [pair.verdict for pair in comparison.pairs[:2]] == ["not equitable", "not equitable"]


def test_the_cap_decides_what_difference_matters() -> None:
    """20 false positives more in 6,000 are no more than 1 in 100: shown, once the upper bound is under that."""
    assert compare_difference(NPL_056, max_difference=0.01).verdict == "equitable"
    assert compare_difference(NPL_056, max_difference=0.005).verdict == "not shown"


@pytest.mark.parametrize(
    ("counts", "of", "verdict"),
    [((60, 60, 60), 60_000, "equitable"), ((6, 6), 6_000, "not shown"), ((0, 0), 6_000, "equitable")],
)
def test_equal_fpir_is_equitable_only_where_enough_were_searched(
    counts: tuple[int, ...], of: int, verdict: str
) -> None:
    comparison = compare_fpir(counted(of, *counts), max_difference=0.001)
    assert (comparison.verdict, comparison.measure) == (verdict, "difference")


def test_fpir_is_compared_by_ratio_only_where_every_group_has_155_false_positives() -> None:
    enough, few = counted(100_000, 600, 155), counted(100_000, 600, 154)
    assert compare_fpir(enough, max_difference=0.001).measure == "ratio"
    assert compare_fpir(few, max_difference=0.001).measure == "difference"
    assert compare_fpir(enough, max_difference=0.001).verdict == "not equitable"
    assert compare_fpir(counted(100_000, 600, 605), max_difference=0.001).verdict == "equitable"


def test_a_gap_that_is_sure_but_small_is_not_called_inequitable() -> None:
    """The interval leaves equality out, and lies inside the bounds, or only reaches over them."""
    assert compare_ratio(counted(20_000, 14_000, 13_000)).verdict == "equitable"
    barely = compare_ratio(counted(900, 600, 500))
    assert barely.pairs[0].low is not None
    assert barely.pairs[0].low > 1.0
    assert barely.pairs[0].high is not None
    assert barely.pairs[0].high > 1.25
    assert barely.verdict == "not shown"


def test_one_pair_can_sink_the_whole_and_all_must_be_shown_to_carry_it() -> None:
    worse, unsure = (
        compare_ratio(counted(2000, 1400, 1410, 900)),
        compare_ratio([*counted(2000, 1400, 1410), GroupCount("few", 28, 40, 40)]),
    )
    assert worse.verdict == "not equitable"
    assert [pair.verdict for pair in worse.pairs] == ["equitable", "not equitable", "not equitable"]
    assert unsure.verdict == "not shown"
    assert [pair.verdict for pair in unsure.pairs] == ["equitable", "not shown", "not shown"]
    assert unsure.needed == max(pair.needed or 0 for pair in unsure.pairs) > 40


def test_many_groups_need_a_surer_gap() -> None:
    """A pair that alone is not equitable is not shown to be among 28 pairs."""
    pair = counted(150, 92, 72)
    assert compare_ratio(pair).verdict == "not equitable"
    many = compare_ratio([*pair, *(GroupCount(f"other {i}", 82, 150, 150) for i in range(6))])
    assert many.verdict == "not shown"
    assert many.pairs[0].holm_level == pytest.approx(1 - 0.05 / 28)
    assert many.pairs[0].holm_low is not None
    assert many.pairs[0].holm_low < 1.0 < (many.pairs[0].low or 0)


def test_the_pairs_whose_holm_interval_leaves_equality_out_are_those_that_holm_rejects() -> None:
    rng = np.random.default_rng(2)
    for _ in range(8):
        comparison = compare_ratio(counted(200, *rng.integers(90, 150, 5)))
        p_values = [pair.p_value or 1.0 for pair in comparison.pairs]
        out = [(pair.holm_low or 0) > 1 or (pair.holm_high or 2) < 1 for pair in comparison.pairs]
        assert out == multipletests(p_values, method="holm")[0].tolist()


def chances(of: int, rates: tuple[float, float]) -> dict[str, float]:
    """Probability of each verdict on two groups, summed over every outcome of note."""
    one, other = (np.arange(binom.ppf(1e-6, of, rate), binom.isf(1e-6, of, rate) + 1) for rate in rates)
    low, high = ratio_interval((one[:, None], of), (other, of))
    estimate = one[:, None] / other
    likely = binom.pmf(one, of, rates[0])[:, None] * binom.pmf(other, of, rates[1])
    equitable = (low > 0.8) & (high < 1.25)
    not_equitable = ((low > 1) | (high < 1)) & ((estimate < 0.8) | (estimate > 1.25))
    return {"equitable": float(likely[equitable].sum()), "not equitable": float(likely[not_equitable].sum())}


@pytest.mark.parametrize(("of", "most"), [(100, 0.057), (400, 0.052), (2000, 0.052)])
def test_wrong_verdicts_are_rare(of: int, most: float) -> None:
    """Equal groups are called inequitable in about 5% at most, groups at the bounds equitable in 2.5%."""
    for rate in (0.5, 0.7, 0.9):
        assert chances(of, (rate, rate))["not equitable"] <= most
        assert chances(of, (rate, rate * 0.8))["equitable"] <= 0.027


def test_equal_groups_of_the_number_needed_are_usually_equitable() -> None:
    pair = compare_ratio(counted(94, 47, 47)).pairs[0]
    assert pair.verdict == "not shown"
    assert pair.needed is not None
    assert 0.77 < chances(pair.needed, (0.5, 0.5))["equitable"] < 0.83
    assert compare_ratio(counted(pair.needed, pair.needed // 2, pair.needed // 2)).verdict == "equitable"


def test_what_could_have_been_seen_is_told() -> None:
    pair = compare_ratio(ESSEX_94).pairs[0]
    assert pair.power is not None
    assert pair.power < 0.05
    assert pair.smallest_detectable is not None
    assert pair.smallest_detectable > (pair.estimate or 0)
    assert pair.needed is not None
    assert pair.needed > 94


def test_repeated_trials_of_a_subject_need_more_of_them_but_no_more_subjects_than_their_worth() -> None:
    """Ten trials a subject that are worth two: as many independent trials are half the subjects."""
    single = compare_ratio([GroupCount("a", 47, 94, 94), GroupCount("b", 47, 94, 94)]).pairs[0]
    double = compare_ratio([GroupCount("a", 47, 94, 47), GroupCount("b", 47, 94, 47)]).pairs[0]
    assert single.needed is not None
    assert double.needed == pytest.approx(single.needed / 2, abs=1)


def test_a_rate_of_nought_is_reported_and_judged_by_the_ratio_that_exists() -> None:
    for order in (("a", 30, "b", 0), ("b", 0, "a", 30)):
        groups = [GroupCount(str(order[i]), float(order[i + 1]), 100, 100) for i in (0, 2)]
        pair = compare_ratio(groups).pairs[0]
        assert (pair.first, pair.second, pair.estimate, pair.low) == ("b", "a", 0.0, 0.0)
        assert pair.verdict == "not equitable"
    none = compare_ratio(counted(100, 0, 0))
    assert none.verdict == "not shown"
    assert none.reasons == ("a and b: undefined: both have rate 0",)
    assert (none.pairs[0].estimate, none.pairs[0].low, none.pairs[0].p_value) == (None, None, None)


def test_a_group_without_trials_or_without_another_group_shows_nothing() -> None:
    empty = compare_ratio([*counted(2000, 1400, 1410), GroupCount("none", 0, 0, 0)])
    assert empty.verdict == "not shown"
    assert empty.reasons == ("none: no trials",)
    assert [pair.verdict for pair in empty.pairs] == ["equitable", "not shown", "not shown"]
    for groups in (counted(300, 180), []):
        alone = compare_fpir(groups, max_difference=0.001)
        assert (alone.verdict, alone.pairs, alone.needed) == ("not shown", (), None)
        assert alone.reasons == ("there is no second group to compare with",)


def test_comparisons_that_make_no_sense_are_refused() -> None:
    for low, high in ((0.0, 1.25), (1.1, 1.25), (0.8, 0.9), (0.8, np.inf)):
        with pytest.raises(ValueError, match="bounds"):
            compare_ratio(ESSEX_94, low=low, high=high)
    with pytest.raises(ValueError, match="max_difference"):
        compare_difference(ESSEX_94, max_difference=0.0)
    with pytest.raises(ValueError, match="confidence"):
        compare_ratio(ESSEX_94, confidence=95)
    with pytest.raises(ValueError, match="there twice: a"):
        compare_ratio([*ESSEX_94, ESSEX_94[0]])
    with pytest.raises(ValueError, match=r"count must lie in 0\.\.of"):
        GroupCount("a", 3, 2, 2)
    with pytest.raises(ValueError, match="2 groups need"):
        group_counts(["a", "b"], np.zeros((4, 3)), np.ones((4, 3)))


def test_bounds_that_are_not_each_others_inverse_hold_in_both_orders() -> None:
    groups = counted(2000, 1100, 1000)
    for order in (groups, groups[::-1]):
        comparison = compare_ratio(order, low=0.8, high=1.1)
        assert (comparison.low, comparison.high) == pytest.approx((1 / 1.1, 1.1))
        assert comparison.verdict == "not shown"


def test_holm_is_that_of_statsmodels() -> None:
    rng = np.random.default_rng(1)
    for count in (1, 2, 5, 28):
        p_values = rng.random(count) ** 3
        assert holm(p_values) == pytest.approx(multipletests(p_values, method="holm")[1])


def test_a_comparison_is_json() -> None:
    for comparison in (compare_ratio(ESSEX_300), compare_difference(NPL_056, max_difference=0.001)):
        document = json.loads(json.dumps(comparison.as_dict(), allow_nan=False))
        assert document["verdict"] == comparison.verdict
        assert len(document["pairs"]) == len(comparison.pairs)


def test_group_counts_are_of_independent_trials() -> None:
    """Ten passes of each of 40 subjects that all end alike are 40 trials."""
    found = np.arange(40)[:, None] < [10, 40]
    first, second = group_counts(["a", "b"], found * 10, np.full((40, 2), 10))
    assert (first.count, first.of, first.subjects) == pytest.approx((10, 40, 40))
    assert (second.count, second.of) == (40, 40)
