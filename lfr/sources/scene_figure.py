"""Parts of a walker's body: shaded pictures hung between two joints."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from lfr.sources.scene_layer import blend_over, overlap
from lfr.types import FloatArray, Pixels

__all__ = ["PART_PX_PER_M", "Part", "limb", "shaped"]

PART_PX_PER_M = 440.0
"""Resolution in which clothes are made."""

_PAD = 3

Paint = Callable[[FloatArray, FloatArray], FloatArray]
"""Colour (h, w, 3) in 0..255 for metres (h, 1) below the upper joint and metres (1, w) to its right."""


class Part:
    """A picture with an upper and a lower joint, drawn wherever those joints are seen.

    Parameters
    ----------
    bgra
        (h, w, 4) premultiplied picture at ``PART_PX_PER_M``.
    top_xy, bottom_xy
        The two joints in it, in pixels.
    """

    def __init__(self, bgra: Pixels, *, top_xy: tuple[float, float], bottom_xy: tuple[float, float]) -> None:
        self._levels = [bgra]
        while min(self._levels[-1].shape[:2]) > 12:
            smaller = cv2.resize(self._levels[-1], None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
            self._levels.append(np.asarray(smaller, np.uint8))
        self._top = np.array(top_xy, np.float64)
        self._length = bottom_xy[1] - top_xy[1]

    def draw(
        self, canvas: Pixels, joints_px: tuple[FloatArray, FloatArray], *, px_per_m: float, widen: float = 1.0
    ) -> None:
        """Lay the part over ``canvas`` (h, w, 4) between two places in it.

        Its length follows the places, its width the distance (``px_per_m``),
        so that a limb that points at the camera looks short, not thin.
        """
        top_px, bottom_px = joints_px
        along = bottom_px.astype(np.float64) - top_px
        reach = float(np.hypot(*along))
        if reach < 1e-3:
            return
        down = along / reach
        across = np.array([down[1], -down[0]]) * (px_per_m * widen / PART_PX_PER_M)
        down = down * max(reach / self._length, 0.35 * px_per_m / PART_PX_PER_M)
        shrink = float(np.hypot(*across))
        level = int(np.clip(np.floor(-np.log2(shrink) + 0.35), 0, len(self._levels) - 1))
        picture, step = self._levels[level], 2.0**level
        matrix = np.stack([across, down], axis=1)
        offset = top_px - matrix @ self._top
        height, width = self._levels[0].shape[:2]
        corners = np.array([[0, 0], [width, 0], [0, height], [width, height]]) @ matrix.T + offset
        low, high = np.floor(corners.min(axis=0)).astype(int), np.ceil(corners.max(axis=0)).astype(int)
        box = overlap((int(low[0]), int(low[1]), int(high[0]), int(high[1])), (0, 0, canvas.shape[1], canvas.shape[0]))
        if box is None:
            return
        # Pixel centres lie at half pixels at every level of the pyramid.
        scaled = matrix * step
        shift = offset - np.array([box[0], box[1]]) + scaled @ [0.5, 0.5] - 0.5
        patch = cv2.warpAffine(picture, np.column_stack([scaled, shift]), (box[2] - box[0], box[3] - box[1]))
        blend_over(canvas[box[1] : box[3], box[0] : box[2]], np.asarray(patch, np.uint8))


def shaped(
    paint: Paint,
    profile_m: Sequence[tuple[float, float]],
    *,
    bottom_m: float,
    rng: np.random.Generator,
    folds: float = 0.06,
    roundness: float = 0.45,
) -> Part:
    """A part cut to a profile and shaded as something round, brighter to the right, where the sun is.

    Parameters
    ----------
    paint
        Colour before shading.
    profile_m
        Pairs (metres below the upper joint, half width in metres), rising; may begin above the joint.
    bottom_m
        Where the lower joint lies, in metres below the upper.
    rng
        Draws the folds.
    folds
        Strength of the folds.
    roundness
        How much darker the sides are, 0..1.
    """
    depths, halves = np.array(profile_m, np.float64).T
    pixel = 1.0 / PART_PX_PER_M
    width = 2 * (int(halves.max() * PART_PX_PER_M) + _PAD) + 1
    height = int((depths[-1] - depths[0]) * PART_PX_PER_M) + 2 * _PAD
    y = (depths[0] + (np.arange(height, dtype=np.float64) + 0.5 - _PAD) * pixel)[:, None]
    x = ((np.arange(width, dtype=np.float64) - width // 2) * pixel)[None, :]
    half = np.interp(y, depths, halves, left=0.0, right=0.0)
    cover = np.clip((half - np.abs(x)) / pixel + 0.5, 0.0, 1.0) * (half > 0.0)
    across = np.clip(x / np.maximum(half, pixel), -1.0, 1.0).astype(np.float32)
    creases = cv2.resize(
        rng.normal(0.0, 1.0, (max(3, height // 34), max(3, width // 26))),
        (width, height),
        interpolation=cv2.INTER_CUBIC,
    )
    weave = rng.normal(0.0, 0.018, (height, width))
    shade = 1.0 - roundness * (1.0 - np.sqrt(1.0 - 0.98 * across**2)) + 0.10 * across + folds * creases + weave
    colour = paint(y.astype(np.float32), x.astype(np.float32)) * np.clip(shade, 0.1, 1.4)[..., None]
    bgra = np.dstack([np.clip(colour, 0.0, 255.0) * cover[..., None], 255.0 * cover])
    middle = width // 2 + 0.5
    top_y = _PAD - depths[0] * PART_PX_PER_M
    bottom_y = top_y + bottom_m * PART_PX_PER_M
    return Part(bgra.astype(np.uint8), top_xy=(middle, top_y), bottom_xy=(middle, bottom_y))


def limb(
    colour: NDArray[np.float64],
    *,
    length_m: float,
    radii_m: tuple[float, float],
    rng: np.random.Generator,
    cuff: NDArray[np.float64] | None = None,
) -> Part:
    """A rounded limb between two joints; ``cuff`` colours its last tenth."""
    upper, lower = radii_m
    rise = np.sqrt(np.clip(1.0 - np.linspace(1.0, 0.0, 7) ** 2, 0.0, 1.0))
    head = [(-upper * (1.0 - k / 6.0), upper * r) for k, r in enumerate(rise)]
    foot = [(length_m + lower * k / 6.0, lower * r) for k, r in enumerate(rise[::-1])]
    middle = [(0.4 * length_m, upper * 0.62 + lower * 0.45)]

    def paint(y: FloatArray, x: FloatArray) -> FloatArray:
        end = np.broadcast_to(y > 0.9 * length_m, (len(y), x.shape[1]))[..., None]
        return np.asarray(np.where(end, colour if cuff is None else cuff, colour), np.float32)

    return shaped(paint, [*head, *middle, *foot], bottom_m=length_m, rng=rng, folds=0.08)
