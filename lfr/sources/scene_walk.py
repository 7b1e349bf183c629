"""How a walker moves: a route up the street, and joints that swing along it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lfr.sources.scene_camera import Camera
from lfr.sources.scene_head import PORTRAIT_PX_PER_M, Turn
from lfr.sources.scene_portraits import FACE_XYXY
from lfr.sources.scene_street import StreetPlan

__all__ = ["Gait", "Joints", "Place", "Route", "draw_route"]

Float64 = NDArray[np.float64]
_UP = np.array([0.0, 1.0, 0.0])


@dataclass(frozen=True)
class Place:
    """Where a walker is: metres across and away, heading in radians (0 is towards the camera), metres walked."""

    x_m: float
    z_m: float
    heading: float
    walked_m: float


@dataclass(frozen=True, eq=False)
class Route:
    """A line on the ground, walked at one speed.

    Attributes
    ----------
    xz_m
        (k, 2) points along it.
    reach_m
        (k,) metres walked at each point.
    speed_mps
        Metres a second.
    """

    xz_m: Float64
    reach_m: Float64
    speed_mps: float

    @classmethod
    def through(cls, corners_m: Float64, speed_mps: float) -> Route:
        """A smooth route (Catmull-Rom) through (n, 2) corners."""
        padded = np.concatenate([2 * corners_m[:1] - corners_m[1:2], corners_m, 2 * corners_m[-1:] - corners_m[-2:-1]])
        a, b, c, d = (padded[k : len(padded) - 3 + k, None, :] for k in range(4))
        t = np.linspace(0.0, 1.0, 24, endpoint=False)[None, :, None]
        curve = 0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - a - 3 * c + d) * t**3)
        points = np.concatenate([curve.reshape(-1, 2), corners_m[-1:]])
        steps = np.hypot(*np.diff(points, axis=0).T)
        return cls(points, np.append(0.0, np.cumsum(steps)), speed_mps)

    def beside(self, offset_m: float) -> Route:
        """The same route, some metres to the right."""
        return Route(self.xz_m + np.array([offset_m, 0.0]), self.reach_m, self.speed_mps)

    @property
    def duration_s(self) -> float:
        """Seconds from its first point to its last."""
        return float(self.reach_m[-1]) / self.speed_mps

    def at(self, time_s: float) -> Place:
        """Where the walker is some seconds after setting out, held at both ends."""
        walked = float(np.clip(time_s * self.speed_mps, 0.0, self.reach_m[-1]))
        x, z = (np.interp([walked, walked + 0.25], self.reach_m, self.xz_m[:, k]) for k in (0, 1))
        heading = (
            float(np.arctan2(x[1] - x[0], z[0] - z[1])) if walked + 0.25 < self.reach_m[-1] else self._last_heading
        )
        return Place(float(x[0]), float(z[0]), heading, walked)

    @property
    def _last_heading(self) -> float:
        x, z = self.xz_m[-1] - self.xz_m[-2]
        return float(np.arctan2(x, -z))


def draw_route(rng: np.random.Generator, plan: StreetPlan, *, camera: Camera, speed_mps: float) -> Route:
    """A route from the side street or from behind the van to one side of the camera, often crossing over."""
    if rng.random() < 0.58:
        start = [(-5.6, plan.corner_m[0] + rng.uniform(1.4, 3.2)), (-2.5, plan.corner_m[0] + rng.uniform(0.2, 1.4))]
    else:
        behind = plan.van_z_m[1]
        start = [(4.2, behind + 0.75), (1.9, behind - 0.2)]
    exit_z = rng.uniform(2.75, 3.9)
    side = rng.choice([-1.0, 1.0])
    exit_x = side * camera.half_view_m(exit_z)
    corners = [
        *start,
        (rng.uniform(-1.9, 1.5), rng.uniform(18.5, 20.5)),
        (rng.uniform(-1.25, 1.15), rng.uniform(10.0, 12.5)),
        (0.55 * exit_x + rng.uniform(-0.3, 0.3), exit_z + 2.8),
        (exit_x, exit_z),
        (exit_x + side * 0.75, exit_z - 0.95),
    ]
    return Route.through(np.array(corners), speed_mps)


@dataclass(frozen=True, eq=False)
class Joints:
    """(3,) points in metres of one body at one time; pairs are image-left, image-right."""

    neck: Float64
    chin: Float64
    face: Float64
    pelvis: Float64
    shoulders: tuple[Float64, Float64]
    elbows: tuple[Float64, Float64]
    hands: tuple[Float64, Float64]
    hips: tuple[Float64, Float64]
    knees: tuple[Float64, Float64]
    ankles: tuple[Float64, Float64]
    toes: tuple[Float64, Float64]


class Gait:
    """The way one person walks and looks about.

    Parameters
    ----------
    rng
        Draws stature, stride and habits.
    difficulty
        Scales how far the head turns, tilts and nods.
    shoulder_m
        Half the breadth of the shoulders, for a stature of 1.75 m.
    carries
        Whether the image-right hand holds something up.
    """

    def __init__(self, rng: np.random.Generator, *, difficulty: float, shoulder_m: float, carries: bool) -> None:
        self.stature_m = float(np.clip(rng.normal(1.71, 0.08), 1.58, 1.90))
        self.stride_m = rng.uniform(1.32, 1.5) * self.stature_m / 1.75
        self._phase = rng.uniform(0.0, 2.0 * np.pi)
        self._swing = rng.uniform(0.7, 1.15)
        self._arms = rng.uniform(0.15, 0.5)
        self._shoulder_m = shoulder_m
        self._carries = carries
        self._limits = np.radians(np.array([35.0, 16.0, 16.0]) * difficulty + [3.0, 1.0, 1.0])
        self._sway = np.radians(np.array([17.0, 7.0, 7.0]) * difficulty) * rng.uniform(0.5, 1.3, 3)
        self._rate = rng.uniform(0.10, 0.45, (3, 2))
        self._offset = rng.uniform(0.0, 2.0 * np.pi, (3, 2))

    def turn(self, place: Place, time_s: float) -> Turn:
        """How the head is held towards the camera."""
        waves = np.sin(2.0 * np.pi * self._rate * time_s + self._offset).mean(axis=1) * 1.4
        bearing = float(np.arctan2(-place.x_m, place.z_m))
        wanted = np.array([0.75 * (place.heading - bearing), 0.0, 0.0]) + self._sway * waves
        wanted[1] += 0.025 * np.sin(self._cycle(place))
        wanted[2] += 0.02 * np.sin(2.0 * self._cycle(place))
        yaw, roll, nod = self._limits * np.tanh(wanted / self._limits)
        return Turn(float(yaw), float(roll), float(nod))

    def _cycle(self, place: Place) -> float:
        return 2.0 * np.pi * place.walked_m / self.stride_m + self._phase

    def joints(self, place: Place) -> Joints:
        """The body at a place."""
        k = self.stature_m / 1.75
        cycle = self._cycle(place)
        right = np.array([np.cos(place.heading), 0.0, np.sin(place.heading)])
        front = np.array([np.sin(place.heading), 0.0, -np.cos(place.heading)])

        def reach(length_m: float, angle: float) -> Float64:
            """A bone that hangs down, swung forward by an angle."""
            bone: Float64 = k * length_m * (np.sin(angle) * front - np.cos(angle) * _UP)
            return bone

        legs = []
        for step in (cycle, cycle + np.pi):
            thigh = 0.40 * self._swing * np.sin(step) + 0.06
            knee = 0.10 + 0.85 * max(0.0, np.cos(step)) ** 2
            legs.append((reach(0.43, thigh), reach(0.42, thigh - knee), thigh - knee))
        # The lower foot stands on the ground; that lifts and drops the body with every step.
        depth = min(thigh[1] + shank[1] for thigh, shank, _ in legs)
        pelvis = np.array([place.x_m, -depth + 0.075 * k, place.z_m]) + 0.022 * np.sin(cycle) * right
        neck = pelvis + k * 0.555 * _UP + 0.03 * front
        hips = tuple(pelvis + side * 0.095 * k * right - 0.03 * k * _UP for side in (-1.0, 1.0))
        knees = tuple(hip + leg[0] for hip, leg in zip(hips, legs, strict=True))
        ankles = tuple(knee + leg[1] for knee, leg in zip(knees, legs, strict=True))
        toes = tuple(
            ankle + k * (0.15 * np.cos(0.6 * leg[2]) * front - (0.05 - 0.09 * np.sin(leg[2])) * _UP)
            for ankle, leg in zip(ankles, legs, strict=True)
        )
        shoulders, elbows, hands = [], [], []
        for side, step in ((-1.0, cycle + np.pi), (1.0, cycle)):
            shoulder = neck + side * self._shoulder_m * k * right - 0.075 * k * _UP
            swing = self._arms * np.sin(step)
            if self._carries and side > 0.0:
                elbow = shoulder + reach(0.28, 0.15) + 0.06 * side * right
                hand = elbow + reach(0.24, 2.3) - 0.05 * right
            else:
                elbow = shoulder + reach(0.29, swing) + 0.045 * side * k * right
                hand = elbow + reach(0.25, swing + 0.25 + 0.3 * self._arms) - 0.01 * side * right
            shoulders.append(shoulder)
            elbows.append(elbow)
            hands.append(hand)
        # The chin lies 9 cm under the middle of the face, which the portrait's scale says.
        chin = neck + k * 0.035 * _UP + 0.05 * front
        face = chin + (FACE_XYXY[3] - 112.0) / PORTRAIT_PX_PER_M * _UP
        return Joints(
            neck,
            chin,
            face,
            pelvis,
            (shoulders[0], shoulders[1]),
            (elbows[0], elbows[1]),
            (hands[0], hands[1]),
            (hips[0], hips[1]),
            (knees[0], knees[1]),
            (ankles[0], ankles[1]),
            (toes[0], toes[1]),
        )
