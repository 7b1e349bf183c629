"""What a walker wears: a torso, sleeves, legs and shoes in everyday colours."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from lfr.sources.scene_figure import PART_PX_PER_M, Paint, Part, limb, shaped
from lfr.types import FloatArray

__all__ = ["Outfit", "umbrella_canopy"]

Float64 = NDArray[np.float64]
Reals = NDArray[np.floating[Any]]

# BGR. Coats and tops are mostly dark, as on any street; a few are not.
_TOPS = np.array(
    [
        (58, 44, 34),
        (34, 32, 32),
        (66, 66, 64),
        (54, 74, 72),
        (96, 134, 166),
        (52, 42, 104),
        (110, 80, 50),
        (142, 140, 138),
        (190, 200, 206),
        (44, 52, 150),
        (60, 140, 190),
        (110, 104, 40),
        (70, 48, 70),
        (58, 84, 60),
        (84, 96, 112),
    ],
    np.float64,
)
_SHIRTS = np.array(
    [(226, 226, 222), (214, 190, 160), (120, 118, 120), (60, 58, 58), (170, 170, 200), (90, 70, 120)], np.float64
)
_LEGS = np.array([(86, 62, 44), (120, 92, 66), (44, 40, 38), (60, 60, 60), (92, 116, 132), (52, 46, 42)], np.float64)
_SHOES = np.array([(26, 24, 24), (40, 52, 76), (206, 206, 206), (60, 60, 62)], np.float64)


def _choose(rng: np.random.Generator, palette: Float64) -> Float64:
    colour: Float64 = palette[int(rng.integers(len(palette)))] * rng.uniform(0.85, 1.15) + rng.uniform(-6.0, 6.0, 3)
    return np.clip(colour, 8.0, 240.0)


def _strip(across: Reals, low: float | Reals, high: float | Reals) -> FloatArray:
    inside: FloatArray = ((across >= low) & (across < high)).astype(np.float32)
    return inside


class _TorsoPaint:
    """Colours a torso: cloth with its pattern, an opening over a shirt, and the trimmings of its kind."""

    def __init__(self, kind: str, colour: Float64, shirt: Float64, skin: Float64, rng: np.random.Generator) -> None:
        self.kind, self.colour, self.shirt, self.skin = kind, colour, shirt, skin
        self.pattern = str(rng.choice(["plain", "plain", "plain", "stripe", "check"])) if kind == "jumper" else "plain"
        self.trim = np.clip(colour * rng.choice([0.5, 1.6]), 10.0, 235.0)
        self.tie = bool(rng.random() < 0.6)
        self.bag = float(rng.choice([0.0, 1.0, -1.0], p=[0.74, 0.13, 0.13]))

    def __call__(self, y: FloatArray, x: FloatArray) -> FloatArray:
        shape = (len(y), x.shape[1])
        paint = np.broadcast_to(self.colour.astype(np.float32), (*shape, 3)).copy()

        def dye(mask: Reals, colour: Sequence[float] | Float64, strength: float = 1.0) -> None:
            weight = (np.broadcast_to(mask, shape) * strength)[..., None]
            paint[:] = paint * (1.0 - weight) + np.asarray(colour, np.float32) * weight

        side = np.abs(x)
        if self.pattern != "plain":
            dye(_strip(y % 0.09, 0.0, 0.035), self.trim, 0.7)
        if self.pattern == "check":
            dye(_strip(x % 0.08, 0.0, 0.03), self.trim, 0.5)
        if self.kind == "puffer":
            seam = np.abs((y / 0.085 + 1.5 * x**2) % 1.0 - 0.5) * 2.0
            paint *= (0.72 + 0.38 * np.sqrt(np.clip(1.0 - seam**2, 0.0, 1.0)))[..., None]
        if self.kind in {"coat", "suit"}:
            self._open(dye, y, x)
        elif self.kind in {"puffer", "parka"}:
            dye(_strip(x, -0.004, 0.004), self.trim, 0.8)
            dye(_strip(y, -0.09, 0.02) * _strip(side, 0.0, 0.1), self.colour * 0.78)
            dye(_strip(y, 0.02, 0.026) * _strip(side, 0.0, 0.12), self.colour * 0.5)
            dye(_strip(side, 0.06, 0.13) * _strip(y, 0.42, 0.426), self.colour * 0.45)
        else:
            round_neck = np.hypot(x, (y + 0.035) * 0.9)
            dye(_strip(round_neck, 0.0, 0.082), self.trim)
            dye(_strip(round_neck, 0.0, 0.070), self.skin * 0.70)
        if self.kind == "hoodie":
            dye(_strip(np.hypot(x * 0.8, y + 0.05), 0.082, 0.12), self.colour * 0.8)
            for cord in (-0.035, 0.028):
                dye(_strip(x, cord, cord + 0.006) * _strip(y, 0.06, 0.22), (205, 205, 200))
            dye(_strip(side, 0.0, 0.11) * _strip(y, 0.36, 0.366), self.colour * 0.5)
        if self.bag:
            strap = x * self.bag - (y - 0.22) * 0.55
            dye(_strip(strap, -0.02, 0.02), (38, 42, 58))
        return paint

    def _open(self, dye: Callable[..., None], y: FloatArray, x: FloatArray) -> None:
        """An open collar with lapels over a shirt, a tie perhaps, and buttons down the front."""
        side = np.abs(x)
        deep = 0.32 if self.kind == "suit" else 0.20
        left = np.clip(1.0 - (y + 0.04) / (deep + 0.04), 0.0, 1.0)
        opening = 0.082 * left
        dye(_strip(side, opening, opening + 0.055 * np.sqrt(left)), self.colour * 0.80)
        dye(_strip(side, opening + 0.055 * np.sqrt(left), opening + 0.055 * np.sqrt(left) + 0.004), self.colour * 0.55)
        shirt = _strip(side, 0.0, opening)
        dye(shirt, self.shirt)
        dye(shirt * _strip(y + 0.5 * side, -0.09, 0.012), self.skin * 0.70)
        dye(shirt * _strip(y - 0.9 * side, -0.02, -0.012), self.shirt * 0.7)
        if self.kind == "suit" and self.tie:
            dye(shirt * _strip(side, 0.0, 0.014 + 0.04 * y) * _strip(y, 0.005, deep), self.trim)
        dye(_strip(x, -0.002, 0.002) * _strip(y, deep, 9.0), self.colour * 0.5)
        for button in np.arange(deep + 0.05, 0.75, 0.12):
            dye(_strip(np.hypot(x - 0.014, y - button), 0.0, 0.011), self.colour * 0.35)


def _torso(paint: Paint, rng: np.random.Generator, *, hem_m: float, bulk: float, skirt: bool) -> Part:
    """A torso from the base of the neck to a hem; its lower joint is between the hips."""
    spread = 0.255 if skirt else 0.205
    profile = [
        (-0.075, 0.048),
        (-0.03, 0.060),
        (0.0, 0.080),
        (0.022, 0.122),
        (0.045, 0.165),
        (0.075, 0.188),
        (0.12, 0.196),
        (0.24, 0.180),
        (0.36, 0.158),
        (0.44, 0.154),
        (0.55, 0.172),
        (max(hem_m, 0.62), spread - 0.02),
        (max(hem_m, 0.62) + 0.02, spread - 0.035),
    ]
    return shaped(
        paint, [(d, h * (bulk if d > 0.04 else 1.0)) for d, h in profile], bottom_m=0.54, rng=rng, roundness=0.42
    )


@dataclass(frozen=True, eq=False)
class Outfit:
    """The parts of one dressed body of 1.75 m.

    Attributes
    ----------
    torso, neck, upper_arm, forearm, hand, thigh, shank, shoe
        Parts to hang between the joints.
    bulk
        Width of the shoulders over a plain one.
    """

    torso: Part
    neck: Part
    upper_arm: Part
    forearm: Part
    hand: Part
    thigh: Part
    shank: Part
    shoe: Part
    bulk: float

    @classmethod
    def draw(cls, rng: np.random.Generator, skin_bgr: FloatArray) -> Outfit:
        """Clothes drawn at random, and hands and neck in the colour of the skin."""
        skin = skin_bgr.astype(np.float64)
        kind = str(
            rng.choice(["coat", "suit", "puffer", "parka", "hoodie", "jumper"], p=[0.22, 0.16, 0.16, 0.16, 0.14, 0.16])
        )
        colour, shirt, legs, shoes = (_choose(rng, palette) for palette in (_TOPS, _SHIRTS, _LEGS, _SHOES))
        skirt = kind == "coat" and rng.random() < 0.4
        hem = {"coat": 1.08 if skirt else rng.uniform(0.80, 1.0), "parka": 0.78, "suit": 0.70}.get(kind, 0.62)
        bulk = {"puffer": 1.10, "parka": 1.06, "coat": 1.04}.get(kind, 1.0) * rng.uniform(0.93, 1.07)
        sleeve = colour if kind != "puffer" else colour * 0.95
        thick = 0.003 + 0.010 * (kind in {"puffer", "parka", "coat"})
        shank = skin * 0.55 if skirt else legs
        return cls(
            torso=_torso(_TorsoPaint(kind, colour, shirt, skin, rng), rng, hem_m=hem, bulk=bulk, skirt=skirt),
            neck=limb(skin * 0.70, length_m=0.16, radii_m=(0.056, 0.062), rng=rng),
            upper_arm=limb(sleeve, length_m=0.30, radii_m=(0.056 + thick, 0.045 + thick), rng=rng),
            forearm=limb(sleeve, length_m=0.25, radii_m=(0.045 + thick, 0.036 + thick), rng=rng, cuff=sleeve * 0.8),
            hand=limb(skin * 0.88, length_m=0.09, radii_m=(0.036, 0.028), rng=rng),
            thigh=limb(legs, length_m=0.43, radii_m=(0.098, 0.072), rng=rng),
            shank=limb(shank, length_m=0.42, radii_m=(0.068, 0.058) if not skirt else (0.056, 0.040), rng=rng),
            shoe=limb(shoes, length_m=0.12, radii_m=(0.046, 0.050), rng=rng),
            bulk=bulk,
        )


def umbrella_canopy(rng: np.random.Generator) -> Part:
    """An open umbrella seen from the front, a little from below its rim; the upper joint is its tip."""
    colour = _choose(rng, _TOPS)
    width, height = int(1.10 * PART_PX_PER_M), int(0.40 * PART_PX_PER_M)
    y, x = np.mgrid[0:height, 0:width].astype(np.float64)
    across = (x - width / 2) / (width / 2)
    scallop = 0.90 - 0.10 * np.abs(np.sin(across * np.pi * 2.5))
    inside = np.clip((np.sqrt(np.clip(1.0 - across**2, 0.0, 1.0)) - (1.0 - y / (height * scallop))) * 30.0, 0.0, 1.0)
    inside *= np.clip((scallop - y / height) * 60.0, 0.0, 1.0)
    panel = 0.82 + 0.22 * np.abs(np.sin((across * 2.5 + 0.5) * np.pi)) + 0.16 * across
    bgr = colour * (panel * (0.65 + 0.5 * (1.0 - y / height)))[..., None]
    bgra = np.dstack([np.clip(bgr, 0, 255) * inside[..., None], 255.0 * inside]).astype(np.uint8)
    bgra = np.asarray(cv2.GaussianBlur(bgra, (3, 3), 0), np.uint8)
    return Part(bgra, top_xy=(width / 2, 0.0), bottom_xy=(width / 2, float(height)))
