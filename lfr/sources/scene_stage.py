"""The empty street, painted once, and laying walkers into it in the right order."""

from __future__ import annotations

import cv2
import numpy as np

from lfr.sources.scene_camera import Camera
from lfr.sources.scene_easel import Prop
from lfr.sources.scene_layer import Layer, blend_over, overlap
from lfr.sources.scene_light import lit_pixels
from lfr.sources.scene_paint import paint_street
from lfr.sources.scene_people import Drawn
from lfr.sources.scene_props import build_props
from lfr.sources.scene_shadow import cast_shadow, stand_shadow
from lfr.sources.scene_street import StreetPlan
from lfr.types import Pixels

__all__ = ["Stage"]

_FINE_UP_TO_PX = 1920  # wider frames are sharp enough without painting them twice as large first


class Stage:
    """The street under a clear and an overcast sky, and what stands in it.

    Parameters
    ----------
    plan, camera
        What stands where, and who looks.
    rng
        Draws textures and colours.
    """

    def __init__(self, plan: StreetPlan, camera: Camera, *, rng: np.random.Generator) -> None:
        self._plan, self._camera = plan, camera
        width, height = camera.resolution_wh
        fine = 2 if width <= _FINE_UP_TO_PX else 1
        surfaces = paint_street(plan, Camera((width * fine, height * fine)), rng=rng)
        self._clear, self._overcast = (
            _shrunk(lit_pixels(surfaces, clearness=clearness), (width, height)) for clearness in (1.0, 0.0)
        )
        self._props = build_props(plan, camera, rng=rng)
        for prop in self._props:
            stand_shadow(self._clear, self._overcast, prop=prop, camera=camera, plan=plan)
        for prop in self._props:
            _lay(self._clear, prop.clear)
            _lay(self._overcast, prop.overcast)

    def show(self, drawn: list[Drawn], *, clearness: float) -> Pixels:
        """(h, w, 3) the street with walkers in it, given from far to near.

        What of a walker's face something nearer hides is taken from its ``face``.
        """
        mixed = cv2.addWeighted(self._clear, clearness, self._overcast, 1.0 - clearness, 0.0)
        picture = np.asarray(mixed, np.uint8)
        for walker in drawn:
            cast_shadow(picture, walker.place, camera=self._camera, plan=self._plan, clearness=clearness)
        standing = list(self._props)
        behind: list[Drawn] = []
        for walker in drawn:
            while standing and standing[0].z_m >= walker.place.z_m:
                _cover(picture, standing.pop(0), behind=behind, clearness=clearness)
            _lay(picture, walker.layer)
            for other in behind:
                _hide(other, walker.layer)
            behind.append(walker)
        for prop in standing:
            _cover(picture, prop, behind=behind, clearness=clearness)
        return picture


def _shrunk(picture: Pixels, resolution_wh: tuple[int, int]) -> Pixels:
    return np.asarray(cv2.resize(picture, resolution_wh, interpolation=cv2.INTER_AREA), np.uint8)


def _lay(picture: Pixels, layer: Layer) -> None:
    left, top, right, bottom = layer.box
    blend_over(picture[top:bottom, left:right], layer.bgra)


def _hide(walker: Drawn, above: Layer) -> None:
    """Take from a walker's face what a nearer layer covers."""
    if walker.face is None:
        return
    common = overlap(walker.face.box, above.box)
    if common is not None:
        face = walker.face.cut(common)[:, :, 0]
        face[:] = cv2.multiply(face, cv2.bitwise_not(above.cut(common)[:, :, 3]), scale=1.0 / 255.0)


def _cover(picture: Pixels, prop: Prop, *, behind: list[Drawn], clearness: float) -> None:
    """Lay a prop over the walkers behind it; elsewhere it is in the background already."""
    for walker in behind:
        common = overlap(prop.clear.box, walker.layer.box)
        if common is not None:
            left, top, right, bottom = common
            blend_over(picture[top:bottom, left:right], prop.at(clearness, common))
            _hide(walker, prop.clear)
