"""Published verification protocols: which image is compared with which, in which fold."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lfr.errors import ManifestError
from lfr.types import BoolArray, IntArray

__all__ = ["Pairs", "read_lfw_pairs"]


@dataclass(frozen=True, eq=False)
class Pairs:
    """The comparisons of a protocol.

    Attributes
    ----------
    images
        Each image once, as a path below the folder of images.
    reference, probe
        (n,) rows of ``images``: the two sides of each pair.
    mated
        (n,) whether both show one subject.
    fold
        (n,) part of the protocol that the pair belongs to, from 0.
    subjects, probe_subjects
        Subject of the reference and of the probe of each pair.
    """

    images: tuple[str, ...]
    reference: IntArray
    probe: IntArray
    mated: BoolArray
    fold: IntArray
    subjects: tuple[str, ...]
    probe_subjects: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.mated)


def read_lfw_pairs(path: Path) -> Pairs:
    """Read the pairs file of LFW.

    Huang, Ramesh, Berg, Learned-Miller, "Labeled Faces in the Wild", 2007:
    a line with the number of folds and of pairs a kind, then for each fold
    its mated pairs (``NAME 1 2``) and its non-mated ones (``NAME 1 OTHER 2``).

    Raises
    ------
    ManifestError
        The file cannot be read or is not of this form; the message names the line.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise ManifestError(f"{path}: cannot read the pairs: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ManifestError(f"{path}: not UTF-8 text") from error
    folds, per_kind = _header(lines, path)
    rows: dict[str, int] = {}
    reference, probe, subjects, probe_subjects = [], [], [], []
    block = [True] * per_kind + [False] * per_kind
    for number, (line, mated) in enumerate(zip(lines[1:], block * folds, strict=False), start=2):
        fields = line.split("\t")
        if len(fields) != (3 if mated else 4):
            kind = "mated pair (NAME i j)" if mated else "non-mated pair (NAME i OTHER j)"
            raise ManifestError(f"{path}, line {number}: expected a {kind}, tab-separated, found {line!r}")
        try:
            first = _image(fields[0], fields[1])
            second = _image(fields[-2] if not mated else fields[0], fields[-1])
        except ValueError as error:
            raise ManifestError(f"{path}, line {number}: {error}") from error
        reference.append(rows.setdefault(first, len(rows)))
        probe.append(rows.setdefault(second, len(rows)))
        subjects.append(fields[0])
        probe_subjects.append(fields[0] if mated else fields[2])
    return Pairs(
        tuple(rows),
        np.array(reference, np.int64),
        np.array(probe, np.int64),
        np.array(block * folds, np.bool_),
        np.repeat(np.arange(folds), len(block)),
        tuple(subjects),
        tuple(probe_subjects),
    )


def _header(lines: list[str], path: Path) -> tuple[int, int]:
    fields = lines[0].split() if lines else []
    if len(fields) != 2 or not all(field.isdecimal() and int(field) > 0 for field in fields):
        raise ManifestError(f"{path}, line 1: expected the number of folds and of pairs a kind")
    folds, per_kind = int(fields[0]), int(fields[1])
    wanted = 2 * folds * per_kind
    if len(lines) - 1 != wanted:
        raise ManifestError(f"{path}: {wanted} pairs announced in line 1, {len(lines) - 1} found")
    return folds, per_kind


def _image(subject: str, number: str) -> str:
    if not number.isdecimal():
        raise ValueError(f"expected an image number, found {number!r}")
    return f"{subject}/{subject}_{int(number):04d}.jpg"
