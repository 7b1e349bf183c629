"""Precision and recall of a detector, at values worked out by hand."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from lfr.errors import ManifestError
from lfr.evaluation import (
    ALL_SCORES,
    LabelledImage,
    by_face_size,
    evaluate_detection,
    opencv_finder,
    precision_recall,
    read_wider,
)
from lfr.models import Export, Model
from lfr.types import Faces
from lfr.vision import Detector
from tests.conftest import picture

Box = tuple[float, float, float, float]
HEADER = "image,orig_w,orig_h,face,x,y,w,h,x416,y416,w416,h416,invalid"


def found(*rows: tuple[Box, float]) -> Faces:
    n = len(rows)
    xyxy = np.array([box for box, _ in rows], np.float32).reshape(n, 4)
    return Faces(xyxy, np.zeros((n, 5, 2), np.float32), np.array([score for _, score in rows], np.float32))


def truth(*boxes: Box, ignored: tuple[Box, ...] = ()) -> LabelledImage:
    both = [*boxes, *ignored]
    flags = np.array([False] * len(boxes) + [True] * len(ignored), np.bool_)
    return LabelledImage(Path("none"), (400, 300), np.array(both, np.float32).reshape(-1, 4), flags)


A, B, C, FAR = (0, 0, 20, 20), (50, 0, 70, 20), (100, 0, 120, 20), (300, 200, 320, 220)


def test_a_detector_without_error_has_an_average_precision_of_1() -> None:
    result = precision_recall([found((A, 0.9), (B, 0.8)), found((C, 0.7))], [truth(A, B), truth(C)])
    assert result.average_precision == pytest.approx(1.0)
    assert result.faces == 3


def test_average_precision_is_the_area_under_the_interpolated_curve() -> None:
    """Right, wrong, right, wrong, with four to find: half at precision 1, then 2/3 for another quarter."""
    result = precision_recall(
        [found((A, 0.9), (FAR, 0.8), (B, 0.7), ((200, 200, 220, 220), 0.6))], [truth(A, B, C, (150, 0, 170, 20))]
    )
    assert result.correct.tolist() == [True, False, True, False]
    assert result.precision == pytest.approx([1, 1 / 2, 2 / 3, 1 / 2])
    assert result.recall == pytest.approx([0.25, 0.25, 0.5, 0.5])
    assert result.average_precision == pytest.approx(0.25 * 1 + 0.25 * 2 / 3)
    assert result.as_dict() == {"faces": 4, "average_precision": result.average_precision}


def test_a_face_is_found_once() -> None:
    result = precision_recall([found((A, 0.9), ((1, 0, 21, 20), 0.8))], [truth(A)])
    assert result.correct.tolist() == [True, False]


def test_the_better_detection_takes_the_face_even_where_it_overlaps_less() -> None:
    result = precision_recall([found((A, 0.5), ((3, 0, 23, 20), 0.9))], [truth(A)])
    assert result.score.tolist() == pytest.approx([0.9, 0.5])
    assert result.correct.tolist() == [True, False]


@pytest.mark.parametrize(("width", "is_true"), [(10, True), (9.9, False)])
def test_half_of_an_overlap_is_enough(width: float, is_true: bool) -> None:
    result = precision_recall([found(((0, 0, width, 20), 0.9))], [truth(A)], min_width_px=1)
    assert result.correct.tolist() == [is_true]


def test_a_face_to_be_ignored_costs_nothing_found_or_missed_however_often() -> None:
    image = truth(A, ignored=(B, C))
    result = precision_recall([found((A, 0.9), (B, 0.8), ((51, 0, 71, 20), 0.7))], [image])
    assert result.correct.tolist() == [True]
    assert result.faces == 1
    assert result.average_precision == 1.0


def test_a_detection_too_narrow_counts_only_where_it_finds_a_face() -> None:
    narrow: Box = (200, 0, 209, 12)
    result = precision_recall([found((narrow, 0.9), ((0, 0, 9, 20), 0.8))], [truth((0, 0, 10, 20))])
    assert result.correct.tolist() == [True]


def test_each_band_of_widths_counts_its_own_faces_and_false_detections() -> None:
    wide: Box = (0, 100, 60, 160)
    wrong_wide: Box = (200, 100, 255, 160)
    image = truth(A, B, wide)
    bands = by_face_size([found((A, 0.9), (wide, 0.8), (wrong_wide, 0.75), (B, 0.6))], [image], score_threshold=0.7)
    assert [(band.from_px, band.result.faces if band.result else 0) for band in bands] == [
        (10, 0),
        (20, 2),
        (40, 1),
        (80, 0),
    ]
    narrow, middle = bands[1].as_dict(), bands[2].as_dict()
    assert (narrow["precision"]["value"], narrow["recall"]["value"]) == (1.0, 0.5)  # B scores under the threshold
    assert (narrow["average_precision"], middle["average_precision"]) == (pytest.approx(1.0), pytest.approx(1.0))
    assert (middle["precision"]["value"], middle["recall"]["value"]) == (0.5, 1.0)
    assert bands[3].as_dict() == {
        "from_px": 80,
        "under_px": None,
        "faces": 0,
        "average_precision": None,
        "precision": None,
        "recall": None,
    }


def test_precision_and_recall_at_a_score_have_intervals_over_pictures() -> None:
    images = [truth(A, B), truth(A, B), truth(A, B)]
    result = precision_recall([found((A, 0.9), (B, 0.9)), found((A, 0.9), (FAR, 0.9)), Faces.empty()], images)
    precision, recall = result.at(0.5)
    assert (precision.count, precision.of, recall.count, recall.of) == (3, 4, 3, 6)
    assert precision.method == recall.method == "wilson-over-subjects"
    assert result.at(0.95)[0].value is None


def test_a_detector_that_finds_nothing_has_an_average_precision_of_0() -> None:
    assert precision_recall([Faces.empty()], [truth(A)]).average_precision == 0.0


def test_nothing_to_find_is_refused() -> None:
    with pytest.raises(ManifestError, match="no labelled face is large enough"):
        precision_recall([found((A, 0.9))], [truth(ignored=(A,))])


@pytest.fixture
def wider(tmp_path: Path, demo_faces: list[Path]) -> Path:
    """One demo face in a picture of 832x624, stored stretched to 416x416 with its label."""
    scene = np.full((624, 832, 3), 110, np.uint8)
    scene[200:424, 300:524] = picture(demo_faces[0])
    (tmp_path / "images").mkdir()
    cv2.imwrite(str(tmp_path / "images" / "a.png"), cv2.resize(scene, (416, 416), interpolation=cv2.INTER_AREA))
    # The face of the portrait, about (43, 22) to (180, 206) in it.
    x, y, w, h = 343, 222, 137, 184
    face = f"a.png,832,624,0,{x},{y},{w},{h},{x / 2},{y * 416 / 624},{w / 2},{h * 416 / 624},0"
    small = "a.png,832,624,1,0,0,18,24,0,0,9.99,16,0"
    invalid = "a.png,832,624,2,0,0,60,60,0,0,30,40,1"
    (tmp_path / "gt.csv").write_text("\n".join([HEADER, face, small, invalid]) + "\n", encoding="utf-8")
    return tmp_path


def test_pictures_stored_stretched_get_their_aspect_back(wider: Path) -> None:
    (image,) = read_wider(wider)
    assert image.resolution_wh == (416, 312)
    assert image.pixels().shape == (312, 416, 3)
    assert image.xyxy[0] == pytest.approx([171.5, 111, 240, 203])
    assert image.ignored.tolist() == [False, True, True]


def test_a_face_is_found_in_the_restored_picture_by_us_and_by_opencv(
    wider: Path, model: Model, onnx_exports: dict[str, Export]
) -> None:
    images = read_wider(wider)
    ours = evaluate_detection(images, Detector(model.detector, score_threshold=ALL_SCORES).detect)
    theirs = evaluate_detection(images, opencv_finder(onnx_exports["yunet"].path.read_bytes()))
    assert ours.average_precision == theirs.average_precision == 1.0
    assert ours.score[0] == pytest.approx(theirs.score[0], abs=1e-4)


def test_opencv_on_a_picture_without_a_face_finds_none(onnx_exports: dict[str, Export]) -> None:
    finder = opencv_finder(onnx_exports["yunet"].path.read_bytes(), score_threshold=0.7)
    assert len(finder(np.full((100, 90, 3), 128, np.uint8))) == 0


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("a.png,832,624,0,1,1,1,1,1,1,wide,1,0", "line 2: missing or not a number"),
        ("a.png,0,624,0,1,1,1,1,1,1,1,1,0", "line 2: missing or not a number"),
        ("a.png,832", "line 2: missing or not a number"),
    ],
)
def test_broken_labels_are_refused_by_path_and_line(line: str, complaint: str, tmp_path: Path) -> None:
    (tmp_path / "gt.csv").write_text(f"{HEADER}\n{line}\n", encoding="utf-8")
    with pytest.raises(ManifestError) as refusal:
        read_wider(tmp_path)
    assert str(tmp_path / "gt.csv") in str(refusal.value)
    assert complaint in str(refusal.value)


def test_missing_labels_are_named(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match=r"gt\.csv: cannot read the labels: No such file"):
        read_wider(tmp_path)
