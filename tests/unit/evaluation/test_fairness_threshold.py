"""A calibration's threshold is for lists up to its size, and a list is as long as who is enrolled on it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from lfr.errors import CalibrationError
from lfr.evaluation import calibrate, fairness_threshold, run_searches
from tests.unit.evaluation.builders import calibratable


def test_a_calibration_is_held_to_who_is_enrolled_and_not_to_who_was_wanted(tmp_path: Path) -> None:
    everybody = calibratable(listed=20)
    faces_found = everybody.faces_found.copy()
    faces_found[0] = 0
    without_one = replace(everybody, faces_found=faces_found)
    made = calibrate(
        without_one,
        target_fpir=0.01,
        watchlist_size=None,
        rng=np.random.default_rng(0),
        created=datetime(2026, 1, 1, tzinfo=UTC),
    ).calibration
    assert made.watchlist_size == 19
    made.write(tmp_path / "calibration.json")
    threshold, fpir, source = fairness_threshold(run_searches(without_one), calibration=tmp_path / "calibration.json")
    assert (threshold, fpir) == (made.threshold, 0.01)
    assert made.digest in source
    with pytest.raises(CalibrationError, match="for a watchlist of 19, this one has 20"):
        fairness_threshold(run_searches(everybody), calibration=tmp_path / "calibration.json")
