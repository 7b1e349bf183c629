"""One camera's frames to proposals of alerts: the way of a face, frame by frame.

Detect, track, choose shots, embed, search, decide, forget. Pixels and
templates live for the length of one call: crops and templates are
overwritten before it returns, and of a track only its scores stay, until it
ends.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from lfr.matching import Cooldown, Decision, DecisionRule, decide
from lfr.tracking import BestShots, Tracker, TrackerSettings
from lfr.types import Embeddings, Faces, FloatArray, Frame, Pixels, Tracks
from lfr.vision import SEARCH_POLICY, Quality, QualityPolicy

__all__ = ["AlertProposal", "FaceReader", "FrameResult", "References", "StreamProcessor", "StreamSettings"]


class FaceReader(Protocol):
    """From pixels to templates with one model version: `Recogniser`, here or in other processes."""

    def detect(self, pixels: Pixels) -> Faces:
        """Return the faces of a (height, width, 3) BGR picture, highest score first."""
        ...

    def crops(self, pixels: Pixels, faces: Faces) -> tuple[Pixels, Quality]:
        """Return (n, 112, 112, 3) aligned crops of the faces, and their quality."""
        ...

    def embed(self, crops: Pixels) -> Embeddings:
        """Return one template for each aligned crop; the caller may overwrite them."""
        ...


class References(Protocol):
    """What is searched: `lfr.matching.Snapshot`, here or in another process."""

    @property
    def subjects(self) -> tuple[str, ...]:
        """Each subject once."""
        ...

    def subject_scores(self, probes: Embeddings) -> FloatArray:
        """Return (probes, subjects) scores, columns in the order of `subjects`."""
        ...


class StreamSettings(BaseModel):
    """How one camera's frames are processed."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    detect_every: int = Field(
        default=1, ge=1, le=10, description="Frames per detection; tracks are predicted in between."
    )
    cooldown_s: float = Field(
        default=30.0, ge=0, description="Seconds in which a subject raises no second alert on a camera."
    )
    quality: QualityPolicy = Field(default=SEARCH_POLICY, description="Gate that a face passes before it is embedded.")
    tracker: TrackerSettings = Field(default_factory=TrackerSettings, description="How faces become tracks.")


@dataclass(frozen=True)
class AlertProposal:
    """A track that met the threshold for one subject.

    It becomes an alert only inside a live, authorised deployment; in a
    rehearsal or an evaluation it is reported and nothing more.

    Attributes
    ----------
    track_id, subject_id
        Whose pass, and who it resembles.
    score, shots_used
        Fused cosine score, and the number of shots it was fused from.
    frame_index, time_s
        When it was decided, on the source's clock.
    first_seen_s
        When the track began.
    xyxy
        The face in that frame: left, top, right, bottom in pixels.
    """

    track_id: int
    subject_id: str
    score: float
    shots_used: int
    frame_index: int
    time_s: float
    first_seen_s: float
    xyxy: tuple[float, float, float, float]


@dataclass(frozen=True, eq=False)
class FrameResult:
    """What one frame gave.

    Attributes
    ----------
    frame_index, time_s
        The frame's own.
    detected
        Whether the detector ran on it.
    faces, tracks
        Faces found (none where the detector did not run) and the camera's tracks.
    embedded
        Number of faces that were embedded and searched.
    proposals
        New proposals of alerts.
    embed_s, search_s
        Seconds that crops and templates took, and scores.
    """

    frame_index: int
    time_s: float
    detected: bool
    faces: Faces
    tracks: Tracks
    embedded: int
    proposals: tuple[AlertProposal, ...]
    embed_s: float = 0.0
    search_s: float = 0.0


@dataclass(eq=False)
class _Pass:
    """What is remembered of a current track: scores, never pixels or templates."""

    first_seen_s: float
    xyxy: FloatArray
    scores: list[FloatArray] = field(default_factory=list)


