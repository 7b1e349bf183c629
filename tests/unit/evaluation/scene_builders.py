"""Frames of a scene with what the pipeline made of them, worked out by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from lfr.pipeline import AlertProposal, FrameResult
from lfr.sources import ScenePass, SceneTruth
from lfr.types import Faces, Tracks

Box = tuple[float, float, float, float]

LEFT: Box = (0, 0, 100, 100)
RIGHT: Box = (500, 0, 600, 100)
PASSES = (
    ScenePass(0, "ann", 1.0, 4.0, Path("ann.png")),
    ScenePass(1, "bob", 2.0, 5.0, Path("bob.png")),
    ScenePass(2, "cid", 3.0, 6.0, Path("cid.png")),
)


def tracked(*tracks: tuple[int, Box], time_s: float = 0.0, unconfirmed: tuple[int, ...] = ()) -> FrameResult:
    """A frame with these tracks and no alert."""
    numbers = [number for number, _ in tracks]
    made = Tracks(
        np.array(numbers, np.int64),
        np.array([box for _, box in tracks], np.float32).reshape(-1, 4),
        np.full(len(tracks), -1, np.int64),
        np.array([number not in unconfirmed for number in numbers], np.bool_),
        np.zeros(0, np.int64),
    )
    return FrameResult(0, time_s, True, Faces.empty(), made, 0, ())


def shown(*faces: tuple[int, Box]) -> SceneTruth:
    """A frame in which these passes are in view."""
    return SceneTruth(
        tuple(PASSES[pass_id].subject_id for pass_id, _ in faces),
        np.array([pass_id for pass_id, _ in faces], np.int64),
        np.array([box for _, box in faces], np.float32).reshape(-1, 4),
        np.ones(len(faces), np.float32),
    )


def alert(track_id: int, subject_id: str, time_s: float) -> AlertProposal:
    """A proposal with a score of 0.6."""
    return AlertProposal(track_id, subject_id, 0.6, 1, int(time_s * 10), time_s, time_s - 0.5, LEFT)
