"""The head of a walker: a portrait's face in painted hair, turned like a cylinder."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from lfr.sources.scene_layer import Layer, overlap
from lfr.sources.scene_portraits import FACE_XYXY, PORTRAIT_PX
from lfr.types import FloatArray, Pixels

__all__ = ["PORTRAIT_PX_PER_M", "Head", "Turn", "face_box"]

PORTRAIT_PX_PER_M = 960.0
"""Pixels of the common portrait layout in a metre: eyes 67 mm apart, a face 19 cm high."""

_CENTRE_XY = (113.0, 112.0)
_RADIUS_X, _RADIUS_Y = 94.0, 150.0  # of the cylinders that carry the face when it turns and nods
_MARGIN_X, _MARGIN_TOP, _MARGIN_BOTTOM = 52, 64, 84
_SHAPE_HW = (PORTRAIT_PX + _MARGIN_TOP + _MARGIN_BOTTOM, PORTRAIT_PX + 2 * _MARGIN_X)


@dataclass(frozen=True)
class Turn:
    """How a head is held, in radians: yaw to the image's right, roll clockwise, nod downwards."""

    yaw: float
    roll: float
    nod: float


def _bulge(offset: FloatArray, radius: float, angle: float) -> FloatArray:
    """Where on a cylinder's unturned face a point comes from, once the cylinder has turned by ``angle``."""
    t = np.clip(offset / radius, -1.0, 1.0)
    turned = radius * (t * np.cos(angle) - np.sqrt(1.0 - t * t) * np.sin(angle))
    # What the turn brings from behind shows the edge, not the other side.
    hidden = np.where(angle < 0.0, t > np.cos(angle), t < -np.cos(angle))
    source: FloatArray = np.where(np.abs(offset) >= radius, offset, np.where(hidden, np.sign(t) * radius, turned))
    return source.astype(np.float32)


def _moved(offset: float, radius: float, angle: float) -> float:
    """Where a point of a cylinder's face goes when it turns by ``angle``; the inverse of ``_bulge``."""
    return float(
        radius * np.sin(np.clip(np.arcsin(np.clip(offset / radius, -1.0, 1.0)) + angle, -np.pi / 2, np.pi / 2))
    )


def face_box(centre_xy: tuple[float, float], *, px_per_m: float, turn: Turn) -> FloatArray:
    """(4,) box around a head's face in the frame, not cut to it."""
    scale = px_per_m / PORTRAIT_PX_PER_M
    left, right = (_moved(x - _CENTRE_XY[0], _RADIUS_X, turn.yaw) for x in (FACE_XYXY[0], FACE_XYXY[2]))
    top, bottom = (_moved(y - _CENTRE_XY[1], _RADIUS_Y, turn.nod) for y in (FACE_XYXY[1], FACE_XYXY[3]))
    # The tilted face is an ellipse: its box is found from the ellipse's half axes.
    cos, sin = np.cos(turn.roll), np.sin(turn.roll)
    middle_x, middle_y = (left + right) / 2, (top + bottom) / 2
    half_x = np.hypot((right - left) / 2 * cos, (bottom - top) / 2 * sin)
    half_y = np.hypot((right - left) / 2 * sin, (bottom - top) / 2 * cos)
    x = centre_xy[0] + scale * (middle_x * cos - middle_y * sin)
    y = centre_xy[1] + scale * (middle_x * sin + middle_y * cos)
    half_x, half_y = scale * half_x, scale * half_y
    return np.array([x - half_x, y - half_y, x + half_x, y + half_y], np.float32)


def _blob(
    centre: tuple[float, float], half: tuple[float, float], *, power: float = 2.0, soft: float = 3.0
) -> FloatArray:
    """(h, w) opacity of a soft-edged superellipse given in portrait pixels."""
    y, x = np.mgrid[0 : _SHAPE_HW[0], 0 : _SHAPE_HW[1]].astype(np.float32)
    across = np.abs(x - _MARGIN_X - centre[0]) / half[0]
    down = np.abs(y - _MARGIN_TOP - centre[1]) / half[1]
    reach = (across**power + down**power) ** (1.0 / power)
    opacity: FloatArray = np.clip((1.0 - reach) * min(half) / soft + 0.5, 0.0, 1.0)
    return opacity.astype(np.float32)


