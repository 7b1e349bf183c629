"""Import: rows checked, their images enrolled, and what passed put on the list in one transaction."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select

from lfr.access import ForcePolicy, Principal, policy_of, record
from lfr.database import DataKey, Store
from lfr.database.store import new_id
from lfr.database.tables import Entry, Reference
from lfr.errors import ConflictError, WatchlistError
from lfr.models import Model
from lfr.watchlist.enrolling import Portraits, enrol_images
from lfr.watchlist.entries import EntryFields, EntryRow, checked_fields
from lfr.watchlist.lists import locked_list

__all__ = ["ImportReport", "RowReport", "import_entries"]


@dataclass(frozen=True)
class RowReport:
    """What became of a row: the entry it made, or why it made none."""

    where: str
    subject_id: str | None
    entry_id: str | None
    problems: tuple[str, ...] = ()

    @property
    def accepted(self) -> bool:
        """Whether it became an entry."""
        return self.entry_id is not None


@dataclass(frozen=True)
class ImportReport:
    """Every row's report; ``kept`` is False where all or nothing was asked for and a row failed."""

    rows: tuple[RowReport, ...]
    kept: bool

    @property
    def accepted(self) -> int:
        """Entries that are on the list now."""
        return sum(row.accepted for row in self.rows) if self.kept else 0

    def as_dict(self) -> dict[str, Any]:
        """Return the report as JSON has it."""
        return {
            "kept": self.kept,
            "accepted": self.accepted,
            "refused": sum(bool(row.problems) for row in self.rows),
            "rows": [
                {
                    "row": row.where,
                    "subject_id": row.subject_id,
                    "entry_id": row.entry_id if self.kept else None,
                    "accepted": row.accepted and self.kept,
                    "problems": list(row.problems),
                }
                for row in self.rows
            ],
        }


@dataclass
class _Checked:
    row: EntryRow
    fields: EntryFields | None
    portraits: Portraits

    @property
    def problems(self) -> list[str]:
        return self.portraits.problems


def import_entries(
    store: Store,
    principal: Principal,
    watchlist_id: str,
    rows: Sequence[EntryRow],
    model: Model,
    *,
    all_or_nothing: bool = False,
    progress: Callable[[Iterable[Portraits]], Iterable[Portraits]] = iter,
) -> ImportReport:
    """Check rows, enrol their images through the quality gate, and put what passed on an open list.

    All that is accepted comes in one transaction, so an import that breaks
    off leaves nothing.

    Parameters
    ----------
    store, principal, watchlist_id
        Where, who, and the list.
    rows
        What to import, from `read_rows`.
    model
        The list's model version.
    all_or_nothing
        Whether one bad row keeps every other from the list too.
    progress
        Wraps the rows as their images are enrolled, one item each.

    Raises
    ------
    WatchlistError
        The model is not the list's, or another writer put one of the subjects on the list meanwhile.
    ConflictError
        The list is not open, or was enrolled again with another model meanwhile.
    """
    with store.database.write() as session:
        watchlist = locked_list(session, principal, "watchlist.add", watchlist_id, state="open")
        policy = policy_of(session, watchlist.force_id)
        present = set(session.scalars(select(Entry.subject_id).where(Entry.watchlist_id == watchlist_id)))
        listed = session.execute(
            select(Reference.image_digest, Entry.subject_id)
            .join(Entry, Entry.id == Reference.entry_id)
            .where(Reference.watchlist_id == watchlist_id)
        ).all()
        digest = watchlist.model_digest
    if digest != model.digest:
        raise WatchlistError(f"watchlist {watchlist_id}: its templates are of model {digest}, not of {model.digest}")
    checked = _check(rows, policy, store.now(), present, {image: subject for image, subject in listed})  # noqa: C416
    enrol_images(progress([item.portraits for item in checked]), model)
    key = store.keys.load(watchlist_id)
    good = [item for item in checked if not item.problems]
    kept = bool(good) and not (all_or_nothing and len(good) < len(checked))
    made = {id(item): new_id("entry") for item in good} if kept else {}
    if kept:
        sealed = [_rows(item, made[id(item)], watchlist_id, principal, key, digest, store.now()) for item in good]
        _insert(store, principal, watchlist_id, sealed, model_digest=digest, refused=len(checked) - len(good))
    return ImportReport(
        tuple(
            RowReport(
                item.row.where, item.row.values.get("subject_id") or None, made.get(id(item)), tuple(item.problems)
            )
            for item in checked
        ),
        kept,
    )


