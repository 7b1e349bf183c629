"""Seal a list, and load the sealed one for a search."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import NamedTuple

import numpy as np
from sqlalchemy import select
from sqlalchemy.orm import Session

from lfr.access import Principal, policy_of, record
from lfr.audit.chain import canonical
from lfr.database import DataKey, Store
from lfr.database.tables import Entry, Reference, Watchlist
from lfr.errors import ConflictError, InputError, ModelMismatchError, NotAuthorisedError, NotFoundError, WatchlistError
from lfr.matching import Snapshot
from lfr.types import Embeddings, FloatArray
from lfr.watchlist.lists import locked_list

__all__ = ["SealedEntry", "SealedWatchlist", "alertable", "load_sealed", "read_reference", "seal", "templates_of"]


@dataclass(frozen=True)
class SealedEntry:
    """An entry as an alert needs it."""

    entry_id: str
    subject_id: str
    category: str
    reference_ids: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class SealedWatchlist:
    """A sealed list, decrypted in memory for as long as a deployment is live.

    Attributes
    ----------
    watchlist_id, digest
        Which list, and what its seal says it holds.
    snapshot
        Its templates; subjects are entry ids.
    entries
        By entry id.
    """

    watchlist_id: str
    digest: str
    snapshot: Snapshot = field(repr=False)
    entries: Mapping[str, SealedEntry] = field(repr=False)

    @property
    def size(self) -> int:
        """Entries: people, not images."""
        return len(self.entries)


def seal(store: Store, principal: Principal, watchlist_id: str) -> str:
    """Seal an open list: nothing on it changes any more, and it serves one deployment.

    Returns
    -------
    The digest over every entry, every template and the model.

    Raises
    ------
    ConflictError
        It is not open.
    WatchlistError
        It is empty or larger than the policy allows (R3), an entry is not approved by a second person (R2),
        is of an under-18 whom nobody authorised (R10), has expired, or has no template of the list's model.
    """
    with store.database.write() as session:
        watchlist = locked_list(session, principal, "watchlist.seal", watchlist_id, state="open")
        entries = _entries(session, watchlist_id)
        where = f"watchlist {watchlist_id}"
        largest = policy_of(session, watchlist.force_id).max_watchlist
        if not entries:
            raise WatchlistError(f"{where}: is empty")
        if len(entries) > largest:
            raise WatchlistError(f"{where}: {len(entries)} entries, and the force's policy allows {largest}")
        for entry in entries:
            if entry.under_18 and entry.under_18_authorised_by is None:
                raise WatchlistError(f"{where}: {entry.subject_id} is under 18, and nobody authorised that one entry")
            if entry.approved_by is None:
                raise WatchlistError(f"{where}: {entry.subject_id} was not approved by a second person")
            if entry.expires_at <= store.now():
                raise WatchlistError(f"{where}: {entry.subject_id} has expired")
        references = _references(session, watchlist_id)
        if without := {entry.id for entry in entries} - {reference.entry_id for reference in references}:
            raise WatchlistError(f"{where}: entry {min(without)} has no reference image")
        if others := {reference.model_digest for reference in references} - {watchlist.model_digest}:
            raise WatchlistError(
                f"{where}: is of model {watchlist.model_digest}, and has templates of {min(others)}; enrol it again"
            )
        vectors = _templates(references, store.keys.load(watchlist_id))
        digest = _digest(entries, references, vectors, watchlist.model_digest)
        watchlist.state, watchlist.digest = "sealed", digest
        watchlist.sealed_by, watchlist.sealed_at = principal.id, store.now()
        record(
            store,
            session,
            principal,
            "watchlist.seal",
            watchlist_id,
            after=digest,
            details={"entries": len(entries), "references": len(references), "model": watchlist.model_digest},
        )
    return digest


def load_sealed(store: Store, watchlist_id: str, *, digest: str, model_digest: str) -> SealedWatchlist:
    """Decrypt a sealed list into memory, and check that it is the one that was authorised.

    Raises
    ------
    NotAuthorisedError
        It is not sealed, or what it holds does not have this digest.
    ModelMismatchError
        Its templates are of another model.
    KeyFileError
        Its key is gone.
    """
    with store.database.read() as session:
        watchlist = session.get(Watchlist, watchlist_id)
        if watchlist is None or watchlist.state != "sealed":
            raise NotAuthorisedError(f"watchlist {watchlist_id}: there is no sealed list of that name")
        entries, references = _entries(session, watchlist_id), _references(session, watchlist_id)
        made_by = watchlist.model_digest
    if made_by != model_digest:
        raise ModelMismatchError(
            f"watchlist {watchlist_id}: templates of model {made_by}, searched with {model_digest}"
        )
    vectors = _templates(references, store.keys.load(watchlist_id))
    found = _digest(entries, references, vectors, made_by)
    if found != digest:
        raise NotAuthorisedError(f"watchlist {watchlist_id}: holds {found}, authorised was {digest}")
    of_entry: dict[str, list[str]] = {}
    for reference in references:
        of_entry.setdefault(reference.entry_id, []).append(reference.id)
    return SealedWatchlist(
        watchlist_id,
        digest,
        Snapshot(Embeddings(vectors, made_by), tuple(reference.entry_id for reference in references)),
        {e.id: SealedEntry(e.id, e.subject_id, e.category, tuple(of_entry.get(e.id, ()))) for e in entries},
    )


def alertable(store: Store, watchlist_id: str) -> frozenset[str]:
    """Return the entries that may alert now: neither suspended nor expired."""
    with store.database.read() as session:
        return frozenset(
            session.scalars(
                select(Entry.id).where(
                    Entry.watchlist_id == watchlist_id, Entry.suspended_at.is_(None), Entry.expires_at > store.now()
                )
            )
        )


def read_reference(store: Store, principal: Principal, reference_id: str, *, purpose: str) -> bytes:
    """Return a reference image as it was enrolled; who looked, and why, is logged first (R14).

    Raises
    ------
    NotFoundError
        There is no such reference in the principal's force.
    InputError
        There is no purpose.
    KeyFileError
        The list was destroyed.
    """
    if not purpose.strip():
        raise InputError("reading a reference image needs a purpose")
    with store.database.write() as session:
        reference = session.get(Reference, reference_id)
        watchlist = session.get(Watchlist, reference.watchlist_id) if reference is not None else None
        if reference is None or watchlist is None:
            principal.require("watchlist.image")
            raise NotFoundError(f"reference {reference_id}: there is none of that name")
        principal.require("watchlist.image", force_id=watchlist.force_id, what=f"reference {reference_id}")
        image = store.keys.load(watchlist.id).decrypt(reference.image, row=f"{reference_id}:image")
        record(
            store,
            session,
            principal,
            "watchlist.image",
            reference_id,
            details={"purpose": purpose.strip(), "watchlist": watchlist.id},
        )
    return image


def templates_of(sealed: Iterable[tuple[str, bytes]], key: DataKey) -> FloatArray:
    """(n, d) decrypted templates, from each reference's id and ciphertext."""
    rows = [key.decrypt(template, row=f"{reference_id}:template") for reference_id, template in sealed]
    if len({len(row) for row in rows}) > 1:
        raise ConflictError(f"templates of {key.name} are of different lengths")
    width = len(rows[0]) // 4 if rows else 0
    return np.frombuffer(b"".join(rows), np.float32).reshape(len(rows), width)


