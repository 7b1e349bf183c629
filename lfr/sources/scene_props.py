"""Street furniture: what stands on the pavement and beside it, and can hide a walker."""

from __future__ import annotations

import numpy as np

from lfr.sources.scene_camera import Camera
from lfr.sources.scene_easel import Colour, Easel, Prop
from lfr.sources.scene_street import StreetPlan

__all__ = ["build_props"]

_STEEL: Colour = (0.36, 0.36, 0.34)
_RED: Colour = (0.10, 0.10, 0.62)
_GREEN: Colour = (0.16, 0.26, 0.12)
_BLACK: Colour = (0.10, 0.09, 0.09)
_WOOD: Colour = (0.22, 0.34, 0.46)
_WHITE: Colour = (0.86, 0.88, 0.88)


def _lamp_post(easel: Easel, x: float, z: float) -> None:
    easel.tube(x, z, (0.0, 1.1), (0.075, 0.07), _GREEN)
    easel.tube(x, z, (1.1, 1.17), (0.08, 0.08), _GREEN)
    easel.tube(x, z, (1.17, 6.0), (0.05, 0.04), _GREEN)
    easel.box((x - 0.7, x + 0.1), (5.9, 6.0), (z, z + 0.2), _STEEL)


def _sign_post(easel: Easel, x: float, z: float) -> None:
    easel.tube(x, z, (0.0, 2.9), (0.038, 0.038), _STEEL)
    easel.disc((x, 2.62, z), 0.2, _RED)
    easel.disc((x, 2.62, z), 0.15, (0.52, 0.24, 0.08))
    easel.face((x - 0.14, 2.24), (x + 0.14, 2.36), z, (0.24, 0.62, 0.70))


def _pillar_box(easel: Easel, x: float, z: float) -> None:
    easel.tube(x, z, (0.0, 0.14), (0.26, 0.26), _BLACK)
    easel.tube(x, z, (0.14, 1.32), (0.23, 0.23), _RED)
    easel.tube(x, z, (1.32, 1.44), (0.27, 0.25), _RED)
    easel.tube(x, z, (1.44, 1.54), (0.23, 0.06), _RED)
    easel.face((x - 0.1, 1.18), (x + 0.1, 1.22), z, _BLACK)
    easel.face((x - 0.08, 0.84), (x + 0.08, 1.06), z, _WHITE)


def _bin(easel: Easel, x: float, z: float) -> None:
    easel.tube(x, z, (0.0, 0.95), (0.24, 0.27), _BLACK)
    easel.tube(x, z, (0.95, 1.05), (0.29, 0.2), _BLACK)
    easel.face((x - 0.14, 0.74), (x + 0.14, 0.84), z, (0.03, 0.03, 0.03))
    easel.face((x - 0.1, 0.45), (x + 0.1, 0.6), z, (0.30, 0.62, 0.70))


def _board(easel: Easel, x: float, z: float, colour: Colour) -> None:
    easel.panel([(x - 0.3, 0.0, z), (x + 0.3, 0.0, z), (x + 0.27, 1.05, z + 0.25), (x - 0.27, 1.05, z + 0.25)], _WOOD)
    easel.panel(
        [(x - 0.25, 0.14, z), (x + 0.25, 0.14, z), (x + 0.23, 0.98, z + 0.2), (x - 0.23, 0.98, z + 0.2)], colour
    )
    for row in range(4):
        y = 0.82 - 0.16 * row
        easel.face((x - 0.17 + 0.03 * (row % 2), y), (x + 0.15 - 0.05 * (row % 3), y + 0.05), z + 0.12, _WHITE)


def _planter(easel: Easel, rng: np.random.Generator, x: float, z: float) -> None:
    easel.leaves(rng, (x, 0.85, z + 0.25), (0.42, 0.42), 150)
    easel.box((x - 0.35, x + 0.35), (0.0, 0.5), (z, z + 0.6), (0.30, 0.31, 0.33))


