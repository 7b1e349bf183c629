"""Ratios and differences of two groups against published intervals and other code."""

import numpy as np
import pytest
from scipy.optimize import brentq
from statsmodels.stats.proportion import confint_proportions_2indep, proportion_confint

from lfr.statistics import (
    clopper_pearson_bounds,
    difference_interval,
    p_value_of_equality,
    ratio_interval,
    wilson_bounds,
)

CASES = [(56, 70, 48, 80), (180, 300, 138, 300), (56, 94, 43, 94), (22, 6000, 2, 6000), (5, 56, 0, 29), (9, 10, 3, 10)]


@pytest.mark.parametrize("confidence", [0.9, 0.95, 0.99])
def test_single_shares_agree_with_statsmodels(confidence: float) -> None:
    counts, of = np.array([0, 1, 7, 43, 94]), np.full(5, 94)
    for bounds, method in ((wilson_bounds, "wilson"), (clopper_pearson_bounds, "beta")):
        low, high = proportion_confint(counts, of, alpha=1 - confidence, method=method)
        ours = bounds(counts, of, confidence=confidence)
        assert ours[0] == pytest.approx(low, abs=1e-12)
        assert ours[1] == pytest.approx(high, abs=1e-12)


# R. G. Newcombe, Statistics in Medicine 17, 1998, 873-890, table II, method 10.
@pytest.mark.parametrize(
    ("case", "low", "high"),
    [
        ((56, 70, 48, 80), 0.0524, 0.3339),
        ((9, 10, 3, 10), 0.1705, 0.8090),
        ((6, 7, 2, 7), 0.0582, 0.8062),
        ((5, 56, 0, 29), -0.0381, 0.1926),
        ((0, 10, 0, 20), -0.1611, 0.2775),
        ((10, 10, 0, 20), 0.6791, 1.0000),
    ],
)
def test_differences_are_the_published_ones(case: tuple[int, int, int, int], low: float, high: float) -> None:
    ours = difference_interval(case[:2], case[2:])
    assert (round(float(ours[0]), 4), round(float(ours[1]), 4)) == (low, high)


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("confidence", [0.9, 0.95, 0.99])
def test_differences_agree_with_statsmodels(case: tuple[int, int, int, int], confidence: float) -> None:
    theirs = confint_proportions_2indep(*case, method="newcomb", alpha=1 - confidence)
    assert difference_interval(case[:2], case[2:], confidence=confidence) == pytest.approx(theirs)


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("exact", [False, True])
def test_a_ratio_ends_where_the_difference_with_that_multiple_ends_at_nought(
    case: tuple[int, int, int, int], exact: bool
) -> None:
    """MOVER-R is the set of r for which MOVER of ``a - r b`` holds 0: solved for, not the closed form."""
    a, b = case[0] / case[1], case[2] / case[3]
    bounds = clopper_pearson_bounds if exact else wilson_bounds
    (low_a, high_a), (low_b, high_b) = bounds(*case[:2]), bounds(*case[2:])
    low, high = ratio_interval(case[:2], case[2:], exact=exact)
    if not b:
        assert np.isnan([low, high]).all()
        return
    ratio = a / b
    lower = brentq(lambda r: a - r * b - np.hypot(a - low_a, r * (high_b - b)), 0.0, ratio)
    upper = brentq(lambda r: a - r * b + np.hypot(high_a - a, r * (b - low_b)), ratio, 1e4)
    assert (low, high) == pytest.approx((lower, upper), rel=1e-6)


def test_a_ratio_is_near_the_score_interval_of_statsmodels() -> None:
    for case in CASES[:3]:
        theirs = confint_proportions_2indep(*case, compare="ratio", method="score")
        assert ratio_interval(case[:2], case[2:]) == pytest.approx(theirs, rel=0.02)


def test_the_inverse_ratio_has_the_inverse_interval() -> None:
    first, second = ([180, 22, 3], [300, 6000, 3]), ([138, 2, 2], [300, 6000, 5])
    low, high = ratio_interval(first, second)
    inverse_low, inverse_high = ratio_interval(second, first)
    assert low * inverse_high == pytest.approx(np.ones(3))
    assert high * inverse_low == pytest.approx(np.ones(3))


def test_a_ratio_to_nought_is_undefined_and_a_ratio_of_nought_is_not() -> None:
    low, high = ratio_interval(([0, 3, 0, 3], [90, 90, 90, 90]), ([3, 0, 0, 0], [90, 90, 90, 0]))
    assert np.isnan(low).tolist() == np.isnan(high).tolist() == [False, True, True, True]
    assert low[0] == 0.0
    assert 0 < high[0] < np.inf


@pytest.mark.parametrize(("measure", "exact"), [("ratio", False), ("ratio", True), ("difference", True)])
def test_the_p_value_is_where_the_interval_ends_at_equality(measure: str, exact: bool) -> None:
    first, second = ([180, 56, 22, 1], [300, 94, 6000, 6000]), ([138, 43, 2, 0], [300, 94, 6000, 6000])
    interval, equal = (ratio_interval, 1.0) if measure == "ratio" else (difference_interval, 0.0)
    kind = "ratio" if measure == "ratio" else "difference"
    p_value = p_value_of_equality(first, second, measure=kind, exact=exact)  # type: ignore[arg-type]
    assert p_value == pytest.approx(p_value_of_equality(second, first, measure=kind, exact=exact))  # type: ignore[arg-type]
    tested = p_value[:3]
    for change, holds in ((0.999, True), (1.001, False)):
        some = ([180, 56, 22], [300, 94, 6000]), ([138, 43, 2], [300, 94, 6000])
        low, high = interval(*some, confidence=1 - tested * change, exact=exact)
        assert np.all(((low <= equal) & (equal <= high)) == holds)


def test_p_values_are_near_those_of_the_score_test() -> None:
    """Of no difference, by the pooled chi-squared statistic: 11.79 and 3.56."""
    p_value = p_value_of_equality(([180, 56], [300, 94]), ([138, 43], [300, 94]), measure="difference")
    assert p_value == pytest.approx([5.9e-4, 0.059], rel=0.06)


def test_p_values_at_the_ends() -> None:
    same = p_value_of_equality((30, 100), (30, 100))
    apart = p_value_of_equality((9_000, 10_000), (1_000, 10_000))
    assert same == pytest.approx(1.0)
    assert apart == pytest.approx(1e-12)
    undefined = p_value_of_equality(([0, 3], [90, 90]), ([0, 0], [90, 0]))
    assert np.isnan(undefined).all()
    assert p_value_of_equality((0, 90), (0, 90), measure="difference") == pytest.approx(1.0)
