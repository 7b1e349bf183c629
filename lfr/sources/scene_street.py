"""The plan of a simulated street: what stands where, and where the sun reaches.

A pavement runs from the camera into the distance. Shops stand on its left,
broken by one side street; on its right lie a kerb, a road, a far pavement
and another row of buildings, some of them gaps that let the sun through.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Row", "StreetPlan"]

Float64 = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Row:
    """One row of buildings along the street.

    Attributes
    ----------
    x_m
        Where its front stands.
    edges_m
        (n + 1,) distances at which buildings begin and end, rising.
    roof_m
        (n,) height of each building; 0 is a gap.
    wall_bgr, frame_bgr, sign_bgr
        (n, 3) colours in 0..1 of wall, shop front and sign.
    """

    x_m: float
    edges_m: Float64
    roof_m: Float64
    wall_bgr: Float64
    frame_bgr: Float64
    sign_bgr: Float64

    def building_at(self, z_m: Float64) -> NDArray[np.int64]:
        """Index of the building at each distance, cut to the row's ends."""
        found: NDArray[np.int64] = np.searchsorted(self.edges_m, z_m, side="right") - 1
        return np.clip(found, 0, len(self.roof_m) - 1)

    def roof_at(self, z_m: Float64) -> Float64:
        """Height of the roof at each distance."""
        height: Float64 = self.roof_m[self.building_at(z_m)]
        return height


# Walls in BGR: red brick, London stock brick, cream render, grey stone, pale blue, terracotta.
_WALLS = ((62, 78, 130), (104, 140, 172), (186, 212, 222), (142, 148, 150), (196, 186, 160), (86, 116, 176))
_SIGNS = ((58, 42, 28), (40, 30, 122), (44, 82, 30), (30, 30, 34), (124, 74, 22), (36, 120, 188), (96, 40, 90))
_FRAMES = ((38, 34, 30), (210, 214, 214), (70, 84, 40), (50, 46, 90), (104, 70, 40))


def _pick(rng: np.random.Generator, palette: tuple[tuple[int, int, int], ...], count: int) -> Float64:
    """(count, 3) colours in 0..1, neighbours always different."""
    steps = rng.integers(1, len(palette), count)
    colours: Float64 = np.array(palette, np.float64)[np.cumsum(steps) % len(palette)] / 255.0
    return np.clip(colours * rng.uniform(0.85, 1.1, (count, 1)), 0.0, 1.0)


def _row(rng: np.random.Generator, x_m: float, edges_m: Float64, roof_m: Float64) -> Row:
    n = len(roof_m)
    return Row(x_m, edges_m, roof_m, _pick(rng, _WALLS, n), _pick(rng, _FRAMES, n), _pick(rng, _SIGNS, n))


@dataclass(frozen=True, eq=False)
class StreetPlan:
    """Where everything that does not move stands.

    Attributes
    ----------
    left, right
        The rows of buildings.
    corner_m
        Distances at which the side street on the left begins and ends.
    van_x_m, van_z_m
        Left side, front and back of the parked van, behind which people step onto the pavement.
    kerb_x_m
        Edge between pavement and road.
    posts_xz_m
        (k, 2) lamp posts and sign posts that can hide a face.
    sun_xyz
        Direction to the sun, with a horizontal part of length 1.
    """

    left: Row
    right: Row
    corner_m: tuple[float, float]
    van_x_m: float
    van_z_m: tuple[float, float]
    kerb_x_m: float
    posts_xz_m: Float64
    sun_xyz: tuple[float, float, float]

    @classmethod
    def draw(cls, rng: np.random.Generator) -> StreetPlan:
        """A street drawn at random."""
        near = np.array([-8.0, -1.0, 5.0, 11.0, 17.5, 24.0]) + np.append(rng.uniform(-0.8, 0.8, 5), 0.0)
        far = 29.0 + np.cumsum(np.append(0.0, rng.uniform(5.0, 8.5, 24)))
        left_edges = np.concatenate([near, far])
        left_roofs = rng.choice([7.2, 9.0, 9.6, 10.4], len(left_edges) - 1)
        left_roofs[5] = 0.0
        right_edges = -44.0 + np.cumsum(np.append(0.0, rng.uniform(6.0, 11.0, 30)))
        right_roofs = rng.choice([0.0, 3.6, 6.8, 8.6, 9.4], 30, p=[0.16, 0.16, 0.22, 0.26, 0.2])
        azimuth = rng.uniform(-0.75, 0.1)
        elevation = rng.uniform(0.55, 0.85)
        return cls(
            left=_row(rng, -3.4, left_edges, left_roofs),
            right=_row(rng, 10.5, right_edges, right_roofs),
            corner_m=(24.0, 29.0),
            van_x_m=2.75,
            van_z_m=(22.5, 27.7),
            kerb_x_m=2.3,
            posts_xz_m=np.array(
                [
                    [rng.uniform(0.75, 1.25), rng.uniform(5.6, 7.0)],
                    [rng.uniform(-1.9, -1.2), rng.uniform(9.5, 11.5)],
                    [rng.uniform(1.9, 2.1), rng.uniform(14.0, 16.0)],
                    [2.05, 34.0],
                    [2.05, 52.0],
                ]
            ),
            sun_xyz=(float(np.cos(azimuth)), float(np.tan(elevation)), float(np.sin(azimuth))),
        )

    def sunlit(self, x_m: Float64, y_m: Float64, z_m: Float64) -> Float64:
        """Share of the sun that reaches each point past the roofs on the right, 0..1, over a soft edge."""
        sun_x, sun_y, sun_z = self.sun_xyz
        away_m = np.maximum((self.right.x_m - x_m) / sun_x, 0.0)
        clearance_m = y_m + away_m * sun_y - self.right.roof_at(z_m + away_m * sun_z)
        lit: Float64 = np.clip(clearance_m / 0.5 + 0.5, 0.0, 1.0)
        return lit
