"""Entries and their images: read, checked, enrolled in batches, kept encrypted."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator
from sqlalchemy import select
from sqlalchemy.orm import Session

from lfr.access import ForcePolicy, Principal, policy_of, record
from lfr.database import DataKey, Store
from lfr.database.store import new_id
from lfr.database.tables import Entry, Reference
from lfr.errors import ImageError, ManifestError, WatchlistError
from lfr.models import Model
from lfr.sources.images import decode_image
from lfr.types import FloatArray, Pixels
from lfr.vision import ENROLMENT_POLICY, MEASURES, Detector, Embedder, align, assess, single_face_present
from lfr.watchlist.lists import locked_list

__all__ = [
    "EntryFields",
    "EntryRow",
    "ImportReport",
    "RowReport",
    "enrol_images",
    "import_entries",
    "read_rows",
    "reenrol",
]

SINGLE_FACE_LEAST = 90.0
_BATCH = 16
_IMAGE_COLUMNS = ("image", "images")


class EntryFields(BaseModel):
    """Every field of an entry (R2)."""

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True, str_min_length=1)

    subject_id: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$", description="Reference, never a name.")
    category: str = Field(description="One of the force policy's categories.")
    reason: str = Field(description="Why this person is looked for.")
    legal_basis: str = Field(description="What allows it.")
    image_source: str = Field(description="Where the image is from.")
    lawfully_held: Literal[True] = Field(description="That the image is lawfully held.")
    image_date: date = Field(description="When the image was taken.")
    expires_at: datetime = Field(description="When the entry ends; a date means the end of that day, UTC.")
    under_18: bool = Field(description="Whether the person is under 18.")

    @field_validator("lawfully_held", "under_18", mode="before")
    @classmethod
    def _yes_or_no(cls, value: object) -> object:
        return {"yes": True, "true": True, "no": False, "false": False}.get(str(value).strip().lower(), value)

    @field_validator("expires_at", mode="before")
    @classmethod
    def _end_of_day(cls, value: object) -> object:
        if isinstance(value, str) and len(value.strip()) == len("2026-01-01"):
            return datetime.combine(date.fromisoformat(value.strip()), time.max, UTC)
        return value

    @field_validator("expires_at")
    @classmethod
    def _has_zone(cls, value: datetime) -> datetime:
        if value.tzinfo is None:
            raise ValueError("a time needs its zone, such as 2026-03-01T12:00:00Z")
        return value

    def problems(self, policy: ForcePolicy, now: datetime) -> list[str]:
        """Return what the force's policy or the calendar has against it."""
        found = []
        if self.category not in policy.categories:
            found.append(f"category: {self.category!r} is not one of {', '.join(policy.categories)}")
        if self.image_date > now.date():
            found.append(f"image_date: {self.image_date} lies in the future")
        if self.expires_at <= now:
            found.append(f"expires_at: {self.expires_at:%Y-%m-%d %H:%M} has passed")
        return found


@dataclass(frozen=True)
class EntryRow:
    """One row to import.

    Attributes
    ----------
    where
        What a report calls the row, such as ``entries.csv line 3``.
    values
        Column to text, as `EntryFields` reads them.
    images
        Image files, first one first.
    """

    where: str
    values: dict[str, Any]
    images: tuple[Path, ...]


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


@dataclass(frozen=True, eq=False)
class Enrolled:
    """An image that passed: its bytes as given, template (d,), and quality by measure."""

    image: bytes
    template: FloatArray
    quality: dict[str, float | None]


@dataclass
class _Checked:
    row: EntryRow
    fields: EntryFields | None
    problems: list[str] = field(default_factory=list)
    images: list[bytes] = field(default_factory=list)
    enrolled: list[Enrolled] = field(default_factory=list)


