"""Split people, never pictures: who trains, who is held out to stop training, and who only measures."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from lfr.errors import ManifestError
from lfr.evaluation import Manifest, StrArray
from lfr.training.config import Data
from lfr.types import IntArray

__all__ = ["PARTS", "Split", "split_subjects"]

PARTS = ("train", "held_out", "measure")
"""Values of a manifest's column ``part``, where it says itself who does what."""


@dataclass(frozen=True, eq=False)
class Split:
    """Rows of a manifest by what they are for.

    Attributes
    ----------
    manifest
        All of it.
    train, held_out, measure
        Rows that train, that stop training, and that measure. No subject is in two of them.
    """

    manifest: Manifest = field(repr=False)
    train: IntArray
    held_out: IntArray
    measure: IntArray

    def __post_init__(self) -> None:
        subjects = {part: set(self.manifest.subject_id[getattr(self, part)].tolist()) for part in PARTS}
        for part, people in subjects.items():
            if not people:
                raise ManifestError(f"{self.manifest.name}: the part {part} holds nobody")
        for i, part in enumerate(PARTS):
            for other in PARTS[i + 1 :]:
                if both := sorted(subjects[part] & subjects[other]):
                    raise ManifestError(
                        f"{self.manifest.name}: {len(both)} subjects are in {part} and in {other}, the first is "
                        f"'{both[0]}'; a model is measured on people whom it never saw"
                    )

    def part_of(self) -> StrArray:
        """(n,) part of each row; '' for rows in none."""
        part = np.full(len(self.manifest), "", "<U8")
        for name in PARTS:
            part[getattr(self, name)] = name
        return part


def split_subjects(manifest: Manifest, data: Data) -> Split:
    """Split a manifest by subject, or as its column ``part`` says.

    Subjects with one image and with several are split apart, so that both
    halves hold as many mated and non-mated subjects in proportion.

    Raises
    ------
    ManifestError
        Parts share a subject or hold nobody, or ``part`` has a value that is not one of `PARTS`.
    """
    if "part" in manifest.groups:
        labels = manifest.groups["part"]
        for row, label in enumerate(labels.tolist()):
            if label not in PARTS:
                raise ManifestError(f"{manifest.where(row)}, column part: '{label}' is none of {', '.join(PARTS)}")
        return Split(manifest, *(np.flatnonzero(labels == part) for part in PARTS))
    rng = np.random.default_rng(data.seed)
    subjects, images = np.unique(manifest.subject_id, return_counts=True)
    place = np.empty(len(subjects), np.int64)
    for several in (False, True):
        # People are drawn in the order of their names, which the order of a manifest's rows does not change.
        people = rng.permutation(np.flatnonzero((images > 1) == several))
        measuring = round(len(people) * data.measure_share)
        held_out = round((len(people) - measuring) * data.held_out_share)
        place[people[:measuring]] = PARTS.index("measure")
        place[people[measuring : measuring + held_out]] = PARTS.index("held_out")
        place[people[measuring + held_out :]] = PARTS.index("train")
    of_row = place[np.searchsorted(subjects, manifest.subject_id)]
    return Split(manifest, *(np.flatnonzero(of_row == number) for number in range(len(PARTS))))
