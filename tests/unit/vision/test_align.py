"""Aligned faces have eyes, nose and mouth where the template has them."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from lfr.geometry import similarity_transform, transform_points
from lfr.models import ALIGNMENT_TEMPLATE, CROP_SIDE, Model
from lfr.types import FloatArray, Pixels
from lfr.vision import Detector, align
from tests.conftest import picture

TEMPLATE = np.array(ALIGNMENT_TEMPLATE, np.float32)


def dots(points: FloatArray) -> Pixels:
    """A black picture with a bright dot at each point."""
    pixels = np.zeros((400, 500, 3), np.uint8)
    for x, y in points:
        cv2.circle(pixels, (round(float(x)), round(float(y))), 4, (255, 255, 255), -1)
    return pixels


def moved(points: FloatArray, *, angle: float, scale: float, shift: tuple[float, float]) -> FloatArray:
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    result: FloatArray = (points @ turn.T + np.array(shift)).astype(np.float32)
    return result


@pytest.mark.parametrize(
    ("angle", "scale", "shift"), [(0.0, 1.0, (100, 100)), (0.6, 2.0, (250, 60)), (-2.8, 1.5, (300, 250))]
)
def test_each_landmark_lands_on_its_place_to_a_pixel(angle: float, scale: float, shift: tuple[float, float]) -> None:
    landmarks = moved(TEMPLATE, angle=angle, scale=scale, shift=shift)
    for i in range(5):
        (crop,) = align(dots(landmarks[i : i + 1]), landmarks[None])
        y, x = np.argwhere(crop[..., 0] > 100).mean(axis=0)
        assert np.hypot(x - TEMPLATE[i, 0], y - TEMPLATE[i, 1]) <= 1.0


def test_a_face_turned_on_its_side_gives_the_crop_of_the_upright_one(demo_faces: list[Path], model: Model) -> None:
    upright = picture(demo_faces[0])
    side = upright.shape[0]
    (landmarks,) = Detector(model.detector).detect(upright).landmarks
    turned = np.ascontiguousarray(np.rot90(upright))  # counter-clockwise: (x, y) goes to (y, side - 1 - x)
    turned_landmarks = np.stack([landmarks[:, 1], side - 1 - landmarks[:, 0]], axis=1)
    (a,), (b,) = align(upright, landmarks[None]), align(turned, turned_landmarks[None])
    assert np.abs(a.astype(int) - b.astype(int)).mean() < 2


def test_detected_landmarks_of_faces_land_near_the_template(demo_faces: list[Path], model: Model) -> None:
    for path in demo_faces[:5]:
        landmarks = Detector(model.detector).detect(picture(path)).landmarks
        matrix = similarity_transform(landmarks, TEMPLATE)[0]
        assert np.abs(transform_points(landmarks[0], matrix) - TEMPLATE).max() < 8


def test_crops_come_in_the_order_of_the_faces_and_do_not_share_pixels() -> None:
    landmarks = np.stack([TEMPLATE + 20, TEMPLATE + 200]).astype(np.float32)
    pixels = np.zeros((400, 400, 3), np.uint8)
    pixels[200:, 200:] = (10, 20, 30)
    crops = align(pixels, landmarks)
    assert crops.shape == (2, CROP_SIDE, CROP_SIDE, 3)
    assert not crops[0].any()
    assert (crops[1] == (10, 20, 30)).all()


def test_what_lies_outside_the_picture_is_black() -> None:
    (crop,) = align(np.full((60, 60, 3), 200, np.uint8), TEMPLATE[None])
    assert (crop[5:55, 5:55] == 200).all()
    assert not crop[62:].any()


def test_no_faces_give_no_crops() -> None:
    assert align(np.zeros((9, 9, 3), np.uint8), np.zeros((0, 5, 2), np.float32)).shape == (0, 112, 112, 3)


def test_landmarks_that_coincide_give_a_black_crop() -> None:
    assert not align(np.full((60, 60, 3), 200, np.uint8), np.full((1, 5, 2), 30, np.float32)).any()