def _templates(references: Sequence[_Reference], key: DataKey) -> FloatArray:
    return templates_of(((reference.id, reference.template) for reference in references), key)


# Plain tuples of what a seal covers: 20,000 mapped objects would take as long again.


class _Entry(NamedTuple):
    id: str
    subject_id: str
    category: str
    reason: str
    legal_basis: str
    image_source: str
    lawfully_held: bool
    image_date: date
    expires_at: datetime
    under_18: bool
    under_18_authorised_by: str | None
    added_by: str
    approved_by: str | None


class _Reference(NamedTuple):
    entry_id: str
    ordinal: int
    id: str
    image_digest: str
    model_digest: str
    template: bytes


def _entries(session: Session, watchlist_id: str) -> list[_Entry]:
    """In order of id, whatever the database's collation."""
    columns = (getattr(Entry, name) for name in _Entry._fields)
    return sorted(map(_Entry._make, session.execute(select(*columns).where(Entry.watchlist_id == watchlist_id))))


def _references(session: Session, watchlist_id: str) -> list[_Reference]:
    """In order of entry and ordinal, without images, which are large and not searched."""
    columns = (getattr(Reference, name) for name in _Reference._fields)
    find = select(*columns).where(Reference.watchlist_id == watchlist_id)
    return sorted(map(_Reference._make, session.execute(find)))


def _digest(entries: Sequence[_Entry], references: Sequence[_Reference], vectors: FloatArray, model_digest: str) -> str:
    """SHA-256 over model, entries and templates, in one order; suspension is not part of it."""
    total = hashlib.sha256(canonical({"model": model_digest, "references": len(references)}))
    for entry in entries:
        times = {"image_date": entry.image_date.isoformat(), "expires_at": entry.expires_at.isoformat()}
        total.update(canonical(entry._asdict() | times))
    for reference, vector in zip(references, vectors, strict=True):
        total.update(f"{reference.id} {reference.entry_id} {reference.image_digest} ".encode())
        total.update(vector.tobytes())
    return total.hexdigest()
