"""Drawing what stands in a street: boxes, tubes and panels in metres, seen through the scene's camera."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from lfr.sources.scene_camera import Camera
from lfr.sources.scene_layer import Layer
from lfr.sources.scene_light import light_bgr
from lfr.sources.scene_street import StreetPlan
from lfr.types import FloatArray, Pixels

__all__ = ["Colour", "Easel", "Prop"]

Colour = tuple[float, float, float]
_FINE = 2  # props are drawn twice as large and shrunk
_FRACTION_BITS = 4


@dataclass(frozen=True, eq=False)
class Prop:
    """Something that stands still.

    Attributes
    ----------
    z_m
        Its distance: it hides what is farther.
    clear, overcast
        Its picture under a clear and under an overcast sky, at one place.
    foot_m
        Middle, half width and height of what stands on the ground; None if it hangs.
    """

    z_m: float
    clear: Layer
    overcast: Layer
    foot_m: tuple[float, float, float] | None

    def at(self, clearness: float, box: tuple[int, int, int, int]) -> Pixels:
        """Its picture inside a box, under a sky in between."""
        mixed = cv2.addWeighted(self.clear.cut(box), clearness, self.overcast.cut(box), 1.0 - clearness, 0.0)
        return np.asarray(mixed, np.uint8)


class Easel:
    """Draws one prop in metres and hands it over as layers."""

    def __init__(self, camera: Camera) -> None:
        width, height = camera.resolution_wh
        self._frame_wh = camera.resolution_wh
        self._camera = Camera((width * _FINE, height * _FINE), camera.height_m)
        self._ink: Pixels = np.zeros((height * _FINE, width * _FINE, 4), np.uint8)

    def _fill(self, points_px: FloatArray, colour: Sequence[float], brightness: float) -> None:
        bgra = [min(255.0, 255.0 * c * brightness) for c in colour] + [255.0]
        fixed = np.round(points_px * 2**_FRACTION_BITS).astype(np.int32)
        cv2.fillPoly(self._ink, [fixed], bgra, cv2.LINE_8, _FRACTION_BITS)

    def panel(
        self, corners_m: Sequence[tuple[float, float, float]], colour: Sequence[float], brightness: float = 1.0
    ) -> None:
        """A flat polygon."""
        self._fill(self._camera.project(np.array(corners_m, np.float64)), colour, brightness)

    def face(
        self, xy0: tuple[float, float], xy1: tuple[float, float], z: float, colour: Colour, brightness: float = 1.0
    ) -> None:
        """A rectangle that faces the camera."""
        (x0, y0), (x1, y1) = xy0, xy1
        self.panel([(x0, y0, z), (x1, y0, z), (x1, y1, z), (x0, y1, z)], colour, brightness)

    def box(self, x: tuple[float, float], y: tuple[float, float], z: tuple[float, float], colour: Colour) -> None:
        """A box: its sides, its top if seen, its front."""
        (x0, x1), (y0, y1), (z0, z1) = x, y, z
        side = x1 if x1 < 0.0 else x0
        if x1 < 0.0 or x0 > 0.0:
            self.panel(
                [(side, y0, z0), (side, y0, z1), (side, y1, z1), (side, y1, z0)], colour, 0.72 if x0 > 0.0 else 1.1
            )
        if y1 < self._camera.height_m:
            self.panel([(x0, y1, z0), (x1, y1, z0), (x1, y1, z1), (x0, y1, z1)], colour, 1.25)
        self.face((x0, y0), (x1, y1), z0, colour, 0.92)

    def tube(self, x: float, z: float, y: tuple[float, float], radius_m: tuple[float, float], colour: Colour) -> None:
        """An upright tube, brighter to the right, where the sun is; radii at its foot and its head."""
        edges = np.linspace(-1.0, 1.0, 9)
        for a, b in itertools.pairwise(edges):
            brightness = 0.55 + 0.35 * np.sqrt(1.0 - ((a + b) / 2) ** 2) + 0.25 * (a + b) / 2
            corners = [
                (x + s * r, h, z)
                for s, h, r in (
                    (a, y[0], radius_m[0]),
                    (b, y[0], radius_m[0]),
                    (b, y[1], radius_m[1]),
                    (a, y[1], radius_m[1]),
                )
            ]
            self.panel(corners, colour, brightness)

    def disc(
        self, centre: tuple[float, float, float], radius_m: float, colour: Colour, brightness: float = 1.0
    ) -> None:
        """A round plate that faces the camera."""
        x, y, z = centre
        turn = np.linspace(0.0, 2.0 * np.pi, 33)[:-1]
        self.panel([(x + radius_m * np.cos(t), y + radius_m * np.sin(t), z) for t in turn], colour, brightness)

    def leaves(
        self, rng: np.random.Generator, centre: tuple[float, float, float], size_m: tuple[float, float], count: int
    ) -> None:
        """A ball of foliage."""
        for _ in range(count):
            angle, reach = rng.uniform(0.0, 2.0 * np.pi), np.sqrt(rng.random())
            dx, dy = reach * np.cos(angle), reach * np.sin(angle)
            spot = (centre[0] + dx * size_m[0], centre[1] + dy * size_m[1], centre[2])
            light = 0.75 + 0.3 * dy + 0.2 * dx + rng.uniform(-0.2, 0.2)
            self.disc(spot, rng.uniform(0.07, 0.15) * np.sqrt(size_m[0]), (0.14, 0.30, 0.20), light)

    def take(self, plan: StreetPlan, xz_m: tuple[float, float], foot: tuple[float, float] | None) -> Prop | None:
        """What was drawn, lit as at a place, or None if none of it is in view; the easel is empty again.

        ``foot`` is half the width and the height of what throws a shadow.
        """
        x_m, z_m = xz_m
        columns, rows = np.flatnonzero(self._ink[:, :, 3].any(0)), np.flatnonzero(self._ink[:, :, 3].any(1))
        if not len(columns):
            return None
        left, right = columns[0] // _FINE, columns[-1] // _FINE + 1
        top, bottom = rows[0] // _FINE, rows[-1] // _FINE + 1
        fine = self._ink[top * _FINE : bottom * _FINE, left * _FINE : right * _FINE]
        ink = cv2.resize(fine, (int(right - left), int(bottom - top)), interpolation=cv2.INTER_AREA)
        fine[:] = 0
        haze = 1.0 - np.exp(-max(z_m - 12.0, 0.0) / 190.0)
        lit = float(plan.sunlit(np.array([x_m]), np.array([1.2]), np.array([z_m]))[0])
        layers = []
        for clearness in (1.0, 0.0):
            gain = np.append(light_bgr(clearness, lit) * (1.0 - haze), 1.0)
            air = ink[:, :, 3:] * (haze * np.array([0.80, 0.78, 0.76, 0.0]))
            layers.append(Layer(int(left), int(top), np.clip(ink * gain + air, 0, 255).astype(np.uint8)))
        return Prop(z_m, layers[0], layers[1], None if foot is None else (x_m, *foot))
