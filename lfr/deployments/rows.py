"""What the operations share: a deployment's row held for a change, its digest, its window."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from lfr.access import Principal
from lfr.audit.chain import canonical
from lfr.database.tables import Deployment, Watchlist
from lfr.errors import ConflictError, NotFoundError

__all__ = ["deployment_digest", "due", "held", "held_list", "owned", "require_state", "utc_text"]


def owned(session: Session, principal: Principal, deployment_id: str) -> Deployment:
    """Return a deployment's row, to read it.

    Raises
    ------
    NotFoundError
        There is no such deployment in the principal's force.
    """
    row = session.get(Deployment, deployment_id)
    if row is None or row.force_id != principal.force_id:
        raise NotFoundError(f"deployment {deployment_id}: there is none of that name")
    return row


def held(session: Session, principal: Principal, deployment_id: str) -> Deployment:
    """Return a deployment's row, which nobody else can change until the transaction ends.

    Raises
    ------
    NotFoundError
        There is no such deployment in the principal's force.
    """
    find = select(Deployment).where(Deployment.id == deployment_id, Deployment.force_id == principal.force_id)
    row = session.scalars(find.with_for_update().execution_options(populate_existing=True)).one_or_none()
    if row is None:
        raise NotFoundError(f"deployment {deployment_id}: there is none of that name")
    return row


def held_list(session: Session, principal: Principal, watchlist_id: str) -> Watchlist:
    """Return a watchlist's row, which nobody else can change until the transaction ends.

    Raises
    ------
    NotFoundError
        There is no such watchlist in the principal's force.
    """
    find = select(Watchlist).where(Watchlist.id == watchlist_id, Watchlist.force_id == principal.force_id)
    row = session.scalars(find.with_for_update().execution_options(populate_existing=True)).one_or_none()
    if row is None:
        raise NotFoundError(f"watchlist {watchlist_id}: there is none of that name")
    return row


def require_state(deployment: Deployment, *states: str, to: str) -> None:
    """Raise ConflictError unless the deployment is in one of the states."""
    if deployment.state not in states:
        raise ConflictError(
            f"deployment {deployment.id}: is {deployment.state}; only one that is {' or '.join(states)} can be {to}"
        )


def due(session: Session, principal: Principal, deployment: Deployment, at: datetime) -> None:
    """Let the deployment's watchlist be destroyed from a time on; a time set before is never put off."""
    watchlist = held_list(session, principal, deployment.watchlist_id)
    if watchlist.state != "destroyed":
        watchlist.destroy_after = min(watchlist.destroy_after or at, at)


def deployment_digest(deployment: Deployment) -> str:
    """Return a SHA-256 over what the deployment is and where it stands, for the audit log."""
    return hashlib.sha256(
        canonical(
            {
                "id": deployment.id,
                "force": deployment.force_id,
                "state": deployment.state,
                "demo": deployment.demo,
                "request": deployment.request,
                "watchlist": deployment.watchlist_digest,
                "model": deployment.model_digest,
                "calibration": deployment.calibration_id,
                "authorisation": deployment.authorisation,
            }
        )
    ).hexdigest()


def utc_text(time: datetime) -> str:
    """Return a time in UTC as people and JSON read it."""
    utc = time.astimezone(UTC)
    return (utc - timedelta(microseconds=utc.microsecond)).isoformat().replace("+00:00", "Z")
