"""Shares over subjects: several trials of one subject are not as many independent ones."""

from typing import get_args

import numpy as np
import pytest

from lfr.statistics import (
    Method,
    clopper_pearson,
    effective_trials,
    effective_trials_of_sums,
    rate_over_subjects,
    rates_over_subjects,
    wilson,
)
from lfr.types.calibration import CalibrationRate


def test_with_one_trial_a_subject_the_interval_is_the_plain_one() -> None:
    event = np.arange(200) < 7
    for exact, plain in ((False, wilson(7, 200)), (True, clopper_pearson(7, 200))):
        rate = rate_over_subjects(event, np.arange(200), exact=exact)
        assert rate.method == plain.method
        assert rate.low == pytest.approx(plain.low)
        assert rate.high == pytest.approx(plain.high)


def test_trials_that_copy_each_other_count_once() -> None:
    """Each of 50 subjects tried 20 times with the same outcome tells as much as each tried once."""
    subject = np.repeat(np.arange(50), 20)
    plain, copied = wilson(10, 50), rate_over_subjects(subject < 10, subject)
    assert copied.of == 1000
    assert copied.low == pytest.approx(plain.low)
    assert copied.high == pytest.approx(plain.high)


def test_no_event_at_all_tells_as_much_as_there_are_subjects() -> None:
    rate = rate_over_subjects(np.zeros(1000, np.bool_), np.repeat(np.arange(50), 20), exact=True)
    assert rate.high == pytest.approx(clopper_pearson(0, 50).high)
    assert rate_over_subjects(np.zeros(0, np.bool_), np.zeros(0)).value is None


def test_sums_and_single_trials_say_the_same() -> None:
    rng = np.random.default_rng(3)
    subject, event = rng.integers(0, 40, 300), rng.random(300) < 0.2
    events, trials = np.bincount(subject, event, 40), np.bincount(subject, minlength=40)
    assert rates_over_subjects(events[:, None], trials)[0] == rate_over_subjects(event, subject)
    assert effective_trials(event, subject) == pytest.approx(effective_trials_of_sums(events[:, None], trials)[0])


def test_each_column_counts_its_own_subjects() -> None:
    """The second column is of ten subjects only, the third of none."""
    trials = np.full((50, 3), 4)
    trials[10:, 1] = 0
    trials[:, 2] = 0
    events = np.minimum(np.arange(50)[:, None] % 3, trials)
    first, second, third = rates_over_subjects(events, trials, exact=True)
    alone = rates_over_subjects(events[:10, 1:2], trials[:10, 1:2], exact=True)[0]
    assert (first.of, second.of, third.of) == (200, 40, 0)
    assert second == alone
    assert (third.value, third.low, third.high) == (None, None, None)
    assert first.method == second.method == "clopper-pearson-over-subjects"


def test_the_more_alike_the_trials_of_a_subject_the_fewer_they_are_worth() -> None:
    spread = np.full(100, 2)
    half_alike = np.repeat([1, 3], 50)
    alike = np.repeat([0, 5], [60, 40])
    numbers = [
        float(effective_trials_of_sums(events[:, None], np.full(100, 5))[0]) for events in (spread, half_alike, alike)
    ]
    assert numbers[0] == 500.0
    assert 250 < numbers[1] <= 500
    assert numbers[2] == pytest.approx(100.0)


def test_one_event_among_repeated_trials_is_not_taken_for_independence() -> None:
    """One event cannot show how alike trials are: the bound is over that of as many independent trials."""
    events = np.zeros(50)
    events[7] = 1
    rate = rates_over_subjects(events[:, None], np.full(50, 20), exact=True)[0]
    independent, one_a_subject = clopper_pearson(1, 1000), clopper_pearson(1, 50)
    assert (independent.high or 1) < 1.5 * (rate.high or 0)
    assert (rate.high or 1) < (one_a_subject.high or 0)


def test_the_coverage_can_be_chosen() -> None:
    event, subject = np.arange(60) < 20, np.arange(60) // 3
    wide, narrow = (rate_over_subjects(event, subject, confidence=level) for level in (0.99, 0.9))
    assert (wide.low or 1) < (narrow.low or 0) < (narrow.high or 1) < (wide.high or 0)


def test_every_method_may_stand_in_a_calibration() -> None:
    assert get_args(CalibrationRate.model_fields["method"].annotation) == get_args(Method)
    rate = rate_over_subjects(np.arange(60) < 20, np.arange(60) // 3, exact=True)
    assert CalibrationRate.model_validate(rate.as_dict()).method == "clopper-pearson-over-subjects"


def test_sums_that_cannot_be_are_refused() -> None:
    with pytest.raises(ValueError, match="of one length"):
        rate_over_subjects([True, False], [1])
    with pytest.raises(ValueError, match="alike"):
        rates_over_subjects(np.zeros((3, 2)), np.ones((3, 1)))
    with pytest.raises(ValueError, match=r"0\.\.trials"):
        rates_over_subjects([2, 0], [1, 1])
    with pytest.raises(ValueError, match="confidence"):
        rate_over_subjects([True, False], [1, 2], confidence=95)
