"""Watchlists as such: made, listed, shown, approved entry by entry."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from lfr.access import Permission, Principal, record
from lfr.database import Store
from lfr.database.store import new_id
from lfr.database.tables import Entry, Reference, Watchlist
from lfr.errors import AccessDeniedError, ConflictError, InputError, NotFoundError
from lfr.models import Model

__all__ = [
    "approve",
    "create_watchlist",
    "list_watchlists",
    "locked_list",
    "model_version_of",
    "show",
]


def create_watchlist(store: Store, principal: Principal, *, name: str, model: Model) -> str:
    """Make an open watchlist whose templates will be made by one model version.

    Returns
    -------
    Its id, which is also the name of its data key.

    Raises
    ------
    AccessDeniedError
        The principal's role may not.
    InputError
        The name is blank.
    """
    principal.require("watchlist.create")
    if not name.strip():
        raise InputError("a watchlist needs a name")
    watchlist_id = new_id("watchlist")
    store.keys.create(watchlist_id)
    with store.database.write() as session:
        session.add(
            Watchlist(
                id=watchlist_id,
                force_id=principal.force_id,
                name=name.strip(),
                state="open",
                model_version=model.version.name,
                model_digest=model.digest,
                created_by=principal.id,
                created_at=store.now(),
            )
        )
        record(
            store,
            session,
            principal,
            "watchlist.create",
            watchlist_id,
            details={"model": model.digest, "version": model.version.name},
        )
    return watchlist_id


def locked_list(
    session: Session, principal: Principal, permission: Permission, watchlist_id: str, *, state: str | None = None
) -> Watchlist:
    """Return a list of the principal's force, held until the transaction ends.

    Raises
    ------
    AccessDeniedError
        The principal's role may not.
    NotFoundError
        There is no such list in the principal's force.
    ConflictError
        It is not in the state asked for.
    """
    found = session.scalars(
        select(Watchlist)
        .where(Watchlist.id == watchlist_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).one_or_none()
    if found is None:
        principal.require(permission)
        raise NotFoundError(f"watchlist {watchlist_id}: there is none of that name")
    principal.require(permission, force_id=found.force_id, what=f"watchlist {watchlist_id}")
    if state is not None and found.state != state:
        raise ConflictError(f"watchlist {watchlist_id} is {found.state}, and must be {state} for this")
    return found


def approve(store: Store, principal: Principal, watchlist_id: str, *, minors: tuple[str, ...] = ()) -> int:
    """Approve every entry of an open list that somebody else added, and under-18s one by one (R2, R10).

    Parameters
    ----------
    store, principal
        Where, and the person who reviewed the list.
    watchlist_id
        The list.
    minors
        Entry ids of under-18s whose inclusion this person authorises, each named.

    Returns
    -------
    Number of entries approved now.

    Raises
    ------
    ConflictError
        The list is not open.
    InputError
        A minor named is not on the list, or is not under 18.
    AccessDeniedError
        The role may not, a device asks, or a minor named was added by the same person.
    """
    person_id = principal.require_person()
    with store.database.write() as session:
        watchlist = locked_list(session, principal, "watchlist.approve", watchlist_id, state="open")
        entries = {
            entry.id: entry for entry in session.scalars(select(Entry).where(Entry.watchlist_id == watchlist_id))
        }
        for entry_id in minors:
            if entry_id not in entries or not entries[entry_id].under_18:
                raise InputError(f"watchlist {watchlist_id}: {entry_id} is no entry of an under-18")
            if entries[entry_id].added_by == person_id:
                raise AccessDeniedError(f"watchlist {watchlist_id}: {entry_id} was added by the same person")
            entries[entry_id].under_18_authorised_by = person_id
        approved = [e for e in entries.values() if e.approved_by is None and e.added_by != person_id]
        for entry in approved:
            entry.approved_by = person_id
        watchlist.reviewed_by = person_id
        record(
            store,
            session,
            principal,
            "watchlist.approve",
            watchlist_id,
            details={"entries": len(approved), "minors": list(minors)},
        )
        return len(approved)


def model_version_of(store: Store, principal: Principal, watchlist_id: str) -> str:
    """Return the name of the model version that a list's templates are of."""
    with store.database.read() as session:
        found = session.get(Watchlist, watchlist_id)
    if found is None or found.force_id != principal.force_id:
        raise NotFoundError(f"watchlist {watchlist_id}: there is none of that name")
    return found.model_version


def list_watchlists(store: Store, principal: Principal) -> list[dict[str, Any]]:
    """Return the force's lists, newest first, without what is on them."""
    principal.require("watchlist.list")
    with store.database.read() as session:
        counted = session.execute(select(Entry.watchlist_id, func.count()).group_by(Entry.watchlist_id))
        sizes: dict[str, int] = {watchlist_id: count for watchlist_id, count in counted}  # noqa: C416
        found = session.scalars(
            select(Watchlist).where(Watchlist.force_id == principal.force_id).order_by(Watchlist.created_at.desc())
        ).all()
    return [
        {"watchlist_id": w.id, "name": w.name, "state": w.state, "entries": sizes.get(w.id, 0), "digest": w.digest}
        for w in found
    ]


def show(store: Store, principal: Principal, watchlist_id: str, *, purpose: str) -> dict[str, Any]:
    """Return a list and its entries without images; who looked, and why, is logged (R14).

    Raises
    ------
    InputError
        There is no purpose.
    """
    if not purpose.strip():
        raise InputError("reading entries needs a purpose")
    with store.database.write() as session:
        watchlist = locked_list(session, principal, "watchlist.show", watchlist_id)
        entries = session.scalars(select(Entry).where(Entry.watchlist_id == watchlist_id).order_by(Entry.subject_id))
        references: dict[str, list[dict[str, Any]]] = {}
        for entry_id, reference_id, quality in session.execute(
            select(Reference.entry_id, Reference.id, Reference.quality)
            .where(Reference.watchlist_id == watchlist_id)
            .order_by(Reference.entry_id, Reference.ordinal)
        ):
            references.setdefault(entry_id, []).append({"reference_id": reference_id, "quality": quality})
        document = {
            "watchlist_id": watchlist.id,
            "name": watchlist.name,
            "state": watchlist.state,
            "digest": watchlist.digest,
            "model": {"version": watchlist.model_version, "digest": watchlist.model_digest},
            "copied_from": watchlist.copied_from,
            "sealed_at": watchlist.sealed_at.isoformat() if watchlist.sealed_at else None,
            "destroyed_at": watchlist.destroyed_at.isoformat() if watchlist.destroyed_at else None,
            "entries": [_entry_row(entry, references.get(entry.id, [])) for entry in entries],
        }
        record(store, session, principal, "watchlist.show", watchlist_id, details={"purpose": purpose.strip()})
    return document


def _entry_row(entry: Entry, references: Sequence[dict[str, Any]]) -> dict[str, Any]:
    return {
        "entry_id": entry.id,
        "subject_id": entry.subject_id,
        "category": entry.category,
        "reason": entry.reason,
        "legal_basis": entry.legal_basis,
        "image_source": entry.image_source,
        "lawfully_held": entry.lawfully_held,
        "image_date": entry.image_date.isoformat(),
        "expires_at": entry.expires_at.isoformat(),
        "under_18": entry.under_18,
        "under_18_authorised_by": entry.under_18_authorised_by,
        "added_by": entry.added_by,
        "approved_by": entry.approved_by,
        "suspended": entry.suspended_at is not None,
        "references": list(references),
    }
