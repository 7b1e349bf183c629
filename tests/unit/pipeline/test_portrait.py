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


@pytest.mark.parametrize(("degrees", "scale"), [(0, 0.5), (20, 0.8), (-15, 1.0)])
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
    places = [recogniser.detect(one).landmarks[0] for one in (straight, shown)]
    assert np.abs(places[0] - places[1]).mean() < 8, "of 384 pixels: what the detector itself is off by"


def test_a_picture_without_a_face_has_no_portrait() -> None:
    assert portrait(np.zeros((50, 50, 3), np.uint8), Faces.empty()) is None
