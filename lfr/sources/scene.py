"""A simulated scene: a fixed camera over a street up which subjects walk.

The scene is for rehearsal, demonstration and measuring a whole pipeline: it
knows who is where in every frame. It is drawn, not filmed, so a figure
measured on it says nothing of a street.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path

import cv2
import numpy as np

from lfr.errors import InputError
from lfr.geometry import clip_xyxy
from lfr.sources.quiet import quiet_decoder
from lfr.sources.scene_camera import Camera
from lfr.sources.scene_cast import cast_walkers
from lfr.sources.scene_light import Clouds
from lfr.sources.scene_people import Drawn, Person, Walker
from lfr.sources.scene_portraits import Portrait
from lfr.sources.scene_sensor import Sensor
from lfr.sources.scene_settings import SceneSettings
from lfr.sources.scene_stage import Stage
from lfr.sources.scene_street import StreetPlan
from lfr.sources.scene_truth import SceneFrame, ScenePass, SceneTruth
from lfr.types import Frame

__all__ = ["Scene", "SceneFrame", "ScenePass", "SceneSettings", "SceneTruth"]

_LEAST_IN_FRAME = 1.0 / 3.0  # share of a face box that must lie in the frame to be listed


class Scene:
    """A street scene with truth, the same for the same portraits and settings.

    Parameters
    ----------
    portraits
        Pictures that walkers may wear. Every subject walks once before any
        walks again, each time in its next picture, so that references and
        probes are kept apart by what is given here.
    settings
        Size, length, density, difficulty and seed.

    Raises
    ------
    InputError
        No portrait was given.
    ImageError
        A portrait that will be worn cannot be read.
    """

    def __init__(self, portraits: Sequence[Portrait], settings: SceneSettings) -> None:
        if not portraits:
            raise InputError("a scene needs at least one portrait")
        self.settings = settings
        self._camera = Camera(settings.resolution_wh)
        street, clouds, cast, self._paint_seed, self._sensor_seed = np.random.SeedSequence(settings.seed).spawn(5)
        self._plan = StreetPlan.draw(np.random.default_rng(street))
        self._clouds = Clouds(np.random.default_rng(clouds), difficulty=settings.difficulty)
        self._walkers = cast_walkers(portraits, settings, plan=self._plan, camera=self._camera, seeds=cast)
        for portrait in {walker.portrait for walker in self._walkers}:
            # Better a broken picture now than in the middle of the scene.
            portrait.read()

    def __len__(self) -> int:
        return self.settings.frame_count

    @cached_property
    def passes(self) -> list[ScenePass]:
        """Every walk that brings a face into a frame."""
        found = []
        for walker in self._walkers:
            times = [k / self.settings.fps for k in self._frames_of(walker)]
            first = next((t for t in times if self._shows(walker, t)), None)
            last = next((t for t in reversed(times) if self._shows(walker, t)), None)
            if first is not None and last is not None:
                found.append(ScenePass(walker.pass_id, walker.portrait.subject_id, first, last, walker.portrait.path))
        return found

    def frames(self) -> Iterator[SceneFrame]:
        """Render the scene from its beginning; every call gives the same frames."""
        stage = Stage(self._plan, self._camera, rng=np.random.default_rng(self._paint_seed))
        sensor = Sensor(self.settings, self._sensor_seed)
        people: dict[int, Person] = {}
        for index in range(len(self)):
            time_s = index / self.settings.fps
            clearness = self._clouds.clearness_at(time_s)
            walking = [walker for walker in self._walkers if walker.is_walking(time_s)]
            people = {w.pass_id: people.get(w.pass_id) or w.look() for w in walking}
            drawn: list[tuple[Walker, Drawn]] = []
            for walker in sorted(walking, key=lambda w: -w.place(time_s).z_m):
                figure = walker.draw(
                    people[walker.pass_id],
                    time_s,
                    camera=self._camera,
                    plan=self._plan,
                    clearness=clearness,
                    exposure_s=sensor.exposure_s,
                )
                if figure is not None:
                    drawn.append((walker, figure))
            picture = stage.show([figure for _, figure in drawn], clearness=clearness)
            pixels = sensor.expose(picture, index, time_s=time_s, gain=self._clouds.exposure_at(time_s))
            yield SceneFrame(Frame(index, time_s, pixels), self._truth(drawn, time_s))

    def write_video(self, path: Path) -> None:
        """Render the scene into an MP4 file (codec ``mp4v``).

        Raises
        ------
        InputError
            The file cannot be written.
        """
        if not path.parent.is_dir():
            raise InputError(f"{path}: there is no folder {path.parent}")
        codec = cv2.VideoWriter.fourcc(*"mp4v")
        with quiet_decoder():
            writer = cv2.VideoWriter(str(path), codec, self.settings.fps, self.settings.resolution_wh)
        if not writer.isOpened():
            raise InputError(f"{path}: cannot be written as an MP4 video; its name must end in .mp4")
        try:
            for scene_frame in self.frames():
                writer.write(scene_frame.frame.pixels)
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        finally:
            writer.release()

    def _frames_of(self, walker: Walker) -> range:
        """Numbers of the frames during a walk."""
        fps = self.settings.fps
        first, last = int(np.ceil(walker.start_s * fps)), int(np.ceil(walker.end_s * fps))
        return range(max(0, first), min(len(self), last))

    def _shows(self, walker: Walker, time_s: float) -> bool:
        """Whether enough of a face box lies in the frame, and its walker has come into the open."""
        xyxy = walker.face_xyxy(time_s, self._camera)
        cut = clip_xyxy(xyxy[None], self.settings.resolution_wh)[0]
        share = np.prod(cut[2:] - cut[:2]) / np.prod(xyxy[2:] - xyxy[:2])
        return bool(share >= _LEAST_IN_FRAME) and walker.is_in_open(time_s, camera=self._camera, plan=self._plan)

    def _truth(self, drawn: list[tuple[Walker, Drawn]], time_s: float) -> SceneTruth:
        kept = [(walker, figure) for walker, figure in drawn if self._shows(walker, time_s)]
        boxes = np.array([figure.face_xyxy for _, figure in kept], np.float32).reshape(-1, 4)
        return SceneTruth(
            tuple(walker.portrait.subject_id for walker, _ in kept),
            np.array([walker.pass_id for walker, _ in kept], np.int64),
            clip_xyxy(boxes, self.settings.resolution_wh),
            np.array([figure.visibility for _, figure in kept], np.float32),
        )
