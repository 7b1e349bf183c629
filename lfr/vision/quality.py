"""Quality of a face as an input to recognition, and the gate that uses it.

Measures carry the names of ISO/IEC 29794-5 and its scale: 0..100, higher is
better, NaN where a measure could not be assessed (which is not a 0). They are
computed from five landmarks and the aligned crop, cheaply enough for live
video; they are not the standard's reference implementation (OFIQ), and their
values are not interchangeable with its values.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import cv2
import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from lfr.types import Faces, FloatArray, Pixels

__all__ = ["ENROLMENT_POLICY", "MEASURES", "SEARCH_POLICY", "Quality", "QualityPolicy", "assess", "single_face_present"]

MEASURES = (
    "InterEyeDistance",
    "HeadPose",
    "Sharpness",
    "UnderExposurePrevention",
    "OverExposurePrevention",
    "DynamicRange",
    "IlluminationUniformity",
)
_SHOT_MEASURES = ("InterEyeDistance", "HeadPose", "Sharpness")
# The part of a 112x112 crop that is face and not hair or background, and its two halves.
_FACE = (slice(32, 104), slice(24, 88))
_DARK, _BRIGHT = 25, 247  # luminance limits of under- and over-exposure in ISO/IEC 29794-5
_BINS = 32


@dataclass(frozen=True, eq=False)
class Quality:
    """Quality of each face.

    Attributes
    ----------
    values
        (n, measures) 0..100 in the order of `MEASURES`; NaN: not assessed.
    """

    values: FloatArray

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, measure: str) -> FloatArray:
        """(n,) values of one measure."""
        column: FloatArray = self.values[:, MEASURES.index(measure)]
        return column

    @property
    def shot(self) -> FloatArray:
        """(n,) 0..100: how good a shot of its person this is, for choosing among shots of a track.

        Geometric mean of size, pose and sharpness, so that one bad measure is enough to lose.
        """
        chosen = np.stack([self[name] for name in _SHOT_MEASURES]).astype(np.float64)
        mean: FloatArray = np.exp(np.log(np.maximum(chosen, 1e-3)).mean(axis=0)).astype(np.float32)
        return mean


class QualityPolicy(BaseModel):
    """Least value of each measure; a measure that is not named is not asked for."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(description="How records refer to this policy.")
    minimum: Mapping[str, float] = Field(description="Measure to least value, 0..100.")

    def reasons(self, quality: Quality) -> list[tuple[str, ...]]:
        """Return for each face why it is not good enough; an empty tuple means that it is."""
        return [tuple(self._shortfalls(row)) for row in quality.values]

    def passed(self, quality: Quality) -> list[bool]:
        """Return for each face whether it is good enough."""
        return [not reasons for reasons in self.reasons(quality)]

    def _shortfalls(self, values: FloatArray) -> Iterator[str]:
        for name, least in self.minimum.items():
            value = values[MEASURES.index(name)]
            if not value >= least:
                found = "could not be assessed" if np.isnan(value) else f"is {value:.0f}"
                yield f"{name} {found}, at least {least:.0f} is needed"


SEARCH_POLICY = QualityPolicy(
    name="search-1",
    minimum={"InterEyeDistance": 5, "HeadPose": 20, "Sharpness": 5, "DynamicRange": 30},
)
ENROLMENT_POLICY = QualityPolicy(
    name="enrolment-1",
    minimum={
        "InterEyeDistance": 50,
        "HeadPose": 50,
        "Sharpness": 15,
        "UnderExposurePrevention": 40,
        "OverExposurePrevention": 40,
        "DynamicRange": 50,
    },
)


