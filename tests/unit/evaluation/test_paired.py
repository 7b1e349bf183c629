"""Two models on the same searches: the same threshold rule as one model's, and an interval that holds the doubt."""

from __future__ import annotations

import numpy as np
import pytest

from lfr.errors import ManifestError
from lfr.evaluation import Pairs, paired, run_searches, search_rates, threshold_for_fpir
from lfr.evaluation.paired import Interval, ScoredSearches, _thresholds, compare_accuracy, compare_at_fpir
from tests.unit.evaluation.builders import made_manifest, made_templates


def scored(noise: float, *, seed: int = 0, listed: int = 60, others: int = 200) -> ScoredSearches:
    """Searches whose templates are so far from their subject's."""
    rng = np.random.default_rng(seed)
    subjects = [*(f"s{i}" for i in range(listed)), *(f"s{i}" for i in range(listed)), *(f"o{i}" for i in range(others))]
    centre = {name: rng.normal(size=16) for name in dict.fromkeys(subjects)}
    vectors = np.array([centre[name] + noise * rng.normal(size=16) for name in subjects])
    return ScoredSearches.of(run_searches(made_templates(made_manifest(subjects, references=listed), vectors)))


def compared(first: ScoredSearches, second: ScoredSearches, *, fpir: float = 0.05, replicates: int = 300):  # type: ignore[no-untyped-def] # what it gives is tested
    return compare_at_fpir(first, second, fpir=fpir, replicates=replicates, rng=np.random.default_rng(1))


def test_a_model_is_as_good_as_itself_and_no_draw_doubts_it() -> None:
    scores = scored(0.8)
    same = compared(scores, scores)
    assert same.difference.as_dict() == {"value": 0.0, "low": 0.0, "high": 0.0}


def test_the_rates_are_those_of_each_model_at_its_own_threshold() -> None:
    rng = np.random.default_rng(0)
    subjects = [*(f"s{i}" for i in range(40)), *(f"s{i}" for i in range(40)), *(f"o{i}" for i in range(150))]
    vectors = rng.normal(size=(len(subjects), 12))
    searches = run_searches(made_templates(made_manifest(subjects, references=40), vectors))
    threshold = threshold_for_fpir(searches, 0.05)
    assert threshold is not None
    tpir, _ = search_rates(searches, threshold)
    found = compared(ScoredSearches.of(searches), ScoredSearches.of(searches))
    assert found.thresholds[0] == pytest.approx(threshold)
    assert found.fnir[0].value == pytest.approx(1 - (tpir.value or 0.0))


def test_a_clearly_better_model_is_shown_to_be_better() -> None:
    found = compared(scored(1.3), scored(0.5))
    assert found.difference.high is not None
    assert found.difference.high < 0
    assert found.relative.value is not None
    assert found.relative.value < -0.3


def test_two_draws_of_one_model_are_not_shown_to_differ() -> None:
    first, second = scored(0.9, seed=3), scored(0.9, seed=4)
    found = compared(first, second)
    assert found.difference.low is not None
    assert found.difference.high is not None
    assert found.difference.low <= 0 <= found.difference.high


def test_a_search_without_a_template_is_a_miss_and_no_false_alarm() -> None:
    scores = scored(0.5)
    mate, other = scores.mate_score.copy(), scores.other_score.copy()
    mate[scores.mated], other[:] = np.nan, np.nan
    lost = ScoredSearches(scores.subject, scores.mated, mate, np.where(scores.mated, other, scores.other_score))
    assert compared(scores, lost).fnir[1].value == 1.0


def test_where_no_stranger_has_a_template_nothing_need_be_refused() -> None:
    scores = scored(0.5)
    none = np.where(scores.mated, scores.other_score, np.float32(np.nan))
    lost = ScoredSearches(scores.subject, scores.mated, scores.mate_score, none)
    found = compared(lost, lost)
    assert found.thresholds == (-1.0, -1.0)
    assert found.fnir[0].value == 0.0


def test_an_fpir_that_all_strangers_together_keep_is_held_at_the_least_threshold() -> None:
    scores = scored(0.5, others=20)
    few = np.where(np.cumsum(~scores.mated) <= 10, np.float32(np.nan), scores.other_score)
    half = ScoredSearches(scores.subject, scores.mated, scores.mate_score, np.where(scores.mated, 0, few))
    assert compared(half, half, fpir=0.5).thresholds == (-1.0, -1.0)


