"""The drawn street that is streamed, and what it knows: who walked, and whom an alert's picture shows."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import cv2
import numpy as np

from lfr.errors import ImageError
from lfr.evaluation.scene import PassOutcome, SceneScore
from lfr.geometry import iou_matrix
from lfr.pipeline import AlertProposal, draw_preview
from lfr.sources import Portrait, Scene, SceneSettings, SceneTruth, decode_image
from lfr.types import Faces, Frame, Pixels, Tracks

__all__ = ["PREVIEW_FPS", "Seen", "Street"]

PREVIEW_FPS = 3.0
_PREVIEW_WH = (640, 360)
_PREVIEW_S = 60.0
_JPEG_QUALITY = 92
_KEPT_S = 6.0  # frames that a late alert's picture may be from
_SURE, _ENOUGH = 0.985, 0.9  # correlation of a picture with the place in the frame that it was cut from
_MARGIN = 0.5  # of an alert's picture beyond the face, on each side
_SAME = 0.1  # overlap of a face as cut and as drawn; the nearest counts


@dataclass(frozen=True, eq=False)
class Seen:
    """Where an alert's picture was cut from.

    Attributes
    ----------
    pass_id
        Whose face it shows; None: nobody's.
    time_s, xyxy
        On the scene's clock, and in pixels.
    """

    pass_id: int | None
    time_s: float
    xyxy: tuple[float, float, float, float]


@dataclass
class _Walked:
    subject_id: str
    first_s: float
    last_s: float
    alerts: list[AlertProposal] = field(default_factory=list)


@dataclass(frozen=True, eq=False)
class _Drawn:
    time_s: float
    grey: Pixels
    truth: SceneTruth


class Street:
    """Draws and encodes a scene frame by frame, and keeps its truth.

    Parameters
    ----------
    walkers, settings
        As for `lfr.sources.Scene`.
    listed
        Subjects on the watchlist.
    began_at
        Time of day of the first frame.
    """

    def __init__(
        self, walkers: Sequence[Portrait], settings: SceneSettings, *, listed: Sequence[str], began_at: datetime
    ) -> None:
        self._scene, self._settings, self._listed, self.began_at = Scene(walkers, settings), settings, listed, began_at
        self._recent: deque[_Drawn] = deque(maxlen=max(1, round(_KEPT_S * settings.fps)))
        self._walked: dict[int, _Walked] = {}
        self._labels: dict[int, str] = {}
        self._unplaced: list[AlertProposal] = []
        self.preview: deque[Pixels] = deque(maxlen=round(_PREVIEW_S * PREVIEW_FPS))
        self.time_s, self.frames, self.last_jpeg, self._shown = 0.0, 0, b"", 0

    @property
    def fps(self) -> float:
        """Frames a second."""
        return self._settings.fps

    def stream(self, *, paced: bool) -> Iterator[tuple[bytes, datetime]]:
        """Yield each frame as a JPEG with its time of day; ``paced``: not before that time."""
        began = time.monotonic()
        for seen in self._scene.frames():
            frame = seen.frame
            if paced:
                time.sleep(max(0.0, began + frame.time_s - time.monotonic()))
            done, data = cv2.imencode(".jpg", frame.pixels, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
            if not done:
                raise ImageError(f"the scene: frame {frame.index} cannot be encoded")
            self.last_jpeg = data.tobytes()
            self._remember(frame, seen.truth)
            yield self.last_jpeg, self.began_at + timedelta(seconds=frame.time_s)

    def find(self, probe_jpeg: bytes, captured_at: datetime) -> Seen:
        """Find the picture of an alert in the frames up to its time: as whoever was there would know the person."""
        probe = cv2.cvtColor(decode_image(probe_jpeg, name="the alert's picture"), cv2.COLOR_BGR2GRAY)
        height, width = probe.shape
        until_s = (captured_at - self.began_at).total_seconds() + 0.5 / self._settings.fps
        best, found = _ENOUGH, Seen(None, until_s, (0.0, 0.0, 0.0, 0.0))
        for drawn in reversed([one for one in self._recent if one.time_s <= until_s]):
            _, alike, _, (left, top) = cv2.minMaxLoc(cv2.matchTemplate(drawn.grey, probe, cv2.TM_CCOEFF_NORMED))
            if alike > best:
                best, found = alike, self._seen(drawn, left, top, width, height)
            if best >= _SURE:
                break
        return found

    def add_alert(self, alert: AlertProposal, pass_id: int | None) -> None:
        """Take an alert, and whom it is about in truth."""
        if pass_id is None:
            self._unplaced.append(alert)
        else:
            self._walked[pass_id].alerts.append(alert)
            self._labels[pass_id] = f"{alert.subject_id} {alert.score:.2f}"

    def subject_of(self, pass_id: int | None) -> str | None:
        """Return who walked."""
        return None if pass_id is None else self._walked[pass_id].subject_id

    def first_s(self, pass_id: int | None) -> float:
        """Return when a pass came into view; 0 for nobody's."""
        return 0.0 if pass_id is None else self._walked[pass_id].first_s

    def score(self, *, faces_seen: int) -> SceneScore:
        """Return how right the alerts were, over everybody who came into view so far."""
        outcomes = [
            PassOutcome(
                pass_id=pass_id,
                subject_id=walked.subject_id,
                listed=walked.subject_id in self._listed,
                first_s=walked.first_s,
                last_s=walked.last_s,
                tracks=None,
                alerts=tuple(walked.alerts),
            )
            for pass_id, walked in sorted(self._walked.items())
        ]
        return SceneScore(tuple(outcomes), faces_seen, tuple(self._unplaced))

    def _remember(self, frame: Frame, truth: SceneTruth) -> None:
        grey = np.asarray(cv2.cvtColor(frame.pixels, cv2.COLOR_BGR2GRAY), np.uint8)
        self._recent.append(_Drawn(frame.time_s, grey, truth))
        self.time_s, self.frames = frame.time_s, self.frames + 1
        for subject_id, pass_id in zip(truth.subject_id, truth.pass_id.tolist(), strict=True):
            self._walked.setdefault(pass_id, _Walked(subject_id, frame.time_s, frame.time_s)).last_s = frame.time_s
        if frame.time_s * PREVIEW_FPS >= self._shown:
            self._shown += 1
            self.preview.append(self._blurred(frame.pixels, truth))

    def _blurred(self, pixels: Pixels, truth: SceneTruth) -> Pixels:
        there, ended = np.full(len(truth), -1, np.int64), np.zeros(0, np.int64)
        tracks = Tracks(truth.pass_id, truth.xyxy, there, np.ones(len(truth), np.bool_), ended)
        shown = draw_preview(pixels, faces=Faces.empty(), tracks=tracks, alerted=self._labels)
        return np.asarray(cv2.resize(shown, _PREVIEW_WH, interpolation=cv2.INTER_AREA), np.uint8)

    def _seen(self, drawn: _Drawn, left: int, top: int, width: int, height: int) -> Seen:
        truth, (frame_h, frame_w) = drawn.truth, drawn.grey.shape
        # The picture is the face and its margin, cut at the frame's edges.
        share = _MARGIN / (1 + 2 * _MARGIN)
        x1 = left + (share * width if left > 0 else 0.0)
        y1 = top + (share * height if top > 0 else 0.0)
        x2 = left + width - (share * width if left + width < frame_w else 0.0)
        y2 = top + height - (share * height if top + height < frame_h else 0.0)
        overlap = iou_matrix(np.array([[x1, y1, x2, y2]], np.float32), truth.xyxy)[0]
        nearest = int(np.argmax(overlap)) if len(truth) else -1
        whose = int(truth.pass_id[nearest]) if nearest >= 0 and overlap[nearest] >= _SAME else None
        return Seen(whose, drawn.time_s, (float(x1), float(y1), float(x2), float(y2)))
