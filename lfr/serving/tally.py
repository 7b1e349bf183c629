"""What a camera that the service reads came to since somebody asked last: numbers, for Prometheus."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass

from lfr.serving.camera import FrameAnswer

__all__ = ["FedFrames", "Tally"]

_MOST = 5_000  # frames of minutes; more between two questions are counted without their times


@dataclass(frozen=True)
class FedFrames:
    """Frames that a camera's process read and decided on.

    Attributes
    ----------
    deployment_id, camera_id
        Which camera.
    frames, alerts
        Frames and committed alerts since the last question.
    stages_s
        Seconds that each stage of these frames took, of the latest ones.
    faces_seen, dropped
        Since the camera's process began: people who passed, and frames that nobody looked at.
    """

    deployment_id: str
    camera_id: str
    frames: int
    alerts: int
    stages_s: tuple[Mapping[str, float], ...]
    faces_seen: int
    dropped: int


class Tally:
    """Counts frames until they are asked for.

    Parameters
    ----------
    deployment_id, camera_id
        Of which camera.
    """

    def __init__(self, deployment_id: str, camera_id: str) -> None:
        self._about = deployment_id, camera_id
        self._lock = threading.Lock()
        self._stages_s: deque[Mapping[str, float]] = deque(maxlen=_MOST)
        self._frames = self._alerts = self._faces_seen = self._dropped = 0
        self._any = False

    def add(self, answer: FrameAnswer, *, frames: int = 1) -> None:
        """Count a frame that was decided on, or with no frame what the end of a stream decided."""
        with self._lock:
            self._any = True
            self._frames += frames
            self._alerts += len(answer.alerts)
            self._faces_seen = answer.faces_seen
            if frames:
                self._stages_s.append(answer.stages_s)

    def drop(self, frames: int) -> None:
        """Count frames that nobody looked at."""
        with self._lock:
            self._any = True
            self._dropped += frames

    def take(self) -> FedFrames | None:
        """Return the counts, and begin anew; None where nothing was read since."""
        with self._lock:
            if not self._any:
                return None
            taken = FedFrames(
                *self._about, self._frames, self._alerts, tuple(self._stages_s), self._faces_seen, self._dropped
            )
            self._frames = self._alerts = 0
            self._any = False
            self._stages_s.clear()
            return taken
