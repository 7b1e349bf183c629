"""The documents of the interface, as its description shows them."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, JsonValue, SecretStr

from lfr.alerts.states import OutcomeKind, OutcomeState, Verdict
from lfr.deployments import FeedState

__all__ = [
    "Adjudication",
    "AlertDocument",
    "FeedDocument",
    "FeedRequest",
    "FrameDocument",
    "HandOverRequest",
    "HoldRequest",
    "Outcome",
    "PassRequest",
    "Problem",
    "Reason",
    "Reasons",
    "SourcesDocument",
]

_ALERT: dict[str, JsonValue] = {
    "alert": "alert-0f9c41d07ab35e18",
    "sequence": 41,
    "demo": True,
    "deployment": "deployment-9f2c41d07ab35e18",
    "camera": "north",
    "track_id": 7,
    "entry": "entry-51d07ab35e189f2c",
    "subject_id": "s001",
    "category": "wanted-on-warrant",
    "score": 0.7123,
    "threshold": 0.4412,
    "captured_at": "2026-03-02T10:15:00.120000+00:00",
    "created_at": "2026-03-02T10:15:00.310000+00:00",
}

Text = Annotated[str, Field(min_length=1, max_length=4_000)]


class _Asked(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Digest(BaseModel):
    """A model version."""

    version: str
    digest: str


class ListDigest(BaseModel):
    """The sealed watchlist that is searched."""

    digest: str
    size: int


class AlertDocument(BaseModel):
    """An alert that is committed. It is advice: a person decides."""

    model_config = ConfigDict(json_schema_extra={"example": _ALERT})

    alert: str
    sequence: int
    demo: bool
    deployment: str
    camera: str
    track_id: int
    entry: str
    subject_id: str
    category: str
    score: float
    threshold: float
    captured_at: datetime
    created_at: datetime


class FrameDocument(BaseModel):
    """What a frame came to."""

    deployment: str
    camera: str
    demo: bool
    notice: str | None = Field(description="What must be shown with everything of this deployment, if anything.")
    model: Digest
    watchlist: ListDigest
    calibration: str = Field(description="Id of the calibration that the threshold comes from.")
    threshold: float
    faces: int = Field(description="Faces in this frame.")
    faces_seen: int = Field(description="People who passed since the camera began: the figure a record uses.")
    held_back: int = Field(description="Matches with suspended or expired entries so far; they raise no alert.")
    alerts: list[AlertDocument]


class FeedDocument(BaseModel):
    """What the service reads for a camera."""

    deployment: str
    camera: str
    source: str = Field(description="Name of it in the service's configuration.")
    state: FeedState = Field(
        description="`asked`: nothing was read yet; `lost`: it is tried again; `failed`: nobody tries any more."
    )
    reason: str = Field(description="Why it stands so, where that is not plain.")
    changed_at: datetime


class SourcesDocument(BaseModel):
    """Sources that may be read, by name."""

    sources: list[str] = Field(examples=[["gate-north", "square-2"]])


class Problem(BaseModel):
    """A problem document, RFC 9457. `type` does not change and is what programs compare."""

    model_config = ConfigDict(extra="allow")

    type: str
    title: str
    status: int
    detail: str
    request_id: str | None = None


class Adjudication(_Asked):
    """An officer's decision, having regard to the three kinds of factors."""

    decision: Verdict
    subject_factors: Text = Field(examples=["same build and hair, scar on the left cheek visible"])
    system_factors: Text = Field(examples=["score well over the threshold, sharp image"])
    environmental_factors: Text = Field(examples=["daylight, no crowd"])


class Outcome(_Asked):
    """What came of an alert on the street."""

    state: OutcomeState
    kind: OutcomeKind | None = None
    note: str = Field(default="", max_length=4_000)


class Reason(_Asked):
    """Why something is done; the audit log keeps it, so it names no person."""

    reason: Text


class Reasons(_Asked):
    """The officer's own reasons, on necessity and proportionality."""

    reasons: Text


class HoldRequest(_Asked):
    """Keep an alert's images beyond their clocks, until they are reviewed."""

    reason: Text
    review_on: date


class HandOverRequest(_Asked):
    """Hand an alert over as evidence, encrypted for whoever has the passphrase."""

    recipient: Text
    reason: Text
    passphrase: SecretStr = Field(min_length=12, max_length=1_000)


class FeedRequest(_Asked):
    """Which camera is fed from which source of the configuration."""

    camera: str = Field(min_length=1, max_length=200, examples=["north"])
    source: str = Field(min_length=1, max_length=2_000, examples=["gate-north"])


class PassRequest(_Asked):
    """A consenting subject of the list walked past a camera (field trial)."""

    camera: str = Field(max_length=200)
    subject_id: str = Field(max_length=200)
    began_at: AwareDatetime
    ended_at: AwareDatetime


ImageName = Literal["probe", "reference"]
