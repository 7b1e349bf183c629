"""Walkers of a simulated scene: who they are, and how they are drawn."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from lfr.sources.scene_camera import Camera
from lfr.sources.scene_figure import Part
from lfr.sources.scene_head import Head, face_box
from lfr.sources.scene_layer import Layer, blend_over, overlap, tint
from lfr.sources.scene_light import light_bgr
from lfr.sources.scene_outfit import Outfit, umbrella_canopy
from lfr.sources.scene_portraits import Portrait
from lfr.sources.scene_street import StreetPlan
from lfr.sources.scene_walk import Gait, Joints, Place, Route
from lfr.types import FloatArray, Pixels

__all__ = ["Drawn", "Person", "Walker"]

Float64 = NDArray[np.float64]
_PAIRS = ("shoulders", "elbows", "hands", "hips", "knees", "ankles", "toes")


@dataclass(frozen=True, eq=False)
class Drawn:
    """A walker as drawn into one frame.

    Attributes
    ----------
    place
        Where it is: nearer ones hide it.
    layer
        The whole figure.
    face_xyxy
        (4,) box around the face, not cut to the frame.
    face
        Opacity (h, w, 1) of what of the face's oval is in the frame and not
        hidden; whoever lays something over it takes from it.
    """

    place: Place
    layer: Layer
    face_xyxy: FloatArray
    face: Layer | None

    @property
    def visibility(self) -> float:
        """Share of the face that is in the frame and not hidden, 0..1."""
        whole = np.pi / 4.0 * float(np.prod(self.face_xyxy[2:] - self.face_xyxy[:2]))
        seen = 0.0 if self.face is None else float(self.face.bgra.sum(dtype=np.float64)) / 255.0
        return min(1.0, seen / whole)


class Person:
    """The looks of one walker: head, clothes and what is carried. Made when the walk begins."""

    def __init__(self, portrait: Portrait, rng: np.random.Generator, *, difficulty: float, umbrella: bool) -> None:
        worn = rng.random()
        headwear = "cap" if worn < 0.16 * difficulty else "beanie" if worn < 0.32 * difficulty else "none"
        scarf = float(rng.beta(1.2, 2.5)) if rng.random() < 0.30 * difficulty else None
        self.head = Head(portrait.read(), rng, headwear=headwear, scarf=scarf)
        self.outfit = Outfit.draw(rng, self.head.skin_bgr)
        self.umbrella: Part | None = umbrella_canopy(rng) if umbrella else None


class _Sketch:
    """A transparent canvas around one figure, addressed in pixels of the frame."""

    def __init__(self, box: tuple[int, int, int, int], px_per_m: float) -> None:
        self.left, self.top = box[0], box[1]
        self.px_per_m = px_per_m
        self.bgra: Pixels = np.zeros((box[3] - box[1], box[2] - box[0], 4), np.uint8)

    def hang(self, part: Part, top_px: FloatArray, bottom_px: FloatArray, *, widen: float = 1.0) -> None:
        corner = np.array([self.left, self.top], np.float32)
        part.draw(self.bgra, (top_px - corner, bottom_px - corner), px_per_m=self.px_per_m, widen=widen)

    def lay(self, layer: Layer) -> None:
        common = overlap(layer.box, self.as_layer().box)
        if common is not None:
            rows = slice(common[1] - self.top, common[3] - self.top)
            blend_over(self.bgra[rows, common[0] - self.left : common[2] - self.left], layer.cut(common))

    def line(self, a: FloatArray, b: FloatArray, width_m: float) -> None:
        points = [tuple(int(16 * v) for v in point - [self.left, self.top]) for point in (a, b)]
        cv2.line(
            self.bgra, points[0], points[1], (30, 30, 30, 255), max(1, round(width_m * self.px_per_m)), cv2.LINE_AA, 4
        )

    def as_layer(self) -> Layer:
        return Layer(self.left, self.top, self.bgra)


def _face_mask(box: FloatArray, frame_wh: tuple[int, int], opacity: float) -> Layer | None:
    """An oval in a face box as a one-channel layer, in so far as it lies in the frame."""
    whole = (int(np.floor(box[0])), int(np.floor(box[1])), int(np.ceil(box[2])), int(np.ceil(box[3])))
    seen = overlap(whole, (0, 0, *frame_wh))
    if seen is None:
        return None
    mask = np.zeros((seen[3] - seen[1], seen[2] - seen[0], 1), np.uint8)
    centre = ((box[0] + box[2]) / 2 - seen[0], (box[1] + box[3]) / 2 - seen[1])
    axes = (float(box[2] - box[0]), float(box[3] - box[1]))
    cv2.ellipse(mask, (centre, axes, 0.0), round(255.0 * opacity), -1)
    return Layer(seen[0], seen[1], mask)


class Walker:
    """One walk up the street by one subject.

    Parameters
    ----------
    portrait
        Whose face, from which picture.
    route
        Where it leads.
    pass_id
        Number of the walk.
    start_s
        When it begins; may lie before the scene.
    seeds
        Seeds of gait and looks.
    difficulty
        As in the settings.
    """

    def __init__(
        self,
        portrait: Portrait,
        route: Route,
        *,
        pass_id: int,
        start_s: float,
        seeds: np.random.SeedSequence,
        difficulty: float,
    ) -> None:
        self.pass_id, self.portrait, self.route, self.start_s = pass_id, portrait, route, start_s
        self._difficulty = difficulty
        gait_seed, self._look_seed = seeds.spawn(2)
        rng = np.random.default_rng(gait_seed)
        self._umbrella = bool(rng.random() < 0.16 * difficulty)
        self.gait = Gait(rng, difficulty=difficulty, shoulder_m=rng.uniform(0.152, 0.172), carries=self._umbrella)

    @property
    def end_s(self) -> float:
        """When the route ends, out of the camera's sight."""
        return self.start_s + self.route.duration_s

    def is_walking(self, time_s: float) -> bool:
        """Whether the walk has begun and not ended."""
        return self.start_s <= time_s < self.end_s

    def place(self, time_s: float) -> Place:
        """Where the walker is."""
        return self.route.at(time_s - self.start_s)

    def face_xyxy(self, time_s: float, camera: Camera) -> FloatArray:
        """(4,) box around the face, not cut to the frame."""
        place = self.place(time_s)
        face = self.gait.joints(place).face
        x, y = camera.project(face[None])[0]
        turn = self.gait.turn(place, time_s)
        return face_box((float(x), float(y)), px_per_m=camera.px_per_m(face[2]), turn=turn)

    def is_in_open(self, time_s: float, *, camera: Camera, plan: StreetPlan) -> bool:
        """Whether the walker has come out of the side street, or from behind the van."""
        left, _, right, _ = self.face_xyxy(time_s, camera)
        place = self.place(time_s)
        van_column = camera.centre_x + plan.van_x_m * camera.px_per_m(plan.van_z_m[1])
        behind_van = place.z_m > plan.van_z_m[0] and left >= van_column
        return bool(right > self._corner_column(place, camera, plan)) and not behind_van

    def look(self) -> Person:
        """Make the looks; every call makes the same ones."""
        rng = np.random.default_rng(self._look_seed)
        return Person(self.portrait, rng, difficulty=self._difficulty, umbrella=self._umbrella)

    def draw(
        self, person: Person, time_s: float, *, camera: Camera, plan: StreetPlan, clearness: float, exposure_s: float
    ) -> Drawn | None:
        """The walker as the camera sees it, or None if it is out of the frame."""
        place = self.place(time_s)
        joints = self.gait.joints(place)
        turn = self.gait.turn(place, time_s)
        scale = camera.px_per_m(float(joints.face[2]))
        pixels = _project(joints, camera)
        ends = np.stack(
            [pixels["face"], *(point for name in _PAIRS for point in (pixels[name + "0"], pixels[name + "1"]))]
        )
        room = np.array([0.85 if person.umbrella else 0.26, 0.75 if person.umbrella else 0.26]) * scale
        low, high = np.floor(ends.min(axis=0) - room), np.ceil(ends.max(axis=0) + np.array([room[0], 0.2 * scale]))
        box = overlap((int(low[0]), int(low[1]), int(high[0]), int(high[1])), (0, 0, *camera.resolution_wh))
        if box is None:
            return None
        sun = float(plan.sunlit(*(np.array([v]) for v in (place.x_m, 1.45, place.z_m)))[0])
        sketch = _Sketch(box, camera.px_per_m(place.z_m))
        _hang_figure(sketch, person.outfit, pixels, joints, facing=float(np.cos(place.heading)))
        centre = (float(pixels["face"][0]), float(pixels["face"][1]))
        side_light = clearness * sun * (0.25 + 0.75 * self._difficulty)
        head = person.head.draw(centre, px_per_m=scale, turn=turn, frame_wh=camera.resolution_wh, side_light=side_light)
        if head is not None:
            sketch.lay(head)
        if person.umbrella is not None:
            _raise_umbrella(sketch, person.umbrella, pixels)
        self._hide_behind_corner(sketch, place, camera, plan)
        bgra = tint(sketch.bgra, light_bgr(clearness, sun) * 1.06)
        bgra = _smear(bgra, *self._drift(time_s, camera, exposure_s))
        face_xyxy = face_box(centre, px_per_m=scale, turn=turn)
        face = _face_mask(face_xyxy, camera.resolution_wh, person.head.uncovered)
        if face is not None:
            hidden_to = self._corner_column(place, camera, plan) - face.left
            face.bgra[:, : max(0, round(hidden_to))] = 0
        return Drawn(place, Layer(box[0], box[1], bgra), face_xyxy, face)

    def _drift(self, time_s: float, camera: Camera, exposure_s: float) -> tuple[float, float]:
        """Pixels that the face moves while the shutter is open."""
        centres = [self.face_xyxy(t, camera).reshape(2, 2).mean(axis=0) for t in (time_s, time_s + 0.02)]
        moved = np.abs(centres[1] - centres[0]) * (exposure_s / 0.02)
        return float(moved[0]), float(moved[1])

    @staticmethod
    def _corner_column(place: Place, camera: Camera, plan: StreetPlan) -> float:
        """The column left of which houses hide the walker."""
        near, far = plan.corner_m
        wall_z = near if near <= place.z_m < far else place.z_m
        return camera.centre_x + plan.left.x_m * camera.px_per_m(wall_z)

    def _hide_behind_corner(self, sketch: _Sketch, place: Place, camera: Camera, plan: StreetPlan) -> None:
        hidden = round(self._corner_column(place, camera, plan) - sketch.left)
        if place.z_m >= plan.corner_m[0] and hidden > 0:
            sketch.bgra[:, :hidden] = 0


