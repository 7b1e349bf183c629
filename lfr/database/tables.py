"""Every table.

Rows hold references to persons and subjects, never names of subjects;
templates and images are ciphertext. Times are UTC.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    ForeignKey,
    Index,
    UniqueConstraint,
)
from sqlalchemy.orm import Mapped, mapped_column

from lfr.database.base import Base, UtcDateTime
from lfr.database.log_tables import AuditChain, AuditCheckpoint, AuditEntry, Promotion

__all__ = [
    "AccessKey",
    "Adjudication",
    "Alert",
    "AuditChain",
    "AuditCheckpoint",
    "AuditEntry",
    "Base",
    "Calibration",
    "Camera",
    "Deployment",
    "Entry",
    "Force",
    "HandOver",
    "Hold",
    "Installation",
    "NominalReference",
    "Outcome",
    "Person",
    "Promotion",
    "Reference",
    "SeededPass",
    "UtcDateTime",
    "Watchlist",
]


class Installation(Base):
    """The one row that says which keys belong to this database."""

    __tablename__ = "installation"

    id: Mapped[int] = mapped_column(primary_key=True)
    installation_id: Mapped[str]
    signing_key: Mapped[str]  # public
    created_at: Mapped[datetime]


class Force(Base):
    """A police force; everything governed belongs to one."""

    __tablename__ = "force"

    id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    policy: Mapped[dict[str, Any]]
    created_at: Mapped[datetime]
    destroyed_at: Mapped[datetime | None]


class Person(Base):
    """Somebody who acts, with name and rank."""

    __tablename__ = "person"

    id: Mapped[str] = mapped_column(primary_key=True)
    force_id: Mapped[str] = mapped_column(ForeignKey("force.id"), index=True)
    name: Mapped[str]
    rank: Mapped[str]
    added_at: Mapped[datetime]


class AccessKey(Base):
    """An API key: of one person, or of one device."""

    __tablename__ = "access_key"

    id: Mapped[str] = mapped_column(primary_key=True)
    force_id: Mapped[str] = mapped_column(ForeignKey("force.id"), index=True)
    person_id: Mapped[str | None] = mapped_column(ForeignKey("person.id"), index=True)
    device: Mapped[str | None]
    roles: Mapped[list[Any]]
    secret_hash: Mapped[str]
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]


class Watchlist(Base):
    """``open``, ``sealed`` or ``destroyed``; entries and references go with its destruction, this row stays."""

    __tablename__ = "watchlist"

    id: Mapped[str] = mapped_column(primary_key=True)
    force_id: Mapped[str] = mapped_column(ForeignKey("force.id"), index=True)
    name: Mapped[str]
    state: Mapped[str]
    model_version: Mapped[str]
    model_digest: Mapped[str]
    created_by: Mapped[str]
    created_at: Mapped[datetime]
    copied_from: Mapped[str | None]
    reviewed_by: Mapped[str | None]
    sealed_by: Mapped[str | None]
    sealed_at: Mapped[datetime | None]
    digest: Mapped[str | None]
    destroy_after: Mapped[datetime | None]
    destroyed_at: Mapped[datetime | None]


class Entry(Base):
    """One subject of a watchlist, with every field that guidance asks for (R2)."""

    __tablename__ = "entry"
    __table_args__ = (UniqueConstraint("watchlist_id", "subject_id"),)

    id: Mapped[str] = mapped_column(primary_key=True)
    watchlist_id: Mapped[str] = mapped_column(ForeignKey("watchlist.id"), index=True)
    subject_id: Mapped[str]
    category: Mapped[str]
    reason: Mapped[str]
    legal_basis: Mapped[str]
    image_source: Mapped[str]
    lawfully_held: Mapped[bool]
    image_date: Mapped[date]
    expires_at: Mapped[datetime]
    under_18: Mapped[bool]
    under_18_authorised_by: Mapped[str | None]
    added_by: Mapped[str]
    added_at: Mapped[datetime]
    approved_by: Mapped[str | None]
    suspended_at: Mapped[datetime | None]
    suspended_by: Mapped[str | None]
    suspension_reason: Mapped[str | None]


class Reference(Base):
    """One enrolled image of an entry: image and template as ciphertext, quality in the clear."""

    __tablename__ = "reference"
    __table_args__ = (UniqueConstraint("entry_id", "ordinal"),)

    id: Mapped[str] = mapped_column(primary_key=True)
    entry_id: Mapped[str] = mapped_column(ForeignKey("entry.id", ondelete="CASCADE"), index=True)
    watchlist_id: Mapped[str] = mapped_column(ForeignKey("watchlist.id"), index=True)
    ordinal: Mapped[int]
    image_digest: Mapped[str]  # SHA-256 of the file that was enrolled
    image: Mapped[bytes]
    template: Mapped[bytes]
    model_digest: Mapped[str]
    quality: Mapped[dict[str, Any]]


class NominalReference(Base):
    """What stays of a destroyed list: whom it named, so that it can be reconstructed without images (R7)."""

    __tablename__ = "nominal_reference"

    watchlist_id: Mapped[str] = mapped_column(ForeignKey("watchlist.id"), primary_key=True)
    subject_id: Mapped[str] = mapped_column(primary_key=True)
    category: Mapped[str]
    image_digests: Mapped[list[Any]]
    suspended: Mapped[bool]


class Calibration(Base):
    """A calibration as it was read, under the digest of its content."""

    __tablename__ = "calibration"

    id: Mapped[str] = mapped_column(primary_key=True)
    document: Mapped[dict[str, Any]]
    added_at: Mapped[datetime]


class Deployment(Base):
    """One authorised use: who is looked for, where, when, with what, on whose decision."""

    __tablename__ = "deployment"

    id: Mapped[str] = mapped_column(primary_key=True)
    force_id: Mapped[str] = mapped_column(ForeignKey("force.id"), index=True)
    name: Mapped[str]
    state: Mapped[str] = mapped_column(index=True)
    demo: Mapped[bool]
    # What is asked for: every field of R1 and R16, as lfr.deployments reads it.
    request: Mapped[dict[str, Any]]
    starts_at: Mapped[datetime]
    ends_at: Mapped[datetime]
    watchlist_id: Mapped[str] = mapped_column(ForeignKey("watchlist.id"), unique=True)
    watchlist_digest: Mapped[str]
    watchlist_size: Mapped[int]
    model_version: Mapped[str]
    model_digest: Mapped[str]
    calibration_id: Mapped[str] = mapped_column(ForeignKey("calibration.id"))
    created_by: Mapped[str]
    created_at: Mapped[datetime]
    authorised_by: Mapped[str | None]
    authorised_at: Mapped[datetime | None]
    authorisation: Mapped[dict[str, Any] | None]
    started_by: Mapped[str | None]
    started_at: Mapped[datetime | None]
    ended_by: Mapped[str | None]
    ended_at: Mapped[datetime | None]
    withdrawn_by: Mapped[str | None]
    withdrawn_at: Mapped[datetime | None]
    withdrawal_reason: Mapped[str | None]
    purged_at: Mapped[datetime | None]
    purge_proof: Mapped[dict[str, Any] | None]


class Camera(Base):
    """One camera of a deployment and its counters, the only figures of people who did not alert.

    ``feed_…`` say what the service itself reads for it, if anything: a source by its name, never its address.
    """

    __tablename__ = "camera"

    deployment_id: Mapped[str] = mapped_column(ForeignKey("deployment.id"), primary_key=True)
    camera_id: Mapped[str] = mapped_column(primary_key=True)
    faces_seen: Mapped[int] = mapped_column(BigInteger, default=0)
    frames: Mapped[int] = mapped_column(BigInteger, default=0)
    frames_dropped: Mapped[int] = mapped_column(BigInteger, default=0)
    last_frame_at: Mapped[datetime | None]
    feed_id: Mapped[str | None]  # another for each time that somebody begins one
    feed_source: Mapped[str | None]
    feed_by: Mapped[str | None]
    feed_state: Mapped[str | None]
    feed_reason: Mapped[str | None]
    feed_changed_at: Mapped[datetime | None]


class Alert(Base):
    """An alert; its probe image is ciphertext and goes when its clock runs out, the decision stays."""

    __tablename__ = "alert"
    __table_args__ = (Index("ix_alert_deployment_created", "deployment_id", "created_at"),)

    id: Mapped[str] = mapped_column(primary_key=True)
    force_id: Mapped[str] = mapped_column(ForeignKey("force.id"))
    deployment_id: Mapped[str] = mapped_column(ForeignKey("deployment.id"))
    camera_id: Mapped[str]
    track_id: Mapped[int] = mapped_column(BigInteger)
    entry_id: Mapped[str]
    subject_id: Mapped[str]
    category: Mapped[str]
    reference_id: Mapped[str]
    score: Mapped[float]
    threshold: Mapped[float]
    shots_used: Mapped[int]
    model_digest: Mapped[str]
    watchlist_digest: Mapped[str]
    calibration_id: Mapped[str]
    captured_at: Mapped[datetime]
    created_at: Mapped[datetime]
    state: Mapped[str] = mapped_column(index=True)
    # Whether it was ever viable at the end of the ten seconds in which an officer can retract.
    counted_true: Mapped[bool] = mapped_column(default=False)
    decided_at: Mapped[datetime | None]
    raised_by: Mapped[str]
    image: Mapped[bytes | None]
    image_expires_at: Mapped[datetime] = mapped_column(index=True)
    image_deleted_at: Mapped[datetime | None]


class Adjudication(Base):
    """One officer's assessment of an alert; a retraction is a row of its own."""

    __tablename__ = "adjudication"
    __table_args__ = (UniqueConstraint("alert_id", "ordinal"),)

    id: Mapped[str] = mapped_column(primary_key=True)
    alert_id: Mapped[str] = mapped_column(ForeignKey("alert.id"), index=True)
    ordinal: Mapped[int]
    person_id: Mapped[str]
    decision: Mapped[str]  # viable, not_viable or retracted
    subject_factors: Mapped[str]
    system_factors: Mapped[str]
    environmental_factors: Mapped[str]
    made_at: Mapped[datetime]


