"""Group measures are their published formulas, on rates and on replicates, and say where they are undefined."""

import itertools
import math
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from fairlearn.metrics import MetricFrame, false_positive_rate

from lfr.statistics import (
    fairness_discrepancy_rate,
    garbe,
    gini,
    inequity_rate,
    max_over_geometric_mean,
    max_over_min,
)

RATES = [0.01, 0.02, 0.05, 0.04]
OTHERS = [0.1, 0.3, 0.2, 0.2]


def gini_as_written(rates: list[float]) -> float:
    n, mean = len(rates), sum(rates) / len(rates)
    spread = sum(abs(a - b) for a in rates for b in rates)
    return n / (n - 1) * spread / (2 * n**2 * mean)


def widest(rates: list[float]) -> float:
    return max(abs(a - b) for a, b in itertools.combinations(rates, 2))


def test_one_rate_measures_are_their_formulas() -> None:
    assert max_over_min(RATES) == pytest.approx(5.0)
    assert max_over_geometric_mean(RATES) == pytest.approx(0.05 / math.prod(RATES) ** 0.25)
    assert gini(RATES) == pytest.approx(gini_as_written(RATES))


@pytest.mark.parametrize("alpha", [0.0, 0.3, 0.5, 1.0])
def test_two_rate_measures_are_their_formulas(alpha: float) -> None:
    assert garbe(RATES, OTHERS, alpha=alpha) == pytest.approx(
        alpha * gini_as_written(RATES) + (1 - alpha) * gini_as_written(OTHERS)
    )
    assert fairness_discrepancy_rate(RATES, OTHERS, alpha=alpha) == pytest.approx(
        1 - (alpha * widest(RATES) + (1 - alpha) * widest(OTHERS))
    )
    assert inequity_rate(RATES, OTHERS, alpha=alpha) == pytest.approx(5.0**alpha * 3.0 ** (1 - alpha))


def test_the_ratio_of_groups_is_that_of_fairlearn() -> None:
    rng = np.random.default_rng(1)
    group, alarm = rng.integers(0, 5, 4000), rng.random(4000) < 0.1
    frame = MetricFrame(
        metrics=false_positive_rate,
        y_true=np.zeros(4000, int),
        y_pred=alarm.astype(int),
        sensitive_features=pd.Series(group),
    )
    rates = np.bincount(group, alarm) / np.bincount(group)
    assert rates == pytest.approx(frame.by_group.to_numpy())
    assert 1 / max_over_min(rates) == pytest.approx(frame.ratio())


def test_one_group_with_all_errors_is_as_unequal_as_can_be() -> None:
    assert gini([0.3, 0.0, 0.0]) == pytest.approx(1.0)


@pytest.mark.parametrize("rate", [0.1, 1 / 3, 1e-7])
def test_equal_rates_are_equal_and_no_more_than_equal(rate: float) -> None:
    same = np.full(7, rate)
    assert max_over_min(same) == 1.0
    assert max_over_geometric_mean(same) == pytest.approx(1.0, abs=1e-12)
    assert max_over_geometric_mean(same) >= 1.0
    assert gini(same) == pytest.approx(0.0, abs=1e-12)
    assert gini(same) >= 0.0
    assert fairness_discrepancy_rate(same, same) == inequity_rate(same, same) == 1.0


MEASURES: list[Callable[..., np.ndarray]] = [max_over_min, max_over_geometric_mean, gini]
PAIRED: list[Callable[..., np.ndarray]] = [garbe, fairness_discrepancy_rate, inequity_rate]


def test_measures_run_on_replicates() -> None:
    rng = np.random.default_rng(2)
    first, second = rng.random((2, 6, 50, 4))
    for measure in MEASURES:
        assert measure(first).shape == (6, 50)
        assert measure(first)[3, 7] == pytest.approx(float(measure(first[3, 7])))
    for paired in PAIRED:
        assert paired(first, second).shape == (6, 50)
        assert paired(first, second)[3, 7] == pytest.approx(float(paired(first[3, 7], second[3, 7])))


def test_a_group_with_rate_0_leaves_the_ratio_undefined_and_only_there() -> None:
    rates = [[0.1, 0.2], [0.0, 0.2], [0.0, 0.0], [np.nan, 0.2]]
    defined = {max_over_min: [0], max_over_geometric_mean: [0], gini: [0, 1]}
    for measure, where in defined.items():
        assert np.flatnonzero(~np.isnan(measure(rates))).tolist() == where
    other = np.full((4, 2), 0.3)
    assert np.flatnonzero(~np.isnan(inequity_rate(rates, other))).tolist() == [0]
    assert np.flatnonzero(~np.isnan(garbe(rates, other))).tolist() == [0, 1]
    assert np.flatnonzero(~np.isnan(fairness_discrepancy_rate(rates, other))).tolist() == [0, 1, 2]


def test_what_is_no_set_of_rates_is_refused() -> None:
    for measure in MEASURES:
        with pytest.raises(ValueError, match="two groups or more"):
            measure([0.1])
        with pytest.raises(ValueError, match=r"0\.\.1"):
            measure([0.1, 1.2])
    for paired in PAIRED:
        with pytest.raises(ValueError, match="alpha"):
            paired(RATES, OTHERS, alpha=1.5)
