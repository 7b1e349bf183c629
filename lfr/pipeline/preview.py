"""What a person may see of a frame: everybody blurred but those an alert is about."""

from __future__ import annotations

from collections.abc import Mapping

import cv2
import numpy as np

from lfr.geometry import clip_xyxy
from lfr.types import Faces, FloatArray, Pixels, Tracks

__all__ = ["draw_preview"]

_ALERT = (40, 40, 235)
_CELLS = 3  # of a face that is blurred, across and down
_MARGIN = 0.25  # blur this much of the box beyond it, so that nothing of a face is left at its edge


def draw_preview(pixels: Pixels, *, faces: Faces, tracks: Tracks, alerted: Mapping[int, str]) -> Pixels:
    """Return a copy of a frame that is fit to be shown.

    Parameters
    ----------
    pixels
        (height, width, 3) BGR frame.
    faces, tracks
        What was found in it.
    alerted
        Label to draw for each track an alert is about; those are framed and stay sharp.
    """
    picture = pixels.copy()
    shown = np.array([track_id in alerted for track_id in tracks.track_id.tolist()], np.bool_)
    tracked = set(tracks.face_index.tolist())
    stray = np.array([i not in tracked for i in range(len(faces))], np.bool_)
    for box in np.concatenate([tracks.xyxy[~shown], faces.xyxy[stray]]):
        _blur(picture, box)
    for track_id, box in zip(tracks.track_id[shown].tolist(), tracks.xyxy[shown], strict=True):
        _frame(picture, box, alerted[track_id])
    return picture


def _cells(picture: Pixels, xyxy: FloatArray, *, margin: float) -> tuple[slice, slice]:
    width, height = xyxy[2] - xyxy[0], xyxy[3] - xyxy[1]
    grown = xyxy + np.array([-width, -height, width, height], np.float32) * np.float32(margin)
    left, top, right, bottom = clip_xyxy(grown[None], (picture.shape[1], picture.shape[0]))[0].astype(int)
    return slice(top, bottom), slice(left, right)


def _blur(picture: Pixels, xyxy: FloatArray) -> None:
    rows, columns = _cells(picture, xyxy, margin=_MARGIN)
    patch = picture[rows, columns]
    if not patch.size:
        return
    # Nine cells and nothing else: a blur can be undone in part, and even a few more cells show a face to a person.
    coarse = cv2.resize(patch, (_CELLS, _CELLS), interpolation=cv2.INTER_AREA)
    picture[rows, columns] = cv2.resize(coarse, (patch.shape[1], patch.shape[0]), interpolation=cv2.INTER_NEAREST)


def _frame(picture: Pixels, xyxy: FloatArray, label: str) -> None:
    left, top, right, bottom = (int(v) for v in xyxy)
    thickness = max(2, picture.shape[0] // 300)
    scale = picture.shape[0] / 1100
    cv2.rectangle(picture, (left, top), (right, bottom), _ALERT, thickness)
    (width, height), _ = cv2.getTextSize(label, cv2.FONT_HERSHEY_SIMPLEX, scale, thickness)
    cv2.rectangle(picture, (left, top - height - 10), (left + width + 8, top), _ALERT, -1)
    cv2.putText(
        picture,
        label,
        (left + 4, top - 6),
        cv2.FONT_HERSHEY_SIMPLEX,
        scale,
        (255, 255, 255),
        max(1, thickness - 1),
        cv2.LINE_AA,
    )