class Outcome(Base):
    """What came of an alert on the street."""

    __tablename__ = "outcome"

    id: Mapped[str] = mapped_column(primary_key=True)
    alert_id: Mapped[str] = mapped_column(ForeignKey("alert.id"), index=True)
    person_id: Mapped[str]
    state: Mapped[str]  # engaged, not_engaged, confirmed_true or confirmed_false
    kind: Mapped[str | None]
    note: Mapped[str]
    made_at: Mapped[datetime]


class Hold(Base):
    """An alert's image kept beyond its clock by a named person, for a reason, until a review (R15)."""

    __tablename__ = "hold"

    id: Mapped[str] = mapped_column(primary_key=True)
    alert_id: Mapped[str] = mapped_column(ForeignKey("alert.id"), index=True)
    person_id: Mapped[str]
    reason: Mapped[str]
    review_on: Mapped[date]
    # The alert's reference image under the deployment's key, because the watchlist's key goes first.
    reference_image: Mapped[bytes | None]
    made_at: Mapped[datetime]
    released_at: Mapped[datetime | None]
    released_by: Mapped[str | None]


class HandOver(Base):
    """An alert handed over as evidence (R15)."""

    __tablename__ = "hand_over"

    id: Mapped[str] = mapped_column(primary_key=True)
    alert_id: Mapped[str] = mapped_column(ForeignKey("alert.id"), index=True)
    person_id: Mapped[str]
    recipient: Mapped[str]
    reason: Mapped[str]
    export_digest: Mapped[str]
    made_at: Mapped[datetime]


class SeededPass(Base):
    """Field trial: a consenting subject on the list walked past a camera."""

    __tablename__ = "seeded_pass"

    id: Mapped[str] = mapped_column(primary_key=True)
    deployment_id: Mapped[str] = mapped_column(ForeignKey("deployment.id"), index=True)
    camera_id: Mapped[str]
    subject_id: Mapped[str]
    began_at: Mapped[datetime]
    ended_at: Mapped[datetime]
    recorded_by: Mapped[str]
