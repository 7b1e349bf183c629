"""Shares over subjects: several trials of one subject are not as many independent ones."""

import numpy as np
import pytest

from lfr.statistics import (
    clopper_pearson,
    rate_over_subjects,
    wilson,
)


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
