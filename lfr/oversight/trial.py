"""Field trial: consenting people on the list walk past, and the record shows how many were recognised."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from lfr.access import Principal, record
from lfr.database import Store
from lfr.database.store import new_id
from lfr.database.tables import Alert, Camera, Deployment, Entry, NominalReference, SeededPass
from lfr.errors import ConflictError, InputError, NotFoundError
from lfr.statistics import Rate, wilson_by_subject

__all__ = ["MARGIN", "Trial", "record_pass", "trial_of"]

MARGIN = timedelta(seconds=5)
"""An alert this long after a pass still belongs to it: a track is decided at its end at the latest."""


@dataclass(frozen=True)
class Trial:
    """The passes of a field trial.

    Attributes
    ----------
    passes
        Camera, subject and whether the pass was recognised.
    """

    passes: tuple[tuple[str, str, bool], ...]

    def tpir(self, camera_id: str | None = None) -> Rate | None:
        """Return the share of passes that were recognised, of a camera or of all; None where nobody walked.

        This is the True Recognition Rate of South Wales Police's published
        terms: every pass counts, alert or not. The interval is Wilson's, and
        wider where one subject walked several times, because passes of one
        person are alike (`lfr.statistics.wilson_by_subject`).
        """
        walked = [(subject, hit) for camera, subject, hit in self.passes if camera_id in (None, camera)]
        if not walked:
            return None
        times = Counter(subject for subject, _ in walked)
        return wilson_by_subject(sum(hit for _, hit in walked), list(times.values()))


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
        The times have no zone, are the wrong way round, lie outside the deployment's use or in the future.
    ConflictError
        The subject's pass of this camera at that time is logged already.
    """
    with store.database.write() as session:
        deployment = session.get(Deployment, deployment_id, with_for_update=True)
        if deployment is None:
            principal.require("deployment.pass")
            raise NotFoundError(f"deployment {deployment_id}: there is none of that name")
        principal.require("deployment.pass", force_id=deployment.force_id, what=f"deployment {deployment_id}")
        if session.get(Camera, (deployment_id, camera_id)) is None:
            raise NotFoundError(f"deployment {deployment_id}: camera {camera_id} is not one of its cameras")
        if not _listed(session, deployment.watchlist_id, subject_id):
            raise NotFoundError(f"deployment {deployment_id}: {subject_id} is not on its list")
        _check_times(deployment, began_at, ended_at, now=store.now())
        _refuse_overlap(session, deployment_id, camera_id, subject_id, began_at, ended_at)
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


def trial_of(session: Session, deployment_id: str) -> Trial:
    """Return a deployment's passes with whether each was recognised.

    A pass is recognised where its camera alerted for its subject between its
    beginning and `MARGIN` after its end. An alert is of one pass only: the
    last that had begun.
    """
    found: list[tuple[str, str, bool]] = []
    rows = session.scalars(
        select(SeededPass).where(SeededPass.deployment_id == deployment_id).order_by(SeededPass.began_at)
    ).all()
    walks: dict[tuple[str, str], list[SeededPass]] = {}
    for row in rows:
        walks.setdefault((row.camera_id, row.subject_id), []).append(row)
    alerts: dict[tuple[str, str], list[datetime]] = {}
    for camera_id, subject_id, captured_at in session.execute(
        select(Alert.camera_id, Alert.subject_id, Alert.captured_at).where(Alert.deployment_id == deployment_id)
    ):
        alerts.setdefault((camera_id, subject_id), []).append(captured_at)
    for (camera_id, subject_id), passes in walks.items():
        recognised = set[str]()
        for captured_at in alerts.get((camera_id, subject_id), ()):
            begun = [walked for walked in passes if walked.began_at <= captured_at]
            if begun and captured_at <= begun[-1].ended_at + MARGIN:
                recognised.add(begun[-1].id)
        found += [(camera_id, subject_id, walked.id in recognised) for walked in passes]
    return Trial(tuple(found))


def _listed(session: Session, watchlist_id: str, subject_id: str) -> bool:
    entry = select(Entry.id).where(Entry.watchlist_id == watchlist_id, Entry.subject_id == subject_id)
    return (
        session.scalars(entry).first() is not None
        or session.get(NominalReference, (watchlist_id, subject_id)) is not None
    )


def _check_times(deployment: Deployment, began_at: datetime, ended_at: datetime, *, now: datetime) -> None:
    if began_at.tzinfo is None or ended_at.tzinfo is None:
        raise InputError("a pass needs times with their zone, such as 2026-03-02T10:15:00Z")
    if ended_at < began_at:
        raise InputError(f"the pass ends at {ended_at:%H:%M:%S}, before it begins at {began_at:%H:%M:%S}")
    if ended_at > now:
        raise InputError(f"the pass ends at {ended_at:%H:%M:%S}, which is in the future; log it when it is over")
    first = deployment.started_at
    last = deployment.ended_at or deployment.withdrawn_at or deployment.ends_at
    if first is None or began_at < first or ended_at > last:
        raise InputError(f"deployment {deployment.id}: was not in use from {began_at} to {ended_at}")


def _refuse_overlap(
    session: Session, deployment_id: str, camera_id: str, subject_id: str, began_at: datetime, ended_at: datetime
) -> None:
    """Refuse a second pass of one person at one camera and time, which would count one walk twice."""
    other = session.scalars(
        select(SeededPass.id).where(
            SeededPass.deployment_id == deployment_id,
            SeededPass.camera_id == camera_id,
            SeededPass.subject_id == subject_id,
            SeededPass.began_at <= ended_at,
            SeededPass.ended_at >= began_at,
        )
    ).first()
    if other is not None:
        raise ConflictError(f"{subject_id} at camera {camera_id}: {other} is logged for that time already")