def _project(joints: Joints, camera: Camera) -> dict[str, FloatArray]:
    """Pixels of every joint; the members of a pair end in 0 (image-left) and 1."""
    names = ["neck", "chin", "face", "pelvis"]
    points = [joints.neck, joints.chin, joints.face, joints.pelvis]
    for name in _PAIRS:
        for k, point in enumerate(getattr(joints, name)):
            names.append(f"{name}{k}")
            points.append(point)
    return dict(zip(names, camera.project(np.array(points)), strict=True))


def _hang_figure(sketch: _Sketch, outfit: Outfit, px: dict[str, FloatArray], joints: Joints, *, facing: float) -> None:
    """Legs, arms, neck and torso, what is farther first."""
    for k in sorted((0, 1), key=lambda k: -joints.ankles[k][2]):
        sketch.hang(outfit.shoe, px[f"ankles{k}"], px[f"toes{k}"])
        sketch.hang(outfit.shank, px[f"knees{k}"], px[f"ankles{k}"])
        sketch.hang(outfit.thigh, px[f"hips{k}"], px[f"knees{k}"])

    def forearm(k: int) -> None:
        beyond = px[f"hands{k}"] + 0.35 * (px[f"hands{k}"] - px[f"elbows{k}"])
        sketch.hang(outfit.hand, px[f"hands{k}"], beyond.astype(np.float32))
        sketch.hang(outfit.forearm, px[f"elbows{k}"], px[f"hands{k}"])

    behind = [k for k in (0, 1) if joints.hands[k][2] > joints.pelvis[2]]
    for k in behind:
        forearm(k)
    for k in (0, 1):
        sketch.hang(outfit.upper_arm, px[f"shoulders{k}"], px[f"elbows{k}"])
    below_chin = (px["neck"] + 0.35 * (px["neck"] - px["chin"])).astype(np.float32)
    sketch.hang(outfit.neck, (0.4 * px["face"] + 0.6 * px["chin"]).astype(np.float32), below_chin)
    sketch.hang(outfit.torso, px["neck"], px["pelvis"], widen=0.75 + 0.25 * max(0.0, facing))
    for k in (0, 1):
        if k not in behind:
            forearm(k)


def _raise_umbrella(sketch: _Sketch, canopy: Part, px: dict[str, FloatArray]) -> None:
    scale = sketch.px_per_m
    tip = px["face"] + np.array([0.14, -0.56], np.float32) * scale
    sketch.line(tip, px["hands1"], 0.014)
    sketch.hang(canopy, tip, (tip + np.array([0.02, 0.37], np.float32) * scale).astype(np.float32))


def _smear(bgra: Pixels, along_x: float, along_y: float) -> Pixels:
    """Motion blur as two box filters."""
    size = (1 + 2 * round(along_x / 2.0), 1 + 2 * round(along_y / 2.0))
    return bgra if size == (1, 1) else np.asarray(cv2.blur(bgra, size), np.uint8)
