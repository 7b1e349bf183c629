"""A list copied for the next deployment."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from lfr.access import Principal, record
from lfr.database import DataKey, Store
from lfr.database.store import new_id
from lfr.database.tables import Entry, Reference, Watchlist
from lfr.errors import ConflictError
from lfr.watchlist.lists import locked_list

__all__ = ["copy_watchlist"]

_COPIED = (
    "subject_id",
    "category",
    "reason",
    "legal_basis",
    "image_source",
    "lawfully_held",
    "image_date",
    "expires_at",
    "under_18",
)
_ENTRIES_AT_ONCE = 256  # their images are in memory together


def copy_watchlist(store: Store, principal: Principal, watchlist_id: str, *, name: str) -> str:
    """Copy a list that still has its images into a new open one, for review, lint and seal anew.

    Entries that expired or were suspended are left out; approvals are not
    copied, because a list is reviewed before each deployment (R2).

    Returns
    -------
    Id of the copy.

    Raises
    ------
    ConflictError
        The list was destroyed.
    """
    principal.require("watchlist.create")
    copy_id = new_id("watchlist")
    with store.database.write() as session:
        source = locked_list(session, principal, "watchlist.create", watchlist_id)
        if source.state == "destroyed":
            raise ConflictError(f"watchlist {watchlist_id} was destroyed: nothing is left to copy")
        source_key, key = store.keys.load(watchlist_id), store.keys.create(copy_id)
        session.add(
            Watchlist(
                id=copy_id,
                force_id=source.force_id,
                name=name.strip() or source.name,
                state="open",
                model_version=source.model_version,
                model_digest=source.model_digest,
                created_by=principal.id,
                created_at=store.now(),
                copied_from=watchlist_id,
            )
        )
        session.flush()
        made = _copy_entries(store, session, principal, watchlist_id, copy_id)
        _copy_references(session, made, copy_id, source_key, key)
        record(
            store,
            session,
            principal,
            "watchlist.create",
            copy_id,
            details={"copied_from": watchlist_id, "entries": len(made)},
        )
    return copy_id


def _copy_entries(
    store: Store, session: Session, principal: Principal, watchlist_id: str, copy_id: str
) -> dict[str, str]:
    """Copy the entries that are neither suspended nor expired, and return the id of each one's copy."""
    entries = session.scalars(
        select(Entry).where(
            Entry.watchlist_id == watchlist_id, Entry.suspended_at.is_(None), Entry.expires_at > store.now()
        )
    )
    rows = {
        entry.id: {
            "id": new_id("entry"),
            "watchlist_id": copy_id,
            "added_by": principal.id,
            "added_at": store.now(),
            **{field: getattr(entry, field) for field in _COPIED},
        }
        for entry in entries
    }
    if rows:
        session.execute(insert(Entry), list(rows.values()))
    return {entry_id: str(row["id"]) for entry_id, row in rows.items()}


def _copy_references(
    session: Session, made: Mapping[str, str], copy_id: str, source_key: DataKey, key: DataKey
) -> None:
    """Copy the images and templates of copied entries under the copy's key, some at a time."""
    for some in _some_at_a_time(list(made)):
        rows = []
        for old in session.execute(select(Reference.__table__).where(Reference.entry_id.in_(some))):
            reference_id = new_id("reference")
            sealed = {
                part: key.encrypt(source_key.decrypt(getattr(old, part), row=f"{old.id}:{part}"),
                                  row=f"{reference_id}:{part}")
                for part in ("image", "template")
            }  # fmt: skip
            kept = {field: getattr(old, field) for field in ("ordinal", "image_digest", "model_digest", "quality")}
            rows.append({"id": reference_id, "entry_id": made[old.entry_id], "watchlist_id": copy_id, **kept, **sealed})
        if rows:
            session.execute(insert(Reference), rows)


def _some_at_a_time(ids: list[str]) -> Iterator[list[str]]:
    for start in range(0, len(ids), _ENTRIES_AT_ONCE):
        yield ids[start : start + _ENTRIES_AT_ONCE]