def test_strangers_with_many_probes_get_as_many_thresholds_as_a_draw_may_need() -> None:
    single = scored(0.9, listed=60, others=40)
    rows = np.concatenate([np.flatnonzero(single.mated), np.repeat(np.flatnonzero(~single.mated), 40)])
    shaken = single.other_score[rows] + np.random.default_rng(0).normal(0, 1e-3, len(rows))
    many = ScoredSearches(single.subject[rows], single.mated[rows], single.mate_score[rows], shaken.astype(np.float32))
    fpir, rng = 0.05, np.random.default_rng(2)
    over = many.other_score >= _thresholds(many, fpir)[-1]
    people = np.unique(many.subject[~many.mated])
    alarms = np.array([over[(many.subject == name) & ~many.mated].sum() for name in people])
    drawn = [alarms[rng.integers(0, len(people), len(people))].sum() for _ in range(2000)]
    assert min(drawn) > fpir * 40 * len(people)


def test_searches_of_other_people_are_not_compared() -> None:
    with pytest.raises(ManifestError, match="same searches"):
        compared(scored(0.5), scored(0.5, listed=50))


def test_an_fpir_that_the_searches_cannot_show_is_refused() -> None:
    with pytest.raises(ManifestError, match="cannot show an FPIR"):
        compared(scored(0.5, others=10), scored(0.6, others=10), fpir=0.01)


def accuracies(
    first: list[bool], second: list[bool], subjects: list[str], others: list[str] | None = None, *, folds: int = 2
) -> Interval:
    """Pairs of the subjects with themselves, where the others do not name somebody else."""
    rows, probes = np.arange(len(first)), others or subjects
    mated = np.array([one == other for one, other in zip(subjects, probes, strict=True)])
    pairs = Pairs((), rows, rows, mated, rows % folds, tuple(subjects), tuple(probes))
    decided = np.array(first, np.bool_), np.array(second, np.bool_)
    return compare_accuracy(pairs, *decided, replicates=2000, rng=np.random.default_rng(3))


def test_a_model_decides_as_many_pairs_rightly_as_itself() -> None:
    right = [True, False] * 20
    found = accuracies(right, right, [f"s{i}" for i in range(40)])
    assert found == Interval(0.0, 0.0, 0.0)


def test_pairs_of_as_many_people_give_the_interval_of_a_mean() -> None:
    first, second = [False] * 40 + [True] * 360, [True] * 390 + [False] * 10
    found = accuracies(first, second, [f"s{i}" for i in range(400)])
    error = np.sqrt((50 / 400 - 0.075**2) / 400)
    assert found.value == pytest.approx(0.075)
    assert (found.low, found.high) == pytest.approx((0.075 - 1.96 * error, 0.075 + 1.96 * error), abs=0.004)


@pytest.mark.parametrize("swapped", [False, True])
def test_a_gain_on_the_pairs_of_one_person_is_no_gain_for_others(swapped: bool) -> None:
    # Whoever is drawn twice takes part in twice as many pairs, on either side of them.
    one, others = ["one"] * 40 + [f"s{i}" for i in range(160)], [f"o{i}" for i in range(200)]
    subjects, probes = (others, one) if swapped else (one, others)
    found = accuracies([False] * 40 + [True] * 160, [True] * 200, subjects, probes)
    assert found.value == pytest.approx(0.2)
    assert found.low == 0.0
    assert found.high is not None
    assert found.high > 0.35


def test_mated_and_non_mated_pairs_are_drawn_by_the_people_in_them(monkeypatch: pytest.MonkeyPatch) -> None:
    # a three times, b once, c never; d is drawn once: 3 of a's pair, 3 of a with b, none with c, 1 of d's.
    drawn = np.array([[3.0, 1.0, 0.0, 1.0]])
    monkeypatch.setattr(paired, "subject_draws", lambda *_, **__: iter([(0, drawn)]))
    found = accuracies([False] * 4, [True, True, True, False], ["a", "a", "a", "d"], ["a", "b", "c", "d"])
    assert found == Interval(0.75, 6 / 7, 6 / 7)


def test_folds_count_alike_as_in_the_mean_of_the_protocol() -> None:
    names = [f"s{i}" for i in range(3)]
    assert accuracies([False, False, False], [True, False, False], names).value == pytest.approx(0.25)
