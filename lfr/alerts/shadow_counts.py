"""Counts of a version in the shadow: how far it would have alerted as the field version did. It never alerts."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import timedelta
from typing import Any

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from lfr.access import Principal
from lfr.database import Store
from lfr.database.tables import Camera, Deployment, ShadowCount
from lfr.deployments.rows import owned
from lfr.errors import ConflictError, NotFoundError
from lfr.statistics import Rate, wilson

__all__ = ["ShadowCounts", "ShadowRecord", "ShadowVersion", "count_shadow", "shadow_records", "shadows_of"]

_LAST_COUNT = timedelta(minutes=1)


@dataclass(frozen=True)
class ShadowVersion:
    """Which version looks on, and with what.

    Attributes
    ----------
    version, digest
        The model version.
    calibration_id, threshold
        Its own calibration and that one's threshold.
    """

    version: str
    digest: str
    calibration_id: str
    threshold: float


@dataclass(frozen=True)
class ShadowCounts:
    """What a shadow came to: frames, passes and decisions as numbers, nothing of anybody.

    Attributes
    ----------
    frames
        Frames that it looked at.
    skipped
        Frames that the field version looked at while the shadow was not ready for them.
    failed
        Frames at which the shadow failed.
    passes
        Tracks of its own.
    both
        Decisions on the same entry that both versions came to in one pass (`lfr.pipeline.shadow.Agreement`).
    only_field, only_shadow
        Decisions that the other one did not come to.
    """

    frames: int = 0
    skipped: int = 0
    failed: int = 0
    passes: int = 0
    both: int = 0
    only_field: int = 0
    only_shadow: int = 0

    @property
    def agreement(self) -> Rate:
        """``both`` over all decisions, Wilson 95%."""
        return wilson(self.both, self.both + self.only_field + self.only_shadow)

    def __add__(self, other: ShadowCounts) -> ShadowCounts:
        return ShadowCounts(*(getattr(self, one.name) + getattr(other, one.name) for one in fields(self)))

    def __sub__(self, other: ShadowCounts) -> ShadowCounts:
        return ShadowCounts(*(getattr(self, one.name) - getattr(other, one.name) for one in fields(self)))

    def as_dict(self) -> dict[str, Any]:
        """The figures as JSON documents show them."""
        return {**vars(self), "agreement": self.agreement.as_dict()}


_KEY = ("deployment_id", "camera_id", "model_digest", "calibration_id")
# BOTH is a word of SQL.
_COLUMNS = {one.name: "both_alerted" if one.name == "both" else one.name for one in fields(ShadowCounts)}


@dataclass(frozen=True)
class ShadowRecord:
    """A shadow's figures at one camera, as they are kept.

    Attributes
    ----------
    camera
        Its id.
    shadow
        Which version.
    enrolled, failures_to_enrol
        Reference images that it made templates of, and those of which it could not.
    counts
        The figures.
    """

    camera: str
    shadow: ShadowVersion
    enrolled: int
    failures_to_enrol: int
    counts: ShadowCounts

    def as_dict(self) -> dict[str, Any]:
        """The figures as JSON documents show them."""
        return {
            "camera": self.camera,
            "version": self.shadow.version,
            "digest": self.shadow.digest,
            "calibration": self.shadow.calibration_id,
            "threshold": self.shadow.threshold,
            "enrolled": self.enrolled,
            "failures_to_enrol": self.failures_to_enrol,
            **self.counts.as_dict(),
        }


def count_shadow(
    store: Store,
    deployment_id: str,
    camera_id: str,
    shadow: ShadowVersion,
    counts: ShadowCounts,
    *,
    enrolled: int,
    failures_to_enrol: int,
) -> None:
    """Add what a shadow came to since the last call to its counters at a camera, which never fall.

    Parameters
    ----------
    store, deployment_id, camera_id
        Where, and which camera of a deployment that is live, or was so a minute ago.
    shadow
        Which version.
    counts
        Since the last call, not since the start.
    enrolled, failures_to_enrol
        Of the list, as it stands now.

    Raises
    ------
    NotFoundError
        The deployment has no such camera.
    ConflictError
        It is not live, and its use did not end within the last minute.
    ValueError
        A negative number.
    """
    if min(vars(counts).values()) < 0:
        raise ValueError(f"camera {camera_id}: counters never fall, got {counts}")
    of_camera = (deployment_id, camera_id, shadow.digest, shadow.calibration_id)
    with store.database.write() as session:
        # Under the camera's row, so that two who count for the first time come one after the other.
        if session.get(Camera, (deployment_id, camera_id), with_for_update=True) is None:
            raise NotFoundError(f"deployment {deployment_id}: camera {camera_id} is not one of its cameras")
        in_use = select(Deployment.id).where(
            Deployment.id == deployment_id,
            or_(
                Deployment.state == "live",
                func.coalesce(Deployment.withdrawn_at, Deployment.ended_at) > store.now() - _LAST_COUNT,
            ),
        )
        if session.scalar(in_use) is None:
            raise ConflictError(f"deployment {deployment_id}: a shadow is counted only while it is live")
        row = session.get(ShadowCount, of_camera)
        if row is None:
            key, none = dict(zip(_KEY, of_camera, strict=True)), dict.fromkeys(_COLUMNS.values(), 0)
            row = ShadowCount(
                **key, **none, model_version=shadow.version, threshold=shadow.threshold,
                enrolled=enrolled, failures_to_enrol=failures_to_enrol,
            )  # fmt: skip
            session.add(row)
        row.enrolled, row.failures_to_enrol = enrolled, failures_to_enrol
        for name, column in _COLUMNS.items():
            setattr(row, column, getattr(row, column) + getattr(counts, name))


def shadows_of(session: Session, deployment_id: str) -> tuple[ShadowRecord, ...]:
    """Return what is kept of the shadows of a deployment, camera by camera."""
    found = session.scalars(
        select(ShadowCount)
        .where(ShadowCount.deployment_id == deployment_id)
        .order_by(ShadowCount.camera_id, ShadowCount.model_version, ShadowCount.calibration_id)
    )
    return tuple(
        ShadowRecord(
            row.camera_id,
            ShadowVersion(row.model_version, row.model_digest, row.calibration_id, row.threshold),
            row.enrolled,
            row.failures_to_enrol,
            ShadowCounts(**{name: getattr(row, column) for name, column in _COLUMNS.items()}),
        )
        for row in found
    )


def shadow_records(store: Store, principal: Principal, deployment_id: str) -> tuple[ShadowRecord, ...]:
    """Return the figures of the shadows of a deployment, for who decides whether a version goes to the field.

    Raises
    ------
    NotFoundError
        There is no such deployment in the principal's force.
    AccessDeniedError
        The principal's role may not.
    """
    principal.require("deployment.shadow", what=deployment_id)
    with store.database.read() as session:
        owned(session, principal, deployment_id)
        return shadows_of(session, deployment_id)
