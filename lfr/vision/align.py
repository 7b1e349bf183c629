"""Cut faces out, turned and scaled so that eyes, nose and mouth always lie in the same places."""

from __future__ import annotations

import cv2
import numpy as np

from lfr.geometry import similarity_transform
from lfr.models import ALIGNMENT_TEMPLATE, CROP_SIDE
from lfr.types import FloatArray, Pixels

__all__ = ["align"]

_TEMPLATE = np.array(ALIGNMENT_TEMPLATE, np.float32)


def align(pixels: Pixels, landmarks: FloatArray) -> Pixels:
    """Return aligned crops by the five-point similarity transform.

    Parameters
    ----------
    pixels
        (height, width, 3) BGR picture. What a crop would need from outside it is black.
    landmarks
        (n, 5, 2) in pixels, in the order of `Faces.landmarks`.

    Returns
    -------
    (n, 112, 112, 3) BGR.
    """
    crops = np.empty((len(landmarks), CROP_SIDE, CROP_SIDE, 3), np.uint8)
    for crop, matrix in zip(crops, similarity_transform(landmarks, _TEMPLATE), strict=True):
        cv2.warpAffine(pixels, matrix, (CROP_SIDE, CROP_SIDE), dst=crop, flags=cv2.INTER_LINEAR)
    return crops
