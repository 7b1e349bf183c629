"""Boxes and transforms: numpy only, no images."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float32]

__all__ = ["clip_xyxy", "iou_matrix", "similarity_transform", "transform_points"]


def iou_matrix(a_xyxy: FloatArray, b_xyxy: FloatArray) -> FloatArray:
    """Intersection over union of every box of ``a`` with every box of ``b``.

    Parameters
    ----------
    a_xyxy, b_xyxy
        (n, 4) and (m, 4) boxes. A box without area has no overlap with anything.

    Returns
    -------
    (n, m) in 0..1.
    """
    left_top = np.maximum(a_xyxy[:, None, :2], b_xyxy[None, :, :2])
    right_bottom = np.minimum(a_xyxy[:, None, 2:], b_xyxy[None, :, 2:])
    overlap = _area(right_bottom - left_top)
    union = _area(a_xyxy[:, 2:] - a_xyxy[:, :2])[:, None] + _area(b_xyxy[:, 2:] - b_xyxy[:, :2])[None] - overlap
    return np.divide(overlap, union, out=np.zeros_like(union), where=union > 0).astype(np.float32)


def _area(sides: FloatArray) -> NDArray[np.float64]:
    """(...,) of (..., 2) sides, 0 where one is negative; in float64, as the product of two small float32 is 0."""
    area: NDArray[np.float64] = np.prod(np.clip(sides, 0.0, None), axis=-1, dtype=np.float64)
    return area


def clip_xyxy(xyxy: FloatArray, resolution_wh: tuple[int, int]) -> FloatArray:
    """(n, 4) boxes cut to the image; a box outside it ends without area."""
    width, height = resolution_wh
    return np.clip(xyxy, 0.0, np.array([width, height, width, height], np.float32))


def similarity_transform(source: FloatArray, target: FloatArray) -> FloatArray:
    """Least-squares rotation, scale and shift that take ``source`` to ``target``.

    Umeyama, "Least-squares estimation of transformation parameters between
    two point patterns", IEEE TPAMI 13(4), 1991, vectorised over faces. In two
    dimensions, and without reflection, its solution has the closed form used
    here: with centred points as complex numbers, the rotation and scale are
    ``<source, target> / <source, source>``.

    Parameters
    ----------
    source
        (n, k, 2) points, for example landmarks.
    target
        (k, 2) points they should land on.

    Returns
    -------
    (n, 2, 3) matrices; all-NaN where the source points coincide.
    """
    source_mean = source.mean(axis=1, keepdims=True, dtype=np.float64)
    target_mean = target.mean(axis=0, dtype=np.float64)
    s = (source - source_mean) @ np.array([1, 1j])
    t = (target - target_mean) @ np.array([1, 1j])
    with np.errstate(divide="ignore", invalid="ignore"):
        turn = (np.conj(s) @ t) / np.sum(np.abs(s) ** 2, axis=1)
    linear = np.stack([np.stack([turn.real, -turn.imag], -1), np.stack([turn.imag, turn.real], -1)], -2)
    shift = target_mean - np.einsum("nij,nj->ni", linear, source_mean[:, 0])
    matrices: FloatArray = np.concatenate([linear, shift[:, :, None]], axis=2).astype(np.float32)
    return matrices


def transform_points(points: FloatArray, matrix: FloatArray) -> FloatArray:
    """(k, 2) points moved by one (2, 3) matrix."""
    moved: FloatArray = points @ matrix[:, :2].T + matrix[:, 2]
    return moved
