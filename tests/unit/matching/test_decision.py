"""From a track's scores to subjects over the threshold."""

import numpy as np
import pytest
from pydantic import ValidationError

from lfr.matching import Decision, DecisionRule, decide
from lfr.types import FloatArray

SUBJECTS = ("anna", "bea", "cleo")


def scores(*rows: list[float]) -> FloatArray:
    return np.array(rows, np.float32).reshape(-1, len(SUBJECTS))


def test_subjects_at_or_over_the_threshold_come_best_first() -> None:
    rule = DecisionRule(threshold=0.5)
    decisions = decide(scores([0.5, 0.49, 0.75]), SUBJECTS, rule)
    assert decisions == (Decision("cleo", 0.75, 1, 0), Decision("anna", 0.5, 1, 0))


def test_the_best_shot_decides_with_max() -> None:
    rule = DecisionRule(threshold=0.5, shots=3, fusion="max")
    decisions = decide(scores([0.1, 0.2, 0.0], [0.75, 0.3, 0.0], [0.6, 0.1, 0.0]), SUBJECTS, rule)
    assert decisions == (Decision("anna", 0.75, 3, 1),)


def test_the_mean_over_shots_decides_with_mean() -> None:
    rule = DecisionRule(threshold=0.5, shots=2, fusion="mean")
    decisions = decide(scores([0.75, 0.9, 0.0], [0.5, 0.0, 0.0]), SUBJECTS, rule)
    assert decisions == (Decision("anna", 0.625, 2, 0),)


def test_max_decides_before_all_shots_are_in() -> None:
    rule = DecisionRule(threshold=0.5, shots=5, fusion="max")
    assert decide(scores([0.75, 0.0, 0.0]), SUBJECTS, rule, final=False) == (Decision("anna", 0.75, 1, 0),)


def test_a_mean_waits_for_its_shots_or_the_end_of_the_track() -> None:
    rule = DecisionRule(threshold=0.5, shots=2, fusion="mean")
    one, two = scores([0.75, 0.0, 0.0]), scores([0.75, 0.0, 0.0], [0.75, 0.0, 0.0])
    assert decide(one, SUBJECTS, rule, final=False) == ()
    assert decide(one, SUBJECTS, rule, final=True) == (Decision("anna", 0.75, 1, 0),)
    assert decide(two, SUBJECTS, rule, final=False) == (Decision("anna", 0.75, 2, 0),)


def test_a_score_just_under_the_threshold_is_not_rounded_up_to_it() -> None:
    score = float(np.float32(0.42))
    just_over = float(np.nextafter(score, 1.0))
    assert decide(scores([score, 0, 0]), SUBJECTS, DecisionRule(threshold=just_over)) == ()
    assert len(decide(scores([score, 0, 0]), SUBJECTS, DecisionRule(threshold=score))) == 1


def test_equal_scores_keep_the_order_of_the_watchlist() -> None:
    decisions = decide(scores([0.6, 0.6, 0.6]), SUBJECTS, DecisionRule(threshold=0.5))
    assert [decision.subject_id for decision in decisions] == list(SUBJECTS)


@pytest.mark.parametrize("fusion", ["max", "mean"])
def test_a_track_without_shots_decides_nothing(fusion: str) -> None:
    rule = DecisionRule.model_validate({"threshold": -1.0, "fusion": fusion})
    assert decide(scores(), SUBJECTS, rule) == ()


def test_an_empty_watchlist_decides_nothing() -> None:
    assert decide(np.zeros((1, 0), np.float32), (), DecisionRule(threshold=-1.0)) == ()


def test_more_shots_than_the_rule_was_calibrated_for_are_refused() -> None:
    with pytest.raises(ValueError, match="2 shots of one track"):
        decide(scores([0, 0, 0], [0, 0, 0]), SUBJECTS, DecisionRule(threshold=0.5, shots=1))


def test_scores_of_another_watchlist_are_refused() -> None:
    with pytest.raises(ValueError, match=r"expected \(shots, 2\), got \(1, 3\)"):
        decide(scores([0, 0, 0]), SUBJECTS[:2], DecisionRule(threshold=0.5))


def test_a_score_that_is_not_a_number_is_refused() -> None:
    with pytest.raises(ValueError, match="finite"):
        decide(scores([np.nan, 0, 0]), SUBJECTS, DecisionRule(threshold=0.5))


@pytest.mark.parametrize(
    "wrong", [{"threshold": 1.5}, {"threshold": 0.5, "shots": 0}, {"threshold": 0.5, "fusion": "sum"}, {}]
)
def test_rules_that_make_no_sense_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        DecisionRule.model_validate(wrong)