def _insert(
    store: Store,
    principal: Principal,
    watchlist_id: str,
    sealed: Sequence[tuple[Entry, list[Reference]]],
    *,
    model_digest: str,
    refused: int,
) -> None:
    """Put entries on the list in one transaction, if it still is what it was."""
    with store.database.write() as session:
        watchlist = locked_list(session, principal, "watchlist.add", watchlist_id, state="open")
        if watchlist.model_digest != model_digest:
            raise ConflictError(f"watchlist {watchlist_id}: was enrolled again with another model meanwhile")
        present = set(session.scalars(select(Entry.subject_id).where(Entry.watchlist_id == watchlist_id)))
        if there := sorted(present & {entry.subject_id for entry, _ in sealed}):
            raise WatchlistError(f"watchlist {watchlist_id}: {there[0]} is on the list already")
        session.add_all(entry for entry, _ in sealed)
        session.flush()
        for _, references in sealed:
            session.add_all(references)
        record(
            store,
            session,
            principal,
            "watchlist.add",
            watchlist_id,
            details={
                "entries": [entry.id for entry, _ in sealed],
                "references": sum(len(references) for _, references in sealed),
                "refused": refused,
            },
        )


def _check(
    rows: Sequence[EntryRow], policy: ForcePolicy, now: datetime, present: set[str], listed: Mapping[str, str]
) -> list[_Checked]:
    """Check fields, files and subjects of every row, before any image is decoded.

    ``present`` are the subjects on the list, ``listed`` the digests of its images and whose each is.
    """
    checked, seen, digests = [], set(present), dict(listed)
    for row in rows:
        item = _Checked(row, None, Portraits(problems=list(row.problems)))
        checked.append(item)
        if item.problems:
            continue
        item.fields, problems = checked_fields(row.values)
        item.problems.extend(problems)
        if item.fields is None:
            continue
        item.problems.extend(item.fields.problems(policy, now))
        if item.fields.subject_id in seen:
            where = "on the list" if item.fields.subject_id in present else "in an earlier row"
            item.problems.append(f"subject_id: {item.fields.subject_id} is {where} already")
        seen.add(item.fields.subject_id)
        if not row.images:
            item.problems.append("image: none is named")
        for path in row.images:
            try:
                content = path.read_bytes()
            except OSError as error:
                item.problems.append(f"image: {path.name}: cannot read: {error.strerror}")
                continue
            digest = hashlib.sha256(content).hexdigest()
            if digest in digests:
                item.problems.append(f"image: {path.name} is the same file as that of {digests[digest]}")
            digests.setdefault(digest, item.fields.subject_id)
            item.portraits.names.append(path.name)
            item.portraits.images.append(content)
    return checked


def _rows(
    item: _Checked,
    entry_id: str,
    watchlist_id: str,
    principal: Principal,
    key: DataKey,
    model_digest: str,
    now: datetime,
) -> tuple[Entry, list[Reference]]:
    assert item.fields is not None
    entry = Entry(
        id=entry_id,
        watchlist_id=watchlist_id,
        added_by=principal.id,
        added_at=now,
        **item.fields.model_dump(),
    )
    references = []
    for ordinal, enrolled in enumerate(item.portraits.enrolled):
        reference_id = new_id("reference")
        references.append(
            Reference(
                id=reference_id,
                entry_id=entry_id,
                watchlist_id=watchlist_id,
                ordinal=ordinal,
                image_digest=hashlib.sha256(enrolled.image).hexdigest(),
                image=key.encrypt(enrolled.image, row=f"{reference_id}:image"),
                template=key.encrypt(enrolled.template.tobytes(), row=f"{reference_id}:template"),
                model_digest=model_digest,
                quality=enrolled.quality,
            )
        )
    return entry, references
