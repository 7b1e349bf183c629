"""Daylight in a simulated scene: sun and sky, and clouds that come and go."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lfr.sources.scene_paint import Surfaces
from lfr.types import FloatArray, Pixels

__all__ = ["Clouds", "light_bgr", "lit_pixels"]

Float64 = NDArray[np.float64]

_OVERCAST_BGR = np.array([0.86, 0.82, 0.78])
_SKY_BGR = np.array([0.62, 0.55, 0.50])
_SUN_BGR = np.array([0.50, 0.60, 0.66])


def light_bgr(clearness: float | Float64, sun: float | Float64) -> Float64:
    """Colour of the light, (3,) or (n, 3), on something that faces the camera.

    Parameters
    ----------
    clearness
        How far the sun is free of cloud, 0..1.
    sun
        Share of the sun that reaches the place, 0..1.
    """
    clear, share = np.asarray(clearness)[..., None], np.asarray(sun)[..., None]
    light: Float64 = (1.0 - clear) * _OVERCAST_BGR + clear * (_SKY_BGR + share * _SUN_BGR)
    return light


def lit_pixels(surfaces: Surfaces, *, clearness: float) -> Pixels:
    """(h, w, 3) picture of painted surfaces under one sky.

    The light is linear in ``clearness``, so a mixture of the pictures at 0
    and at 1 is the picture in between.
    """
    sky = light_bgr(clearness, 0.0).astype(np.float32)
    sun = light_bgr(clearness, 1.0).astype(np.float32) - sky
    light = surfaces.shade[..., None] * sky + surfaces.sun[..., None] * sun
    light += surfaces.glow[..., None] * (1.0 - light)
    picture: FloatArray = np.clip(surfaces.albedo * light * 255.0 + 0.5, 0.0, 255.0)
    return picture.astype(np.uint8)


class Clouds:
    """Clearness of the sky over time, smooth and drawn at random.

    Parameters
    ----------
    rng
        Draws the mean and the waves.
    difficulty
        0 keeps the light steady; 1 swings between full sun and overcast within seconds.
    """

    def __init__(self, rng: np.random.Generator, *, difficulty: float) -> None:
        self._mean = rng.uniform(0.35, 0.75)
        self._swing = difficulty
        self._period_s = rng.uniform([31.0, 13.0, 5.0], [47.0, 19.0, 8.0])
        self._phase = rng.uniform(0.0, 2.0 * np.pi, 3)

    def clearness_at(self, time_s: float) -> float:
        """How far the sun is free of cloud, 0..1."""
        waves = np.sin(2.0 * np.pi * time_s / self._period_s + self._phase)
        return float(np.clip(self._mean + self._swing * (waves @ [0.55, 0.35, 0.15]), 0.0, 1.0))

    def exposure_at(self, time_s: float) -> float:
        """Gain of the camera's automatic exposure, which lags behind the clouds by a second."""
        brightness = float(light_bgr(self.clearness_at(time_s - 1.0), 0.6).mean())
        return float(np.clip(0.86 / brightness, 0.75, 1.3))
