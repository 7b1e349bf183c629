"""A face as an officer compares it: upright, and at the same place and scale in every picture."""

from __future__ import annotations

import cv2
import numpy as np

from lfr.geometry import similarity_transform
from lfr.models import ALIGNMENT_TEMPLATE, CROP_SIDE
from lfr.types import Faces, Pixels

__all__ = ["portrait"]

_SIDE = 384
_SHARE = 0.7
"""How much of the portrait's side the crop that is embedded takes: hair, ears and chin are seen around it."""
_AROUND = (22, 17, 12)


def portrait(pixels: Pixels, faces: Faces) -> Pixels | None:
    """Return the largest face of a picture, turned and scaled so that eyes, nose and mouth lie where they always do.

    Nothing is drawn that is not in the picture: what lies outside it is dark, and nothing is sharpened.

    Parameters
    ----------
    pixels
        (height, width, 3) BGR.
    faces
        Found in it.

    Returns
    -------
    (384, 384, 3) BGR; None where there is no face.
    """
    if not len(faces):
        return None
    sides = faces.xyxy[:, 2:] - faces.xyxy[:, :2]
    largest = int(np.argmax(sides[:, 0] * sides[:, 1]))
    scale = _SIDE * _SHARE / CROP_SIDE
    places = np.array(ALIGNMENT_TEMPLATE, np.float32) * np.float32(scale) + np.float32(_SIDE * (1 - _SHARE) / 2)
    matrix = similarity_transform(faces.landmarks[largest : largest + 1], places)[0]
    shown = cv2.warpAffine(pixels, matrix, (_SIDE, _SIDE), flags=cv2.INTER_LINEAR, borderValue=_AROUND)
    return np.asarray(shown, np.uint8)
