"""A street as boxes only: people who walk, what a detector would find of them, and who was who."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from lfr.types import Faces, FloatArray, IntArray

Float64 = NDArray[np.float64]
RESOLUTION_WH = (1280, 720)
_FOCAL_PX = 2600.0
_HORIZON_Y = 190.0
_FACE_W_M, _FACE_H_M, _BODY_W_M, _CAMERA_M = 0.145, 0.19, 0.46, 1.95


@dataclass(frozen=True)
class Walk:
    """One person's straight way at one speed; several make a street."""

    start_s: float
    from_xz_m: tuple[float, float]
    to_xz_m: tuple[float, float]
    speed_mps: float = 1.35
    stature_m: float = 1.7
    phase: float = 0.0

    @property
    def end_s(self) -> float:
        return self.start_s + float(np.hypot(*np.subtract(self.to_xz_m, self.from_xz_m))) / self.speed_mps

    def at(self, time_s: float) -> tuple[float, float, float]:
        """Metres across, away, and of the face over the ground; the head bobs twice a stride and sways once."""
        share = (time_s - self.start_s) / (self.end_s - self.start_s)
        x, z = np.add(self.from_xz_m, share * np.subtract(self.to_xz_m, self.from_xz_m))
        step = 2.0 * np.pi * 0.95 * time_s + self.phase
        return float(x + 0.02 * np.sin(step)), float(z), self.stature_m - 0.12 + 0.02 * np.sin(2.0 * step)


@dataclass(frozen=True, eq=False)
class Moment:
    """One frame: the truth, and what a detector found of it.

    ``xyxy`` (n, 4), ``pass_id`` and ``visible`` (n,) are the truth;
    ``found`` (m,) says whose each of the ``faces`` is, -1 for nobody's.
    """

    time_s: float
    xyxy: FloatArray
    pass_id: IntArray
    visible: Float64
    faces: Faces
    found: IntArray


@dataclass(frozen=True)
class Detection:
    """How well the detector sees."""

    found_rate: float = 0.93
    jitter: float = 0.04
    false_rate: float = 0.05


@dataclass(frozen=True)
class Clock:
    """When frames come: ``drop_rate`` of them not at all, and now and then none for ``stall_s``."""

    fps: float = 25.0
    drop_rate: float = 0.0
    stall_s: float = 0.0


