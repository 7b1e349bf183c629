"""The threshold is the smallest that the passes show to hold; what they cannot show is said, with what is missing."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest

from lfr.errors import InputError, ManifestError
from lfr.evaluation import (
    PassScores,
    Templates,
    calibrate,
    demo_faces,
    image_digests,
    run_searches,
    scores_against_lists,
    shows_demo_faces,
    threshold_shown,
)
from lfr.evaluation.calibration import CalibrationResult
from lfr.statistics import clopper_pearson_upper, subjects_needed
from tests.unit.evaluation.builders import calibratable

MADE = datetime(2026, 1, 1, tzinfo=UTC)


def strangers(scores: list[float] | np.ndarray[tuple[int], np.dtype[np.float64]], *, passes: int = 1) -> PassScores:
    """Non-mated passes against one list, so many of each subject in turn."""
    subjects = np.repeat(np.arange(len(scores) // passes), passes).astype(np.str_)
    made = np.asarray(scores, np.float32)[None]
    return PassScores(np.array([0.9], np.float32), np.array(["a"]), made, subjects)


def calibrated(templates: Templates, *, fpir: float = 0.01, size: int = 20, **options: object) -> CalibrationResult:
    return calibrate(
        templates,
        target_fpir=fpir,
        watchlist_size=size,
        rng=np.random.default_rng(0),
        created=MADE,
        **options,  # type: ignore[arg-type]
    )


def test_the_threshold_is_the_smallest_whose_upper_bound_is_at_the_target() -> None:
    scores = np.linspace(0.1, 0.9, 1_000)
    made = strangers(scores)
    threshold = threshold_shown(made, 0.01)
    count = int((scores >= threshold).sum())
    assert made.fpir_upper(threshold) == pytest.approx(clopper_pearson_upper(count, 1_000))
    assert clopper_pearson_upper(count, 1_000) <= 0.01
    assert clopper_pearson_upper(count + 1, 1_000) > 0.01
    assert threshold == round(threshold, 4)


def test_under_one_false_alert_allowed_the_threshold_lies_just_over_every_stranger() -> None:
    made = strangers([0.5, 0.3, 0.1] + [0.0] * 47)
    assert threshold_shown(made, 0.01) == 0.5001
    assert made.fpir(0.5001).count == 0


def test_where_no_bound_can_be_shown_the_observed_rate_is_held() -> None:
    # 150 subjects show nothing under 1%, though one false alert of 150 is under it.
    made = strangers(np.linspace(0.5, 0.1, 150))
    threshold = threshold_shown(made, 0.01)
    assert made.fpir(threshold).count == 1
    assert made.fpir_upper(threshold) > 0.01


def test_a_claim_of_sufficiency_is_wrong_in_five_of_a_hundred_draws_at_most() -> None:
    """Uniform scores have a true FPIR of 1 - t, so each draw's claim can be judged."""
    rng = np.random.default_rng(0)
    too_low = sum(threshold_shown(strangers(rng.random(600)), 0.02) < 0.98 for _ in range(400))
    assert too_low <= 30  # 20 are expected at most; 30 and more would come with probability 0.02
    observed = sum(np.sort(rng.random(600))[-13] < 0.98 for _ in range(400))
    assert observed > 160  # the rule that holds the observed rate is wrong about every second time


def test_passes_of_one_subject_do_not_pass_for_many_subjects() -> None:
    of_many = strangers(np.full(500, 0.1))
    of_few = strangers(np.full(500, 0.1), passes=10)
    assert of_many.fpir_upper(0.2) == pytest.approx(clopper_pearson_upper(0, 500))
    assert of_few.fpir_upper(0.2) == pytest.approx(clopper_pearson_upper(0, 50))
    scores = np.full(500, 0.1)
    scores[0] = 0.3  # a false alert does not make the data stronger than none
    assert strangers(scores, passes=10).fpir_upper(0.2) > of_few.fpir_upper(0.2)
    assert of_few.fpir(0.2).method == "clopper-pearson-over-subjects"


def test_a_pass_counts_once_however_many_lists_are_calibratable() -> None:
    searches = run_searches(calibratable())
    scores = scores_against_lists(searches, 5, lists=8, rng=np.random.default_rng(0))
    assert scores.stranger.shape == (8, 400)
    rate = scores.fpir(0.3)
    assert rate.of == 400
    assert rate.count == int(np.ceil((scores.stranger >= 0.3).mean(axis=0).sum() - 1e-6))
    whole = scores_against_lists(searches, 20, lists=8, rng=np.random.default_rng(0))
    np.testing.assert_array_equal(whole.stranger, [searches.other_score[~searches.mated]])
    assert (scores.stranger <= whole.stranger).all()
    with pytest.raises(ValueError, match="expected 1 to 20"):
        scores_against_lists(searches, 21, lists=1, rng=np.random.default_rng(0))


