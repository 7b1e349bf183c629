"""Shadows on the ground under what walks and stands."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from lfr.sources.scene_camera import Camera
from lfr.sources.scene_easel import Prop
from lfr.sources.scene_layer import overlap
from lfr.sources.scene_street import StreetPlan
from lfr.sources.scene_walk import Place
from lfr.types import Pixels

__all__ = ["cast_shadow", "stand_shadow"]

Float64 = NDArray[np.float64]
_WALKER_M = 1.7
_NEAREST_M = 1.2  # ground nearer than this is far below the frame


def _ring(centre_xz: tuple[float, float], half_m: tuple[float, float]) -> Float64:
    turn = np.linspace(0.0, 2.0 * np.pi, 17)[:-1]
    return np.stack([centre_xz[0] + half_m[0] * np.cos(turn), centre_xz[1] + half_m[1] * np.sin(turn)], axis=1)


def _darken(picture: Pixels, outline_xz: Float64, *, camera: Camera, strength: float, soft_m: float) -> None:
    """Darken the ground within a convex outline, with a soft edge."""
    points = np.column_stack([outline_xz[:, 0], np.zeros(len(outline_xz)), np.maximum(outline_xz[:, 1], _NEAREST_M)])
    pixels = camera.project(points)
    depth = max(float(outline_xz[:, 1].mean()), _NEAREST_M)
    soft = max(1.0, 0.5 * soft_m * camera.px_per_m(depth))
    low, high = pixels.min(axis=0) - 2 * soft, pixels.max(axis=0) + 2 * soft
    box = overlap((int(low[0]), int(low[1]), int(high[0]) + 1, int(high[1]) + 1), (0, 0, *camera.resolution_wh))
    if box is None or strength <= 0.0:
        return
    mask = np.zeros((box[3] - box[1], box[2] - box[0]), np.uint8)
    hull = cv2.convexHull(pixels - np.array(box[:2], np.float32))
    cv2.fillConvexPoly(mask, np.round(hull).astype(np.int32), 255)
    size = 1 + 2 * round(soft)
    soft_mask = cv2.blur(cv2.blur(mask, (size, 1 + 2 * round(soft / 3.0))), (size, 1))
    keep = cv2.addWeighted(soft_mask, -strength, soft_mask, 0.0, 255.0)
    ground = picture[box[1] : box[3], box[0] : box[2]]
    cv2.multiply(ground, cv2.merge([keep, keep, keep]), dst=ground, scale=1.0 / 255.0)


def _long_shadow(foot_xz: tuple[float, float], plan: StreetPlan, *, height_m: float, width_m: float) -> Float64:
    """Outline of the shadow that an upright shape throws away from the sun."""
    length = min(height_m / plan.sun_xyz[1], 4.0)
    tip = (foot_xz[0] - plan.sun_xyz[0] * length, foot_xz[1] - plan.sun_xyz[2] * length)
    return np.concatenate([_ring(foot_xz, (0.6 * width_m, 0.3 * width_m)), _ring(tip, (width_m, 0.5 * width_m))])


def cast_shadow(picture: Pixels, place: Place, *, camera: Camera, plan: StreetPlan, clearness: float) -> None:
    """Draw a walker's shadow: a dark patch at the feet, and the long one of the sun."""
    sun = float(plan.sunlit(*(np.array([v]) for v in (place.x_m, 0.2, place.z_m)))[0])
    long = _long_shadow((place.x_m, place.z_m), plan, height_m=_WALKER_M, width_m=0.22)
    _darken(picture, long, camera=camera, strength=0.42 * clearness * sun, soft_m=0.10)
    patch = _ring((place.x_m, place.z_m), (0.30, 0.22))
    _darken(picture, patch, camera=camera, strength=0.38, soft_m=0.22)


def stand_shadow(clear: Pixels, overcast: Pixels, *, prop: Prop, camera: Camera, plan: StreetPlan) -> None:
    """Draw a prop's shadow into the empty street under both skies."""
    if prop.foot_m is None:
        return
    x, half, height = prop.foot_m
    foot = (x, prop.z_m + half)
    lit = float(plan.sunlit(np.array([x]), np.array([0.2]), np.array([prop.z_m]))[0])
    long = _long_shadow(foot, plan, height_m=height, width_m=half)
    _darken(clear, long, camera=camera, strength=0.42 * lit, soft_m=0.08)
    for picture in (clear, overcast):
        _darken(picture, _ring(foot, (1.35 * half, 1.35 * half)), camera=camera, strength=0.45, soft_m=0.16)
