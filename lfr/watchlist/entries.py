"""What an entry must say, and the CSV that entries come in."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from lfr.access import ForcePolicy
from lfr.errors import ManifestError

__all__ = ["EntryFields", "EntryRow", "checked_fields", "read_rows"]

_IMAGE_COLUMNS = ("image", "images")
_TRUTH = {"yes": True, "true": True, "no": False, "false": False}


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

    @field_validator("lawfully_held", mode="before")
    @classmethod
    def _is_lawfully_held(cls, value: object) -> bool:
        if _TRUTH.get(str(value).strip().lower()) is not True:
            raise ValueError("must be yes: only a lawfully held image may be listed")
        return True

    @field_validator("under_18", mode="before")
    @classmethod
    def _yes_or_no(cls, value: object) -> bool:
        said = _TRUTH.get(str(value).strip().lower())
        if said is None:
            raise ValueError(f"{str(value)!r} is neither yes nor no")
        return said

    @field_validator("image_date", mode="before")
    @classmethod
    def _calendar_day(cls, value: object) -> object:
        # Left to pydantic, a bare number would be seconds since 1970.
        return _day(value) if isinstance(value, str) else value

    @field_validator("expires_at", mode="before")
    @classmethod
    def _end_of_day(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        text = value.strip()
        if len(text) <= len("2026-03-01"):
            return datetime.combine(_day(text), time.max, UTC)
        try:
            moment = datetime.fromisoformat(text)
        except ValueError as error:
            raise ValueError(f"{text!r} is no time such as 2026-03-01T12:00:00Z") from error
        if moment.tzinfo is None:
            raise ValueError("a time needs its zone, such as 2026-03-01T12:00:00Z")
        return moment.astimezone(UTC)

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
    problems
        What is wrong with the row as such, where it could not be read.
    """

    where: str
    values: dict[str, Any]
    images: tuple[Path, ...]
    problems: tuple[str, ...] = ()


def checked_fields(values: Mapping[str, Any]) -> tuple[EntryFields | None, list[str]]:
    """Return the fields of a row, or None and what is wrong with each."""
    try:
        return EntryFields.model_validate(values), []
    except ValidationError as error:
        return None, [
            f"{'.'.join(map(str, e['loc'])) or 'row'}: {_plainly(e['type'], e['msg'])}" for e in error.errors()
        ]


def read_rows(path: Path) -> list[EntryRow]:
    """Read a CSV of entries: the columns of `EntryFields`, and ``image`` (several: separated by ``;``).

    A row with more or fewer values than there are columns is returned with
    that as its problem, and the rows after it as usual.

    Raises
    ------
    ManifestError
        The file cannot be read, holds no row, or a column is missing, unknown or twice.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
        reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
        columns = [name.strip() for name in reader.fieldnames or ()]
        _check_columns(path, columns)
        reader.fieldnames = columns
        rows = [_row(values, f"{path.name} line {reader.line_num}", path.parent) for values in reader]
    except (OSError, UnicodeDecodeError) as error:
        raise ManifestError(f"{path}: cannot be read as a UTF-8 CSV file ({type(error).__name__})") from error
    except csv.Error as error:
        raise ManifestError(f"{path}: line {reader.line_num} is no CSV: {error}") from error
    if not rows:
        raise ManifestError(f"{path}: holds no row")
    return rows


def _check_columns(path: Path, columns: list[str]) -> None:
    known = {*EntryFields.model_fields, *_IMAGE_COLUMNS}
    if missing := sorted(set(EntryFields.model_fields) - set(columns)):
        raise ManifestError(f"{path}: no column {', '.join(missing)}")
    if unknown := sorted(set(columns) - known):
        raise ManifestError(f"{path}: unknown column {', '.join(unknown)}")
    if twice := sorted({column for column in columns if columns.count(column) > 1}):
        raise ManifestError(f"{path}: column {', '.join(twice)} stands there twice")
    if len(set(columns) & set(_IMAGE_COLUMNS)) != 1:
        raise ManifestError(f"{path}: one column 'image' is needed")


def _row(values: Mapping[Any, Any], where: str, folder: Path) -> EntryRow:
    cells = {name: text.strip() for name, text in values.items() if isinstance(name, str) and text is not None}
    if len(cells) < len(values):
        return EntryRow(where, cells, (), ("row: has not as many values as there are columns",))
    named = next(cells.pop(column) for column in _IMAGE_COLUMNS if column in cells)
    return EntryRow(where, cells, tuple(folder / part.strip() for part in named.split(";") if part.strip()))


def _day(text: str) -> date:
    try:
        if len(text.strip()) == len("2026-03-01"):
            return date.fromisoformat(text.strip())
    except ValueError:
        pass
    raise ValueError(f"{text.strip()!r} is no date such as 2026-03-01")


def _plainly(kind: str, message: str) -> str:
    known = {
        "missing": "is missing",
        "extra_forbidden": "is no field of an entry",
        "string_too_short": "is empty",
        "string_pattern_mismatch": "must be a reference of letters, digits, '.', '_' or '-', at most 64, and no name",
    }
    return known.get(kind, message.removeprefix("Value error, "))
