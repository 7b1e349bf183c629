"""Faces of one camera, frame after frame, to tracks."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from lfr.tracking.motion import Motion, boxes_to_states
from lfr.types import BoolArray, Faces, IntArray, Tracks

__all__ = ["Tracker", "TrackerSettings"]

# Squared distance, chi-squared with four degrees of freedom: wide, because heads bob and do not accelerate at random.
_GATE = 25.0
# A face that a track explains worse than this is likelier to be a new person.
_NEW_PERSON = 8.0
_OUT_OF_GATE = 1e6


class TrackerSettings(BaseModel):
    """How faces become tracks."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    start_score: float = Field(
        default=0.6,
        ge=0.0,
        le=1.0,
        description="Detector confidence from which a face may begin a track; a weaker one can only continue one.",
    )
    confirm_detections: int = Field(
        default=3, ge=1, description="Detections after which a track counts as a person's pass."
    )
    max_age_s: float = Field(
        default=1.5, gt=0.0, description="Seconds without a detection after which a confirmed track ends."
    )
    max_tentative_age_s: float = Field(
        default=0.35,
        gt=0.0,
        description="Seconds without a detection after which an unconfirmed track is dropped, once the detector "
        "has looked for it in vain.",
    )


class Tracker:
    """Tracks of one camera.

    Faces are joined to tracks by where they are expected and how large, never
    by how they look: no pixel and no template is held here. One camera, one
    tracker; frames in order of time.

    Parameters
    ----------
    settings
        How faces become tracks.
    """

    def __init__(self, settings: TrackerSettings | None = None) -> None:
        self._settings = settings or TrackerSettings()
        self._motion = Motion()
        self._track_id: IntArray = np.zeros(0, np.int64)
        self._detections: IntArray = np.zeros(0, np.int64)
        self._seen_s: NDArray[np.float64] = np.zeros(0)
        self._missed: BoolArray = np.zeros(0, np.bool_)
        self._next_id = 1
        self._faces_seen = 0
        self._time_s: float | None = None

    @property
    def faces_seen(self) -> int:
        """Finished and current passes: every track that was ever confirmed."""
        return self._faces_seen

    def update(self, faces: Faces, *, time_s: float) -> Tracks:
        """Take the faces of the next frame.

        Parameters
        ----------
        faces
            What the detector found; may be empty.
        time_s
            Seconds on the camera's clock; never falls.

        Returns
        -------
        Every current track, those without a face in this frame included; a
        track with a face has that face's box.

        Raises
        ------
        ValueError
            If ``time_s`` is before that of an earlier frame, or not finite.
        """
        ended = self._advance(time_s)
        measured = boxes_to_states(faces.xyxy)
        strong = faces.score >= self._settings.start_score
        face_index = np.full(len(self._track_id), -1, np.int64)
        # A weak face only gets what the strong ones left (Y. Zhang et al., "ByteTrack", ECCV 2022).
        self._assign(face_index, measured, np.flatnonzero(strong))
        self._assign(face_index, measured, np.flatnonzero(~strong))
        self._missed = face_index < 0
        rows = np.flatnonzero(~self._missed)
        self._motion.correct(rows, measured[face_index[rows]])
        self._seen_s[rows] = time_s
        self._detections[rows] += 1
        new = np.setdiff1d(np.flatnonzero(strong), face_index[rows])
        self._start(measured[new], time_s)
        face_index = np.concatenate([face_index, new])
        just_confirmed = (self._detections == self._settings.confirm_detections) & (face_index >= 0)
        self._faces_seen += int(just_confirmed.sum())
        return self._tracks(face_index, ended, faces)

    def predict(self, *, time_s: float) -> Tracks:
        """Tracks in a frame that the detector did not look at.

        Parameters
        ----------
        time_s
            Seconds on the camera's clock; never falls.

        Raises
        ------
        ValueError
            If ``time_s`` is before that of an earlier frame, or not finite.
        """
        ended = self._advance(time_s)
        return self._tracks(np.full(len(self._track_id), -1, np.int64), ended, Faces.empty())

    def close(self) -> Tracks:
        """End every track, for example at the end of a file; numbers go on if more frames come."""
        ended = self._track_id[self._confirmed]
        self._keep(np.zeros(len(self._track_id), np.bool_))
        return self._tracks(np.zeros(0, np.int64), ended, Faces.empty())

    @property
    def _confirmed(self) -> BoolArray:
        confirmed: BoolArray = self._detections >= self._settings.confirm_detections
        return confirmed

    def _advance(self, time_s: float) -> IntArray:
        """Drop what was not seen for too long and move the rest on; the confirmed tracks dropped."""
        before_s = time_s if self._time_s is None else self._time_s
        if not before_s <= time_s < np.inf:
            raise ValueError(f"time_s fell from {before_s} to {time_s}")
        self._time_s = time_s
        settings, confirmed = self._settings, self._confirmed
        # Until the detector looked again, an unconfirmed track missed nothing: slow cameras would never confirm one.
        tentative = ~confirmed & self._missed
        allowed_s = np.where(tentative, settings.max_tentative_age_s, settings.max_age_s)
        kept = time_s - self._seen_s <= allowed_s
        ended = self._track_id[confirmed & ~kept]
        if not kept.all():
            self._keep(kept)
        self._motion.advance(time_s - before_s)
        return ended

    def _assign(self, face_index: IntArray, measured: NDArray[np.float64], faces: IntArray) -> None:
        """Give faces to the tracks that have none yet, the likeliest way over all; changes ``face_index``."""
        if not len(faces) or not len(face_index):
            return
        # A quarter of a second to import, and a command that looks at one picture tracks nobody.
        from scipy.optimize import linear_sum_assignment  # noqa: PLC0415

        distance, cost = self._motion.surprise(measured[faces])
        allowed = (distance <= _GATE) & (cost <= _NEW_PERSON) & (face_index < 0)[:, None]
        track, face = linear_sum_assignment(np.where(allowed, cost, _OUT_OF_GATE))
        joined = allowed[track, face]
        face_index[track[joined]] = faces[face[joined]]

    def _start(self, measured: NDArray[np.float64], time_s: float) -> None:
        count = len(measured)
        self._motion.start(measured)
        ids = np.arange(self._next_id, self._next_id + count)
        self._next_id += count
        self._track_id = np.concatenate([self._track_id, ids])
        self._detections = np.concatenate([self._detections, np.ones(count, np.int64)])
        self._seen_s = np.concatenate([self._seen_s, np.full(count, time_s)])
        self._missed = np.concatenate([self._missed, np.zeros(count, np.bool_)])

    def _keep(self, rows: BoolArray) -> None:
        self._motion.keep(rows)
        self._track_id, self._detections = self._track_id[rows], self._detections[rows]
        self._seen_s, self._missed = self._seen_s[rows], self._missed[rows]

    def _tracks(self, face_index: IntArray, ended: IntArray, faces: Faces) -> Tracks:
        xyxy = self._motion.xyxy
        seen = face_index >= 0
        xyxy[seen] = faces.xyxy[face_index[seen]]
        return Tracks(self._track_id.copy(), xyxy, face_index, self._confirmed, ended)
