"""Take people off: suspend one entry at once, destroy a list for good."""

from __future__ import annotations

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from lfr.access import Principal, record
from lfr.database import Store
from lfr.database.tables import Deployment, Entry, NominalReference, Reference, Watchlist
from lfr.errors import ConflictError, InputError, NotFoundError
from lfr.watchlist.lists import locked_list

__all__ = ["destroy", "destroy_in", "suspend"]


def suspend(store: Store, principal: Principal, watchlist_id: str, entry_id: str, *, reason: str) -> None:
    """End an entry's alerts: found, warrant withdrawn, wrong person. The digest of a sealed list stays.

    Raises
    ------
    InputError
        There is no reason.
    NotFoundError
        There is no such entry on the list.
    ConflictError
        It is suspended already, or the list was destroyed.
    """
    if not reason.strip():
        raise InputError("a suspension needs a reason")
    with store.database.write() as session:
        watchlist = locked_list(session, principal, "watchlist.suspend", watchlist_id)
        if watchlist.state == "destroyed":
            raise ConflictError(f"watchlist {watchlist_id} was destroyed")
        entry = session.get(Entry, entry_id, with_for_update=True)
        if entry is None or entry.watchlist_id != watchlist_id:
            raise NotFoundError(f"watchlist {watchlist_id}: no entry {entry_id}")
        if entry.suspended_at is not None:
            raise ConflictError(f"entry {entry_id} is suspended already")
        entry.suspended_at, entry.suspended_by = store.now(), principal.id
        entry.suspension_reason = reason.strip()
        record(
            store,
            session,
            principal,
            "watchlist.suspend",
            entry_id,
            details={"watchlist": watchlist_id, "reason": reason.strip()},
        )


def destroy(store: Store, principal: Principal, watchlist_id: str) -> int:
    """Destroy a list: first its key, which is what makes every copy unreadable, then its rows.

    Whom it named stays as a nominal list without images (R7). Called again
    after a crash in between, it finishes.

    Returns
    -------
    Number of reference images destroyed.

    Raises
    ------
    ConflictError
        It was destroyed already, or a deployment that is live or may still start needs it.
    """
    with store.database.write() as session:
        watchlist = locked_list(session, principal, "watchlist.destroy", watchlist_id)
        if watchlist.state == "destroyed":
            raise ConflictError(f"watchlist {watchlist_id} was destroyed already")
        return destroy_in(store, session, principal, watchlist)


def destroy_in(store: Store, session: Session, principal: Principal, watchlist: Watchlist) -> int:
    """Destroy a list inside the caller's transaction, which holds its row."""
    refuse_in_use(session, watchlist)
    key_gone = store.keys.destroy(watchlist.id)
    entries = session.scalars(select(Entry).where(Entry.watchlist_id == watchlist.id)).all()
    digests: dict[str, list[str]] = {}
    for entry_id, image_digest in session.execute(
        select(Reference.entry_id, Reference.image_digest).where(Reference.watchlist_id == watchlist.id)
    ):
        digests.setdefault(entry_id, []).append(image_digest)
    for entry in entries:
        session.add(
            NominalReference(
                watchlist_id=watchlist.id,
                subject_id=entry.subject_id,
                category=entry.category,
                image_digests=digests.get(entry.id, []),
                suspended=entry.suspended_at is not None,
            )
        )
    session.execute(delete(Reference).where(Reference.watchlist_id == watchlist.id))
    session.execute(delete(Entry).where(Entry.watchlist_id == watchlist.id))
    watchlist.state, watchlist.destroyed_at = "destroyed", store.now()
    images = sum(len(found) for found in digests.values())
    record(
        store,
        session,
        principal,
        "watchlist.destroy",
        watchlist.id,
        before=watchlist.digest,
        details={"entries": len(entries), "references": images, "key_destroyed": key_gone},
    )
    return images


def refuse_in_use(session: Session, watchlist: Watchlist) -> None:
    """Raise ConflictError while a deployment that is authorised or live needs the list."""
    user = session.execute(
        select(Deployment.id, Deployment.state).where(
            Deployment.watchlist_id == watchlist.id, Deployment.state.in_(("authorised", "live"))
        )
    ).first()
    if user is not None:
        raise ConflictError(f"watchlist {watchlist.id}: deployment {user[0]} is {user[1]}; end or withdraw it first")