def _tree(easel: Easel, rng: np.random.Generator, x: float, z: float) -> None:
    easel.tube(x, z, (0.0, 3.2), (0.17, 0.12), (0.20, 0.25, 0.30))
    easel.leaves(rng, (x, 4.6, z), (1.7, 1.6), 900)


def _bench(easel: Easel, x: float, z: float) -> None:
    for leg in (x - 0.7, x + 0.62):
        easel.box((leg, leg + 0.08), (0.0, 0.44), (z, z + 0.4), _BLACK)
    easel.box((x - 0.8, x + 0.8), (0.42, 0.48), (z, z + 0.45), _WOOD)
    for slat in range(3):
        easel.face((x - 0.8, 0.58 + 0.13 * slat), (x + 0.8, 0.67 + 0.13 * slat), z + 0.45, _WOOD, 0.85)


def _hanging_sign(easel: Easel, x: float, z: float, colour: Colour) -> None:
    easel.box((x, x + 0.85), (3.42, 3.46), (z, z + 0.04), _BLACK)
    easel.face((x + 0.12, 2.78), (x + 0.82, 3.38), z, colour)
    easel.face((x + 0.2, 3.02), (x + 0.74, 3.14), z, _WHITE)
    easel.face((x + 0.3, 2.88), (x + 0.64, 2.93), z, _WHITE)


def _awning(easel: Easel, x: float, z0: float, z1: float, colour: Colour) -> None:
    out = x + 1.0
    for k, z in enumerate(np.arange(z1, z0, -0.5)):
        stripe = colour if k % 2 else _WHITE
        easel.panel([(x, 3.15, z), (out, 2.6, z), (out, 2.6, z - 0.5), (x, 3.15, z - 0.5)], stripe)
        easel.panel([(out, 2.6, z), (out, 2.6, z - 0.5), (out, 2.42, z - 0.5), (out, 2.42, z)], stripe, 0.85)
    easel.panel([(x, 3.15, z0), (out, 2.6, z0), (out, 2.42, z0), (x, 2.42, z0)], colour, 0.6)


def _vehicle(easel: Easel, z: float, colour: Colour, *, height_m: float, length_m: float) -> None:
    """Front view of a parked vehicle beside the kerb."""
    x0, x1 = 2.75, 4.55
    sill, waist, roof = 0.32, 0.52 * height_m, height_m
    lean = 0.16 if height_m < 2.0 else 0.08
    windscreen_z = z + (1.1 if height_m < 2.0 else 0.5)
    glass: Colour = (0.20, 0.18, 0.16)
    for wheel in (z + 0.75, z + length_m - 0.85):
        easel.box((x0 - 0.01, x0 + 0.2), (0.0, 0.62), (wheel, wheel + 0.62), _BLACK)
    easel.box((x1 - 0.25, x1), (0.0, 0.5), (z + 0.5, z + 0.9), _BLACK)
    easel.box((x0, x1), (sill, waist), (z, z + length_m), colour)
    easel.panel(
        [
            (x0, waist, z),
            (x1, waist, z),
            (x1 - 0.05, waist + 0.06, windscreen_z),
            (x0 + 0.05, waist + 0.06, windscreen_z),
        ],
        colour,
        1.2,
    )
    end = z + length_m
    easel.panel(
        [
            (x0 + 0.05, waist, windscreen_z),
            (x0 + lean, roof, windscreen_z + 0.55),
            (x0 + lean, roof, end - 0.3),
            (x0 + 0.05, waist, end),
        ],
        colour,
        0.72,
    )
    easel.panel(
        [
            (x0 + 0.06, waist + 0.05, windscreen_z + 0.2),
            (x0 + lean, roof - 0.12, windscreen_z + 0.6),
            (x0 + lean, roof - 0.12, end - 0.5),
            (x0 + 0.06, waist + 0.05, end - 0.4),
        ],
        glass,
        0.8,
    )
    easel.panel(
        [
            (x0 + 0.05, waist, windscreen_z),
            (x1 - 0.05, waist, windscreen_z),
            (x1 - lean, roof, windscreen_z + 0.55),
            (x0 + lean, roof, windscreen_z + 0.55),
        ],
        colour,
        0.95,
    )
    easel.panel(
        [
            (x0 + 0.12, waist + 0.04, windscreen_z),
            (x1 - 0.12, waist + 0.04, windscreen_z),
            (x1 - lean - 0.06, roof - 0.1, windscreen_z + 0.5),
            (x0 + lean + 0.06, roof - 0.1, windscreen_z + 0.5),
        ],
        glass,
        1.3,
    )
    for lamp in (x0 + 0.06, x1 - 0.36):
        easel.face((lamp, waist - 0.26), (lamp + 0.3, waist - 0.1), z, (0.80, 0.84, 0.86))
    easel.face((x0 + 0.5, waist - 0.28), (x1 - 0.5, waist - 0.1), z, (0.12, 0.12, 0.12))
    easel.face((x0 + 0.64, 0.42), (x1 - 0.64, 0.54), z, _WHITE)
    easel.face((x0, sill), (x1, sill + 0.06), z, _BLACK)


