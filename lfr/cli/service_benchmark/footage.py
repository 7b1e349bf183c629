"""What is sent, encoded beforehand, and who is listed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

import cv2
import numpy as np

from lfr.errors import ImageError, InputError
from lfr.evaluation.benchmarks import check_recorded
from lfr.evaluation.rehearsal_scene import demo_setup
from lfr.models import Model
from lfr.pipeline import Recogniser, portrait
from lfr.sources import Scene, SceneSettings, decode_image, open_source
from lfr.tracking import Tracker
from lfr.types import Pixels
from lfr.vision import ENROLMENT_POLICY

__all__ = ["FIELD_UNIT_WH", "Footage", "Sizes", "encoded", "read_footage"]

FIELD_UNIT_WH = (1280, 720)
_JPEG_QUALITY = 92
_FOLDER_FPS = 10.0
_MOST_LISTED = 20


@dataclass(frozen=True)
class Sizes:
    """How much is measured.

    Attributes
    ----------
    frames
        Of the source at most; a simulated scene has as many at 10 a second.
    paced_frames
        From one field unit at 5 a second.
    references
        On the matcher's list.
    calls
        Of the matcher in each turn.
    searched
        References of the list with which the work of a search is timed.
    repeats, warm_up
        Turns of each side that count, by their medians, and before them turns that do not.
    """

    frames: int = 200
    paced_frames: int = 50
    references: int = 17_000
    calls: int = 500
    searched: int = 1_000_000
    repeats: int = 3
    warm_up: int = 1

    @classmethod
    def quick(cls) -> Sizes:
        """Return sizes that take seconds: they show that both sides do the same, and not how fast."""
        return cls(frames=20, paced_frames=6, references=120, calls=20, searched=10_000, repeats=1, warm_up=0)


@dataclass(frozen=True)
class Footage:
    """Frames of one camera, and references of people of whom some pass it.

    Attributes
    ----------
    name
        What they are called.
    fps
        How many there are a second of the footage's own time.
    resolution_wh
        Of each, in pixels.
    jpegs
        The frames.
    people
        Subjects to list, each with the path of a reference.
    video
        The file that they are of, where it is one.
    """

    name: str
    fps: float
    resolution_wh: tuple[int, int]
    jpegs: Sequence[bytes] = field(repr=False)
    people: Mapping[str, Path] = field(repr=False)
    video: Path | None = None

    def resized(self, size_wh: tuple[int, int], *, most: int) -> Footage:
        """Return the first frames in another size."""
        some = [
            encoded(np.asarray(cv2.resize(decode_image(jpeg, name="frame"), size_wh, interpolation=cv2.INTER_AREA)))
            for jpeg in self.jpegs[:most]
        ]
        return Footage(self.name, self.fps, size_wh, some, self.people)


def read_footage(source: Path | None, model: Model, *, folder: Path, frames: int) -> Footage:
    """Encode the frames of a recording, or of a simulated scene, and choose who is listed.

    Of a recording every second person is whose best face in it passes the enrolment gate, so that both sides have
    alerts to raise. It is a recorded file, and the list is in a store that lasts as long as the benchmark.

    Parameters
    ----------
    source
        A video file or a folder of pictures; None: a simulated scene with the made-up people.
    model
        Finds who passes.
    folder
        Where references of people in a recording are put; whoever made it removes it.
    frames
        Most that are taken.

    Raises
    ------
    RefusedError
        The source is live.
    SourceError, ImageError
        It cannot be read.
    InputError
        Nobody in it is fit to be listed.
    """
    if source is None:
        settings = SceneSettings(resolution_wh=FIELD_UNIT_WH, duration_s=frames / 10, fps=10.0)
        setup = demo_setup(settings)
        drawn = [encoded(seen.frame.pixels) for seen in Scene(setup.walkers, settings).frames()]
        return Footage("simulated scene", settings.fps, FIELD_UNIT_WH, drawn, dict(setup.references))
    check_recorded(source)
    with open_source(source) as opened:
        taken = [encoded(frame.pixels) for frame in islice(opened, frames)]
        fps, video = opened.fps or _FOLDER_FPS, source if opened.fps is not None else None
    people = _people(taken, fps, Recogniser(model), folder)
    if not people:
        raise InputError(f"{source}: nobody in it is fit to be listed, so there is no alert to compare")
    height, width = decode_image(taken[0], name=str(source)).shape[:2]
    return Footage(Path(source).stem, fps, (width, height), taken, people, video)


def encoded(pixels: Pixels) -> bytes:
    """Return a (height, width, 3) BGR picture as a JPEG."""
    done, data = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
    if not done:
        raise ImageError("a frame cannot be encoded")
    return data.tobytes()


def _people(jpegs: Iterable[bytes], fps: float, recogniser: Recogniser, folder: Path) -> dict[str, Path]:
    """Return every second person whose best face passes the enrolment gate, with an upright picture of it."""
    tracker = Tracker()
    best: dict[int, tuple[float, bytes]] = {}
    for index, jpeg in enumerate(jpegs):
        pixels = decode_image(jpeg, name="frame")
        faces = recogniser.detect(pixels)
        tracks = tracker.update(faces, time_s=index / fps)
        if not len(faces):
            continue
        quality = recogniser.crops(pixels, faces)[1]
        usable = ENROLMENT_POLICY.passed(quality)
        for track, row, confirmed in zip(tracks.track_id.tolist(), tracks.face_index, tracks.confirmed, strict=True):
            if confirmed and row >= 0 and usable[row] and quality.shot[row] > best.get(track, (-1.0,))[0]:
                shown = portrait(pixels, faces[np.array([row])])
                assert shown is not None, "there is a face"
                best[track] = float(quality.shot[row]), encoded(shown)
    people = {}
    for track, (_, picture) in sorted(best.items())[::2][:_MOST_LISTED]:
        people[f"passer-by-{track}"] = path = folder / f"{track}.jpg"
        path.touch(mode=0o600)
        path.write_bytes(picture)
    return people
