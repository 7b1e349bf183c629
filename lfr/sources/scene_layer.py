"""Pictures with transparency, and laying them over one another."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from lfr.types import Pixels

__all__ = ["Layer", "blend_over", "overlap", "tint"]


@dataclass(frozen=True, eq=False)
class Layer:
    """A picture with transparency at a place in the frame.

    Attributes
    ----------
    left, top
        Pixel of the frame where its first pixel lies.
    bgra
        (h, w, 4) colours already multiplied by their opacity.
    """

    left: int
    top: int
    bgra: Pixels

    @property
    def box(self) -> tuple[int, int, int, int]:
        """Left, top, right, bottom in the frame."""
        height, width = self.bgra.shape[:2]
        return self.left, self.top, self.left + width, self.top + height

    def cut(self, box: tuple[int, int, int, int]) -> Pixels:
        """The part of it inside a box of the frame that it covers."""
        left, top, right, bottom = box
        return self.bgra[top - self.top : bottom - self.top, left - self.left : right - self.left]


def overlap(a: tuple[int, int, int, int], b: tuple[int, int, int, int]) -> tuple[int, int, int, int] | None:
    """The common part of two boxes, or None."""
    left, top, right, bottom = max(a[0], b[0]), max(a[1], b[1]), min(a[2], b[2]), min(a[3], b[3])
    return (left, top, right, bottom) if left < right and top < bottom else None


def blend_over(below: Pixels, above: Pixels) -> None:
    """Lay ``above`` (h, w, 4, premultiplied) over ``below`` (h, w, 3 or 4) in place."""
    through = cv2.bitwise_not(above[:, :, 3])
    channels = below.shape[2]
    seen = cv2.multiply(below, cv2.merge([through] * channels), scale=1.0 / 255.0)
    cv2.add(seen, above[:, :, :channels], dst=below)


def tint(bgra: Pixels, gain_bgr: NDArray[np.float64]) -> Pixels:
    """A premultiplied picture with each colour multiplied by a gain; none outgrows its opacity by wrapping."""
    levels = np.arange(256)[:, None] * np.append(gain_bgr, 1.0)
    table = np.clip(levels + 0.5, 0, 255).astype(np.uint8)[None]
    return np.asarray(cv2.LUT(bgra, table), np.uint8)