def _patch_colour(portrait: Pixels, *patches: tuple[int, int, int, int]) -> FloatArray:
    """(3,) median colour of patches (left, top, right, bottom)."""
    pixels = np.concatenate([portrait[t:b, a:c].reshape(-1, 3) for a, t, c, b in patches])
    colour: FloatArray = np.median(pixels, axis=0).astype(np.float32)
    return colour


def _strands(rng: np.random.Generator, colour: FloatArray) -> FloatArray:
    """(h, w, 3) hair: strands that fall, lighter at the crown."""
    height, width = _SHAPE_HW
    fine = cv2.resize(
        rng.normal(0.0, 1.0, (14, width // 2)).astype(np.float32), (width, height), interpolation=cv2.INTER_CUBIC
    )
    wide = cv2.resize(rng.normal(0.0, 1.0, (6, 14)).astype(np.float32), (width, height), interpolation=cv2.INTER_CUBIC)
    fall = np.linspace(0.12, -0.22, height, dtype=np.float32)[:, None]
    hair: FloatArray = colour * (1.0 + 0.10 * fine + 0.08 * wide + fall)[..., None]
    return hair


class _Canvas:
    """Lays colour through masks, premultiplied, and keeps what of the face stays uncovered."""

    def __init__(self) -> None:
        self.bgr = np.zeros((*_SHAPE_HW, 3), np.float32)
        self.opacity = np.zeros(_SHAPE_HW, np.float32)
        self.clear = np.ones(_SHAPE_HW, np.float32)

    def lay(self, colour: FloatArray, mask: FloatArray, *, covers: bool = False) -> None:
        m = mask[..., None]
        self.bgr = self.bgr * (1.0 - m) + colour * m
        self.opacity = self.opacity + mask * (1.0 - self.opacity)
        if covers:
            self.clear = self.clear * (1.0 - mask)


def _has_long_hair(portrait: Pixels, hair: FloatArray, skin: FloatArray) -> bool:
    """Whether the picture looks like the hair all down both sides of the face."""
    if np.abs(hair - skin).max() < 28.0:
        return False
    sides = (
        (6, 70, 26, 110),
        (198, 70, 218, 110),
        (6, 120, 30, 150),
        (194, 120, 218, 150),
        (8, 160, 38, 200),
        (186, 160, 216, 200),
    )
    return all(float(np.abs(_patch_colour(portrait, side) - hair).max()) < 42.0 for side in sides)


def _lay_long_hair(canvas: _Canvas, hair: FloatArray, length: float) -> None:
    """Hair that falls beside the face, open before the neck."""
    fall = _blob((113.0, 150.0 + length), (100.0, 104.0 + length), power=3.4, soft=9.0)
    fall[: _MARGIN_TOP + 60] = 0.0
    gap = _blob((113.0, 250.0), (34.0 + 0.4 * length, 96.0), soft=10.0)
    canvas.lay(hair * 0.74, (fall * (1.0 - gap)).astype(np.float32))
    canvas.lay(hair * 0.92, _blob((113.0, 72.0), (97.0, 97.0), power=2.35, soft=5.0))


def _lay_short_hair(canvas: _Canvas, hair: FloatArray, skin: FloatArray) -> None:
    """Ears, and hair that ends above them."""
    for side in (-1.0, 1.0):
        canvas.lay(skin * 0.66, _blob((113.0 + side * 76.0, 106.0), (9.0, 21.0), soft=4.0))
        canvas.lay(skin * 0.50, _blob((113.0 + side * 77.0, 106.0), (4.0, 12.0), soft=4.0))
    crown = _blob((113.0, 66.0), (80.0, 88.0), power=2.3, soft=4.0)
    nape = np.clip((112.0 + _MARGIN_TOP - np.arange(_SHAPE_HW[0], dtype=np.float32)) / 16.0, 0.0, 1.0)[:, None]
    canvas.lay(hair, (crown * nape).astype(np.float32))


def _lay_face(canvas: _Canvas, portrait: Pixels, skin: FloatArray, hair: FloatArray) -> None:
    """The portrait through a soft oval, its rim drawn towards skin and hair so that no background shows."""
    spread = cv2.copyMakeBorder(
        portrait, _MARGIN_TOP, _MARGIN_BOTTOM, _MARGIN_X, _MARGIN_X, cv2.BORDER_REPLICATE
    ).astype(np.float32)
    upper = _blob((113.0, 100.0), (78.0, 112.0), soft=7.0)
    lower = _blob((113.0, 100.0), (75.0, 108.0), power=2.2, soft=6.0)
    below = np.zeros(_SHAPE_HW, np.float32)
    below[_MARGIN_TOP + 100 :] = 1.0
    oval = np.where(below > 0.0, lower, upper)
    inner = np.where(
        below > 0.0,
        _blob((113.0, 100.0), (66.0, 98.0), power=2.2, soft=12.0),
        _blob((113.0, 106.0), (68.0, 104.0), soft=12.0),
    )
    jaw = np.clip((np.arange(_SHAPE_HW[0], dtype=np.float32) - _MARGIN_TOP - 75.0) / 30.0, 0.0, 1.0)[:, None, None]
    rim = (hair * (1.0 - jaw) + 0.8 * skin * jaw).astype(np.float32)
    weight = (0.25 + 0.75 * inner)[..., None]
    canvas.lay(spread * weight + rim * (1.0 - weight), oval.astype(np.float32))


def _lay_headwear(canvas: _Canvas, rng: np.random.Generator, kind: str) -> None:
    colour = rng.choice(np.array([(40, 34, 30), (70, 52, 34), (44, 40, 110), (90, 92, 96), (60, 80, 58)], np.float32))
    rib = 1.0 + 0.10 * np.sin(np.arange(_SHAPE_HW[1], dtype=np.float32) * 0.55)[None, :, None]
    if kind == "beanie":
        dome = _blob((113.0, 20.0), (93.0, 76.0), power=2.6)
        dome[_MARGIN_TOP + 34 :] = 0.0
        cuff = _blob((113.0, 22.0), (94.0, 17.0), power=6.0)
        canvas.lay(colour * rib, dome, covers=True)
        canvas.lay(colour * rib * 1.18, cuff, covers=True)
        return
    dome = _blob((113.0, 24.0), (91.0, 82.0), power=2.3)
    dome[_MARGIN_TOP + 30 :] = 0.0
    canvas.lay(colour * 1.1, dome, covers=True)
    brim = _blob((113.0, 30.0), (86.0, 17.0), power=2.2)
    shadow = _blob((113.0, 48.0), (72.0, 26.0), soft=16.0) * 0.45
    canvas.lay(canvas.bgr * 0.35, shadow.astype(np.float32))
    canvas.lay(colour * 0.72, brim, covers=True)


def _lay_scarf(canvas: _Canvas, rng: np.random.Generator, raised: float) -> None:
    """A scarf round the neck; raised, it covers mouth and chin."""
    colour = rng.choice(
        np.array([(56, 50, 150), (150, 120, 90), (90, 150, 190), (70, 90, 70), (60, 56, 58)], np.float32)
    )
    y, x = np.mgrid[0 : _SHAPE_HW[0], 0 : _SHAPE_HW[1]].astype(np.float32)
    weave = 1.0 + 0.12 * np.sin((y - _MARGIN_TOP) * 0.22 + ((x - _MARGIN_X - 113.0) / 40.0) ** 2)[..., None]
    canvas.lay(colour * weave, _blob((113.0, 236.0 - 46.0 * raised), (86.0, 46.0), power=3.0), covers=True)


class Head:
    """A head that can be drawn at any size and turn.

    Parameters
    ----------
    portrait
        (224, 224, 3) in the common layout.
    rng
        Draws hair, and the colours of what is worn.
    headwear
        ``"none"``, ``"cap"`` or ``"beanie"``.
    scarf
        None, or how far it is raised: 0 round the neck, 1 over the mouth.

    Attributes
    ----------
    skin_bgr
        (3,) colour of the skin, 0..255.
    uncovered
        Share of the face that nothing worn covers, 0..1.
    """

    def __init__(self, portrait: Pixels, rng: np.random.Generator, *, headwear: str, scarf: float | None) -> None:
        self.skin_bgr = _patch_colour(portrait, (72, 118, 88, 136), (138, 118, 154, 136), (100, 50, 126, 66))
        hair_bgr = _patch_colour(portrait, (78, 2, 150, 14))
        hair = _strands(rng, hair_bgr * 0.92)
        canvas = _Canvas()
        if _has_long_hair(portrait, hair_bgr, self.skin_bgr):
            _lay_long_hair(canvas, hair, rng.uniform(0.0, 40.0))
        else:
            _lay_short_hair(canvas, hair, self.skin_bgr)
        _lay_face(canvas, portrait, self.skin_bgr, hair_bgr)
        fringe = _blob((113.0, -4.0), (70.0, 22.0), soft=14.0) * 0.8
        canvas.lay(hair, (fringe * canvas.opacity).astype(np.float32))
        if headwear != "none":
            _lay_headwear(canvas, rng, headwear)
        if scarf is not None:
            _lay_scarf(canvas, rng, scarf)
        face = _blob(_CENTRE_XY, ((FACE_XYXY[2] - FACE_XYXY[0]) / 2, (FACE_XYXY[3] - FACE_XYXY[1]) / 2))
        self.uncovered = float((face * canvas.clear).sum() / face.sum())
        bgra = np.dstack([canvas.bgr, 255.0 * canvas.opacity])
        self._levels: list[Pixels] = [np.clip(bgra, 0.0, 255.0).astype(np.uint8)]
        while self._levels[-1].shape[0] > 24:
            smaller = cv2.resize(self._levels[-1], None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
            self._levels.append(np.asarray(smaller, np.uint8))

    def draw(
        self,
        centre_xy: tuple[float, float],
        *,
        px_per_m: float,
        turn: Turn,
        frame_wh: tuple[int, int],
        side_light: float,
    ) -> Layer | None:
        """The head about the middle of its face, or None if it lies outside the frame.

        ``side_light`` is how much brighter the side towards the sun is, 0..1.
        """
        scale = px_per_m / PORTRAIT_PX_PER_M
        reach_x, reach_y = scale * (_SHAPE_HW[1] / 2 + 24.0), scale * (_SHAPE_HW[0] / 2 + 24.0)
        wanted = (
            int(centre_xy[0] - reach_x),
            int(centre_xy[1] - reach_y),
            int(centre_xy[0] + reach_x) + 1,
            int(centre_xy[1] + reach_y) + 1,
        )
        box = overlap(wanted, (0, 0, *frame_wh))
        if box is None:
            return None
        x = (np.arange(box[0], box[2], dtype=np.float32) + 0.5 - np.float32(centre_xy[0]))[None, :] / np.float32(scale)
        y = (np.arange(box[1], box[3], dtype=np.float32) + 0.5 - np.float32(centre_xy[1]))[:, None] / np.float32(scale)
        cos, sin = np.float32(np.cos(turn.roll)), np.float32(np.sin(turn.roll))
        across, down = x * cos + y * sin, y * cos - x * sin
        source_x = _bulge(across, _RADIUS_X, turn.yaw) + _CENTRE_XY[0] + _MARGIN_X
        source_y = _bulge(down, _RADIUS_Y, turn.nod) + _CENTRE_XY[1] + _MARGIN_TOP
        level = int(np.clip(np.floor(-np.log2(scale) + 0.35), 0, len(self._levels) - 1))
        shrink = np.float32(0.5**level)
        patch = cv2.remap(
            self._levels[level],
            (source_x * shrink - 0.5).astype(np.float32),
            (source_y * shrink - 0.5).astype(np.float32),
            cv2.INTER_LINEAR,
        )
        if side_light > 0.0:
            gain = 200.0 * (1.0 + 0.32 * side_light * np.clip(x / 80.0, -1.0, 1.0))
            gains = np.repeat(np.repeat(np.clip(gain, 0, 255).astype(np.uint8)[:, :, None], 4, 2), patch.shape[0], 0)
            gains[:, :, 3] = 200
            patch = cv2.multiply(patch, gains, scale=1.0 / 200.0)
        return Layer(box[0], box[1], np.asarray(patch, np.uint8))
