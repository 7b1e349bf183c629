"""Error curves agree with published code, and stay the same when scores are streamed instead of held."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator

import numpy as np
import pytest
from sklearn.metrics import det_curve as sklearn_det_curve

from lfr.errors import ManifestError
from lfr.evaluation import (
    BIN_EDGES,
    UNLABELLED,
    ComparisonScores,
    ErrorCurve,
    compare_all,
    compare_vectors,
    det_curve,
)
from lfr.evaluation.comparisons import bin_counts
from lfr.types import FloatArray, IntArray
from tests.unit.evaluation.builders import made_manifest, made_templates


def drawn_scores(rng: np.random.Generator, *, decimals: int | None = None) -> tuple[FloatArray, FloatArray]:
    mated, non_mated = rng.normal(0.6, 0.15, 300).clip(-1, 1), rng.normal(0.1, 0.15, 5000).clip(-1, 1)
    if decimals is not None:
        mated, non_mated = mated.round(decimals), non_mated.round(decimals)
    return mated.astype(np.float32), non_mated.astype(np.float32)


@pytest.mark.parametrize("decimals", [None, 2, 1, 0])
def test_the_det_curve_is_scikit_learns_to_the_last_digit(decimals: int | None) -> None:
    mated, non_mated = drawn_scores(np.random.default_rng(1), decimals=decimals)
    labels = np.concatenate([np.ones(len(mated)), np.zeros(len(non_mated))])
    fmr, fnmr, threshold = sklearn_det_curve(labels, np.concatenate([mated, non_mated]))
    curve = det_curve(mated, non_mated)
    np.testing.assert_array_equal(curve.threshold, threshold)
    np.testing.assert_array_equal(curve.fmr, fmr)
    np.testing.assert_array_equal(curve.fnmr, fnmr)


@pytest.mark.parametrize(
    ("mated", "non_mated"),
    [([0.9], [0.1]), ([0.1], [0.9]), ([0.5], [0.5]), ([0.2, 0.9], [0.3, 0.9]), ([0.1, 0.2], [0.3, 0.4, 0.5])],
)
def test_the_det_curve_is_scikit_learns_at_its_ends_too(mated: list[float], non_mated: list[float]) -> None:
    labels = np.array([1] * len(mated) + [0] * len(non_mated))
    fmr, fnmr, threshold = sklearn_det_curve(labels, np.array(mated + non_mated))
    curve = det_curve(np.array(mated, np.float32), np.array(non_mated, np.float32))
    np.testing.assert_array_equal(curve.threshold, threshold.astype(np.float32))
    np.testing.assert_array_equal(curve.fmr, fmr)
    np.testing.assert_array_equal(curve.fnmr, fnmr)


def test_the_condensed_curve_has_the_same_errors_as_the_det_curve() -> None:
    mated, non_mated = drawn_scores(np.random.default_rng(2))
    exact, condensed = det_curve(mated, non_mated), ComparisonScores.of(mated, non_mated)
    np.testing.assert_array_equal(condensed.fmr(exact.threshold), exact.fmr)
    np.testing.assert_array_equal(condensed.fnmr(exact.threshold), exact.fnmr)
    curve = condensed.curve()
    assert np.all(np.diff(curve.fmr) <= 0)
    assert np.all(np.diff(curve.fnmr) >= 0)
    assert curve.fmr[-1] == 0


def test_a_comparison_that_could_not_be_made_is_an_error_if_mated_and_stays_counted() -> None:
    mated, non_mated = np.array([0.9, np.nan], np.float32), np.array([0.1, 0.2, 0.3, np.nan], np.float32)
    for curve in (det_curve(mated, non_mated), ComparisonScores.of(mated, non_mated).curve()):
        assert curve.fnmr.min() == 0.5
        assert curve.fmr.max() <= 0.75
    assert ComparisonScores.of(mated, non_mated).non_mated == 4


def test_no_det_curve_without_both_kinds() -> None:
    with pytest.raises(ValueError, match="both kinds"):
        det_curve(np.zeros(0, np.float32), np.zeros(3, np.float32))


def test_every_score_lies_in_the_bin_whose_edges_hold_it() -> None:
    rng = np.random.default_rng(3)
    edges = BIN_EDGES[1:]
    near = [edges, np.nextafter(edges, np.float32(-2)), np.nextafter(edges, np.float32(2))]
    scores = np.concatenate([*near, rng.uniform(-1, 1, 100_000), rng.normal(0, 1e-4, 10_000), [-1, 1]])
    scores = np.append(
        scores.astype(np.float32), np.nextafter(np.array([-1, 1], np.float32), np.array([-2, 2], np.float32))
    )
    wanted = np.bincount(np.searchsorted(BIN_EDGES, scores, side="right") - 1, minlength=len(BIN_EDGES))
    np.testing.assert_array_equal(bin_counts(scores), wanted)


def test_the_equal_error_rate_lies_where_the_errors_meet() -> None:
    curve = ErrorCurve(np.array([0.1, 0.2, 0.3]), np.array([0.4, 0.2, 0.0]), np.array([0.0, 0.1, 0.3]))
    assert curve.eer == pytest.approx(0.15)  # fmr from 0.2 to 0 meets fnmr from 0.1 to 0.3 a quarter of the way on
    apart = ComparisonScores.of(np.full(3, 0.9, np.float32), np.full(5, 0.1, np.float32))
    assert apart.curve().eer == 0.0
    wrong = ComparisonScores.of(np.full(3, 0.1, np.float32), np.full(5, 0.9, np.float32))
    assert wrong.curve().eer == 1.0


def test_a_target_needs_as_many_pairs_of_subjects_and_not_of_images() -> None:
    mated, non_mated = drawn_scores(np.random.default_rng(4))
    assert ComparisonScores.of(mated, non_mated).can_show(0.0002)
    few = ComparisonScores.of(mated, non_mated, subject_pairs=100)
    assert [target for target in (0.1, 0.01, 0.001) if few.can_show(target)] == [0.1, 0.01]
    document = few.as_dict()
    assert [point["fmr"] for point in document["fnmr_at_fmr"]] == [0.1, 0.01]
    assert document["insufficient_data"] == [0.001, 0.0001, 0.00001, 0.000001]


def test_a_thinned_curve_keeps_its_ends() -> None:
    mated, non_mated = drawn_scores(np.random.default_rng(5))
    whole = ComparisonScores.of(mated, non_mated).curve()
    thin = whole.thinned(50)
    assert len(thin) <= 50
    assert (thin.fmr[0], thin.fmr[-1]) == (whole.fmr[0], 0)
    assert set(thin.threshold.tolist()) <= set(whole.threshold.tolist())


def drawn_rows(rng: np.random.Generator, n: int) -> tuple[FloatArray, IntArray, IntArray]:
    """Rows of n/4 subjects in three groups, of which a subject may be in several; some not acquired."""
    subject = rng.integers(0, n // 4, n)
    centre = rng.normal(size=(n // 4, 16))
    vectors = (centre[subject] + rng.normal(size=(n, 16))).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    vectors[rng.random(n) < 0.05] = np.nan
    return vectors, subject, rng.integers(0, 3, n)


@pytest.mark.parametrize("n", [40, 1300])
def test_streamed_comparisons_are_those_of_a_loop_over_all_pairs(n: int) -> None:
    vectors, subject, group = drawn_rows(np.random.default_rng(n), n)
    cells = compare_vectors(vectors, subject, group)
    first, second = np.triu_indices(n, 1)
    scores = np.einsum("nd,nd->n", vectors[first], vectors[second])
    mated = subject[first] == subject[second]
    for low, high in itertools.combinations_with_replacement(range(3), 2):
        here = (np.minimum(group[first], group[second]) == low) & (np.maximum(group[first], group[second]) == high)
        cell, wrong = cells[low, high], scores[here & ~mated]
        assert (cell.non_mated, cell.not_compared) == (len(wrong), int(np.isnan(wrong).sum()))
        own = np.sort(np.nan_to_num(scores[here & mated], nan=-np.inf))
        np.testing.assert_allclose(cell.mated, own, atol=1e-6)
        np.testing.assert_allclose(cell.tail, np.sort(wrong[~np.isnan(wrong)]), atol=1e-6)
        np.testing.assert_array_equal(cell.bins, bin_counts(cell.tail))
        kept = here & ~mated & ~np.isnan(scores)
        named = {frozenset(pair) for pair in zip(subject[first[kept]], subject[second[kept]], strict=True)}
        assert cell.subject_pairs == len(named)


def test_a_short_tail_is_exact_and_below_it_the_bins_are_at_most_an_edge_away() -> None:
    vectors, subject, group = drawn_rows(np.random.default_rng(8), 1300)
    whole = compare_vectors(vectors, subject, np.zeros_like(group))[0, 0]
    short = compare_vectors(vectors, subject, np.zeros_like(group), tail=500)[0, 0]
    assert 500 <= len(short.tail) < 1500
    np.testing.assert_array_equal(short.tail, whole.tail[-len(short.tail) :])
    np.testing.assert_array_equal(short.bins, whole.bins)
    for fmr in (1e-5, 1e-4, 5e-4):
        assert short.threshold_at(fmr) == whole.threshold_at(fmr)
    for fmr in (0.01, 0.1, 0.5):
        assert 0 <= short.threshold_at(fmr) - whole.threshold_at(fmr) <= 3.1e-5
        assert whole.fmr(short.threshold_at(fmr)) <= fmr
        assert short.fmr(short.threshold_at(fmr)) == whole.fmr(short.threshold_at(fmr))


def test_cells_are_pairs_of_labels_and_the_unlabelled_are_among_them() -> None:
    rng = np.random.default_rng(9)
    subjects = [f"s{row // 2}" for row in range(60)]
    labels = [["F", "M", UNLABELLED][row // 2 % 3] for row in range(60)]
    manifest = made_manifest(subjects, references=0, groups={"sex": labels})
    result = compare_all(made_templates(manifest, rng.normal(size=(60, 16))), by=["sex"])
    assert result.groups == ("F", "M", UNLABELLED)
    assert {pair: len(cell.mated) for pair, cell in result.cells.items() if len(cell.mated)} == {
        ("F", "F"): 10,
        ("M", "M"): 10,
        (UNLABELLED, UNLABELLED): 10,
    }
    assert len(result.total.mated) + result.total.non_mated == 60 * 59 // 2
    assert result.total.subject_pairs == 30 * 29 // 2
    assert sum(cell.non_mated for cell in result.cells.values()) == result.total.non_mated
    document = result.as_dict([0.1])
    assert document["cells"][0]["groups"] == ["F", "F"]
    assert set(document["cells"][0]["fmr_at_threshold"][0]) == {"threshold", "fmr"}


def test_there_must_be_two_images_and_the_group_that_is_asked_for() -> None:
    one = made_templates(made_manifest(["ann"], references=0), np.ones((1, 4)))
    with pytest.raises(ManifestError, match="there is one image"):
        compare_all(one)
    with pytest.raises(ManifestError, match="no group column 'sex'"):
        compare_all(one[np.array([0, 0])], by=["sex"])


def test_progress_sees_every_block() -> None:
    vectors, subject, group = drawn_rows(np.random.default_rng(10), 1300)
    seen: list[tuple[int, int]] = []

    def watch(done: Iterable[int], total: int) -> Iterator[int]:
        for block in done:
            seen.append((block, total))
            yield block

    compare_vectors(vectors, subject, group, progress=watch)
    assert [block for block, _ in seen] == list(range(1, seen[0][1] + 1))
