"""Measuring images as a poor camera would have sent them: of kinds that training never applies.

The whole picture is degraded, and then goes through detector and alignment as
a frame of the street does: a face that is no longer found is a failure to
acquire. The resampler is Lanczos, the codec WebP, the blur a defocused disk
and the noise grows with the light; training knows none of these.
"""

from __future__ import annotations

import cv2
import numpy as np
from PIL import Image

from lfr.training.config import Condition
from lfr.types import FloatArray, Pixels

__all__ = ["as_seen"]


def as_seen(picture: Pixels, face_px: float, condition: Condition, rng: np.random.Generator) -> Pixels:
    """Return a (height, width, 3) BGR picture under a condition.

    Parameters
    ----------
    picture
        (height, width, 3) BGR, as it is.
    face_px
        Height of its central face.
    condition
        What is done to it; nothing, if it says nothing.
    rng
        Draws from its ranges.
    """
    seen = picture
    if condition.face_px is not None:
        scale = rng.uniform(*condition.face_px) / face_px
        if scale < 1.0:
            seen = _lanczos(seen, scale)
    if condition.gamma is not None:
        curve = (np.linspace(0.0, 1.0, 256) ** rng.uniform(*condition.gamma) * 255.0).round().astype(np.uint8)
        seen = np.asarray(curve[seen], np.uint8)
    if condition.defocus_px is not None:
        seen = np.asarray(cv2.filter2D(seen, -1, _disk(rng.uniform(*condition.defocus_px))), np.uint8)
    if condition.noise is not None:
        light = seen.astype(np.float32)
        spread = rng.uniform(*condition.noise) * np.sqrt(light / 255.0)
        noisy = light + spread * rng.standard_normal(light.shape, dtype=np.float32)
        seen = noisy.round().clip(0, 255).astype(np.uint8)
    if condition.webp_quality is not None:
        low, high = condition.webp_quality
        seen = _through_webp(seen, int(rng.integers(low, high + 1)))
    return np.ascontiguousarray(seen)


def _lanczos(picture: Pixels, scale: float) -> Pixels:
    size = max(1, round(picture.shape[1] * scale)), max(1, round(picture.shape[0] * scale))
    return np.asarray(Image.fromarray(picture).resize(size, Image.Resampling.LANCZOS))


def _disk(radius: float) -> FloatArray:
    """A kernel of a disk's share of each pixel, found on a grid eight times as fine."""
    half, fine = int(np.ceil(radius)), 8
    across = (np.arange((2 * half + 1) * fine) + 0.5) / fine - half - 0.5
    inside = (across[:, None] ** 2 + across[None] ** 2 <= radius**2).astype(np.float32)
    share = inside.reshape(2 * half + 1, fine, 2 * half + 1, fine).sum(axis=(1, 3))
    return np.asarray(share / share.sum(), np.float32)


def _through_webp(picture: Pixels, quality: int) -> Pixels:
    decoded = cv2.imdecode(cv2.imencode(".webp", picture, [cv2.IMWRITE_WEBP_QUALITY, quality])[1], cv2.IMREAD_COLOR)
    assert decoded is not None
    return np.asarray(decoded, np.uint8)
