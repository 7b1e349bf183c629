"""How often no usable face was found, by group: what recognition rates alone do not show."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from lfr.evaluation.templates import Templates
from lfr.statistics import Rate, rate_over_subjects
from lfr.types import BoolArray
from lfr.vision import ENROLMENT_POLICY, SEARCH_POLICY

__all__ = ["GroupMisses", "misses_by_group"]


@dataclass(frozen=True)
class GroupMisses:
    """Images of a group that gave nothing to compare.

    Attributes
    ----------
    group
        Label by group column; empty for everybody.
    images, subjects
        How many there are.
    failures_to_acquire
        Images in which no face was found.
    refused
        Images without a face, or with one that the quality gate refuses (that
        of enrolment for references, of search for probes).
    """

    group: tuple[tuple[str, str], ...]
    images: int
    subjects: int
    failures_to_acquire: Rate
    refused: Rate

    def as_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {
            "group": dict(self.group),
            "images": self.images,
            "subjects": self.subjects,
            "failures_to_acquire": self.failures_to_acquire.as_dict(),
            "refused": self.refused.as_dict(),
        }


def misses_by_group(templates: Templates, by: Sequence[str] = ()) -> tuple[GroupMisses, ...]:
    """Misses of everybody, of each group of each column, and of each group of all columns together.

    Parameters
    ----------
    templates
        Of an evaluation set; whoever has no label is a group of their own.
    by
        Group columns.

    Raises
    ------
    ManifestError
        There is no such group column.
    """
    manifest = templates.manifest
    usable = np.where(manifest.reference, templates.passed(ENROLMENT_POLICY), templates.passed(SEARCH_POLICY))
    everybody = _misses((), np.ones(len(manifest), np.bool_), templates, ~usable)
    columns = [(name,) for name in by] + ([tuple(by)] if len(by) > 1 else [])
    rows = [everybody]
    for names in columns:
        labels = manifest.group(*names)
        for label in np.unique(labels):
            members = labels == label
            first = int(members.argmax())
            group = tuple((name, str(manifest.groups[name][first])) for name in names)
            rows.append(_misses(group, members, templates, ~usable))
    return tuple(rows)


def _misses(
    group: tuple[tuple[str, str], ...], members: BoolArray, templates: Templates, unusable: BoolArray
) -> GroupMisses:
    subject = templates.manifest.subject_id[members]
    return GroupMisses(
        group,
        int(members.sum()),
        len(np.unique(subject)),
        rate_over_subjects(~templates.acquired[members], subject),
        rate_over_subjects(unusable[members], subject),
    )
