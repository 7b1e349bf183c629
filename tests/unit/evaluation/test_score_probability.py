"""A probability holds for the model and listed share it was fitted for, and claims no more than the data show."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from lfr.errors import CalibrationError, ManifestError, ModelMismatchError
from lfr.evaluation import CalibrationResult, FittedScoreMap, calibrate, fit_score_map
from lfr.types import ScoreMap
from tests.unit.evaluation.builders import calibratable

MODEL = "ab" * 32
MADE = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def made() -> CalibrationResult:
    return calibrate(calibratable(), target_fpir=0.01, watchlist_size=10, rng=np.random.default_rng(0), created=MADE)


def fitted(made: CalibrationResult, listed_share: float = 0.01) -> FittedScoreMap:
    return fit_score_map(made.scores, made.calibration, listed_share=listed_share, created=MADE)


def test_a_higher_score_is_more_probable_and_fewer_listed_people_make_it_less_so(made: CalibrationResult) -> None:
    rare, common = (fitted(made, share).score_map for share in (0.001, 0.5))
    at = np.linspace(-1, 1, 41)
    of_rare, of_common = ([m.probability(score, model_digest=MODEL) for score in at] for m in (rare, common))
    assert of_rare == sorted(of_rare)
    assert all(r < c for r, c in zip(of_rare, of_common, strict=True))
    assert rare.calibration_digest == made.calibration.digest


def test_the_fit_gives_back_log_odds_that_are_linear_in_the_score(made: CalibrationResult) -> None:
    """Normal scores of one spread have log odds with slope (difference of means) / variance."""
    rng = np.random.default_rng(1)
    scores = replace(
        made.scores,
        mate=rng.normal(0.6, 0.1, 4_000).astype(np.float32),
        mated_subject=np.arange(4_000).astype(np.str_),
        stranger=rng.normal(0.3, 0.1, (3, 4_000)).astype(np.float32),
        non_mated_subject=np.arange(4_000, 8_000).astype(np.str_),
    )
    result = fit_score_map(scores, made.calibration, listed_share=0.5, created=MADE)
    assert result.score_map.slope == pytest.approx(0.3 / 0.01, rel=0.1)
    assert result.score_map.probability(0.45, model_digest=MODEL) == pytest.approx(0.5, abs=0.05)
    assert result.score_map.calibration_error < 0.02
    assert sum(row.passes for row in result.reliability) == pytest.approx(8_000, abs=10)


def test_no_more_is_claimed_than_the_non_mated_subjects_show(made: CalibrationResult) -> None:
    score_map = fitted(made, 0.001).score_map
    # With 400 subjects, FPIR may be 0.0075 where none alerted, and one in 1,000 is listed.
    assert score_map.most == pytest.approx(0.001 / (0.001 + 0.999 * 0.00746), abs=0.001)
    steep = score_map.model_copy(update={"slope": 1_000.0})
    assert steep.probability(1.0, model_digest=MODEL) == score_map.most


def test_a_score_of_another_model_is_refused_naming_both(made: CalibrationResult) -> None:
    with pytest.raises(ModelMismatchError, match=f"is of model {MODEL}, the score is of model {'cd' * 32}"):
        fitted(made).score_map.probability(0.5, model_digest="cd" * 32)
    with pytest.raises(ValueError, match="expected -1 to 1"):
        fitted(made).score_map.probability(1.5, model_digest=MODEL)


def test_a_map_comes_back_from_its_file_and_a_changed_one_is_refused(made: CalibrationResult, tmp_path: Path) -> None:
    score_map, file = fitted(made).score_map, tmp_path / "map.json"
    score_map.write(file)
    assert ScoreMap.read(file) == score_map
    file.write_text(json.dumps({**json.loads(file.read_text()), "slope": 1.0}))
    with pytest.raises(CalibrationError, match="changed since it was made"):
        ScoreMap.read(file)
    made.calibration.write(file)
    with pytest.raises(CalibrationError, match="no score map"):
        ScoreMap.read(file)
    with pytest.raises(ValueError, match="lowest 1"):
        ScoreMap.model_validate({**score_map.document, "lowest": 1.0, "highest": 0.5})


def test_what_cannot_be_fitted_is_said(made: CalibrationResult) -> None:
    nothing = replace(made.scores, mate=np.full_like(made.scores.mate, np.nan))
    with pytest.raises(ManifestError, match="mated and non-mated passes with a score are needed"):
        fit_score_map(nothing, made.calibration, listed_share=0.1, created=MADE)
    upside_down = replace(made.scores, mate=-made.scores.mate)
    with pytest.raises(ManifestError, match="do not score higher"):
        fit_score_map(upside_down, made.calibration, listed_share=0.1, created=MADE)
    with pytest.raises(ValueError, match="between 0 and 1"):
        fitted(made, 1.0)
