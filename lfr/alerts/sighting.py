"""What goes into an alert and what comes out of raising one."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from lfr.errors import ImageError

__all__ = ["MAX_PROBE_BYTES", "RaisedAlert", "Sighting"]

MAX_PROBE_BYTES = 1 << 20
_JPEG = b"\xff\xd8\xff"


@dataclass(frozen=True)
class Sighting:
    """A track that met the threshold for an entry: what an alert is raised from.

    Attributes
    ----------
    deployment_id, camera_id, track_id
        Where, and whose pass.
    entry_id
        The watchlist entry it resembles.
    score
        Cosine similarity, fused over the track; higher is more alike.
    shots_used
        How many faces of the track it was fused from.
    model_digest, watchlist_digest, calibration_id
        What was in use when it was found; must be what the deployment was authorised with.
    captured_at
        When the deciding frame was taken, with its zone.
    probe_jpeg
        The face that the officer will see, at most `MAX_PROBE_BYTES`.
    reference_id
        The entry's reference it was most alike; None: its first.

    Raises
    ------
    ImageError
        The probe is no JPEG, or too large.
    ValueError
        The score is no number, no shot was used, or the time has no zone.
    """

    deployment_id: str
    camera_id: str
    track_id: int
    entry_id: str
    score: float
    shots_used: int
    model_digest: str
    watchlist_digest: str
    calibration_id: str
    captured_at: datetime
    probe_jpeg: bytes = field(repr=False)
    reference_id: str | None = None

    def __post_init__(self) -> None:
        where = f"probe of track {self.track_id} at camera {self.camera_id}"
        if not self.probe_jpeg.startswith(_JPEG):
            raise ImageError(f"{where}: not a JPEG")
        if len(self.probe_jpeg) > MAX_PROBE_BYTES:
            raise ImageError(f"{where}: {len(self.probe_jpeg)} bytes; {MAX_PROBE_BYTES} are the most")
        if not math.isfinite(self.score):
            raise ValueError(f"{where}: the score is {self.score}")
        if self.shots_used < 1:
            raise ValueError(f"{where}: {self.shots_used} shots were used")
        if self.captured_at.tzinfo is None:
            raise ValueError(f"{where}: the time of capture has no zone")


@dataclass(frozen=True)
class RaisedAlert:
    """An alert that is committed with its audit entry; only now may anybody be told.

    Attributes
    ----------
    id
        Of the alert.
    sequence
        Of its entry in the force's audit chain: rises in the order of commits, and is the id of the event.
    demo
        Whether the deployment is "not approved for field use", which must be shown with the alert.
    deployment_id, camera_id, track_id, entry_id, subject_id, category, score, threshold, captured_at, created_at
        Of the alert.
    """

    id: str
    sequence: int
    demo: bool
    deployment_id: str
    camera_id: str
    track_id: int
    entry_id: str
    subject_id: str
    category: str
    score: float
    threshold: float
    captured_at: datetime
    created_at: datetime

    def as_dict(self) -> dict[str, Any]:
        """The alert as JSON documents show it."""
        return {
            "alert": self.id,
            "sequence": self.sequence,
            "demo": self.demo,
            "deployment": self.deployment_id,
            "camera": self.camera_id,
            "track_id": self.track_id,
            "entry": self.entry_id,
            "subject_id": self.subject_id,
            "category": self.category,
            "score": round(self.score, 4),
            "threshold": self.threshold,
            "captured_at": self.captured_at.isoformat(),
            "created_at": self.created_at.isoformat(),
        }
