"""A face as an officer compares it."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from lfr.models import Model
from lfr.pipeline import Recogniser, portrait
from lfr.sources import demo_portraits, read_image
from lfr.types import Faces, Pixels


def turned(pixels: Pixels, *, degrees: float, scale: float) -> Pixels:
    matrix = cv2.getRotationMatrix2D((pixels.shape[1] / 2, pixels.shape[0] / 2), degrees, scale)
    return np.asarray(cv2.warpAffine(pixels, matrix, (pixels.shape[1], pixels.shape[0])), np.uint8)


def off(recogniser: Recogniser, one: Pixels, other: Pixels) -> float:
    """Mean distance of the five points, in pixels."""
    places = [recogniser.detect(pixels).landmarks[0] for pixels in (one, other)]
    return float(np.linalg.norm(places[0] - places[1], axis=1).mean())


@pytest.mark.parametrize(("degrees", "scale"), [(0, 0.5), (0, 0.7), (8, 0.5)])
def test_eyes_nose_and_mouth_lie_in_the_same_places_however_the_face_was_seen(
    model: Model, degrees: float, scale: float
) -> None:
    recogniser = Recogniser(model)
    pixels = read_image(demo_portraits()[0].path)
    wide = np.asarray(cv2.copyMakeBorder(pixels, 80, 80, 80, 80, cv2.BORDER_REPLICATE), np.uint8)
    straight = portrait(wide, recogniser.detect(wide))
    seen = turned(wide, degrees=degrees, scale=scale)
    shown = portrait(seen, recogniser.detect(seen))
    assert straight is not None
    assert shown is not None
    before = off(recogniser, wide, seen) * 384 / wide.shape[0]
    after = off(recogniser, straight, shown)
    assert after < 12, "of 384 pixels: what the detector itself is off by"
    assert after < before


def test_a_picture_without_a_face_has_no_portrait() -> None:
    assert portrait(np.zeros((50, 50, 3), np.uint8), Faces.empty()) is None
