"""Power and the numbers needed, against sums over every outcome and the textbook approximation."""

from typing import Any

import numpy as np
import pytest
from scipy.stats import binom

from lfr.statistics import (
    LEAST_EVENTS_FOR_RATIO,
    difference_interval,
    power,
    power_to_show_equal,
    ratio_interval,
    smallest_detectable_difference,
    smallest_detectable_ratio,
    trials_needed,
)

RATIO: dict[str, Any] = {"low": 0.8, "high": 1.25}
DIFFERENCE: dict[str, Any] = {"low": -0.001, "high": 0.001, "measure": "difference", "exact": True}


def summed(first: tuple[float, int], second: tuple[float, int], *, measure: str, exact: bool) -> Any:
    """Intervals and probabilities of every pair of outcomes."""
    (rate, of), (other_rate, other_of) = first, second
    one = np.arange(binom.ppf(1e-7, of, rate), binom.isf(1e-7, of, rate) + 1)
    other = np.arange(binom.ppf(1e-7, other_of, other_rate), binom.isf(1e-7, other_of, other_rate) + 1)
    interval = ratio_interval if measure == "ratio" else difference_interval
    low, high = interval((one[:, None], of), (other, other_of), exact=exact)
    return low, high, binom.pmf(one, of, rate)[:, None] * binom.pmf(other, other_of, other_rate)


@pytest.mark.parametrize(
    ("first", "second", "measure"),
    [
        ((0.6, 300), (0.46, 300), "ratio"),
        ((0.6, 94), (0.46, 94), "ratio"),
        ((0.9, 188), (0.8, 120), "ratio"),
        ((0.003, 6000), (0.0005, 4000), "difference"),
    ],
)
def test_power_is_the_sum_over_outcomes(first: tuple[float, int], second: tuple[float, int], measure: Any) -> None:
    exact = measure == "difference"
    low, high, likely = summed(first, second, measure=measure, exact=exact)
    equal = 0.0 if exact else 1.0
    truth = np.sum(likely * ((low > equal) | (high < equal)))
    ours = power(first[0], second[0], first[1], second[1], measure=measure, exact=exact)
    assert ours == pytest.approx(truth, abs=0.015)


@pytest.mark.parametrize("rate", [0.3, 0.5, 0.9, 0.99])
def test_the_trials_needed_show_equal_ratios_four_times_in_five(rate: float) -> None:
    of = int(trials_needed(rate, **RATIO))
    low, high, likely = summed((rate, of), (rate, of), measure="ratio", exact=False)
    # With as few as 17 trials the power moves in steps.
    reached = np.sum(likely * ((low > 0.8) & (high < 1.25)))
    assert 0.77 <= reached <= (0.83 if rate < 0.99 else 0.96)
    if rate < 0.9:
        # Two one-sided tests by the normal approximation, each at 2.5% and with 90% power.
        assert of == pytest.approx(2 * (1 - rate) / rate * (1.960 + 1.282) ** 2 / np.log(1.25) ** 2, rel=0.03)


@pytest.mark.parametrize("rate", [1e-3, 2e-4])
def test_the_trials_needed_show_equal_small_rates_four_times_in_five(rate: float) -> None:
    of = int(trials_needed(rate, **DIFFERENCE))
    low, high, likely = summed((rate, of), (rate, of), measure="difference", exact=True)
    assert np.sum(likely * ((low > -0.001) & (high < 0.001))) == pytest.approx(0.8, abs=0.03)


def test_a_rate_of_nought_needs_the_trials_that_no_event_needs() -> None:
    """The upper bound of none in n, two-sided, is 3.69 in n."""
    assert trials_needed(0.0, **DIFFERENCE) == pytest.approx(3688, abs=5)
    assert trials_needed(0.0, **RATIO) == np.inf


def test_from_155_events_on_a_ratio_of_equal_rates_can_lie_inside_the_bounds() -> None:
    assert 1.96 * np.sqrt(2 / LEAST_EVENTS_FOR_RATIO) < np.log(1.25) < 1.96 * np.sqrt(2 / (LEAST_EVENTS_FOR_RATIO - 1))
    for events, inside in ((LEAST_EVENTS_FOR_RATIO - 3, False), (LEAST_EVENTS_FOR_RATIO, True)):
        low, high = ratio_interval((events, 1_000_000), (events, 1_000_000))
        assert bool(low > 0.8 and high < 1.25) == inside


def test_the_smallest_ratio_is_seen_four_times_in_five_and_no_smaller_one() -> None:
    ratio = float(smallest_detectable_ratio(0.5, 300, 300))
    for change, least, most in ((1.0, 0.78, 0.82), (0.95, 0.0, 0.75)):
        root = np.sqrt(ratio * change)
        low, high, likely = summed((0.5 * root, 300), (0.5 / root, 300), measure="ratio", exact=False)
        assert least <= np.sum(likely * ((low > 1) | (high < 1))) <= most


def test_the_smallest_difference_is_seen_four_times_in_five() -> None:
    gap = float(smallest_detectable_difference(0.001, 6000, 6000, exact=True))
    lesser = max(0.001 - gap / 2, 0.0)
    low, high, likely = summed((lesser + gap, 6000), (lesser, 6000), measure="difference", exact=True)
    assert np.sum(likely * ((low > 0) | (high < 0))) == pytest.approx(0.8, abs=0.03)


def test_more_trials_see_smaller_ratios_and_few_see_none() -> None:
    of = np.array([50, 100, 400, 5000])
    ratios = smallest_detectable_ratio(np.full(4, 0.6), of, of)
    assert np.all(np.diff(ratios) < 0)
    assert np.isnan(smallest_detectable_ratio(0.99, 8, 8))
    shown = power_to_show_equal(np.full(4, 0.6), of, of, **RATIO)
    assert np.all(np.diff(shown) >= 0)
    assert shown[-1] > 0.99
