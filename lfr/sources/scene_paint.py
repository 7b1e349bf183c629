"""Painting the street once: ground, house fronts and sky, by one ray a pixel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from lfr.sources.scene_camera import Camera
from lfr.sources.scene_street import Row, StreetPlan
from lfr.types import FloatArray

__all__ = ["Surfaces", "paint_street"]

Reals = NDArray[np.floating[Any]]
_NEAREST_WALL_M = 5.0


@dataclass(frozen=True, eq=False)
class Surfaces:
    """Colour and light of every pixel, at the size they were painted in.

    Attributes
    ----------
    albedo
        (h, w, 3) colour in 0..1 without light.
    sun
        (h, w) share of the sun that falls on it, 0..1.
    shade
        (h, w) share of the sky's light that reaches it, 0..1.
    glow
        (h, w) light of its own: sky and lit windows, 0..1.
    """

    albedo: FloatArray
    sun: FloatArray
    shade: FloatArray
    glow: FloatArray


class _Grain:
    """Smooth random texture that repeats, sampled anywhere."""

    def __init__(self, rng: np.random.Generator) -> None:
        octaves = [self._octave(rng, 512 // step) * weight for step, weight in ((32, 1.0), (8, 0.6), (2, 0.35))]
        tile = np.sum(octaves, axis=0)
        self._tile: Reals = ((tile - np.mean(tile)) / np.std(tile)).astype(np.float32)

    @staticmethod
    def _octave(rng: np.random.Generator, cells: int) -> Reals:
        # Three copies side by side, of which the middle is kept, so that the edges meet.
        copies = np.tile(rng.random((cells, cells), np.float32), (3, 3))
        octave = cv2.resize(copies, (1536, 1536), interpolation=cv2.INTER_CUBIC)[512:1024, 512:1024]
        return np.asarray(octave, np.float32)

    def at(self, a_m: Reals, b_m: Reals, *, per_m: float) -> Reals:
        """Texture of mean 0 and deviation 1 at surface coordinates in metres."""
        rows = (b_m * per_m).astype(np.int64) & 511
        columns = (a_m * per_m).astype(np.int64) & 511
        found: Reals = self._tile[rows, columns]
        return found


def _cell_noise(a: NDArray[np.int64], b: NDArray[np.int64]) -> Reals:
    """A number in -1..1 for each pair of whole numbers."""
    mixed = (a.astype(np.uint32) * np.uint32(73856093)) ^ (b.astype(np.uint32) * np.uint32(19349663))
    mixed = (mixed ^ (mixed >> np.uint32(13))) * np.uint32(1274126177)
    noise = ((mixed >> np.uint32(8)) & np.uint32(0xFFFF)).astype(np.float32)
    return np.asarray(noise / np.float32(32767.5) - np.float32(1.0), np.float32)


def _line(coordinate_m: Reals, *, period_m: float, width_m: float, footprint_m: Reals) -> Reals:
    """How much of each pixel a repeated line covers, 0..1, fading where pixels are wider than it."""
    offset = np.abs((coordinate_m / period_m + 0.5) % 1.0 - 0.5) * period_m
    half = 0.5 * np.maximum(width_m, footprint_m)
    cover: Reals = np.clip((half - offset) / footprint_m + 0.5, 0.0, 1.0) * np.minimum(1.0, width_m / footprint_m)
    return cover


def _between(coordinate_m: Reals, low_m: float | Reals, high_m: float | Reals) -> NDArray[np.bool_]:
    inside: NDArray[np.bool_] = (coordinate_m >= low_m) & (coordinate_m < high_m)
    return inside


def _ground(plan: StreetPlan, grain: _Grain, x: Reals, z: Reals, camera: Camera) -> Reals:
    """(n, 3) colour of ground points: slabs, kerb, gutter, asphalt, markings."""
    across = z / camera.focal_px
    along = z * z / (camera.focal_px * camera.height_m)
    row = np.floor(z / 0.45).astype(np.int64)
    shifted = x + 0.3 * (row & 1)
    slab = _cell_noise(np.floor(shifted / 0.6).astype(np.int64), row) * np.clip(0.5 / along, 0.0, 1.0)
    joints = np.maximum(
        _line(shifted, period_m=0.6, width_m=0.014, footprint_m=across),
        _line(z, period_m=0.45, width_m=0.014, footprint_m=along),
    )
    stains = grain.at(x, z, per_m=9.0)
    fine = grain.at(x, z, per_m=150.0) * np.clip(0.03 / along, 0.15, 1.0)
    tone = 0.56 + 0.055 * slab + 0.022 * stains + 0.03 * fine - 0.20 * joints
    colour = tone[:, None] * np.array([0.95, 0.99, 1.03])
    road = x > plan.kerb_x_m
    asphalt = 0.27 + 0.02 * stains + 0.05 * fine
    colour[road] = (asphalt[:, None] * np.array([1.02, 1.0, 0.98]))[road]
    kerb = _between(x, plan.kerb_x_m - 0.16, plan.kerb_x_m)
    colour[kerb] = ((0.66 + 0.03 * stains - 0.2 * _line(z, period_m=0.9, width_m=0.02, footprint_m=along))[:, None])[
        kerb
    ]
    colour[_between(x, plan.kerb_x_m, plan.kerb_x_m + 0.1)] *= 0.62
    for start in (0.28, 0.46):
        colour[_between(x, plan.kerb_x_m + start, plan.kerb_x_m + start + 0.09)] = (0.22, 0.62, 0.72)
    dashes = _between(x, 6.0, 6.14) & (z % 6.0 < 3.6)
    colour[dashes] = 0.78
    far_kerb = x > 9.2 - 0.15
    colour[far_kerb] = (0.60 + 0.02 * stains)[far_kerb][:, None]
    for drain_x, drain_z in ((-0.9, 7.6), (0.6, 13.5), (plan.kerb_x_m + 0.3, 12.0)):
        cover = ((x - drain_x) / 0.34) ** 2 + ((z - drain_z) / 0.34) ** 2
        colour[cover < 1.0] = 0.30
        colour[(cover < 0.8) & ((np.floor(x / 0.07) + np.floor(z / 0.11)) % 2 == 0)] = 0.38
    return np.asarray(np.clip(colour, 0.0, 1.0), np.float32)


def _shop_front(row: Row, index: NDArray[np.int64], grain: _Grain, y: Reals, along: Reals) -> tuple[Reals, Reals]:
    """Colour and own light of a ground floor: stall riser, glass with a lit inside, fascia with lettering."""
    width = row.edges_m[index + 1] - row.edges_m[index]
    colour = row.frame_bgr[index].copy()
    glow = np.zeros(len(y))
    door = _between(along, width * 0.42, width * 0.42 + 1.1)
    pane = (along % 1.6 > 0.09) & _between(y, np.where(door, 0.12, 0.55), 2.5) & _between(along, 0.35, width - 0.35)
    shelf = np.floor(y / 0.42).astype(np.int64)
    thing = _cell_noise(np.floor(along / 0.31 + 0.3 * shelf).astype(np.int64) + index * 7, shelf + 3)
    tint = _cell_noise(np.floor(along / 0.9).astype(np.int64), index * 5 + 1)
    dark = 0.10 + 0.02 * grain.at(along, y, per_m=30.0)
    stocked = 0.11 * np.clip(thing, 0.0, 1.0) * np.clip(1.9 - y, 0.0, 1.0)
    mirrored = 0.10 * np.clip(grain.at(along - 0.7 * y + index * 3.1, y * 0.3, per_m=9.0), 0.0, 2.0) + 0.05 * y
    goods = (dark + mirrored)[:, None] + stocked[:, None] * np.stack(
        [1.0 - 0.5 * tint, np.ones_like(tint), 1.1 + 0.5 * tint], 1
    )
    lamps = _between(y, 2.2, 2.3) & (along % 0.8 < 0.22)
    colour[pane] = np.clip(goods, 0.03, 1.0)[pane]
    colour[pane & lamps] = (0.62, 0.80, 0.92)
    glow[pane] = 0.12
    glow[pane & lamps] = 0.8
    poster = pane & (_cell_noise(np.floor(along / 1.6).astype(np.int64), index * 3 + 2) > 0.35) & _between(y, 1.0, 1.9)
    poster &= _between(along % 1.6, 0.4, 1.1)
    colour[poster] = 0.35 + 0.5 * row.sign_bgr[(index + 3) % len(row.roof_m)][poster]
    fascia = _between(y, 2.65, 3.25)
    colour[fascia] = row.sign_bgr[index][fascia]
    letter = _cell_noise(np.floor(along / 0.19).astype(np.int64), index * 31 + 5) > -0.35
    lettering = _between(y, 2.83, 3.08) & letter & (along % 0.19 > 0.05) & _between(along, width * 0.2, width * 0.75)
    colour[lettering] = (0.82, 0.88, 0.90)
    return colour, glow


def _upper_floors(row: Row, index: NDArray[np.int64], grain: _Grain, y: Reals, along: Reals) -> Reals:
    """Colour of the wall over the shops: sash windows with sills, cornice."""
    width = row.edges_m[index + 1] - row.edges_m[index]
    colour = row.wall_bgr[index] * (1.0 + 0.06 * grain.at(along + index * 13.7, y, per_m=40.0))[:, None]
    count = np.maximum(1.0, np.floor(width / 2.2))
    across = (along / width * count) % 1.0 * (width / count)
    middle = 0.5 * width / count
    up = (y - 4.1) % 2.75
    inside = (np.abs(across - middle) < 0.52) & _between(up, 0.0, 1.65) & (y > 4.1) & (y < row.roof_m[index] - 0.6)
    frame = inside & ((np.abs(across - middle) > 0.44) | (np.abs(across - middle) < 0.035) | _between(up, 0.78, 0.86))
    sill = (np.abs(across - middle) < 0.62) & _between(up, 2.63, 2.75)
    blind = _cell_noise(
        np.floor(along / width * count).astype(np.int64) + index * 11, np.floor((y - 4.1) / 2.75).astype(np.int64)
    )
    colour[inside] = (np.array([0.30, 0.26, 0.23]) * (1.0 + 0.5 * blind)[:, None])[inside]
    colour[frame | sill] = (0.80, 0.84, 0.85)
    colour[(y > row.roof_m[index] - 0.35) | _between(y, 3.25, 3.5)] *= 0.72
    return np.asarray(np.clip(colour, 0.0, 1.0), np.float32)


class _Painter:
    """Fills surfaces front to back, so that what is nearer stays."""

    def __init__(self, plan: StreetPlan, camera: Camera, rng: np.random.Generator) -> None:
        width, height = camera.resolution_wh
        self.plan, self.camera, self.grain = plan, camera, _Grain(rng)
        v, u = np.mgrid[0:height, 0:width].astype(np.float32)
        self.slope_x = ((u + 0.5 - camera.centre_x) / camera.focal_px).ravel()
        self.slope_y = ((camera.horizon_y - v - 0.5) / camera.focal_px).ravel()
        self.albedo = np.zeros((width * height, 3), np.float32)
        self.sun, self.glow = np.zeros((2, width * height), np.float32)
        self.shade = np.ones(width * height, np.float32)
        self.depth = np.full(width * height, np.inf)

    def _claim(self, z: Reals, fits: NDArray[np.bool_]) -> NDArray[np.int64]:
        """Indices of the pixels that a surface at depth ``z`` wins."""
        won = np.flatnonzero(fits & (z < self.depth))
        self.depth[won] = z[won]
        return won

    def ground(self) -> None:
        with np.errstate(divide="ignore"):
            z = -self.camera.height_m / np.minimum(self.slope_y, -1e-9)
        won = self._claim(z, (self.slope_y < 0.0) & (z < 400.0))
        z = z[won]
        x = self.slope_x[won] * z
        self.albedo[won] = _ground(self.plan, self.grain, x, z, self.camera)
        self.sun[won] = self.plan.sunlit(x, np.zeros_like(x), z)
        # Less sky is seen beside a wall.
        self.shade[won] = 0.72 + 0.28 * np.clip(np.abs(x - self.plan.left.x_m) / 2.0, 0.0, 1.0)

    def fronts(self, row: Row, *, facing_sun: float) -> None:
        toward = self.slope_x * np.sign(row.x_m)
        z = np.abs(row.x_m) / np.maximum(toward, 1e-6)
        y = self.camera.height_m + self.slope_y * z
        seen = (toward > 1e-6) & (z < 240.0) & (y >= 0.0) & (y < row.roof_at(z))
        won = self._claim(z, seen)
        z, y = z[won], y[won]
        index = row.building_at(z)
        along = z - row.edges_m[index]
        shop, glow = _shop_front(row, index, self.grain, y, along)
        upper = _upper_floors(row, index, self.grain, y, along)
        self.albedo[won] = np.where((y < 3.25)[:, None], shop, upper)
        self.glow[won] = np.where(y < 3.25, glow, 0.0)
        self.sun[won] = facing_sun * self.plan.sunlit(np.full_like(z, row.x_m), y, z)
        self.shade[won] = 0.75 + 0.2 * np.clip(y / 6.0, 0.0, 1.0)

    def end_walls(self, row: Row) -> None:
        """Walls that face the camera where a building stands higher than the one before it."""
        width = self.camera.resolution_wh[0]
        side = np.sign(row.x_m)
        columns_x, rows_y = self.slope_x[:width] * side, self.slope_y[::width]
        for z, roof, before in zip(row.edges_m[1:-1], row.roof_m[1:], row.roof_m[:-1], strict=True):
            if roof <= before or z < _NEAREST_WALL_M:
                continue
            columns = np.flatnonzero(_between(columns_x * z, np.abs(row.x_m), np.abs(row.x_m) + 9.0))
            rows = np.flatnonzero(_between(self.camera.height_m + rows_y * z, 0.0, roof))
            pixels = (rows[:, None] * width + columns).ravel()
            pixels = pixels[z < self.depth[pixels]]
            self.depth[pixels] = z
            x, y = self.slope_x[pixels] * z, self.camera.height_m + self.slope_y[pixels] * z
            brick = 0.42 + 0.03 * self.grain.at(x, y, per_m=60.0) - 0.12 * (y < 0.6)
            self.albedo[pixels] = brick[:, None] * np.array([0.62, 0.76, 1.0])
            self.sun[pixels] = 0.5 * self.plan.sunlit(x, y, np.full_like(x, z - 0.5))
            self.shade[pixels] = 0.66

    def street_end(self) -> None:
        """Trees and roofs that close the street and the gaps on the right."""
        far = 236.0
        x = self.slope_x * far
        y = self.camera.height_m + self.slope_y * far
        crown = 6.5 + 1.6 * self.grain.at(x, np.zeros_like(x), per_m=2.5) + 0.5 * self.grain.at(x, y, per_m=14.0)
        won = self._claim(np.full_like(x, far), (y >= 0.0) & (y < crown))
        leaf = 0.30 + 0.05 * self.grain.at(x[won], y[won], per_m=10.0)
        self.albedo[won] = leaf[:, None] * np.array([0.62, 1.0, 0.82])
        self.sun[won] = 0.4

    def sky(self) -> None:
        won = np.flatnonzero(np.isinf(self.depth))
        up = np.clip(self.slope_y[won] * 12.0, 0.0, 1.0)[:, None]
        clouds = self.grain.at(self.slope_x[won] * 40.0 + 9.0, self.slope_y[won] * 150.0, per_m=11.0)
        veil = np.clip(0.5 + 0.35 * cv2.GaussianBlur(clouds.reshape(-1, 1), (1, 9), 0).reshape(-1), 0.0, 1.0)[:, None]
        blue = np.array([0.90, 0.80, 0.68]) * (1.0 - 0.22 * up)
        self.albedo[won] = blue * (1.0 - veil) + np.array([0.93, 0.92, 0.91]) * veil
        self.glow[won] = 1.0

    def haze(self) -> None:
        """Air between the camera and what is far."""
        solid = np.isfinite(self.depth)
        thick = (1.0 - np.exp(-np.clip(self.depth[solid] - 12.0, 0.0, None) / 190.0))[:, None]
        self.albedo[solid] = self.albedo[solid] * (1.0 - thick) + np.array([0.80, 0.78, 0.76]) * thick
        self.glow[solid] = np.maximum(self.glow[solid], 0.75 * thick[:, 0])


def paint_street(plan: StreetPlan, camera: Camera, *, rng: np.random.Generator) -> Surfaces:
    """Colour and light of the empty street as ``camera`` sees it."""
    painter = _Painter(plan, camera, rng)
    painter.fronts(plan.left, facing_sun=0.9)
    painter.fronts(plan.right, facing_sun=0.0)
    painter.end_walls(plan.left)
    painter.end_walls(plan.right)
    painter.ground()
    painter.street_end()
    painter.sky()
    painter.haze()
    width, height = camera.resolution_wh
    return Surfaces(
        painter.albedo.reshape(height, width, 3),
        painter.sun.reshape(height, width),
        painter.shade.reshape(height, width),
        painter.glow.reshape(height, width),
    )
