"""The deployment record: what is published of a use, with both denominators and their intervals (R12)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from lfr.access import Principal, record
from lfr.alerts import AlertCounts, counts, counts_by_camera, standing_holds
from lfr.alerts.shadow_counts import ShadowRecord, shadows_of
from lfr.audit.chain import time_text
from lfr.database import Store
from lfr.database.tables import Calibration as CalibrationRow
from lfr.database.tables import Deployment, Entry, Force, NominalReference
from lfr.deployments import DEMO_NOTICE
from lfr.errors import NotFoundError
from lfr.oversight.trial import trial_of
from lfr.statistics import Rate

__all__ = ["CameraRecord", "DeploymentRecord", "deployment_record"]


@dataclass(frozen=True)
class CameraRecord:
    """One camera's figures, or all cameras' together.

    Attributes
    ----------
    camera
        Its id; ``all`` for the sum.
    counts
        Faces, alerts and what became of them.
    tpir
        Share of a field trial's passes that were recognised; None where there was no trial.
    """

    camera: str
    counts: AlertCounts
    tpir: Rate | None

    def as_dict(self) -> dict[str, Any]:
        """Return the figures as JSON has them."""
        return {
            "camera": self.camera,
            **self.counts.as_dict(),
            "tpir": self.tpir.as_dict() if self.tpir is not None else None,
        }


@dataclass(frozen=True)
class DeploymentRecord:
    """A deployment as it is published.

    Attributes
    ----------
    notice
        ``not approved for field use`` of a demo; else None.
    force, place, purpose, starts_at, ends_at, state
        Whose use, where, what for, when, and where it stands.
    used_from, used_to
        When it was live in fact.
    withdrawn_at
        When its authorisation was withdrawn; None where it was not.
    watchlist_size, suspended, categories
        How many were looked for, how many of them were taken off meanwhile, and why.
    model, threshold, calibration
        With what.
    authorised_by
        Who authorised it: reference and rank.
    total, cameras
        The figures.
    shadows
        Counts of versions that looked on and alerted nobody; no part of the other figures.
    purged_at, held
        When it was purged, and how many alerts are held as evidence now.
    """

    deployment_id: str
    name: str
    notice: str | None
    force: str
    place: str
    purpose: str
    state: str
    starts_at: datetime
    ends_at: datetime
    used_from: datetime | None
    used_to: datetime | None
    withdrawn_at: datetime | None
    watchlist_size: int
    suspended: int
    categories: tuple[str, ...]
    model: str
    model_digest: str
    threshold: float
    calibration: str
    calibration_verdict: str
    authorised_by: str | None
    total: CameraRecord
    cameras: tuple[CameraRecord, ...]
    purged_at: datetime | None
    held: int
    made_at: datetime
    shadows: tuple[ShadowRecord, ...] = ()

    @property
    def provisional(self) -> bool:
        """Whether its figures may still grow, because the deployment is not over."""
        return self.state in {"draft", "authorised", "live"}

    def as_dict(self) -> dict[str, Any]:
        """Return the record as JSON has it."""

        def text(time: datetime | None) -> str | None:
            return time_text(time) if time is not None else None

        return {
            "deployment_id": self.deployment_id,
            "name": self.name,
            "notice": self.notice,
            "force": self.force,
            "date": self.starts_at.date().isoformat(),
            "place": self.place,
            "purpose": self.purpose,
            "state": self.state,
            "provisional": self.provisional,
            "start": text(self.starts_at),
            "end": text(self.ends_at),
            "used_from": text(self.used_from),
            "used_to": text(self.used_to),
            "withdrawn_at": text(self.withdrawn_at),
            "watchlist_size": self.watchlist_size,
            "suspended": self.suspended,
            "categories": list(self.categories),
            "threshold": self.threshold,
            "model": self.model,
            "model_digest": self.model_digest,
            "calibration": self.calibration,
            "calibration_verdict": self.calibration_verdict,
            "authorised_by": self.authorised_by,
            **{key: value for key, value in self.total.as_dict().items() if key != "camera"},
            "cameras": [camera.as_dict() for camera in self.cameras],
            "purged_at": text(self.purged_at),
            "held": self.held,
            "made_at": text(self.made_at),
            "shadows": [one.as_dict() for one in self.shadows],
        }


def deployment_record(store: Store, principal: Principal, deployment_id: str) -> DeploymentRecord:
    """Return a deployment's record as it stands; also after its purge. That it was made is logged.

    Raises
    ------
    NotFoundError
        There is no such deployment in the principal's force.
    """
    with store.database.write() as session:
        row = session.get(Deployment, deployment_id)
        if row is None:
            principal.require("deployment.record")
            raise NotFoundError(f"deployment {deployment_id}: there is none of that name")
        principal.require("deployment.record", force_id=row.force_id, what=f"deployment {deployment_id}")
        calibration = session.get_one(CalibrationRow, row.calibration_id).document
        trial = trial_of(session, deployment_id)
        cameras = tuple(
            CameraRecord(camera_id, figures, trial.tpir(camera_id))
            for camera_id, figures in counts_by_camera(session, deployment_id).items()
        )
        suspended = _suspended(session, row.watchlist_id)
        authorisation = row.authorisation or {}
        found = DeploymentRecord(
            deployment_id=row.id,
            name=row.name,
            notice=DEMO_NOTICE if row.demo else None,
            force=session.get_one(Force, row.force_id).name,
            place=str(row.request["place"]),
            purpose=str(row.request["purpose"]),
            state=row.state,
            starts_at=row.starts_at,
            ends_at=row.ends_at,
            used_from=row.started_at,
            used_to=row.ended_at or row.withdrawn_at,
            withdrawn_at=row.withdrawn_at,
            watchlist_size=row.watchlist_size,
            suspended=suspended,
            categories=tuple(row.request["categories"]),
            model=row.model_version,
            model_digest=row.model_digest,
            threshold=float(calibration["threshold"]),
            calibration=row.calibration_id,
            calibration_verdict=str(calibration["verdict"]),
            authorised_by=f"{row.authorised_by} ({authorisation.get('rank', 'rank not kept')})"
            if row.authorised_by
            else None,
            total=CameraRecord("all", counts(session, deployment_id), trial.tpir()),
            cameras=cameras,
            purged_at=row.purged_at,
            held=len(standing_holds(session, force_id=row.force_id, deployment_id=deployment_id)),
            made_at=store.now(),
            shadows=shadows_of(session, deployment_id),
        )
        record(store, session, principal, "deployment.record", deployment_id)
    return found


def _suspended(session: Session, watchlist_id: str) -> int:
    """Count the entries taken off, from the list or from what is left of it."""
    entries = select(func.count()).where(Entry.watchlist_id == watchlist_id, Entry.suspended_at.is_not(None))
    nominal = select(func.count()).where(NominalReference.watchlist_id == watchlist_id, NominalReference.suspended)
    return int(session.scalar(entries) or 0) + int(session.scalar(nominal) or 0)
