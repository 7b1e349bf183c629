"""The fixed camera of a simulated scene, and where a straight street lies before it.

World axes in metres: x to the right of the camera, y up from the ground,
z away from the camera along the street.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lfr.types import FloatArray

__all__ = ["Camera"]


@dataclass(frozen=True)
class Camera:
    """A pinhole camera that looks straight along the street.

    The horizon is set by a lens shift, so that verticals stay vertical.

    Attributes
    ----------
    resolution_wh
        Width and height of a frame in pixels.
    height_m
        Height of the lens over the ground.
    """

    resolution_wh: tuple[int, int]
    height_m: float = 1.95

    @property
    def focal_px(self) -> float:
        """Focal length in pixels: a face of 0.19 m fills 160 of 720 rows at 3 m and 20 rows at 24 m."""
        return 2550.0 * self.resolution_wh[1] / 720.0

    @property
    def centre_x(self) -> float:
        """Column of the vanishing point."""
        return self.resolution_wh[0] / 2.0

    @property
    def horizon_y(self) -> float:
        """Row of the horizon."""
        return 0.27 * self.resolution_wh[1]

    def px_per_m(self, z_m: float) -> float:
        """Pixels that a metre across the view takes up at a distance."""
        return self.focal_px / z_m

    def half_view_m(self, z_m: float) -> float:
        """Metres between the middle and the edge of the view at a distance."""
        return self.centre_x * z_m / self.focal_px

    def project(self, points: NDArray[np.float64]) -> FloatArray:
        """(n, 2) pixels of (n, 3) points in metres, all before the camera."""
        scale = self.focal_px / points[:, 2]
        x = self.centre_x + points[:, 0] * scale
        y = self.horizon_y + (self.height_m - points[:, 1]) * scale
        return np.stack([x, y], axis=1).astype(np.float32)
