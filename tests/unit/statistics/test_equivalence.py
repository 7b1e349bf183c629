"""Verdicts on groups: equal is shown, not assumed."""

import json

import numpy as np
import pytest
from statsmodels.stats.multitest import multipletests

from lfr.statistics import (
    GroupCount,
    compare_difference,
    compare_fpir,
    compare_ratio,
    group_counts,
    holm,
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
