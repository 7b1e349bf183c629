"""The default model on real faces: as accurate as when it was measured, and as OpenCV's detector."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from lfr.evaluation import (
    ALL_SCORES,
    Verification,
    evaluate_detection,
    opencv_finder,
    read_lfw_pairs,
    read_wider,
    verify_pairs,
)
from lfr.models import Export, Model
from lfr.models.runtimes import openvino_core
from lfr.vision import Detector

BF16_HERE = "BF16" in openvino_core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
FAST_VERSIONS = ["openvino-bf16"] if BF16_HERE else []


def every_tenth_pair(lfw: Path, target: Path) -> Path:
    """Write LFW's protocol with 30 instead of 300 pairs of each kind a fold, spread over the alphabet."""
    lines = (lfw / "pairs.txt").read_text(encoding="utf-8").splitlines()
    target.write_text("\n".join(["10\t30", *lines[1::10]]), encoding="utf-8")
    return target


def verify(lfw: Path, pairs: Path, model: Model) -> Verification:
    return verify_pairs(lfw / "images", read_lfw_pairs(pairs), model)


def test_a_tenth_of_lfw_is_decided_as_well_as_a_model_at_0_993_would(
    eval_data: Path, tmp_path: Path, model: Model
) -> None:
    """A model with an accuracy of 0.993 makes ten errors or more in 600 pairs in 1% of samples: 0.985 allows nine."""
    lfw = eval_data / "lfw"
    result = verify(lfw, every_tenth_pair(lfw, tmp_path / "pairs.txt"), model)
    assert (result.mated, result.non_mated) == (300, 300)
    assert result.accuracy.mean >= 0.985
    assert not result.acquired.failed.any()


@pytest.mark.long
@pytest.mark.parametrize("name", ["openvino-f32", *FAST_VERSIONS])
def test_lfw_by_its_ten_fold_protocol(name: str, eval_data: Path, load: Callable[[str], Model]) -> None:
    lfw = eval_data / "lfw"
    result = verify(lfw, lfw / "pairs.txt", load(name))
    assert (result.mated, result.non_mated, len(result.acquired)) == (3000, 3000, 7701)
    assert result.accuracy.mean >= 0.993
    assert not result.acquired.failed.any()
    assert next(p for p in result.fnmr_at_fmr if p.fmr == 0.001).fnmr.count <= 45


@pytest.mark.parametrize(
    "name", ["openvino-f32", *(pytest.param(version, marks=pytest.mark.long) for version in FAST_VERSIONS)]
)
def test_the_detector_is_as_precise_as_opencvs_on_wider_within_half_a_point(
    name: str, eval_data: Path, load: Callable[[str], Model], onnx_exports: dict[str, Export]
) -> None:
    images = read_wider(eval_data / "detection" / "wider_subset200")
    ours = evaluate_detection(images, Detector(load(name).detector, score_threshold=ALL_SCORES).detect)
    theirs = evaluate_detection(images, opencv_finder(onnx_exports["yunet"].path.read_bytes()))
    assert (len(images), ours.faces) == (200, 1087)
    assert abs(ours.average_precision - theirs.average_precision) <= 0.005
    assert ours.average_precision >= 0.73
