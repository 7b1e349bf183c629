"""What is evaluated on: images with subject, split and groups, one row each."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lfr.errors import ManifestError
from lfr.types import BoolArray, IntArray

__all__ = [
    "UNLABELLED",
    "Manifest",
    "Progress",
    "StrArray",
    "data_digest",
    "image_digests",
    "read_manifest",
    "write_manifest",
]

StrArray = NDArray[np.str_]

Progress = Callable[[Iterable[int], int], Iterable[int]]
"""Wraps the numbers of what is done, of a known total, to show progress."""

UNLABELLED = "unlabelled"
"""Group of whoever has no label; it is counted like any other."""

_NEEDED = ("path", "subject_id", "split")
_SPLITS = ("reference", "probe")
_OWN = (*_NEEDED, "track_id")


@dataclass(frozen=True, eq=False)
class Manifest:
    """Evaluation images, one row each.

    Attributes
    ----------
    name
        What errors and reports call it.
    root
        Folder that relative paths start from.
    paths
        Image of each row, as written.
    subject_id
        (n,) whom it shows.
    reference
        (n,) whether the row is a reference; all others are probes. A probe
        whose subject has no reference is non-mated.
    track_id
        (n,) pass that the probe belongs to; empty: the image is a search by itself.
    groups
        Label of each row by group column, (n,) each; `UNLABELLED` where blank.
    line
        (n,) line of the CSV file, or the one it would have.
    """

    name: str
    root: Path
    paths: tuple[str, ...]
    subject_id: StrArray
    reference: BoolArray
    track_id: StrArray
    groups: Mapping[str, StrArray]
    line: IntArray

    def __post_init__(self) -> None:
        columns = {"subject_id": self.subject_id, "reference": self.reference, "track_id": self.track_id}
        for name, column in {**columns, "line": self.line, **self.groups}.items():
            if column.shape != (len(self.paths),):
                raise ValueError(f"Manifest.{name}: expected shape ({len(self.paths)},), got {column.shape}")

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: BoolArray | IntArray) -> Manifest:
        """The rows a mask or an index array selects."""
        rows = np.flatnonzero(index) if index.dtype == np.bool_ else index
        return Manifest(
            self.name,
            self.root,
            tuple(self.paths[row] for row in rows),
            self.subject_id[rows],
            self.reference[rows],
            self.track_id[rows],
            {name: labels[rows] for name, labels in self.groups.items()},
            self.line[rows],
        )

    @property
    def files(self) -> tuple[Path, ...]:
        """Image file of each row."""
        return tuple(self.root / path for path in self.paths)

    @property
    def mated(self) -> BoolArray:
        """(n,) probes whose subject has a reference."""
        return np.asarray(~self.reference & np.isin(self.subject_id, self.subject_id[self.reference]))

    def where(self, row: int) -> str:
        """How an error names a row."""
        return f"{self.name}, line {self.line[row]}"

    def group(self, *names: str) -> StrArray:
        """(n,) label of each row; of several columns, the labels joined by a comma.

        Raises
        ------
        ManifestError
            There is no such group column.
        """
        for name in names:
            if name not in self.groups:
                there = ", ".join(self.groups) or "none"
                raise ManifestError(f"{self.name}, line 1: no group column '{name}'; there are: {there}")
        joined = [",".join(labels) for labels in zip(*(self.groups[name] for name in names), strict=True)]
        return np.array(joined, np.str_)


def read_manifest(path: Path, *, disjoint_subjects: bool = False, columns: Sequence[str] = ()) -> Manifest:
    """Read a manifest: CSV in UTF-8 with ``path, subject_id, split``, optional ``track_id``, then group columns.

    Parameters
    ----------
    path
        The file. Relative image paths start from its folder.
    disjoint_subjects
        The protocol wants nobody in both splits (a purely non-mated one).
    columns
        Group columns that must be there.

    Raises
    ------
    ManifestError
        In one line, with row and column: the file cannot be read, a column or
        value is missing, an image is not there or named twice, a split is
        unknown, a track shows two subjects, or a subject is in both splits
        where that is forbidden.
    """
    header, rows, lines = _read_csv(path)
    for column in (*_NEEDED, *columns):
        if column not in header:
            raise ManifestError(f"{path}, line 1: no column '{column}'; there are: {', '.join(header)}")
    if not rows:
        raise ManifestError(f"{path}: names no image")
    by_column = {name: [row[i].strip() for row in rows] for i, name in enumerate(header)}
    groups = {
        name: np.array([label or UNLABELLED for label in labels], np.str_)
        for name, labels in by_column.items()
        if name not in _OWN
    }
    for row, split in enumerate(by_column["split"]):
        if split not in _SPLITS:
            raise ManifestError(
                f"{path}, line {lines[row]}, column split: expected reference or probe, found '{split}'"
            )
    manifest = Manifest(
        str(path),
        path.parent,
        tuple(by_column["path"]),
        np.array(by_column["subject_id"], np.str_),
        np.array([split == "reference" for split in by_column["split"]], np.bool_),
        np.array(by_column.get("track_id", [""] * len(rows)), np.str_),
        groups,
        np.array(lines, np.int64),
    )
    _check(manifest)
    if disjoint_subjects and manifest.mated.any():
        row = int(manifest.mated.argmax())
        raise ManifestError(
            f"{manifest.where(row)}, column subject_id: '{manifest.subject_id[row]}' is a reference and a probe, "
            "and this protocol wants each subject in one split"
        )
    return manifest


def write_manifest(manifest: Manifest, path: Path) -> None:
    """Write a manifest that `read_manifest` gives back; images keep their place, so paths are made to fit.

    Raises
    ------
    ManifestError
        The file cannot be written.
    """
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    with_tracks = bool((manifest.track_id != "").any())
    writer.writerow([*_NEEDED, *(["track_id"] if with_tracks else []), *manifest.groups])
    folder = path.absolute().parent
    for row, file in enumerate(manifest.files):
        inside = file.absolute().is_relative_to(folder)
        image = file.absolute().relative_to(folder) if inside else os.path.relpath(file, folder)
        track = [manifest.track_id[row]] if with_tracks else []
        labels = (column[row] for column in manifest.groups.values())
        split = _SPLITS[0] if manifest.reference[row] else _SPLITS[1]
        shown = ["" if label == UNLABELLED else label for label in labels]
        writer.writerow([Path(image).as_posix(), manifest.subject_id[row], split, *track, *shown])
    try:
        path.write_text(text.getvalue(), encoding="utf-8")
    except OSError as error:
        raise ManifestError(f"{path}: cannot write the manifest: {error.strerror}") from error


def image_digests(manifest: Manifest, *, progress: Progress | None = None) -> StrArray:
    """(n,) SHA-256 of each image's bytes, in hexadecimal.

    Raises
    ------
    ManifestError
        An image cannot be read; the row is named.
    """
    rows = range(len(manifest))
    files = manifest.files
    shown = rows if progress is None else progress(rows, len(rows))
    return np.array([_digest(files[row], where=manifest.where(row)) for row in shown], "<U64")


def data_digest(manifest: Manifest, images: StrArray) -> str:
    """SHA-256 over rows and image bytes; neither where images lie nor the order of rows enters.

    Parameters
    ----------
    manifest
        The rows: subject, split, track and groups of each.
    images
        (n,) digests of the images, from `image_digests`.
    """
    names = sorted(manifest.groups)
    columns = [images, manifest.subject_id, manifest.track_id, *(manifest.groups[name] for name in names)]
    rows = zip(manifest.reference.tolist(), *(column.tolist() for column in columns), strict=True)
    lines = sorted(json.dumps(row) for row in rows)
    return hashlib.sha256("\n".join([json.dumps(names), *lines]).encode()).hexdigest()


def _digest(file: Path, *, where: str) -> str:
    try:
        with file.open("rb") as opened:
            return hashlib.file_digest(opened, "sha256").hexdigest()
    except OSError as error:
        raise ManifestError(f"{where}, column path: cannot read {file}: {error.strerror}") from error


def _read_csv(path: Path) -> tuple[list[str], list[list[str]], list[int]]:
    """Header, rows and the line that each row ends on."""
    try:
        reader = csv.reader(io.StringIO(path.read_text(encoding="utf-8-sig"), newline=""), strict=True)
        header = [name.strip() for name in next(reader, [])]
        found = [(row, reader.line_num) for row in reader if row]
    except OSError as error:
        raise ManifestError(f"{path}: cannot read the manifest: {error.strerror}") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise ManifestError(f"{path}: not a CSV file in UTF-8: {error}") from error
    twice = sorted({name for name in header if header.count(name) > 1})
    if twice or "" in header:
        raise ManifestError(f"{path}, line 1: column '{twice[0] if twice else ''}' is named twice or not at all")
    for row, line in found:
        if len(row) != len(header):
            raise ManifestError(f"{path}, line {line}: {len(row)} values for {len(header)} columns")
    return header, [row for row, _ in found], [line for _, line in found]


def _is_file(path: str) -> bool:
    try:
        return Path(path).is_file()
    except OSError:  # a name longer than any file's
        return False


def _check(manifest: Manifest) -> None:
    """Refuse the first row that cannot be used."""
    seen: dict[str, int] = {}
    shown_by: dict[str, int] = {}
    for row, (path, subject, track) in enumerate(
        zip(manifest.paths, manifest.subject_id, manifest.track_id, strict=True)
    ):
        where = manifest.where(row)
        if not path or not subject:
            raise ManifestError(f"{where}, column {'subject_id' if path else 'path'}: no value")
        image = os.path.normpath(manifest.root / path)
        if (earlier := seen.setdefault(image, row)) != row:
            raise ManifestError(f"{where}, column path: '{path}' is on line {manifest.line[earlier]} already")
        if not _is_file(image):
            raise ManifestError(f"{where}, column path: no image {image}")
        if track and not manifest.reference[row]:
            first = shown_by.setdefault(track, row)
            if manifest.subject_id[first] != subject:
                raise ManifestError(
                    f"{where}, column track_id: '{track}' shows '{subject}', "
                    f"and '{manifest.subject_id[first]}' on line {manifest.line[first]}"
                )