def read_rows(path: Path) -> list[EntryRow]:
    """Read a CSV of entries: the columns of `EntryFields`, and ``image`` (several: separated by ``;``).

    Raises
    ------
    ManifestError
        The file cannot be read, or a column is missing, unknown or twice.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ManifestError(f"{path}: cannot be read as a UTF-8 CSV file ({type(error).__name__})") from error
    reader = csv.DictReader(io.StringIO(text, newline=""))
    columns = [name.strip() for name in reader.fieldnames or ()]
    known = set(EntryFields.model_fields) | set(_IMAGE_COLUMNS)
    needed = {name for name, info in EntryFields.model_fields.items() if info.is_required()}
    if missing := sorted(needed - set(columns)):
        raise ManifestError(f"{path}: no column {', '.join(missing)}")
    if unknown := sorted(set(columns) - known):
        raise ManifestError(f"{path}: unknown column {', '.join(unknown)}")
    if not set(columns) & set(_IMAGE_COLUMNS) or len(set(columns)) != len(columns):
        raise ManifestError(f"{path}: one column 'image' is needed, and no column twice")
    rows = []
    for values in reader:
        where = f"{path.name} line {reader.line_num}"
        if None in values or None in values.values():
            raise ManifestError(f"{where}: has not as many values as there are columns")
        cells = {str(k).strip(): str(v).strip() for k, v in values.items()}
        named = next(cells.pop(column) for column in _IMAGE_COLUMNS if column in cells)
        rows.append(
            EntryRow(where, cells, tuple(path.parent / part.strip() for part in named.split(";") if part.strip()))
        )
    if not rows:
        raise ManifestError(f"{path}: holds no row")
    return rows


def import_entries(
    store: Store,
    principal: Principal,
    watchlist_id: str,
    rows: Sequence[EntryRow],
    model: Model,
    *,
    all_or_nothing: bool = False,
    progress: Callable[[Iterable[EntryRow]], Iterable[EntryRow]] = iter,
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
        Wraps the rows as their images are read.

    Raises
    ------
    WatchlistError
        The model is not the list's.
    ConflictError
        The list is not open.
    """
    with store.database.write() as session:
        watchlist = locked_list(session, principal, "watchlist.add", watchlist_id, state="open")
        policy = policy_of(session, watchlist.force_id)
        present = set(session.scalars(select(Entry.subject_id).where(Entry.watchlist_id == watchlist_id)))
        digest = watchlist.model_digest
    if digest != model.digest:
        raise WatchlistError(f"watchlist {watchlist_id}: its templates are of model {digest}, not of {model.digest}")
    checked = _check(rows, policy, store.now(), present)
    enrol_images(checked, model, progress=progress)
    key = store.keys.load(watchlist_id)
    good = [item for item in checked if not item.problems]
    kept = bool(good) and not (all_or_nothing and len(good) < len(checked))
    made = {id(item): new_id("entry") for item in good}
    sealed = [_rows(item, made[id(item)], watchlist_id, principal, key, model.digest, store.now()) for item in good]
    if kept:
        with store.database.write() as session:
            locked_list(session, principal, "watchlist.add", watchlist_id, state="open")
            _refuse_present(session, watchlist_id, good)
            for entry, references in sealed:
                session.add(entry)
                session.flush()
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
                    "refused": len(checked) - len(good),
                },
            )
    return ImportReport(
        tuple(
            RowReport(
                item.row.where,
                item.fields.subject_id if item.fields else item.row.values.get("subject_id") or None,
                made.get(id(item)) if kept else None,
                tuple(item.problems),
            )
            for item in checked
        ),
        kept,
    )


def reenrol(
    store: Store,
    principal: Principal,
    watchlist_id: str,
    model: Model,
    *,
    progress: Callable[[Iterable[str]], Iterable[str]] = iter,
) -> int:
    """Make the templates of an open list anew with another model version, from the stored images.

    Returns
    -------
    Number of references.

    Raises
    ------
    WatchlistError
        An image does not pass with this model; the list stays as it was.
    ConflictError
        The list is not open (copy a sealed one first).
    """
    with store.database.write() as session:
        locked_list(session, principal, "watchlist.add", watchlist_id, state="open")
        found = session.execute(
            select(Reference.id, Reference.image).where(Reference.watchlist_id == watchlist_id)
        ).all()
    key = store.keys.load(watchlist_id)
    items = [
        _Checked(EntryRow(reference_id, {}, ()), None, images=[key.decrypt(image, row=f"{reference_id}:image")])
        for reference_id, image in found
    ]
    names = iter(progress([reference_id for reference_id, _ in found]))
    enrol_images(items, model, progress=lambda rows: (row for row, _ in zip(rows, names, strict=False)))
    if bad := [f"{item.row.where}: {item.problems[0]}" for item in items if item.problems]:
        raise WatchlistError(f"watchlist {watchlist_id}: {bad[0]}" + (f" (and {len(bad) - 1} more)" if bad[1:] else ""))
    with store.database.write() as session:
        watchlist = locked_list(session, principal, "watchlist.add", watchlist_id, state="open")
        before, watchlist.model_digest = watchlist.model_digest, model.digest
        watchlist.model_version = model.version.name
        for item in items:
            reference = session.get_one(Reference, item.row.where)
            enrolled = item.enrolled[0]
            reference.template = key.encrypt(enrolled.template.tobytes(), row=f"{reference.id}:template")
            reference.quality, reference.model_digest = enrolled.quality, model.digest
        record(
            store,
            session,
            principal,
            "watchlist.add",
            watchlist_id,
            before=before,
            after=model.digest,
            details={"reenrolled": len(items)},
        )
    return len(items)


