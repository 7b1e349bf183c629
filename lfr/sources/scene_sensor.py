"""What the camera does to the light: lens softness, noise, compression."""

from __future__ import annotations

import cv2
import numpy as np

from lfr.sources.scene_settings import SceneSettings
from lfr.types import Pixels

__all__ = ["Sensor"]

_SPARE_PX = 64  # the noise tile is this much larger than a frame, and shifted anew for every frame


class Sensor:
    """Turns clean pictures into frames.

    Attributes
    ----------
    exposure_s
        How long the shutter is open.
    """

    def __init__(self, settings: SceneSettings, seeds: np.random.SeedSequence) -> None:
        # What a camera loses grows slowly at first: a middling one is nearer to a good than to a bad one.
        loss = settings.difficulty**1.5
        self.exposure_s = 1.0 / (250.0 - 210.0 * loss)
        self._softness = 0.30 + 0.65 * loss
        self._quality = round(94.0 - 44.0 * loss)
        self._strength = (1.0 + 7.0 * loss) / 16.0
        self._shift_seed = seeds
        width, height = settings.resolution_wh
        rng = np.random.default_rng(seeds)
        shape = (height + _SPARE_PX, width + _SPARE_PX)
        grey = rng.normal(0.0, 16.0, shape).astype(np.float32)
        # Colour noise is coarser than brightness noise: the sensor sees each colour in every other pixel.
        tints = [
            cv2.resize(rng.normal(0.0, 10.0, (shape[0] // 2, shape[1] // 2)).astype(np.float32), shape[::-1])
            for _ in range(3)
        ]
        tile = np.dstack([grey + tint for tint in tints]) + 128.0
        self._tile: Pixels = np.clip(np.round(tile), 0, 255).astype(np.uint8)

    def expose(self, picture: Pixels, index: int, *, time_s: float, gain: float) -> Pixels:
        """The frame that the camera hands out, with its clock in the corner."""
        height, width = picture.shape[:2]
        rng = np.random.default_rng(
            np.random.SeedSequence(self._shift_seed.entropy, spawn_key=(*self._shift_seed.spawn_key, index))
        )
        top, left = rng.integers(0, _SPARE_PX, 2)
        noise = self._tile[top : top + height, left : left + width]
        soft = cv2.GaussianBlur(picture, (3, 3) if self._softness < 0.8 else (5, 5), self._softness)
        noisy = np.asarray(cv2.addWeighted(soft, gain, noise, self._strength, -128.0 * self._strength), np.uint8)
        self._stamp(noisy, time_s)
        _, packed = cv2.imencode(".jpg", noisy, [cv2.IMWRITE_JPEG_QUALITY, self._quality])
        return np.asarray(cv2.imdecode(packed, cv2.IMREAD_COLOR), np.uint8)

    @staticmethod
    def _stamp(picture: Pixels, time_s: float) -> None:
        height = picture.shape[0]
        text = f"CAM 1   {int(time_s) // 3600:02d}:{int(time_s) // 60 % 60:02d}:{time_s % 60:04.1f}"
        place, size, width = (
            (round(0.015 * height), round(0.98 * height)),
            max(0.4, height / 1200.0),
            max(1, height // 480),
        )
        shadow = (place[0] + width, place[1] + width)
        for where, colour in ((shadow, (20, 20, 20)), (place, (235, 235, 235))):
            cv2.putText(picture, text, where, cv2.FONT_HERSHEY_SIMPLEX, size, colour, width, cv2.LINE_AA)
