"""The detector finds what OpenCV's finds, in pictures of any size."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from lfr.geometry import iou_matrix
from lfr.models import Export, Model
from lfr.types import Faces, FloatArray, Pixels
from lfr.vision import Detector
from lfr.vision.detect import _suppress
from tests.conftest import picture

Scene = Callable[..., Pixels]


@pytest.fixture(scope="module")
def scene(demo_faces: list[Path]) -> Scene:
    """Paint demo faces on a grey picture: ``scene((width, height), (left, top, side), ...)``."""
    portraits = [picture(path) for path in demo_faces[:8]]

    def paint(resolution_wh: tuple[int, int], *places: tuple[int, int, int]) -> Pixels:
        canvas = np.full((resolution_wh[1], resolution_wh[0], 3), 110, np.uint8)
        for i, (left, top, side) in enumerate(places):
            portrait = cv2.resize(portraits[i % len(portraits)], (side, side), interpolation=cv2.INTER_AREA)
            patch = canvas[top : top + side, left : left + side]
            patch[:] = portrait[: patch.shape[0], : patch.shape[1]]
        return canvas

    return paint


def opencv_faces(graph: Path, pixels: Pixels, *, score_threshold: float) -> Faces:
    peer = cv2.FaceDetectorYN.create(str(graph), "", (pixels.shape[1], pixels.shape[0]), score_threshold, 0.3)
    rows = peer.detect(pixels)[1]
    table = np.asarray(rows, np.float32)
    xyxy = np.concatenate([table[:, :2], table[:, :2] + table[:, 2:4]], axis=1)
    return Faces(xyxy, table[:, 4:14].reshape(-1, 5, 2), table[:, 14])


@pytest.mark.parametrize(
    ("resolution_wh", "places"),
    [
        ((250, 250), [(13, 13, 224)]),
        ((333, 517), [(10, 20, 200), (120, 300, 180)]),
        ((517, 333), [(0, 0, 150), (300, 100, 200)]),
        ((1280, 720), [(30, 40, 90), (300, 200, 224), (700, 100, 60), (900, 400, 300), (1150, 50, 120)]),
        ((64, 61), [(2, 0, 60)]),
        ((224, 224), [(0, 0, 224)]),
    ],
)
def test_faces_are_those_of_opencv_on_the_exported_network(
    resolution_wh: tuple[int, int],
    places: list[tuple[int, int, int]],
    scene: Scene,
    model: Model,
    onnx_exports: dict[str, Export],
) -> None:
    pixels = scene(resolution_wh, *places)
    ours = Detector(model.detector).detect(pixels)
    theirs = opencv_faces(onnx_exports["yunet"].path, pixels, score_threshold=0.7)
    assert len(ours) == len(theirs) == len(places)
    assert np.abs(ours.xyxy - theirs.xyxy).max() <= 0.01
    assert np.abs(ours.landmarks - theirs.landmarks).max() <= 0.01
    assert np.abs(ours.score - theirs.score).max() <= 1e-4


@pytest.mark.parametrize("resolution_wh", [(1, 1), (20, 20), (1, 300), (300, 1), (31, 33), (2000, 20)])
def test_a_picture_of_any_size_may_be_looked_at(resolution_wh: tuple[int, int], model: Model) -> None:
    pixels = np.full((resolution_wh[1], resolution_wh[0], 3), 128, np.uint8)
    for detector in (Detector(model.detector), Detector(model.detector, max_side=40, min_face_px=90)):
        assert len(detector.detect(pixels)) == 0


def test_the_best_face_comes_first(scene: Scene, model: Model) -> None:
    faces = Detector(model.detector).detect(scene((900, 300), (0, 0, 224), (300, 0, 60), (500, 0, 120)))
    assert len(faces) == 3
    assert np.all(np.diff(faces.score) <= 0)


def test_landmarks_are_the_persons_right_eye_left_eye_nose_and_mouth(scene: Scene, model: Model) -> None:
    (landmarks,) = Detector(model.detector).detect(scene((250, 250), (13, 13, 224))).landmarks
    right_eye, left_eye, nose, right_mouth, left_mouth = landmarks
    assert right_eye[0] < nose[0] < left_eye[0]  # the person's right is the picture's left
    assert right_mouth[0] < left_mouth[0]
    assert max(right_eye[1], left_eye[1]) < nose[1] < min(right_mouth[1], left_mouth[1])


def test_a_picture_with_a_longer_side_is_shrunk_and_its_faces_are_given_at_its_own_size(
    scene: Scene, model: Model
) -> None:
    pixels = scene((1280, 720), (300, 200, 224), (900, 400, 300))
    native = Detector(model.detector).detect(pixels)
    shrunk = Detector(model.detector, max_side=640).detect(pixels)
    assert len(native) == len(shrunk) == 2
    assert iou_matrix(native.xyxy, shrunk.xyxy).max(axis=1).min() > 0.8
    order = iou_matrix(native.xyxy, shrunk.xyxy).argmax(axis=1)
    assert np.abs(native.landmarks - shrunk.landmarks[order]).max() < 0.08 * native.size_px.max()


def test_both_axes_are_scaled_back_by_their_own_factor() -> None:
    """1000 x 37 shrinks to 100 x 4, which is not a tenth: the height's factor is 9.25."""

    def one_face(pixels: Pixels) -> tuple[FloatArray, ...]:
        cells = [(pixels.shape[1] // s) * (pixels.shape[2] // s) for s in (8, 16, 32)]
        certain = [np.zeros((1, n, 1), np.float32) for n in cells]
        certain[0][0, 0] = 1.0  # one face in the first cell, 8 pixels wide and high, its centre at (0, 0)
        flat = [np.zeros((1, n, k), np.float32) for k in (4, 10) for n in cells]
        return (*certain, *certain, *flat)

    faces = Detector(one_face, max_side=100).detect(np.zeros((37, 1000, 3), np.uint8))
    assert faces.xyxy.tolist() == [[-40.0, -37.0, 40.0, 37.0]]


def test_a_picture_that_is_small_enough_is_not_touched(scene: Scene, model: Model) -> None:
    pixels = scene((517, 333), (100, 50, 224))
    native, limited = (Detector(model.detector, max_side=side).detect(pixels) for side in (None, 517))
    assert np.array_equal(native.xyxy, limited.xyxy)


def test_a_smallest_face_shrinks_the_picture_as_far_as_that_face_allows(scene: Scene, model: Model) -> None:
    sizes: list[tuple[int, ...]] = []

    def watched(pixels: Pixels) -> tuple[FloatArray, ...]:
        sizes.append(pixels.shape)
        return model.detector(pixels)

    street = scene((1280, 720), (300, 200, 260), (900, 400, 60))
    assert len(Detector(watched).detect(street)) == 2
    assert len(Detector(watched, min_face_px=20).detect(street)) == 2
    assert len(Detector(watched, min_face_px=100).detect(street)) == 1
    assert sizes == [(1, 736, 1280, 3), (1, 736, 1280, 3), (1, 160, 256, 3)]


def test_a_picture_leaves_nothing_behind_for_the_next_one(scene: Scene, model: Model) -> None:
    detector = Detector(model.detector)
    smaller = scene((225, 225), (0, 0, 225))
    alone = Detector(model.detector).detect(smaller)
    detector.detect(scene((250, 250), (13, 13, 224)))  # both fill a canvas of 256 x 256
    after = detector.detect(smaller)
    assert np.array_equal(alone.xyxy, after.xyxy)
    assert [canvas.any() for canvas in detector._canvases] == [False]


def test_the_picture_is_wiped_even_when_the_network_fails() -> None:
    def failing(pixels: Pixels) -> tuple[FloatArray, ...]:
        raise MemoryError

    detector = Detector(failing)
    with pytest.raises(MemoryError):
        detector.detect(np.full((40, 40, 3), 200, np.uint8))
    assert [canvas.any() for canvas in detector._canvases] == [False]


def test_a_higher_score_threshold_finds_a_part_of_the_faces(scene: Scene, model: Model) -> None:
    pixels = scene((900, 300), (0, 0, 224), (300, 0, 30), (500, 0, 120))
    many = Detector(model.detector, score_threshold=0.1).detect(pixels)
    between = float(many.score[0] + many.score[-1]) / 2
    few = Detector(model.detector, score_threshold=between).detect(pixels)
    assert 0 < len(few) < len(many)
    assert np.array_equal(few.xyxy, many[many.score >= between].xyxy)


def test_of_two_overlapping_boxes_the_better_one_stays() -> None:
    xyxy = np.array([[0, 0, 10, 10], [1, 1, 11, 11], [30, 0, 40, 10], [5, 0, 15, 10]], np.float32)
    score = np.array([0.8, 0.9, 0.7, 0.75], np.float32)
    # The last overlaps the best by a third or so and goes; beside the second best it would have stayed.
    assert _suppress(score, xyxy, max_iou=0.3).tolist() == [1, 2]
    assert _suppress(score, xyxy, max_iou=0.5).tolist() == [1, 3, 2]
    assert _suppress(score[:0], xyxy[:0], max_iou=0.3).tolist() == []


def test_suppression_of_very_many_boxes_is_that_of_a_plain_loop() -> None:
    rng = np.random.default_rng(3)
    corner = rng.uniform(0, 200, (1500, 2)).astype(np.float32)
    xyxy = np.concatenate([corner, corner + rng.uniform(5, 40, (1500, 2)).astype(np.float32)], axis=1)
    score = rng.uniform(0, 1, 1500).astype(np.float32)
    kept: list[int] = []
    for i in np.argsort(-score):
        if not kept or iou_matrix(xyxy[i : i + 1], xyxy[kept]).max() <= 0.3:
            kept.append(int(i))
    assert _suppress(score, xyxy, max_iou=0.3).tolist() == kept
