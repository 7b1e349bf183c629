"""Each quality measure falls with what it measures, and says so when it cannot tell."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from pydantic import ValidationError

from lfr.models import ALIGNMENT_TEMPLATE, Model
from lfr.types import Faces, FloatArray, Pixels
from lfr.vision import (
    ENROLMENT_POLICY,
    MEASURES,
    SEARCH_POLICY,
    Detector,
    Quality,
    QualityPolicy,
    align,
    assess,
    single_face_present,
)
from tests.conftest import picture

TEMPLATE = np.array(ALIGNMENT_TEMPLATE, np.float32)
LIGHT_MEASURES = MEASURES[2:]


def faces_at(landmarks: FloatArray) -> Faces:
    n = len(landmarks)
    xyxy = np.concatenate([landmarks.min(axis=1) - 10, landmarks.max(axis=1) + 10], axis=1)
    return Faces(xyxy, landmarks, np.ones(n, np.float32))


def quality_of(crops: Pixels) -> Quality:
    return assess(faces_at(np.repeat(TEMPLATE[None], len(crops), axis=0)), crops)


def blurred(crops: Pixels, sigma: float) -> Pixels:
    return np.stack([cv2.GaussianBlur(crop, (0, 0), sigma) for crop in crops]).astype(np.uint8)


def scaled(crops: Pixels, gain: float, offset: float = 0) -> Pixels:
    changed: Pixels = np.clip(crops.astype(np.float32) * gain + offset, 0, 255).astype(np.uint8)
    return changed


def half_dark(crops: Pixels) -> Pixels:
    changed = crops.copy()
    changed[:, :, :56] //= 3
    return changed


def test_the_names_are_those_of_the_standard() -> None:
    assert MEASURES == (
        "InterEyeDistance",
        "HeadPose",
        "Sharpness",
        "UnderExposurePrevention",
        "OverExposurePrevention",
        "DynamicRange",
        "IlluminationUniformity",
    )


def test_every_measure_of_a_portrait_lies_between_0_and_100(demo_crops: Pixels) -> None:
    quality = quality_of(demo_crops)
    assert len(quality) == len(demo_crops)
    assert quality.values.shape == (len(demo_crops), len(MEASURES))
    assert np.all((quality.values >= 0) & (quality.values <= 100))


@pytest.mark.parametrize(
    ("measure", "spoil"),
    [
        ("Sharpness", lambda crops: blurred(crops, 3)),
        ("UnderExposurePrevention", lambda crops: scaled(crops, 0.2)),
        ("OverExposurePrevention", lambda crops: scaled(crops, 2.0, 60)),
        ("DynamicRange", lambda crops: scaled(crops, 0.15, 100)),
        ("IlluminationUniformity", half_dark),
    ],
)
def test_a_spoiled_crop_loses_in_the_measure_of_what_spoiled_it(
    measure: str, spoil: Callable[[Pixels], Pixels], demo_crops: Pixels
) -> None:
    before, after = quality_of(demo_crops)[measure], quality_of(spoil(demo_crops))[measure]
    assert np.all(after < before)
    assert np.median(before - after) > 15


def test_more_blur_is_less_sharp(demo_crops: Pixels) -> None:
    steps = np.stack([quality_of(blurred(demo_crops, sigma))["Sharpness"] for sigma in (0.5, 1, 2, 4)])
    assert np.all(np.diff(steps, axis=0) < 0)


@pytest.mark.parametrize("level", [0, 100, 255])
def test_a_flat_patch_is_not_assessed_which_is_not_a_0(level: int) -> None:
    quality = quality_of(np.full((1, 112, 112, 3), level, np.uint8))
    assert all(np.isnan(quality[name][0]) for name in LIGHT_MEASURES)
    assert not np.isnan(quality["HeadPose"][0])
    assert not np.isnan(quality["InterEyeDistance"][0])


def test_a_face_seen_from_the_front_has_full_pose_and_a_turned_one_less() -> None:
    nose_moved = np.repeat(TEMPLATE[None], 4, axis=0)
    eye_distance = 35.24
    nose_moved[1:, 2, 0] += eye_distance * np.array([0.1, 0.3, 0.6], np.float32)
    pose = assess(faces_at(nose_moved), np.zeros((4, 112, 112, 3), np.uint8))["HeadPose"]
    assert pose[0] > 95
    assert np.all(np.diff(pose) < 0)
    assert pose[3] < 60


def test_turning_left_is_as_bad_as_turning_right_and_looking_up_and_down_both_cost() -> None:
    frontal = np.array([[40, 50], [72, 50], [56, 71.45], [44, 89], [68, 89]], np.float32)
    turned = np.repeat(frontal[None], 5, axis=0)
    turned[1, 2, 0] += 12
    turned[2, 2, 0] -= 12
    turned[3, 2, 1] += 12
    turned[4, 2, 1] -= 12
    pose = assess(faces_at(turned), np.zeros((5, 112, 112, 3), np.uint8))["HeadPose"]
    assert pose[1] == pytest.approx(pose[2], abs=0.01)
    assert pose[0] == pytest.approx(100, abs=0.5)
    assert np.all(pose[1:] < 80)


def test_rolling_the_head_costs_nothing() -> None:
    angle = np.deg2rad(40)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]], np.float32)
    both = np.stack([TEMPLATE, TEMPLATE @ turn.T])
    pose = assess(faces_at(both), np.zeros((2, 112, 112, 3), np.uint8))["HeadPose"]
    assert pose[0] == pytest.approx(pose[1], abs=0.01)


def test_the_distance_of_the_eyes_is_50_at_24_pixels_and_90_at_37() -> None:
    at = np.array([6, 24, 37.18, 120], np.float32)
    landmarks = (TEMPLATE[None] * (at / 35.24)[:, None, None]).astype(np.float32)
    distance = assess(faces_at(landmarks), np.zeros((4, 112, 112, 3), np.uint8))["InterEyeDistance"]
    assert distance[0] < 6
    assert distance[1:3] == pytest.approx([50, 90], abs=0.3)
    assert distance[3] > 99.9


def test_one_bad_measure_makes_a_bad_shot(demo_crops: Pixels) -> None:
    good, blurry = quality_of(demo_crops[:4]), quality_of(blurred(demo_crops[:4], 5))
    assert np.all((good.shot >= 0) & (good.shot <= 100))
    assert np.all(blurry.shot < good.shot / 2)


def test_no_faces_have_no_quality() -> None:
    quality = assess(Faces.empty(), np.zeros((0, 112, 112, 3), np.uint8))
    assert len(quality) == 0
    assert quality.shot.shape == (0,)
    assert SEARCH_POLICY.reasons(quality) == []


def test_a_policy_says_which_measure_fell_short_and_by_what(demo_crops: Pixels) -> None:
    quality = quality_of(np.concatenate([demo_crops[:1], blurred(demo_crops[:1], 6)]))
    policy = QualityPolicy(name="test", minimum={"Sharpness": 10, "HeadPose": 20})
    assert policy.passed(quality) == [True, False]
    fine, (reason,) = policy.reasons(quality)
    assert fine == ()
    assert reason == f"Sharpness is {quality['Sharpness'][1]:.0f}, at least 10 is needed"


def test_what_could_not_be_assessed_does_not_pass() -> None:
    quality = quality_of(np.full((1, 112, 112, 3), 90, np.uint8))
    assert "Sharpness could not be assessed, at least 5 is needed" in SEARCH_POLICY.reasons(quality)[0]


def test_enrolment_asks_for_at_least_what_a_search_asks_for() -> None:
    assert all(ENROLMENT_POLICY.minimum[name] >= least for name, least in SEARCH_POLICY.minimum.items())
    assert set(ENROLMENT_POLICY.minimum) <= set(MEASURES)


def test_every_demo_face_may_be_enrolled(demo_faces: list[Path], model: Model) -> None:
    detector = Detector(model.detector)
    for path in demo_faces[::8]:
        pixels = picture(path)
        faces = detector.detect(pixels)
        assert ENROLMENT_POLICY.reasons(assess(faces, align(pixels, faces.landmarks))) == [()], path.name


def test_a_policy_takes_no_unknown_field() -> None:
    with pytest.raises(ValidationError):
        QualityPolicy(name="test", minimum={}, maximum={})  # type: ignore[call-arg]


@pytest.mark.parametrize(
    ("sides", "expected"), [([10], 100.0), ([10, 10], 0.0), ([10, 5], 75.0), ([5, 10, 5], 75.0), ([], float("nan"))]
)
def test_a_single_face_is_one_beside_which_others_are_small(sides: list[int], expected: float) -> None:
    xyxy = np.array([[100 * i, 0, 100 * i + s, s] for i, s in enumerate(sides)], np.float32).reshape(-1, 4)
    n = len(sides)
    faces = Faces(xyxy, np.zeros((n, 5, 2), np.float32), np.ones(n, np.float32))
    assert single_face_present(faces) == pytest.approx(expected, nan_ok=True)
