"""Find faces: scale, run the network, decode, suppress overlaps."""

from __future__ import annotations

import cv2
import numpy as np

from lfr.geometry import iou_matrix
from lfr.models import STRIDES, Network
from lfr.types import Faces, FloatArray, IntArray, Pixels

__all__ = ["NATIVE_FACE_PX", "SCORE_THRESHOLD", "Detector"]

NATIVE_FACE_PX = 20
"""Face height in pixels of the network's input from which detection is reliable; see the model's card."""

SCORE_THRESHOLD = 0.7
"""Detection score that faces of live frames are held to."""

_STEP = STRIDES[-1]
_BLOCK = 128  # boxes compared with each other at once, so that memory is bounded whatever the score threshold


class Detector:
    """Faces of one picture.

    Parameters
    ----------
    network
        YuNet on some runtime: ``Model.detector``.
    score_threshold
        Faces scored lower are dropped, 0..1.
    nms_iou
        Of two faces overlapping by more than this, the lower scored is dropped.
    max_side
        Longer side in pixels beyond which a picture is shrunk first; None: never.
    min_face_px
        Smallest face in pixels of the picture that must be found. A picture is shrunk as far
        as that allows, which saves time; None: detection at native resolution.
    """

    def __init__(
        self,
        network: Network,
        *,
        score_threshold: float = SCORE_THRESHOLD,
        nms_iou: float = 0.3,
        max_side: int | None = None,
        min_face_px: int | None = None,
    ) -> None:
        self._network = network
        self._score_threshold = score_threshold
        self._nms_iou = nms_iou
        self._max_side = max_side
        self._min_face_px = min_face_px
        self._canvases: list[Pixels] = []  # black ones, to be taken by any thread

    def detect(self, pixels: Pixels) -> Faces:
        """Return the faces of a (height, width, 3) BGR picture, highest score first; several threads may call it."""
        height, width = pixels.shape[:2]
        scale = self._scale(max(height, width))
        size_wh = max(1, round(width * scale)), max(1, round(height * scale))
        canvas = self._on_canvas(pixels, size_wh)
        try:
            score, xyxy, landmarks = _decode(self._network(canvas), canvas.shape[1:3], threshold=self._score_threshold)
        finally:
            canvas[:] = 0
            self._canvases.append(canvas)
        kept = _suppress(score, xyxy, max_iou=self._nms_iou)
        # Sides are whole pixels, so the two axes are not shrunk by quite the same factor.
        back = np.array([width / size_wh[0], height / size_wh[1]], np.float32)
        return Faces(xyxy[kept] * np.tile(back, 2), landmarks[kept] * back, score[kept])

    def _scale(self, longer_side: int) -> float:
        scale = 1.0
        if self._max_side is not None:
            scale = min(scale, self._max_side / longer_side)
        if self._min_face_px is not None:
            scale = min(scale, NATIVE_FACE_PX / self._min_face_px)
        return scale

    def _on_canvas(self, pixels: Pixels, size_wh: tuple[int, int]) -> Pixels:
        """Return (1, h, w, 3) with the picture, scaled, at the left top and black up to multiples of 32."""
        width, height = size_wh
        shape = (1, -(-height // _STEP) * _STEP, -(-width // _STEP) * _STEP, 3)
        try:
            canvas = self._canvases.pop()
        except IndexError:  # the first time, and where other threads have them
            canvas = np.zeros(shape, np.uint8)
        if canvas.shape != shape:
            canvas = np.zeros(shape, np.uint8)
        if (width, height) == (pixels.shape[1], pixels.shape[0]):
            canvas[0, :height, :width] = pixels
        else:
            # Averaging over areas keeps small faces; it only differs from linear where pixels are dropped.
            area = cv2.INTER_AREA if 2 * width <= pixels.shape[1] else cv2.INTER_LINEAR
            cv2.resize(pixels, size_wh, dst=canvas[0, :height, :width], interpolation=area)
        return canvas


def _decode(
    outputs: tuple[FloatArray, ...], size_hw: tuple[int, int], *, threshold: float
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return scores (n,), boxes (n, 4) and landmarks (n, 5, 2) of the cells at or over the threshold."""
    scores, boxes, points = [], [], []
    for i, stride in enumerate(STRIDES):
        classification, objectness, box, landmarks = (outputs[3 * kind + i][0] for kind in range(4))
        confidence = classification[:, 0] * objectness[:, 0]
        cell = np.flatnonzero(confidence >= threshold**2)
        row, column = np.divmod(cell, size_hw[1] // stride)
        origin = np.stack([column, row], axis=1).astype(np.float32)
        centre = (origin + box[cell, :2]) * stride
        half = np.exp(box[cell, 2:]) * (stride / 2)
        scores.append(np.sqrt(confidence[cell]))
        boxes.append(np.concatenate([centre - half, centre + half], axis=1))
        points.append((landmarks[cell].reshape(-1, 5, 2) + origin[:, None]) * stride)
    return (
        np.concatenate(scores).astype(np.float32),
        np.concatenate(boxes).astype(np.float32),
        np.concatenate(points).astype(np.float32),
    )


def _suppress(score: FloatArray, xyxy: FloatArray, *, max_iou: float) -> IntArray:
    """Return the rows that greedy non-maximum suppression keeps, highest score first."""
    order = np.argsort(-score, kind="stable")
    kept = order[:0]
    for start in range(0, len(order), _BLOCK):
        block = order[start : start + _BLOCK]
        block = block[~(iou_matrix(xyxy[block], xyxy[kept]) > max_iou).any(axis=1)]
        overlapping = iou_matrix(xyxy[block], xyxy[block]) > max_iou
        alive = np.ones(len(block), np.bool_)
        for i in range(len(block)):
            if alive[i]:
                alive[i + 1 :] &= ~overlapping[i, i + 1 :]
        kept = np.concatenate([kept, block[alive]])
    return kept
