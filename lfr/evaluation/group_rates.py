"""Error rates by group of the people searched: one row a group, unlabelled people among them."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import ttest_ind

from lfr.errors import ManifestError
from lfr.evaluation.manifest import UNLABELLED, StrArray
from lfr.evaluation.search_scores import Hits
from lfr.evaluation.searches import Searches
from lfr.statistics import Rate, rate_over_subjects
from lfr.types import BoolArray, FloatArray, IntArray
from lfr.vision import MEASURES

__all__ = ["CrossGroup", "GroupRates", "Shift", "cross_group", "group_rates", "groupings"]


@dataclass(frozen=True)
class Shift:
    """By how much the scores of a group lie over those of everybody else.

    Attributes
    ----------
    value, low, high
        Difference of the means over subjects, with Welch's 95% interval; None where a side has fewer than two subjects.
    subjects
        Subjects of the group that it rests on.
    """

    value: float | None
    low: float | None
    high: float | None
    subjects: int


@dataclass(frozen=True, eq=False)
class GroupRates:
    """What was counted in one group.

    Attributes
    ----------
    group
        Label by column.
    members
        (n,) searches of the group.
    mated, non_mated
        Searches.
    mated_subjects, non_mated_subjects
        People they are of.
    tpir, fpir
        At the threshold of the evaluation, over subjects; FPIR with Clopper-Pearson's interval.
    fta
        Searches that gave no template, of all of the group's.
    mated_shift, non_mated_shift
        Of scores with the mate, and of the highest score with anybody else.
    quality
        Median of each measure over acquired searches; None where none was assessed.
    """

    group: Mapping[str, str]
    members: BoolArray = field(repr=False)
    mated: int
    non_mated: int
    mated_subjects: int
    non_mated_subjects: int
    tpir: Rate
    fpir: Rate
    fta: Rate
    mated_shift: Shift
    non_mated_shift: Shift
    quality: Mapping[str, float | None]

    @property
    def name(self) -> str:
        """How tables call the group."""
        return ", ".join(self.group.values())

    @property
    def labelled(self) -> bool:
        """Whether it has a label in each column; a group of the unlabelled is counted, and compared with nobody."""
        return UNLABELLED not in self.group.values()

    def as_dict(self) -> dict[str, Any]:
        """Return the documented JSON form."""
        return {
            "group": dict(self.group),
            "mated": self.mated,
            "non_mated": self.non_mated,
            "mated_subjects": self.mated_subjects,
            "non_mated_subjects": self.non_mated_subjects,
            "tpir": self.tpir.as_dict(),
            "fpir": self.fpir.as_dict(),
            "failures_to_acquire": self.fta.count,
            "fta": self.fta.as_dict(),
            "mated_score_shift": vars(self.mated_shift),
            "non_mated_score_shift": vars(self.non_mated_shift),
            "quality": dict(self.quality),
        }


@dataclass(frozen=True, eq=False)
class CrossGroup:
    """Non-mated comparisons at or over the threshold, by the group searched and the group of the reference.

    Attributes
    ----------
    probes, references
        Names of the groups, in order of rows and of columns.
    fmr
        (rows, columns) share of comparisons; NaN where there was none.
    comparisons, matches
        (rows, columns) non-mated comparisons made, and those at or over the threshold.
    """

    probes: tuple[str, ...]
    references: tuple[str, ...]
    fmr: NDArray[np.float64]
    comparisons: IntArray
    matches: IntArray

    def as_dict(self) -> dict[str, Any]:
        """Return the documented JSON form."""
        return {
            "probes": list(self.probes),
            "references": list(self.references),
            "fmr": [[None if np.isnan(cell) else float(cell) for cell in row] for row in self.fmr],
            "comparisons": self.comparisons.tolist(),
            "matches": self.matches.tolist(),
        }


def groupings(by: Sequence[str]) -> list[tuple[str, ...]]:
    """Columns to group by, in turn: each one alone, then all of them together."""
    alone: list[tuple[str, ...]] = [(column,) for column in dict.fromkeys(by)]
    return [*alone, tuple(dict.fromkeys(by))] if len(alone) > 1 else alone


def group_rates(searches: Searches, columns: Sequence[str], threshold: float) -> list[GroupRates]:
    """Count every group that a set of columns makes.

    Parameters
    ----------
    searches
        The table.
    columns
        Group columns; a group is one label of each.
    threshold
        Score at or over which a subject is a candidate.

    Raises
    ------
    ManifestError
        There is no such column, or it has one label only.
    """
    name = searches.watchlist.references.manifest.name
    for column in columns:
        if column not in searches.groups:
            there = ", ".join(searches.groups) or "none"
            raise ManifestError(f"{name}, line 1: no group column '{column}'; there are: {there}")
        labels = set(searches.groups[column].tolist()) - {UNLABELLED}
        if len(labels) < 2:
            only = f"only '{labels.pop()}'" if labels else "no label"
            raise ManifestError(f"{name}, column {column}: {only} among the probes, and equity compares two groups")
    table = np.stack([searches.groups[column] for column in columns], axis=1)
    found, number = np.unique(table, axis=0, return_inverse=True)
    return [
        _rates(searches, dict(zip(columns, labels.tolist(), strict=True)), number.reshape(-1) == i, threshold)
        for i, labels in enumerate(found)
    ]


def cross_group(searches: Searches, columns: Sequence[str], hits: Hits) -> CrossGroup:
    """Count non-mated comparisons at or over a threshold between groups.

    Parameters
    ----------
    searches
        The table.
    columns
        Group columns.
    hits
        From ``searches.scores.hits(threshold)``.
    """
    references = searches.watchlist.references.manifest
    first = {subject: row for row, subject in reversed(list(enumerate(references.subject_id.tolist())))}
    rows = [first[subject] for subject in searches.watchlist.snapshot.subjects]
    listed = references.group(*columns)[rows]
    searched = np.array(
        [",".join(labels) for labels in zip(*(searches.groups[column] for column in columns), strict=True)]
    )
    probes, probe = np.unique(searched, return_inverse=True)
    there, reference = np.unique(listed, return_inverse=True)
    shape = len(probes), len(there)
    column_of = {subject: column for column, subject in enumerate(searches.watchlist.snapshot.subjects)}
    own = np.array([column_of.get(subject, -1) for subject in searches.subject_id.tolist()], np.int64)
    comparisons = np.outer(
        np.bincount(probe[searches.acquired], minlength=shape[0]), np.bincount(reference, minlength=shape[1])
    )
    mated = searches.acquired & (own >= 0)
    np.subtract.at(comparisons, (probe[mated], reference[own[mated]]), 1)
    others = hits[own[hits.search] != hits.subject]
    matches = np.zeros(shape, np.int64)
    np.add.at(matches, (probe[others.search], reference[others.subject]), 1)
    with np.errstate(invalid="ignore", divide="ignore"):
        fmr = np.where(comparisons > 0, matches / comparisons, np.nan)
    return CrossGroup(_shown(probes), _shown(there), fmr, comparisons.astype(np.int64), matches)


def _shown(labels: StrArray) -> tuple[str, ...]:
    return tuple(label.replace(",", ", ") for label in labels.tolist())


def _rates(searches: Searches, group: Mapping[str, str], members: BoolArray, threshold: float) -> GroupRates:
    subject = searches.subject_id
    mated, non_mated = members & searches.mated, members & ~searches.mated
    return GroupRates(
        group,
        members,
        int(mated.sum()),
        int(non_mated.sum()),
        len(np.unique(subject[mated])),
        len(np.unique(subject[non_mated])),
        rate_over_subjects(searches.found(threshold)[mated], subject[mated]),
        rate_over_subjects(searches.false_positive(threshold)[non_mated], subject[non_mated], exact=True),
        rate_over_subjects(~searches.acquired[members], subject[members]),
        _shift(searches, searches.mate_score, members, searches.mated),
        _shift(searches, searches.other_score, members, ~searches.mated),
        _median_quality(searches, members),
    )


def _shift(searches: Searches, scores: FloatArray, members: BoolArray, counted: BoolArray) -> Shift:
    known = counted & np.isfinite(scores)
    here, there = (_subject_means(searches, scores, known & side) for side in (members, ~members))
    if min(len(here), len(there)) < 2:
        return Shift(None, None, None, len(here))
    difference = float(here.mean() - there.mean())
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Precision loss", RuntimeWarning)  # scores that are all one have no spread
        interval = ttest_ind(here, there, equal_var=False).confidence_interval(0.95)
    low, high = (float(end) if np.isfinite(end) else difference for end in (interval.low, interval.high))
    return Shift(difference, low, high, len(here))


def _subject_means(searches: Searches, scores: FloatArray, rows: BoolArray) -> NDArray[np.float64]:
    """Mean score of each subject among some searches."""
    number = np.unique(searches.subject_id[rows], return_inverse=True)[1]
    if not len(number):
        return np.zeros(0)
    return np.asarray(np.bincount(number, scores[rows].astype(np.float64)) / np.bincount(number))


def _median_quality(searches: Searches, members: BoolArray) -> dict[str, float | None]:
    medians: dict[str, float | None] = {}
    for measure in MEASURES:
        values = searches.quality[measure][members & searches.acquired]
        values = values[np.isfinite(values)]
        medians[measure] = round(float(np.median(values)), 1) if len(values) else None
    return medians
