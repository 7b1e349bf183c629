"""Field trial: consenting people on the list walk past, and the record shows how many were recognised."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from lfr.access import Principal, record
from lfr.database import Store
from lfr.database.store import new_id
from lfr.database.tables import Alert, Camera, Deployment, Entry, NominalReference, SeededPass
from lfr.errors import InputError, NotFoundError
from lfr.statistics import Rate, wilson

__all__ = ["MARGIN", "record_pass", "tpir_by_camera"]

MARGIN = timedelta(seconds=5)
"""An alert this long after a pass still belongs to it: a track is decided at its end at the latest."""


def record_pass(
    store: Store,
    principal: Principal,
    deployment_id: str,
    camera_id: str,
    *,
    subject_id: str,
    began_at: datetime,
    ended_at: datetime,
) -> str:
    """Log that a consenting subject of the list walked past a camera, whether or not there was an alert.

    Returns
    -------
    Id of the pass.

    Raises
    ------
    NotFoundError
        There is no such deployment in the force, camera of it, or subject on its list.
    InputError
        The times have no zone, are the wrong way round, or lie outside the deployment's use.
    """
    with store.database.write() as session:
        deployment = session.get(Deployment, deployment_id)
        if deployment is None:
            principal.require("deployment.pass")
            raise NotFoundError(f"deployment {deployment_id}: there is none of that name")
        principal.require("deployment.pass", force_id=deployment.force_id, what=f"deployment {deployment_id}")
        if session.get(Camera, (deployment_id, camera_id)) is None:
            raise NotFoundError(f"deployment {deployment_id}: camera {camera_id} is not one of its cameras")
        if not _listed(session, deployment.watchlist_id, subject_id):
            raise NotFoundError(f"deployment {deployment_id}: {subject_id} is not on its list")
        _check_times(deployment, began_at, ended_at)
        pass_id = new_id("pass")
        session.add(
            SeededPass(
                id=pass_id,
                deployment_id=deployment_id,
                camera_id=camera_id,
                subject_id=subject_id,
                began_at=began_at,
                ended_at=ended_at,
                recorded_by=principal.id,
            )
        )
        details = {"deployment": deployment_id, "camera": camera_id, "subject": subject_id}
        record(store, session, principal, "deployment.pass", pass_id, details=details)
        return pass_id


def tpir_by_camera(session: Session, deployment_id: str) -> dict[str, Rate]:
    """Return for each camera with passes the share that was recognised, with Wilson's 95% interval.

    A pass is recognised where that camera alerted for that subject between its
    beginning and `MARGIN` after its end. This is the True Recognition Rate of
    South Wales Police's published terms: every pass counts, alert or not.
    """
    passes = session.scalars(select(SeededPass).where(SeededPass.deployment_id == deployment_id)).all()
    alerts = session.execute(
        select(Alert.camera_id, Alert.subject_id, Alert.captured_at).where(Alert.deployment_id == deployment_id)
    ).all()
    found: dict[str, list[bool]] = {}
    for walked in passes:
        recognised = any(
            (camera_id, subject_id) == (walked.camera_id, walked.subject_id)
            and walked.began_at <= captured_at <= walked.ended_at + MARGIN
            for camera_id, subject_id, captured_at in alerts
        )
        found.setdefault(walked.camera_id, []).append(recognised)
    return {camera_id: wilson(sum(hits), len(hits)) for camera_id, hits in sorted(found.items())}


def _listed(session: Session, watchlist_id: str, subject_id: str) -> bool:
    entry = select(Entry.id).where(Entry.watchlist_id == watchlist_id, Entry.subject_id == subject_id)
    return (
        session.scalars(entry).first() is not None
        or session.get(NominalReference, (watchlist_id, subject_id)) is not None
    )


def _check_times(deployment: Deployment, began_at: datetime, ended_at: datetime) -> None:
    if began_at.tzinfo is None or ended_at.tzinfo is None:
        raise InputError("a pass needs times with their zone, such as 2026-03-02T10:15:00Z")
    if ended_at < began_at:
        raise InputError(f"the pass ends at {ended_at:%H:%M:%S}, before it begins at {began_at:%H:%M:%S}")
    first = deployment.started_at
    last = deployment.ended_at or deployment.withdrawn_at or deployment.ends_at
    if first is None or began_at < first or ended_at > last:
        raise InputError(f"deployment {deployment.id}: was not in use from {began_at} to {ended_at}")
