"""One-to-one protocols: read as published, decided on other folds, with nothing left out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lfr.errors import ManifestError
from lfr.evaluation import Acquired, fnmr_at_fmr, pair_scores, read_lfw_pairs, ten_fold_accuracy, verify_pairs
from lfr.models import Model
from lfr.types import Embeddings, FloatArray, IntArray
from lfr.vision import MEASURES, Quality
from tests.unit.evaluation.builders import lfw_of_demo_faces

PAIRS = """2\t2
Ann_A\t1\t2
Bea_B\t1\t3
Ann_A\t1\tBea_B\t1
Cy_C\t4\tAnn_A\t2
Dee_D\t1\t2
Eve_E\t1\t2
Dee_D\t1\tEve_E\t1
Cy_C\t4\tEve_E\t12
"""


def scores(*values: float) -> FloatArray:
    return np.array(values, np.float32)


def folds_of(n: int, folds: int) -> IntArray:
    return np.arange(n, dtype=np.int64) % folds


@pytest.fixture
def pairs_file(tmp_path: Path) -> Path:
    path = tmp_path / "pairs.txt"
    path.write_text(PAIRS, encoding="utf-8")
    return path


def test_a_pairs_file_gives_images_sides_kind_and_fold_of_each_pair(pairs_file: Path) -> None:
    pairs = read_lfw_pairs(pairs_file)
    assert len(pairs) == 8
    assert pairs.mated.tolist() == [True, True, False, False] * 2
    assert pairs.fold.tolist() == [0] * 4 + [1] * 4
    assert len(set(pairs.images)) == len(pairs.images) == 10
    named = [(pairs.images[a], pairs.images[b]) for a, b in zip(pairs.reference, pairs.probe, strict=True)]
    assert named[1] == ("Bea_B/Bea_B_0001.jpg", "Bea_B/Bea_B_0003.jpg")
    assert named[7] == ("Cy_C/Cy_C_0004.jpg", "Eve_E/Eve_E_0012.jpg")
    assert pairs.subjects[:3] == ("Ann_A", "Bea_B", "Ann_A")


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("2\t2\n", "", "line 1: expected the number of folds"),
        ("2\t2\n", "two\t2\n", "line 1: expected the number of folds"),
        ("2\t2\n", "3\t2\n", "12 pairs announced in line 1, 8 found"),
        ("Bea_B\t1\t3\n", "Bea_B\t1\tCy_C\t3\n", "line 3: expected a mated pair"),
        ("Cy_C\t4\tAnn_A\t2\n", "Cy_C\t4\t2\n", "line 5: expected a non-mated pair"),
        ("Ann_A\t1\tBea_B\t1\n", "Ann_A\tx\tBea_B\t1\n", "line 4: expected an image number, found 'x'"),
    ],
)
def test_a_broken_pairs_file_is_refused_by_path_and_line(old: str, new: str, complaint: str, pairs_file: Path) -> None:
    pairs_file.write_text(PAIRS.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(ManifestError) as refusal:
        read_lfw_pairs(pairs_file)
    assert str(pairs_file) in str(refusal.value)
    assert complaint in str(refusal.value)


def test_a_missing_or_unreadable_pairs_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match=r"none\.txt: cannot read the pairs: No such file"):
        read_lfw_pairs(tmp_path / "none.txt")
    (tmp_path / "binary.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ManifestError, match=r"binary\.txt: not UTF-8 text"):
        read_lfw_pairs(tmp_path / "binary.txt")


def test_scores_that_part_cleanly_are_decided_rightly_in_every_fold() -> None:
    mated = np.arange(40) % 2 == 0
    values = np.where(mated, 0.6, 0.1).astype(np.float32)
    result = ten_fold_accuracy(values, mated, np.arange(40) // 4)
    assert result.mean == 1.0
    assert result.standard_deviation == 0.0
    assert result.folds == (1.0,) * 10
    assert result.thresholds == pytest.approx((0.35,) * 10)


def test_a_fold_is_decided_by_the_threshold_of_the_others() -> None:
    """The second fold's own best threshold would decide it without error; the first fold's does not."""
    values = scores(0.9, 0.1, 0.4, 0.2)
    mated = np.array([True, False, True, False])
    result = ten_fold_accuracy(values, mated, np.array([0, 0, 1, 1]))
    assert result.thresholds == pytest.approx((0.3, 0.5))
    assert result.folds == (1.0, 0.5)
    assert result.mean == 0.75
    assert result.standard_deviation == pytest.approx(0.5 / np.sqrt(2))


def test_equal_scores_are_never_cut_apart() -> None:
    """Four non-mated and two mated pairs at 0.3: better lose those two than let all six match."""
    values = np.tile(scores(0.3, 0.3, 0.3, 0.3, 0.3, 0.3, 0.6, 0.6, 0.6), 2)
    mated = np.tile([False] * 4 + [True] * 5, 2)
    result = ten_fold_accuracy(values, mated, np.arange(18) // 9)
    assert result.thresholds == pytest.approx((0.45, 0.45))
    assert result.folds == pytest.approx((7 / 9, 7 / 9))


def test_the_threshold_is_the_best_one_of_all_by_trying_each() -> None:
    rng = np.random.default_rng(5)
    mated = rng.random(400) < 0.5
    values = (rng.normal(0.2, 0.1, 400) + 0.15 * mated).astype(np.float32).round(2)  # many equal scores
    folds = folds_of(400, 2)
    result = ten_fold_accuracy(values, mated, folds)
    for fold, threshold in enumerate(result.thresholds):
        training, kind = values[folds != fold].astype(np.float64), mated[folds != fold]
        best = max(((training >= t) == kind).mean() for t in np.linspace(-1, 1, 4001))
        assert ((training >= threshold) == kind).mean() == best


def test_a_pair_that_could_not_be_compared_is_an_error_whatever_its_kind() -> None:
    values = np.tile(scores(0.9, 0.1), 10)
    mated = np.tile([True, False], 10)
    values[0] = values[11] = np.nan
    result = ten_fold_accuracy(values, mated, np.arange(20) // 2)
    assert result.folds == (0.5, *(1.0,) * 4, 0.5, *(1.0,) * 4)
    assert result.mean == pytest.approx(0.9)


def test_one_fold_leaves_nothing_to_choose_a_threshold_on() -> None:
    with pytest.raises(ManifestError, match="at least two folds"):
        ten_fold_accuracy(scores(0.1, 0.2), np.array([True, False]), np.zeros(2, np.int64))


def test_fnmr_is_stated_at_the_smallest_threshold_that_keeps_fmr_under_its_target() -> None:
    non_mated = np.linspace(0.0, 0.99, 100, dtype=np.float32)
    mated = scores(0.5, 0.895, 0.95, 0.99)
    (point,) = fnmr_at_fmr(mated, non_mated, [0.1])
    matches = np.count_nonzero(non_mated >= np.float32(point.threshold))
    assert matches == 10
    lower = np.nextafter(np.float32(point.threshold), np.float32(-1))
    assert np.count_nonzero(non_mated >= lower) == 11
    assert (point.fnmr.count, point.fnmr.of) == (1, 4)
    assert point.fmr == 0.1


def test_equal_non_mated_scores_are_refused_together() -> None:
    """Letting one of the three match would let all match, which is over the target."""
    (point,) = fnmr_at_fmr(scores(0.5, 0.6), np.concatenate([scores(0.5, 0.5, 0.5), np.zeros(7, np.float32)]), [0.2])
    assert point.threshold > 0.5
    assert point.fnmr.count == 1


def test_a_target_that_the_data_cannot_show_is_left_out() -> None:
    non_mated = np.linspace(0, 0.5, 1000, dtype=np.float32)
    points = fnmr_at_fmr(scores(0.9), non_mated, [0.1, 0.001, 0.0009])
    assert [point.fmr for point in points] == [0.1, 0.001]
    assert fnmr_at_fmr(scores(0.9), non_mated[:0], [0.1]) == []


def test_at_a_target_of_1_everything_matches() -> None:
    (point,) = fnmr_at_fmr(scores(-0.9, 0.1), scores(0.2, 0.3), [1.0])
    assert point.threshold == -1.0
    assert point.fnmr.count == 0


def test_an_uncompared_pair_is_a_false_non_match_or_no_false_match_and_stays_counted() -> None:
    non_mated = np.concatenate([np.full(5, np.nan, np.float32), np.linspace(0, 0.5, 5, dtype=np.float32)])
    (point,) = fnmr_at_fmr(scores(np.nan, 0.9), non_mated, [0.1])
    assert np.count_nonzero(non_mated >= np.float32(point.threshold)) == 1
    assert (point.fnmr.count, point.fnmr.of) == (1, 2)


def test_pairs_of_one_subject_widen_the_interval() -> None:
    mated, non_mated = np.full(40, 0.9, np.float32), np.linspace(0, 0.3, 20, dtype=np.float32)
    mated[[0, 4, 8, 12, 1]] = 0.1  # four of the five errors are of one subject
    (apart,) = fnmr_at_fmr(mated, non_mated, [0.05])
    (together,) = fnmr_at_fmr(mated, non_mated, [0.05], mated_subjects=["a", "b", "c", "d"] * 10)
    assert apart.fnmr.value == together.fnmr.value
    assert apart.fnmr.low is not None
    assert apart.fnmr.high is not None
    assert together.fnmr.low is not None
    assert together.fnmr.high is not None
    assert together.fnmr.low < apart.fnmr.low < apart.fnmr.high < together.fnmr.high


def test_a_score_is_the_cosine_of_the_two_templates_and_nan_without_one(pairs_file: Path) -> None:
    pairs = read_lfw_pairs(pairs_file)
    vectors = np.random.default_rng(1).normal(size=(10, 4)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    vectors[0] = np.nan
    found = np.array([0] + [1] * 9, np.int64)
    unmeasured = Quality(np.full((10, len(MEASURES)), np.nan, np.float32))
    values = pair_scores(Acquired(Embeddings(vectors, "digest"), found, unmeasured), pairs)
    assert np.isnan(values[[0, 2]]).all()
    assert values[1] == pytest.approx(float(vectors[pairs.reference[1]] @ vectors[pairs.probe[1]]), abs=1e-6)


def test_a_protocol_over_demo_faces_gives_the_documented_keys(
    tmp_path: Path, demo_faces: list[Path], model: Model
) -> None:
    """Two folds; one image holds no face, and its mated pair is a false non-match."""
    lfw = lfw_of_demo_faces(tmp_path, demo_faces)
    result = verify_pairs(lfw, read_lfw_pairs(lfw / "pairs.txt"), model, targets=[0.5, 0.1])  # of two pairs of subjects
    document = result.as_dict()
    assert document["failures_to_acquire"] == 1
    assert (document["images"], document["mated"], document["non_mated"]) == (8, 4, 4)
    assert document["accuracy"] == 0.75  # both pairs with the grey picture are errors
    (point,) = document["fnmr_at_fmr"]
    assert set(point) == {"fmr", "fnmr", "threshold"}
    assert set(point["fnmr"]) == {"value", "low", "high", "count", "of", "method"}
    assert (point["fnmr"]["count"], point["fnmr"]["of"]) == (1, 4)
    assert document["insufficient_data"] == [0.1]