def test_enough_subjects_are_sufficient_and_the_document_says_by_what() -> None:
    result = calibrated(calibratable(), size=10)
    made, document = result.calibration, result.as_dict()
    assert made.verdict == "sufficient"
    assert (made.watchlist_size, made.subjects, made.non_mated_subjects, made.unit) == (10, 20, 400, "image")
    assert clopper_pearson_upper(made.fpir.count, made.fpir.of) <= 0.01
    assert document["digest"] == made.digest
    assert document["needed"]["more_non_mated_subjects"] == 0
    assert document["lists"]["drawn"] == 20
    assert "20 lists of 10 drawn from 20 subjects" in made.protocol
    sizes = {at["watchlist_size"] for at in document["expected_false_alerts"]}
    assert sizes == {10, 20}
    for at in document["expected_false_alerts"]:
        assert at["low"] <= at["measured"] <= at["high"]
        assert at["faces"] == 10_000
    assert json.loads(result.to_json())["digest"] == made.digest
    assert len(result.to_pandas()) == len(document["expected_false_alerts"])
    assert "sufficient: threshold" in result._repr_html_()
    (axes,) = result.plot_false_alerts().axes
    assert axes.get_ylabel() == "false alerts per 10,000 faces"


def test_too_few_subjects_are_the_verdict_with_the_numbers_still_needed() -> None:
    result = calibrated(calibratable(), fpir=0.001)
    assert result.calibration.verdict == "insufficient_data"
    assert result.calibration.fpir.count == 0
    assert result.needed["non_mated_subjects"] == subjects_needed(0.001) == 2995
    assert result.needed["more_non_mated_subjects"] == 2595
    assert "2,995 without a false alert are needed to show 0.001, 2,595 more" in result.reasons[0]


def test_a_list_larger_than_the_references_is_measured_as_large_as_they_allow_and_is_insufficient() -> None:
    result = calibrated(calibratable(), size=1_000)
    assert result.calibration.watchlist_size == 20
    assert result.calibration.verdict == "insufficient_data"
    assert result.needed["more_referenced_subjects"] == 980
    assert "a watchlist of 1,000 was asked for and 20 subjects" in result.reasons[0]


def test_tracks_are_passes_of_at_most_the_shots_of_the_rule() -> None:
    best = calibrated(calibratable(tracks=4), shots=3).calibration
    assert (best.unit, best.shots, best.fusion, best.fpir.of) == ("track", 3, "max", 400)
    mean = calibrated(calibratable(tracks=4), fusion="mean").calibration
    assert (mean.shots, mean.fusion) == (5, "mean")
    assert mean.threshold < best.threshold
    with pytest.raises(InputError, match="no probe has a track_id"):
        calibrated(calibratable(), shots=2)


def test_faces_that_the_gate_refuses_are_misses_and_stay_counted() -> None:
    templates = calibratable()
    quality = templates.quality.values.copy()
    quality[20:30] = 1.0  # ten mated probes
    quality[:2] = 1.0  # two references
    poor = replace(templates, quality=type(templates.quality)(quality))
    gated, open_to_all = calibrated(poor, size=18), calibrated(poor, size=18, quality_gate=False)
    assert (gated.calibration.tpir.count, gated.calibration.tpir.of) == (10, 20)
    assert open_to_all.calibration.tpir.count == 20
    assert (gated.calibration.quality_policy, open_to_all.calibration.quality_policy) == ("search-1", "none")
    assert gated.searches.watchlist.failures_to_enrol == 2
    with pytest.raises(ManifestError, match="no reference is usable"):
        calibrated(replace(templates, quality=type(templates.quality)(np.ones_like(quality))))


def test_the_same_seed_makes_the_same_calibration() -> None:
    assert (
        calibrated(calibratable(), size=10).calibration.digest == calibrated(calibratable(), size=10).calibration.digest
    )


def test_drawn_faces_are_known_by_their_bytes() -> None:
    demo = image_digests(demo_faces())
    assert shows_demo_faces(np.append(demo[:1], "00" * 32))
    assert not shows_demo_faces(np.array(["00" * 32]))
    assert not calibrated(calibratable()).calibration.simulated
