"""Boxes and transforms at the values that matter."""

from __future__ import annotations

import numpy as np
import pytest

from lfr.geometry import clip_xyxy, iou_matrix, similarity_transform, transform_points
from lfr.types import FloatArray

TEMPLATE = np.array([[38, 52], [74, 52], [56, 72], [42, 92], [71, 92]], np.float32)


def boxes(*rows: tuple[float, float, float, float]) -> FloatArray:
    return np.array(rows, np.float32).reshape(-1, 4)


@pytest.mark.parametrize(
    ("other", "expected"),
    [
        ((0, 0, 10, 10), 1.0),
        ((5, 0, 15, 10), 1 / 3),
        ((2, 2, 7, 7), 0.25),
        ((10, 0, 20, 10), 0.0),  # they touch
        ((30, 30, 40, 40), 0.0),
        ((3, 3, 3, 9), 0.0),  # no width
        ((8, 8, 2, 2), 0.0),  # inside out
    ],
)
def test_overlap_is_the_shared_area_over_the_covered_area(
    other: tuple[float, float, float, float], expected: float
) -> None:
    assert iou_matrix(boxes((0, 0, 10, 10)), boxes(other))[0, 0] == pytest.approx(expected, abs=1e-6)


def test_a_box_without_area_overlaps_nothing_not_even_itself() -> None:
    assert iou_matrix(boxes((3, 3, 3, 3)), boxes((3, 3, 3, 3)))[0, 0] == 0.0


def test_overlap_of_no_boxes_is_an_empty_matrix() -> None:
    assert iou_matrix(boxes(), boxes((0, 0, 1, 1), (0, 0, 2, 2))).shape == (0, 2)
    assert iou_matrix(boxes((0, 0, 1, 1)), boxes()).shape == (1, 0)


def test_clipped_boxes_lie_in_the_image_and_one_outside_has_no_area() -> None:
    clipped = clip_xyxy(boxes((-5, -5, 30, 8), (50, 50, 60, 60)), (20, 10))
    assert clipped.tolist() == [[0, 0, 20, 8], [20, 10, 20, 10]]
    assert clipped.dtype == np.float32


def test_a_turned_scaled_and_shifted_face_is_brought_back_to_the_template() -> None:
    angle, scale = np.deg2rad(35.0), 2.5
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    moved = (TEMPLATE @ turn.T + np.array([120.0, -30.0])).astype(np.float32)
    matrix = similarity_transform(moved[None], TEMPLATE)[0]
    assert np.allclose(transform_points(moved, matrix), TEMPLATE, atol=1e-3)
    assert np.linalg.det(matrix[:, :2]) == pytest.approx(scale**-2, rel=1e-4)


def test_a_mirrored_face_is_turned_and_not_mirrored_back() -> None:
    mirrored = TEMPLATE * np.array([-1, 1], np.float32)
    matrix = similarity_transform(mirrored[None], TEMPLATE)[0]
    assert np.linalg.det(matrix[:, :2]) > 0
    assert not np.allclose(transform_points(mirrored, matrix), TEMPLATE, atol=5)


def test_points_that_coincide_have_no_transform() -> None:
    both = np.stack([np.full((5, 2), 7, np.float32), TEMPLATE])
    matrices = similarity_transform(both, TEMPLATE)
    assert np.isnan(matrices[0]).all()
    assert np.allclose(matrices[1], [[1, 0, 0], [0, 1, 0]], atol=1e-5)


def test_no_faces_have_no_transforms() -> None:
    assert similarity_transform(np.zeros((0, 5, 2), np.float32), TEMPLATE).shape == (0, 2, 3)