def assess(faces: Faces, crops: Pixels) -> Quality:
    """Measure faces.

    Parameters
    ----------
    faces
        The n faces as detected, for what only the original picture tells (size, pose).
    crops
        (n, 112, 112, 3) their aligned BGR crops, for light and sharpness.

    Returns
    -------
    Quality with these measures:

    - InterEyeDistance: distance of the eyes in pixels of the picture, as a logistic curve through
      50 at 24 pixels (a face about 55 pixels high) and 90 at 37.
    - HeadPose: ``100 cos^2`` of yaw and of pitch, multiplied, as the standard maps its angles; the
      angles are estimated from where the nose tip lies between eyes and mouth.
    - Sharpness: logistic in the logarithm of the Laplacian's variance over the face.
    - UnderExposurePrevention, OverExposurePrevention: share of face pixels that are not nearly black
      (luminance 25 and below), not nearly white (247 and above).
    - DynamicRange: 12.5 times the entropy in bits of the face's luminance.
    - IlluminationUniformity: overlap of the luminance histograms of the two halves of the face.
    """
    values = np.full((len(faces), len(MEASURES)), np.nan, np.float32)
    if not len(faces):
        return Quality(values)
    values[:, 0] = _inter_eye_distance(faces.landmarks)
    values[:, 1] = _head_pose(faces.landmarks)
    for row, crop in zip(values, crops, strict=True):
        luminance = cv2.cvtColor(crop, cv2.COLOR_BGR2GRAY)[_FACE]
        if luminance.max() == luminance.min():  # a flat patch shows nothing: not assessed
            continue
        row[2:] = _light(luminance)
    return Quality(values)


def single_face_present(faces: Faces) -> float:
    """SingleFacePresent: 100 where a picture holds one face, 0 where the two largest are alike in area.

    ISO/IEC 29794-5 7.3.4 (2025): one minus the ratio of the second largest face's area to the largest's.
    NaN for a picture without a face.
    """
    if not len(faces):
        return float("nan")
    areas = np.sort(np.prod(np.clip(faces.xyxy[:, 2:] - faces.xyxy[:, :2], 0, None), axis=1))[::-1]
    return 100.0 * (1.0 - float(areas[1] / areas[0])) if len(areas) > 1 else 100.0


def _logistic(x: FloatArray) -> FloatArray:
    curve: FloatArray = (100.0 / (1.0 + np.exp(-x))).astype(np.float32)
    return curve


def _inter_eye_distance(landmarks: FloatArray) -> FloatArray:
    return _logistic((np.linalg.norm(landmarks[:, 1] - landmarks[:, 0], axis=1) - 24.0) / 6.0)


def _head_pose(landmarks: FloatArray) -> FloatArray:
    eyes = (landmarks[:, 0] + landmarks[:, 1]) / 2
    mouth = (landmarks[:, 3] + landmarks[:, 4]) / 2
    across = landmarks[:, 1] - landmarks[:, 0]
    down = mouth - eyes
    nose = landmarks[:, 2] - eyes
    width = np.maximum(np.linalg.norm(across, axis=1), 1e-3)
    length = np.maximum(np.linalg.norm(down, axis=1), 1e-3)
    # The nose tip stands about 0.6 of the eyes' distance in front of the face's plane, and, seen from
    # the front, 0.55 of the way from eyes to mouth.
    sideways = np.einsum("ni,ni->n", nose - down * 0.5, across) / width**2
    downwards = np.einsum("ni,ni->n", nose, down) / length**2 - 0.55
    yaw = np.arctan2(sideways, 0.6)
    pitch = np.arctan2(downwards, 0.6)
    pose: FloatArray = 100.0 * np.cos(yaw) ** 2 * np.cos(pitch) ** 2
    return pose


def _light(luminance: Pixels) -> list[float]:
    """Return Sharpness, both exposures, DynamicRange and IlluminationUniformity of a face's luminance."""
    variance = float(cv2.Laplacian(luminance, cv2.CV_32F).var())
    sharpness = 100.0 / (1.0 + np.exp(-(np.log(max(variance, 1e-6)) - np.log(120.0)) * 1.2))
    share = np.bincount(luminance.ravel(), minlength=256) / luminance.size
    seen = share[share > 0]
    half = luminance.shape[1] // 2
    left, right = (
        np.histogram(side, _BINS, (0, 256))[0] / side.size for side in (luminance[:, :half], luminance[:, half:])
    )
    return [
        float(sharpness),
        100.0 * (1.0 - float(share[: _DARK + 1].sum())),
        100.0 * (1.0 - float(share[_BRIGHT:].sum())),
        float(-12.5 * (seen * np.log2(seen)).sum()),
        100.0 * float(np.minimum(left, right).sum()),
    ]
