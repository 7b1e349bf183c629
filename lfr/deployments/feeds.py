"""Feeds: sources that the service itself reads for a camera of a live deployment.

What is kept is the source's name in the service's configuration, never its
address, which may hold a password. The row is the truth: whatever reads the
source looks at it, ends when it says so, and begins again after a crash.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, cast

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from lfr.access import Principal, record
from lfr.database import Store
from lfr.database.tables import Camera, Deployment
from lfr.deployments.live import LiveDeployment
from lfr.deployments.rows import owned
from lfr.errors import ConflictError, NotFoundError

__all__ = ["ACTIVE", "Feed", "FeedState", "active_feeds", "begin_feed", "end_feed", "end_feeds", "feed_of", "note_feed"]

FeedState = Literal["asked", "reading", "lost", "ended", "failed"]
"""``asked``: nothing was read yet; ``lost``: it is being tried again; ``failed``: nobody tries any more."""

ACTIVE: tuple[FeedState, ...] = ("asked", "reading", "lost")


@dataclass(frozen=True)
class Feed:
    """What is read for a camera.

    Attributes
    ----------
    id
        Of this beginning of it.
    deployment_id, camera_id
        Which camera.
    source
        Its name in the service's configuration.
    begun_by
        Person in whose name it is read and alerts are raised.
    state, reason, changed_at
        How it stands, why, and since when.
    """

    id: str
    deployment_id: str
    camera_id: str
    source: str
    begun_by: str
    state: FeedState
    reason: str
    changed_at: datetime

    @property
    def active(self) -> bool:
        """Whether it is to be read."""
        return self.state in ACTIVE


def begin_feed(store: Store, principal: Principal, deployment: LiveDeployment, camera_id: str, *, source: str) -> Feed:
    """Have a camera of a live deployment fed from a source.

    Parameters
    ----------
    store, principal
        Where, and the person in whose name the source is read from now on.
    deployment, camera_id
        Which camera.
    source
        Name of a source that the service's configuration has.

    Raises
    ------
    AccessDeniedError
        The principal's role may not, or it is no person.
    NotAuthorisedError
        The camera is not one of the deployment's.
    ConflictError
        It is being fed.
    """
    principal.require("deployment.feed", force_id=deployment.force_id, what=f"deployment {deployment.id}")
    by = principal.require_person()
    deployment.check_camera(camera_id)
    with store.database.write() as session:
        row = _held(session, deployment.id, camera_id)
        if row.feed_state in ACTIVE:
            raise ConflictError(f"camera {camera_id}: is fed from {row.feed_source} already; end that first")
        row.feed_id, row.feed_source, row.feed_by = f"feed-{secrets.token_hex(8)}", source, by
        row.feed_state, row.feed_reason, row.feed_changed_at = "asked", "", store.now()
        details = {"camera": camera_id, "source": source, "feed": "begins"}
        record(store, session, principal, "deployment.feed", deployment.id, details=details)
        session.flush()
        return _read(row)


def end_feed(store: Store, principal: Principal, deployment_id: str, camera_id: str) -> Feed:
    """End a camera's feed, if it has not ended; what reads it stops within a second.

    Raises
    ------
    AccessDeniedError
        The principal's role may not.
    NotFoundError
        There is no such camera in the principal's force, or nothing was ever read for it.
    """
    principal.require("deployment.feed", what=deployment_id)
    with store.database.write() as session:
        owned(session, principal, deployment_id)
        row = _held(session, deployment_id, camera_id)
        if row.feed_id is None:
            raise NotFoundError(f"camera {camera_id}: the service reads nothing for it")
        if row.feed_state not in ACTIVE:
            return _read(row)
        row.feed_state, row.feed_reason, row.feed_changed_at = "ended", f"by {principal.id}", store.now()
        details = {"camera": camera_id, "source": row.feed_source, "feed": "ends"}
        record(store, session, principal, "deployment.feed", deployment_id, details=details)
        session.flush()
        return _read(row)


def note_feed(store: Store, feed: Feed, state: FeedState, reason: str = "") -> bool:
    """Keep how a feed stands, if it is still this one and was not ended; whether it was. An end is logged."""
    with store.database.write() as session:
        kept = session.execute(
            update(Camera)
            .where(
                Camera.deployment_id == feed.deployment_id,
                Camera.camera_id == feed.camera_id,
                Camera.feed_id == feed.id,
                Camera.feed_state.in_(ACTIVE),
            )
            .values(feed_state=state, feed_reason=reason, feed_changed_at=store.now())
            .returning(Camera.camera_id)
        )
        if kept.one_or_none() is None:
            return False
        if state not in ACTIVE:
            force_id = session.get_one(Deployment, feed.deployment_id).force_id
            details = {"camera": feed.camera_id, "source": feed.source, "feed": state, "why": reason}
            record(store, session, Principal.system(force_id), "deployment.feed", feed.deployment_id, details=details)
        return True


def end_feeds(store: Store, session: Session, deployment_id: str, *, reason: str) -> None:
    """End every feed of a deployment, in the transaction that ends its use; the log has that use's end."""
    session.execute(
        update(Camera)
        .where(Camera.deployment_id == deployment_id, Camera.feed_state.in_(ACTIVE))
        .values(feed_state="ended", feed_reason=reason, feed_changed_at=store.now())
    )


def feed_of(store: Store, deployment_id: str, camera_id: str) -> Feed | None:
    """Return what is or was read for a camera; None: nothing yet."""
    with store.database.read() as session:
        row = session.get(Camera, (deployment_id, camera_id))
        return None if row is None or row.feed_id is None else _read(row)


def active_feeds(store: Store) -> tuple[Feed, ...]:
    """Return every force's feeds that are to be read, for the service that reads them."""
    with store.database.read() as session:
        rows = session.scalars(select(Camera).where(Camera.feed_state.in_(ACTIVE)))
        return tuple(sorted(map(_read, rows), key=lambda feed: (feed.deployment_id, feed.camera_id)))


def _held(session: Session, deployment_id: str, camera_id: str) -> Camera:
    find = select(Camera).where(Camera.deployment_id == deployment_id, Camera.camera_id == camera_id)
    row = session.scalars(find.with_for_update().execution_options(populate_existing=True)).one_or_none()
    if row is None:
        raise NotFoundError(f"deployment {deployment_id}: camera {camera_id} is not one of its cameras")
    return row


def _read(row: Camera) -> Feed:
    assert row.feed_id is not None
    assert row.feed_source is not None
    assert row.feed_by is not None
    assert row.feed_changed_at is not None
    return Feed(
        id=row.feed_id,
        deployment_id=row.deployment_id,
        camera_id=row.camera_id,
        source=row.feed_source,
        begun_by=row.feed_by,
        state=cast("FeedState", row.feed_state),
        reason=row.feed_reason or "",
        changed_at=row.feed_changed_at,
    )
