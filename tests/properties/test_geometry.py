"""Laws that boxes and transforms obey, whatever the numbers."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from lfr.geometry import clip_xyxy, iou_matrix, similarity_transform, transform_points
from lfr.types import FloatArray

coordinates = st.floats(-1000, 1000, width=32)
boxes = st.integers(0, 6).flatmap(lambda n: arrays(np.float32, (n, 4), elements=coordinates))
points = arrays(np.float32, (5, 2), elements=coordinates)


@given(boxes, boxes)
def test_overlap_lies_between_0_and_1_and_has_no_order(a: FloatArray, b: FloatArray) -> None:
    iou = iou_matrix(a, b)
    assert iou.shape == (len(a), len(b))
    assert np.all((iou >= 0) & (iou <= 1 + 1e-5))
    assert np.allclose(iou, iou_matrix(b, a).T, atol=1e-5)


@given(boxes, st.sampled_from([2, 4, 1024]))  # by a power of two, as another would round the sides of a narrow box
def test_overlap_does_not_depend_on_scale(a: FloatArray, factor: int) -> None:
    scaled = a * np.float32(factor)
    assert np.allclose(iou_matrix(scaled, scaled), iou_matrix(a, a), atol=1e-3)


@given(boxes, st.integers(1, 500), st.integers(1, 500))
def test_clipping_twice_is_clipping_once_and_stays_inside(a: FloatArray, width: int, height: int) -> None:
    once = clip_xyxy(a, (width, height))
    assert np.array_equal(clip_xyxy(once, (width, height)), once)
    assert np.all(once >= 0)
    assert np.all(once <= [width, height, width, height])


@given(points, st.floats(-3.1, 3.1), st.floats(0.1, 10), coordinates, coordinates)
def test_a_similarity_is_found_again_from_the_points_it_moved(
    source: FloatArray, angle: float, scale: float, x: float, y: float
) -> None:
    if np.ptp(source, axis=0).max() < 1:
        return  # nearly one point: no direction to find
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    matrix = np.concatenate([turn, [[x], [y]]], axis=1)
    target = transform_points(source.astype(np.float64), matrix)
    found = similarity_transform(source[None], target)[0]
    assert np.allclose(transform_points(source, found), target, atol=0.05)


@given(points, points, st.floats(-0.1, 0.1), st.floats(0.9, 1.1), st.floats(-5, 5), st.floats(-5, 5))
def test_no_other_similarity_lands_nearer(
    source: FloatArray, target: FloatArray, angle: float, scale: float, x: float, y: float
) -> None:
    if np.ptp(source, axis=0).max() < 1:
        return
    best = similarity_transform(source[None], target)[0].astype(np.float64)
    nudge = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    other = np.concatenate([nudge @ best[:, :2], (best[:, 2] + [x, y])[:, None]], axis=1)

    def miss(matrix: FloatArray) -> float:
        return float(np.sum((transform_points(source.astype(np.float64), matrix) - target) ** 2))

    assert miss(best) <= miss(other) * (1 + 1e-3) + 1e-2