def enrol_images(
    items: Sequence[_Checked], model: Model, *, progress: Callable[[Iterable[EntryRow]], Iterable[EntryRow]] = iter
) -> None:
    """Detect, gate and embed the images of rows without problems, filling ``enrolled`` or ``problems``."""
    detector, embedder = Detector(model.detector), Embedder(model, batch_size=_BATCH)
    waiting: list[tuple[_Checked, bytes, Pixels, dict[str, float | None]]] = []

    def embed_waiting() -> None:
        if waiting:
            templates = embedder.embed(np.concatenate([crop for _, _, crop, _ in waiting]))
            for (item, image, _, quality), template in zip(waiting, templates.vectors, strict=True):
                item.enrolled.append(Enrolled(image, template.copy(), quality))
        waiting.clear()

    for item, _ in zip(items, progress([item.row for item in items]), strict=True):
        if item.problems:
            continue
        for number, image in enumerate(item.images):
            name = item.row.images[number].name if item.row.images else "stored image"
            try:
                crop, quality = _one_face(image, detector, name=name)
            except (ImageError, WatchlistError) as error:
                item.problems.append(str(error))
            else:
                waiting.append((item, image, crop, quality))
        if len(waiting) >= _BATCH:
            embed_waiting()
    embed_waiting()


def _one_face(image: bytes, detector: Detector, *, name: str) -> tuple[Pixels, dict[str, float | None]]:
    """Return the (1, 112, 112, 3) crop of a picture of one person and its quality; raise for what is none."""
    pixels = decode_image(image, name=name)
    faces = detector.detect(pixels)
    if not len(faces):
        raise WatchlistError(f"{name}: no face found")
    alone = single_face_present(faces)
    if alone < SINGLE_FACE_LEAST:
        raise WatchlistError(
            f"{name}: {len(faces)} faces found where one is wanted "
            f"(SingleFacePresent is {alone:.0f}, at least {SINGLE_FACE_LEAST:.0f} is needed)"
        )
    largest = faces[np.array([faces.size_px.argmax()])]
    crop = align(pixels, largest.landmarks)
    quality = assess(largest, crop)
    if reasons := ENROLMENT_POLICY.reasons(quality)[0]:
        raise WatchlistError(f"{name}: the face is not good enough: {'; '.join(reasons)}")
    values = {name: float(value) for name, value in zip(MEASURES, quality.values[0], strict=True)}
    return crop, {name: round(value, 1) if np.isfinite(value) else None for name, value in values.items()}


def _check(rows: Sequence[EntryRow], policy: ForcePolicy, now: datetime, present: set[str]) -> list[_Checked]:
    """Check fields, files and subjects of every row, before any image is decoded."""
    checked, seen, digests = [], set(present), dict[str, str]()
    for row in rows:
        item = _Checked(row, None)
        checked.append(item)
        try:
            item.fields = EntryFields.model_validate(row.values)
        except ValidationError as error:
            item.problems += [f"{'.'.join(map(str, e['loc'])) or 'row'}: {e['msg']}" for e in error.errors()]
            continue
        item.problems += item.fields.problems(policy, now)
        if item.fields.subject_id in seen:
            item.problems.append(f"subject_id: {item.fields.subject_id} is on the list already")
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
            digests.setdefault(digest, row.where)
            item.images.append(content)
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
    for ordinal, enrolled in enumerate(item.enrolled):
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
                quality=json.loads(json.dumps(enrolled.quality)),
            )
        )
    return entry, references


def _refuse_present(session: Session, watchlist_id: str, items: Sequence[_Checked]) -> None:
    """Raise where another writer put one of the subjects on the list meanwhile."""
    subjects = [item.fields.subject_id for item in items if item.fields is not None]
    there = session.scalars(
        select(Entry.subject_id).where(Entry.watchlist_id == watchlist_id, Entry.subject_id.in_(subjects))
    ).all()
    if there:
        raise WatchlistError(f"watchlist {watchlist_id}: {sorted(there)[0]} is on the list already")
