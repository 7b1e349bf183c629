"""One-to-many searches of an evaluation set: one table that every figure is computed from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from lfr.errors import ManifestError
from lfr.evaluation.manifest import StrArray
from lfr.evaluation.search_scores import SearchScores
from lfr.evaluation.templates import Templates
from lfr.matching import Fusion, Snapshot
from lfr.types import BoolArray, FloatArray, IntArray
from lfr.vision import ENROLMENT_POLICY, MEASURES, SEARCH_POLICY, Quality

__all__ = ["EnrolledList", "Searches", "run_searches"]


@dataclass(frozen=True, eq=False)
class EnrolledList:
    """The watchlist of an evaluation.

    Attributes
    ----------
    references
        (r,) every reference wanted on the list, with its labels and quality.
    enrolled
        (r,) references that are on it; the others are failures to enrol.
    wanted
        Subjects wanted on the list, in order: its size. Not all need be enrolled.
    snapshot
        The enrolled references, as live searches use them; its ``subjects`` are the columns of scores.
    """

    references: Templates
    enrolled: BoolArray
    wanted: tuple[str, ...]
    snapshot: Snapshot

    def __len__(self) -> int:
        return len(self.wanted)

    @property
    def failures_to_enrol(self) -> int:
        """References that gave no template or did not pass the quality gate."""
        return int((~self.enrolled).sum())


@dataclass(frozen=True, eq=False)
class Searches:
    """Searches against one watchlist, one row each; a failure to acquire is a row.

    Attributes
    ----------
    watchlist
        What was searched.
    search_id
        (n,) track, or path of the image that is a search by itself.
    subject_id
        (n,) whom it shows.
    mated
        (n,) whether that subject is wanted on the list.
    acquired
        (n,) whether an image of it gave a template that passed the gate, where there is one.
    images
        (n,) images of the search, acquired or not.
    several_faces
        (n,) whether an image of it held more than one face; the central one was used.
    mate_score
        (n,) fused score with its own subject; NaN where there is none to compare.
    mate_rank
        (n,) place of its own subject among all, from 1; 0 where there is none to compare.
    other_score
        (n,) highest score with another subject; NaN where not acquired.
    other_subject
        (n,) that subject's column in ``watchlist.snapshot.subjects``; -1 where there is none.
    quality
        (n, measures) of its best image; NaN where nothing was found.
    groups
        (n,) labels by group column: those of the search's first image.
    scores
        Every score, on demand.
    """

    watchlist: EnrolledList
    search_id: StrArray = field(repr=False)
    subject_id: StrArray = field(repr=False)
    mated: BoolArray = field(repr=False)
    acquired: BoolArray = field(repr=False)
    images: IntArray = field(repr=False)
    several_faces: BoolArray = field(repr=False)
    mate_score: FloatArray = field(repr=False)
    mate_rank: IntArray = field(repr=False)
    other_score: FloatArray = field(repr=False)
    other_subject: IntArray = field(repr=False)
    quality: Quality = field(repr=False)
    groups: Mapping[str, StrArray] = field(repr=False)
    scores: SearchScores = field(repr=False)

    def __len__(self) -> int:
        return len(self.search_id)

    @property
    def subject(self) -> IntArray:
        """(n,) number of the subject of each search, for resampling subjects."""
        return np.unique(self.subject_id, return_inverse=True)[1].astype(np.int64)

    def found(self, threshold: float) -> BoolArray:
        """(n,) whether the mate is among the candidates at a threshold, at any rank."""
        return np.asarray(self.mate_score.astype(np.float64) >= threshold)

    def false_positive(self, threshold: float) -> BoolArray:
        """(n,) whether a non-mated search returns a candidate at a threshold; False for mated ones."""
        return np.asarray(~self.mated & (self.other_score.astype(np.float64) >= threshold))


def run_searches(
    templates: Templates,
    *,
    watchlist_size: int | None = None,
    rng: np.random.Generator | None = None,
    quality_gate: bool = False,
    fusion: Fusion = "max",
    shots: int | None = None,
) -> Searches:
    """Search a watchlist with every probe of an evaluation set.

    Parameters
    ----------
    templates
        Of references and probes.
    watchlist_size
        Subjects on the list, drawn at random from those with a reference;
        None: all. Searches of a subject who is not drawn are non-mated.
    rng
        Draws them; needed with ``watchlist_size``.
    quality_gate
        Whether references must pass `ENROLMENT_POLICY` and probes `SEARCH_POLICY`.
    fusion, shots
        Decision rule of searches with several images: best or mean score, of
        so many images of the best quality at most (None: all).

    Raises
    ------
    ManifestError
        There are no references, no probes, no non-mated searches, or fewer
        subjects than ``watchlist_size``.
    """
    manifest = templates.manifest
    if manifest.reference.all() or not manifest.reference.any():
        missing = "probe" if manifest.reference.all() else "reference"
        raise ManifestError(f"{manifest.name}, column split: no row is a {missing}")
    watchlist = _enrolled(templates, watchlist_size, rng, quality_gate=quality_gate)
    probes = templates[~manifest.reference]
    usable = probes.passed(SEARCH_POLICY) if quality_gate else probes.acquired
    ids, first, search = _grouped(probes)
    subject_id = probes.manifest.subject_id[first]
    mated = np.isin(subject_id, watchlist.wanted)
    if mated.all():
        raise ManifestError(
            f"{manifest.name}, column subject_id: no non-mated probe, each probe's subject has a reference; "
            "without one no false alarm can be counted"
        )
    rows = _chosen(search, usable, probes.quality.shot, shots)
    source = SearchScores(watchlist.snapshot, probes.embeddings[rows], search[rows], len(ids), fusion)
    n = len(ids)
    acquired = np.zeros(n, np.bool_)
    acquired[source.search] = True
    mate_score, other_score = np.full(n, np.nan, np.float32), np.full(n, np.nan, np.float32)
    mate_rank, other_subject = np.zeros(n, np.int64), np.full(n, -1, np.int64)
    column_of = {subject: column for column, subject in enumerate(watchlist.snapshot.subjects)}
    mate_column = np.array([column_of.get(subject, -1) for subject in subject_id.tolist()], np.int64)
    for at, block in source.blocks():
        own = np.flatnonzero(mate_column[at] >= 0)
        columns = mate_column[at][own]
        mate = block[own, columns]
        mate_score[at[own]] = mate
        mate_rank[at[own]] = (block[own] > mate[:, None]).sum(axis=1) + 1
        others = block.copy()
        others[own, columns] = -np.inf
        best = others.argmax(axis=1)
        score = others[np.arange(len(at)), best]
        other_score[at] = np.where(np.isinf(score), np.float32(np.nan), score)
        other_subject[at] = np.where(np.isinf(score), -1, best)
    several = np.zeros(n, np.bool_)
    several[search[probes.faces_found > 1]] = True
    return Searches(
        watchlist,
        ids,
        subject_id,
        mated,
        acquired,
        np.bincount(search, minlength=n).astype(np.int64),
        several,
        mate_score,
        mate_rank,
        other_score,
        other_subject,
        _best_quality(probes.quality, search, n),
        {name: labels[first] for name, labels in probes.manifest.groups.items()},
        source,
    )


def _enrolled(
    templates: Templates, size: int | None, rng: np.random.Generator | None, *, quality_gate: bool
) -> EnrolledList:
    references = templates[templates.manifest.reference]
    subjects = np.array(list(dict.fromkeys(references.manifest.subject_id.tolist())), np.str_)
    if size is not None:
        if rng is None:
            raise ValueError("run_searches: a watchlist can only be drawn with a generator")
        if size > len(subjects):
            raise ManifestError(
                f"{templates.manifest.name}, column split: {len(subjects)} subjects have a reference, "
                f"a watchlist of {size} is not possible"
            )
        subjects = subjects[np.sort(rng.permutation(len(subjects))[:size])]
        references = references[np.isin(references.manifest.subject_id, subjects)]
    enrolled = references.passed(ENROLMENT_POLICY) if quality_gate else references.acquired
    snapshot = Snapshot(references.embeddings[enrolled], tuple(references.manifest.subject_id[enrolled].tolist()))
    return EnrolledList(references, enrolled, tuple(subjects.tolist()), snapshot)


def _grouped(probes: Templates) -> tuple[StrArray, IntArray, IntArray]:
    """Id and first row of each search, in order of the first row, and the search of each row."""
    tracks, paths = probes.manifest.track_id.tolist(), probes.manifest.paths
    keys = [("track", track) if track else ("image", path) for track, path in zip(tracks, paths, strict=True)]
    number = {key: i for i, key in enumerate(dict.fromkeys(keys))}
    search = np.array([number[key] for key in keys], np.int64)
    first = np.unique(search, return_index=True)[1]
    return np.array([name for _, name in number], np.str_), first, search


def _chosen(search: IntArray, usable: BoolArray, shot: FloatArray, shots: int | None) -> IntArray:
    """Rows to compare, search by search, the best shots of each first."""
    rows = np.flatnonzero(usable)
    rows = rows[np.lexsort((-shot[rows], search[rows]))]
    if shots is None:
        return rows
    starts = np.searchsorted(search[rows], search[rows])
    return np.asarray(rows[np.arange(len(rows)) - starts < shots])


def _best_quality(quality: Quality, search: IntArray, searches: int) -> Quality:
    values = np.full((searches, len(MEASURES)), np.nan, np.float32)
    shot = np.where(np.isnan(quality.shot), -np.inf, quality.shot)
    order = np.lexsort((shot, search))  # the last of a search is written last, and so stays
    values[search[order]] = quality.values[order]
    return Quality(values)