def _paint_colour(rng: np.random.Generator) -> Colour:
    """Colour of a car or a sign."""
    palette: tuple[Colour, ...] = (
        (0.62, 0.62, 0.60),
        (0.10, 0.09, 0.09),
        (0.42, 0.20, 0.08),
        (0.12, 0.10, 0.50),
        (0.84, 0.85, 0.85),
        (0.30, 0.29, 0.28),
        (0.26, 0.34, 0.12),
    )
    return palette[int(rng.integers(len(palette)))]


def build_props(plan: StreetPlan, camera: Camera, *, rng: np.random.Generator) -> list[Prop]:
    """Everything that stands in the street, farthest first."""
    easel = Easel(camera)
    props: list[Prop | None] = []

    def done(x: float, z: float, foot: tuple[float, float] | None = None) -> None:
        props.append(easel.take(plan, (x, z), foot))

    for z in np.arange(64.5, 30.0, -6.4):
        _vehicle(easel, z, _paint_colour(rng), height_m=rng.uniform(1.42, 1.6), length_m=4.3)
        done(plan.van_x_m + 0.9, z, (0.85, 1.4))
    van_z, van_end = plan.van_z_m
    _vehicle(easel, van_z, (0.84, 0.85, 0.85), height_m=2.4, length_m=van_end - van_z)
    done(plan.van_x_m + 0.9, van_z, (0.85, 2.2))
    for x, z in plan.posts_xz_m:
        if x < 0.0:
            _sign_post(easel, x, z)
        else:
            _lamp_post(easel, x, z)
        done(x, z, (0.07, 5.0))
    for z in (30.5, 46.0):
        _tree(easel, rng, 2.0, z)
        done(2.0, z, (0.2, 4.0))
    front = plan.left.x_m
    for z in (17.6, 31.0, 38.5, 47.0):
        _hanging_sign(easel, front, z, _paint_colour(rng))
        done(front + 0.5, z)
    bay = plan.left.edges_m[6 + int(rng.integers(2))]
    _awning(easel, front, bay + 0.5, bay + 4.0, _paint_colour(rng))
    done(front + 0.5, bay + 0.5)
    for z in (18.4, 21.2):
        _planter(easel, rng, -2.85, z)
        done(-2.85, z, (0.38, 0.9))
    _board(easel, -2.6, 15.0, _paint_colour(rng))
    done(-2.6, 15.0, (0.26, 1.0))
    _bench(easel, -2.3, 33.0)
    done(-2.3, 33.0, (0.6, 0.5))
    _pillar_box(easel, 1.75, 10.6)
    done(1.75, 10.6, (0.25, 1.5))
    _bin(easel, 1.9, 18.5)
    done(1.9, 18.5, (0.25, 1.0))
    for z in (12.3, 13.6, 20.0, 21.3, 24.5):
        easel.tube(2.0, z, (0.0, 0.95), (0.07, 0.06), _BLACK)
        easel.tube(2.0, z, (0.95, 1.02), (0.07, 0.02), _BLACK)
        done(2.0, z, (0.08, 1.0))
    return sorted((prop for prop in props if prop is not None), key=lambda prop: -prop.z_m)
