"""Whether a deployment allows an alert, read and held inside the transaction that raises it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from lfr.access import ForcePolicy, Principal
from lfr.alerts.rows import utc_text
from lfr.alerts.sighting import Sighting
from lfr.database.tables import Calibration, Camera, Deployment, Entry, Force, Reference, Watchlist
from lfr.errors import NotAuthorisedError, NotFoundError

__all__ = ["Authority", "Target", "authority_of", "targets_of"]

# Made once: making them anew for each alert was a quarter of the function calls that an alert takes.
# Alerts take the deployment's row one after the other, as they take the audit chain. With a shared lock a
# withdrawal would wait on PostgreSQL until no alert comes for a moment; so it is the next in the queue.
# The force comes along, so that its policy costs no query of its own.
_FIND_DEPLOYMENT = (
    select(Deployment, Watchlist.state, Watchlist.digest, Calibration.document, Force)
    .join(Watchlist, Watchlist.id == Deployment.watchlist_id)
    .join(Calibration, Calibration.id == Deployment.calibration_id)
    .join(Force, Force.id == Deployment.force_id)
    .where(Deployment.id == bindparam("id"))
    .with_for_update(key_share=True, of=Deployment)
)
_FIND_CAMERAS = select(Camera.camera_id).where(Camera.deployment_id == bindparam("id"))
_FIND_TARGETS = (
    select(Entry.id, Entry.subject_id, Entry.category, Entry.suspended_at, Entry.expires_at, Reference.id)
    .outerjoin(Reference, Reference.entry_id == Entry.id)
    .where(Entry.watchlist_id == bindparam("watchlist"), Entry.id.in_(bindparam("entries", expanding=True)))
    .order_by(Entry.id, Reference.ordinal)
    .with_for_update(key_share=True, of=Entry)
)


@dataclass(frozen=True)
class Target:
    """An entry of the sealed list as an alert needs it.

    Attributes
    ----------
    subject_id, category
        Of the entry.
    reference_ids
        Its references, first one first.
    suspended
        Whether somebody suspended it.
    expires_at
        When it ends by itself.
    """

    subject_id: str
    category: str
    reference_ids: tuple[str, ...]
    suspended: bool
    expires_at: datetime


@dataclass(frozen=True)
class Authority:
    """A deployment that is live inside its window, held so until the transaction ends.

    Attributes
    ----------
    deployment
        Its row.
    threshold
        The calibration's; there is no other.
    cameras
        Ids of its cameras.
    policy
        The force's.
    """

    deployment: Deployment
    threshold: float
    cameras: frozenset[str]
    policy: ForcePolicy

    def check(self, sighting: Sighting) -> None:
        """Raise NotAuthorisedError unless the sighting was made with what was authorised."""
        deployment, where = self.deployment, f"deployment {self.deployment.id}"
        if sighting.camera_id not in self.cameras:
            raise NotAuthorisedError(f"{where}: camera {sighting.camera_id} is not one of its cameras")
        for what, seen, authorised in (
            ("model", sighting.model_digest, deployment.model_digest),
            ("watchlist", sighting.watchlist_digest, deployment.watchlist_digest),
            ("calibration", sighting.calibration_id, deployment.calibration_id),
        ):
            if seen != authorised:
                raise NotAuthorisedError(f"{where}: authorised with {what} {authorised}, not with {seen}")
        if sighting.score < self.threshold:
            raise NotAuthorisedError(
                f"{where}: score {sighting.score:.4f} is under the calibrated threshold {self.threshold:.4f}"
            )


def authority_of(session: Session, principal: Principal, deployment_id: str, *, now: datetime) -> Authority:
    """Return what a deployment allows now; on PostgreSQL nobody can end or withdraw it until the commit.

    Raises
    ------
    NotFoundError
        There is no such deployment in the principal's force.
    NotAuthorisedError
        It is not live, not inside its window, or its list or calibration is not what was authorised.
    """
    row = session.execute(_FIND_DEPLOYMENT, {"id": deployment_id}).one_or_none()
    if row is None or row[0].force_id != principal.force_id:
        raise NotFoundError(f"deployment {deployment_id}: there is none of that name")
    deployment, list_state, list_digest, calibration, force = row
    where = f"deployment {deployment.id}"
    if deployment.state != "live":
        raise NotAuthorisedError(f"{where}: is {deployment.state}, not live")
    if not deployment.starts_at <= now < deployment.ends_at:
        raise NotAuthorisedError(
            f"{where}: its window is {utc_text(deployment.starts_at)} to {utc_text(deployment.ends_at)}, "
            f"and it is {utc_text(now)}"
        )
    if list_state != "sealed" or list_digest != deployment.watchlist_digest:
        raise NotAuthorisedError(
            f"{where}: authorised with watchlist {deployment.watchlist_digest}, "
            f"but {deployment.watchlist_id} is {list_state} with {list_digest}"
        )
    if calibration.get("verdict") != "sufficient" and not deployment.demo:
        raise NotAuthorisedError(
            f"{where}: calibration {deployment.calibration_id} says {calibration.get('verdict')}; only a demo may"
        )
    cameras = session.scalars(_FIND_CAMERAS, {"id": deployment_id})
    policy = ForcePolicy.model_validate(force.policy)
    return Authority(deployment, float(calibration["threshold"]), frozenset(cameras), policy)


def targets_of(session: Session, watchlist_id: str, entry_ids: Iterable[str]) -> dict[str, Target]:
    """Return those of the entries that are on the list, each held against suspension until the commit."""
    about = {"watchlist": watchlist_id, "entries": sorted(set(entry_ids))}
    targets: dict[str, Target] = {}
    for entry_id, subject_id, category, suspended_at, expires_at, reference_id in session.execute(_FIND_TARGETS, about):
        before = targets[entry_id].reference_ids if entry_id in targets else ()
        references = (*before, reference_id) if reference_id is not None else before
        targets[entry_id] = Target(subject_id, category, references, suspended_at is not None, expires_at)
    return targets
