"""What the service answers, typed; and its problem documents as lfr's errors."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import httpx

from lfr import errors
from lfr.errors import LfrError, ServiceError

__all__ = ["FrameResult", "RemoteAlert", "checked"]

_PREFIX = "urn:lfr:problem:"


@dataclass(frozen=True)
class RemoteAlert:
    """An alert that the service has committed. It is advice: a person decides.

    Attributes
    ----------
    id, sequence, deployment_id, camera_id, track_id, entry_id, subject_id, category, score, threshold
        As the service states them.
    demo
        Whether it must be shown as not approved for field use.
    captured_at, created_at
        When its frame was taken, and when it was committed.
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
    document: Mapping[str, Any]

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> RemoteAlert:
        """Return an alert from its JSON document."""
        return cls(
            id=document["alert"],
            sequence=document["sequence"],
            demo=document["demo"],
            deployment_id=document["deployment"],
            camera_id=document["camera"],
            track_id=document["track_id"],
            entry_id=document["entry"],
            subject_id=document["subject_id"],
            category=document["category"],
            score=document["score"],
            threshold=document["threshold"],
            captured_at=datetime.fromisoformat(document["captured_at"]),
            created_at=datetime.fromisoformat(document["created_at"]),
            document=document,
        )


@dataclass(frozen=True)
class FrameResult:
    """What a frame came to.

    Attributes
    ----------
    index
        Number of the frame in its stream, from 0; -1 for what the end of a stream decided.
    alerts
        Committed because of it.
    faces, faces_seen
        Faces in it, and people who passed since the camera began.
    held_back
        Matches so far with suspended or expired entries.
    document
        All of the answer: model, watchlist, calibration, notice.
    """

    index: int
    alerts: tuple[RemoteAlert, ...]
    faces: int
    faces_seen: int
    held_back: int
    document: Mapping[str, Any]

    @classmethod
    def from_document(cls, index: int, document: Mapping[str, Any]) -> FrameResult:
        """Return a frame's result from its JSON document."""
        return cls(
            index=index,
            alerts=tuple(RemoteAlert.from_document(alert) for alert in document["alerts"]),
            faces=document["faces"],
            faces_seen=document["faces_seen"],
            held_back=document["held_back"],
            document=document,
        )


def checked(response: httpx.Response) -> Mapping[str, Any]:
    """Return an answer's JSON document.

    Raises
    ------
    LfrError
        The service's problem as the error it stands for; ServiceError where it is no problem document.
    """
    try:
        document = response.json()
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ServiceError(f"{response.request.url.host}: answered {response.status_code}, and no JSON") from error
    if response.is_success and isinstance(document, dict):
        return document
    detail = document.get("detail") if isinstance(document, dict) else None
    kind = str(document.get("type", "")) if isinstance(document, dict) else ""
    raise _error_of(kind, response.status_code)(detail or f"answered {response.status_code}")


def _error_of(kind: str, status: int) -> type[LfrError]:
    name = "".join(word.capitalize() for word in kind.removeprefix(_PREFIX).split("-")) + "Error"
    found = getattr(errors, name, None)
    if kind.startswith(_PREFIX) and isinstance(found, type) and issubclass(found, LfrError):
        return found
    if status in (401, 403):
        return errors.AccessDeniedError
    return ServiceError if status >= 500 else errors.InputError