@dataclass
class Crowd:
    """Walks seen by one camera."""

    walks: list[Walk]
    clock: Clock = field(default_factory=Clock)
    detection: Detection = field(default_factory=Detection)

    def moments(self, rng: np.random.Generator) -> Iterator[Moment]:
        end_s = max(walk.end_s for walk in self.walks)
        resume_s = 0.0
        for index in range(int(end_s * self.clock.fps) + 1):
            time_s = index / self.clock.fps
            if time_s < resume_s or rng.random() < self.clock.drop_rate:
                continue
            if self.clock.stall_s and rng.random() < 0.004:
                resume_s = time_s + self.clock.stall_s
            xyxy, pass_id, visible = self._truth(time_s)
            faces, found = self._detect(rng, xyxy, pass_id, visible)
            yield Moment(time_s, xyxy, pass_id, visible, faces, found)

    def _truth(self, time_s: float) -> tuple[FloatArray, IntArray, Float64]:
        here = [(i, *w.at(time_s)) for i, w in enumerate(self.walks) if w.start_s <= time_s < w.end_s]
        here.sort(key=lambda person: person[2])  # nearest first
        boxes, ids, visible = [], [], []
        bodies: list[tuple[Float64, Float64]] = []
        for i, x, z, y in here:
            scale = _FOCAL_PX / z
            cx, cy = RESOLUTION_WH[0] / 2 + x * scale, _HORIZON_Y + (_CAMERA_M - y) * scale
            half = np.array([_FACE_W_M, _FACE_H_M]) * scale / 2
            box = np.array([cx - half[0], cy - half[1], cx + half[0], cy + half[1]])
            inside = np.clip(box, 0, [*RESOLUTION_WH, *RESOLUTION_WH])
            share = float(np.prod(inside[2:] - inside[:2]) / np.prod(2 * half))
            for head, body in bodies:
                share -= _overlap(box, head) + _overlap(box, body)
            chin = cy + half[1]
            bodies.append((box, np.array([cx - _BODY_W_M / 2 * scale, chin, cx + _BODY_W_M / 2 * scale, 9e9])))
            if np.prod(inside[2:] - inside[:2]) > np.prod(2 * half) / 3:
                boxes.append(box)
                ids.append(i)
                visible.append(max(0.0, share))
        return np.array(boxes, np.float32).reshape(-1, 4), np.array(ids, np.int64), np.array(visible)

    def _detect(
        self, rng: np.random.Generator, xyxy: FloatArray, pass_id: IntArray, visible: Float64
    ) -> tuple[Faces, IntArray]:
        with_ghosts = rng.poisson(self.detection.false_rate)
        size = xyxy[:, 2:] - xyxy[:, :2]
        # A small or half hidden face is found less often and with less confidence.
        ease = np.clip(visible * 1.25 - 0.25, 0, 1) * np.clip(size[:, 0] / 20, 0.6, 1)
        seen = rng.random(len(xyxy)) < self.detection.found_rate * np.clip(ease * 1.3, 0, 1)
        noisy = xyxy + np.tile(size, 2) * rng.normal(0, self.detection.jitter, xyxy.shape)
        score = np.clip(0.5 + 0.45 * ease + rng.normal(0, 0.05, len(ease)), 0.3, 0.99)
        corner = rng.uniform(0, np.array(RESOLUTION_WH) * 0.9, (with_ghosts, 2))
        ghosts = np.concatenate([corner, corner + rng.uniform(18, 70, (with_ghosts, 1)) * [1.0, 1.3]], axis=1)
        order = rng.permutation(int(seen.sum()) + with_ghosts)
        boxes = np.concatenate([noisy[seen], ghosts])[order]
        scores = np.concatenate([score[seen], rng.uniform(0.5, 0.75, with_ghosts)])[order]
        found = np.concatenate([pass_id[seen], np.full(with_ghosts, -1, np.int64)])[order]
        return faces_at(boxes, score=scores), found


def faces_at(xyxy: object, *, score: object = 0.9) -> Faces:
    """Faces with these boxes; landmarks are spread over each box."""
    boxes = np.asarray(xyxy, np.float32).reshape(-1, 4)
    spread = np.array([[0.3, 0.4], [0.7, 0.4], [0.5, 0.6], [0.35, 0.8], [0.65, 0.8]], np.float32)
    landmarks = boxes[:, None, :2] + spread * (boxes[:, None, 2:] - boxes[:, None, :2])
    return Faces(boxes, landmarks.astype(np.float32), np.broadcast_to(np.asarray(score, np.float32), len(boxes)).copy())


def busy_street(rng: np.random.Generator, *, people: int = 20, duration_s: float = 60.0) -> list[Walk]:
    """Most walk up to the camera, a third of them beside another; some cross from side to side."""
    walks: list[Walk] = []
    for start_s in np.sort(rng.uniform(0, duration_s, people)):
        speed, stature = rng.uniform(1.1, 1.6), rng.uniform(1.55, 1.9)
        if rng.random() < 0.35:
            depth, side = rng.uniform(5.0, 14.0), rng.choice([-1.0, 1.0])
            edge = side * depth * 0.28
            ways = ((edge, depth), (-edge, depth + rng.uniform(-1, 1)))
        else:
            ways = ((rng.uniform(-3.0, 3.0), 23.0), (rng.uniform(-0.9, 0.9), 2.8))
        walks.append(Walk(float(start_s), *ways, speed, stature, float(rng.uniform(0, 6.28))))
        if rng.random() < 0.3:
            beside = rng.choice([-1.0, 1.0]) * 0.6
            ways = tuple((x + beside, z + 0.2) for x, z in ways)  # type: ignore[assignment]
            walks.append(Walk(float(start_s) + 0.3, *ways, speed, rng.uniform(1.55, 1.9), float(rng.uniform(0, 6.28))))
    return walks


def _overlap(box: Float64, cover: Float64) -> float:
    """Share of a box that another covers."""
    sides = np.minimum(box[2:], cover[2:]) - np.maximum(box[:2], cover[:2])
    return float(np.prod(np.clip(sides, 0, None)) / np.prod(box[2:] - box[:2]))