class StreamProcessor:
    """One camera.

    Parameters
    ----------
    recogniser
        The model version.
    watchlist
        The references to search.
    rule
        Threshold, shots a track and fusion.
    settings
        How frames are processed.
    """

    def __init__(
        self,
        recogniser: FaceReader,
        watchlist: References,
        rule: DecisionRule,
        *,
        settings: StreamSettings | None = None,
    ) -> None:
        self._settings = settings or StreamSettings()
        self._recogniser, self._watchlist, self._rule = recogniser, watchlist, rule
        self._tracker = Tracker(self._settings.tracker)
        self._shots = BestShots(shots=rule.shots)
        self._cooldown = Cooldown(per_subject_s=self._settings.cooldown_s)
        self._passes: dict[int, _Pass] = {}
        self._processed = 0

    @property
    def faces_seen(self) -> int:
        """Finished and current passes: confirmed tracks, the only count of people a record uses."""
        return self._tracker.faces_seen

    def process(self, frame: Frame, *, faces: Faces | None = None) -> FrameResult:
        """Take the next frame of the camera; frames come in order of time.

        Faces that were found in it already are given, so that several frames
        can be searched for faces at once.
        """
        detect = faces is not None or self._processed % self._settings.detect_every == 0
        self._processed += 1
        if detect:
            if faces is None:
                faces = self._recogniser.detect(frame.pixels)
            tracks = self._tracker.update(faces, time_s=frame.time_s)
        else:
            faces = Faces.empty()
            tracks = self._tracker.predict(time_s=frame.time_s)
        for track_id, xyxy in zip(tracks.track_id.tolist(), tracks.xyxy, strict=True):
            self._passes.setdefault(track_id, _Pass(frame.time_s, xyxy)).xyxy = xyxy
        embedded, embed_s, search_s = self._search(frame, faces, tracks)
        proposals = [p for t in embedded for p in self._propose(t, frame, final=False)]
        proposals += self._end(frame, tracks)
        return FrameResult(
            frame.index, frame.time_s, detect, faces, tracks, len(embedded), tuple(proposals), embed_s, search_s
        )

    def close(self, frame_index: int, time_s: float) -> tuple[AlertProposal, ...]:
        """End every current track, for example at the end of a file, and return what that decides."""
        tracks = self._tracker.close()
        last = Frame(frame_index, time_s, np.zeros((1, 1, 3), np.uint8))
        return tuple(self._end(last, tracks))

    def _search(self, frame: Frame, faces: Faces, tracks: Tracks) -> tuple[list[int], float, float]:
        """Embed and search the faces worth it; return the tracks that have a new score, and the two's seconds."""
        candidates = np.flatnonzero((tracks.face_index >= 0) & tracks.confirmed)
        if not len(candidates):
            return [], 0.0, 0.0
        began = time.perf_counter()
        crops, quality = self._recogniser.crops(frame.pixels, faces[tracks.face_index[candidates]])
        try:
            good = np.array(self._settings.quality.passed(quality), np.bool_)
            ids = tracks.track_id[candidates]
            chosen = self._shots.select(ids[good], quality.shot[good], time_s=frame.time_s)
            rows = np.flatnonzero(good)[chosen]
            search_s = self._score(ids[rows].tolist(), crops[rows]) if len(rows) else 0.0
        finally:
            crops[:] = 0
        return ids[rows].tolist(), time.perf_counter() - began - search_s, search_s

    def _score(self, track_ids: list[int], crops: Pixels) -> float:
        """Add scores to tracks, overwrite crops and templates, and return the seconds that the search took."""
        try:
            templates = self._recogniser.embed(crops)
        finally:
            crops[:] = 0
        began = time.perf_counter()
        try:
            for track_id, scores in zip(track_ids, self._watchlist.subject_scores(templates), strict=True):
                self._passes[track_id].scores.append(scores)
        finally:
            templates.vectors[:] = 0.0
        return time.perf_counter() - began

    def _propose(self, track_id: int, frame: Frame, *, final: bool) -> list[AlertProposal]:
        seen = self._passes[track_id]
        if not seen.scores:
            return []
        decisions = decide(np.stack(seen.scores), self._watchlist.subjects, self._rule, final=final)
        return [
            self._proposal(track_id, seen, decision, frame)
            for decision in decisions
            if self._cooldown.admit(track_id, decision.subject_id, frame.time_s)
        ]

    @staticmethod
    def _proposal(track_id: int, seen: _Pass, decision: Decision, frame: Frame) -> AlertProposal:
        left, top, right, bottom = (float(v) for v in seen.xyxy)
        return AlertProposal(
            track_id=track_id,
            subject_id=decision.subject_id,
            score=decision.score,
            shots_used=decision.shots_used,
            frame_index=frame.index,
            time_s=frame.time_s,
            first_seen_s=seen.first_seen_s,
            xyxy=(left, top, right, bottom),
        )

    def _end(self, frame: Frame, tracks: Tracks) -> list[AlertProposal]:
        """Decide for the tracks that ended, then forget them and every other track that is gone."""
        proposals = [p for t in tracks.ended.tolist() if t in self._passes for p in self._propose(t, frame, final=True)]
        current = set(tracks.track_id.tolist())
        for track_id in [t for t in self._passes if t not in current]:
            del self._passes[track_id]
        return proposals
