"""Scores of searches with a watchlist, made in blocks on demand, so that any number of them fit."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from lfr.matching import Fusion, Snapshot
from lfr.types import BoolArray, Embeddings, FloatArray, IntArray

__all__ = ["Hits", "SearchScores"]

_BLOCK_SCORES = 1 << 24


@dataclass(frozen=True, eq=False)
class Hits:
    """Scores at or over a threshold.

    Attributes
    ----------
    search
        (h,) row of the search, rising.
    subject
        (h,) column of the subject in ``snapshot.subjects``.
    score
        (h,) fused score.
    """

    search: IntArray
    subject: IntArray
    score: FloatArray

    def __len__(self) -> int:
        return len(self.search)

    def __getitem__(self, index: BoolArray | IntArray) -> Hits:
        """The hits a mask or an index array selects."""
        return Hits(self.search[index], self.subject[index], self.score[index])


@dataclass(frozen=True, eq=False)
class SearchScores:
    """Scores of every search with every enrolled subject, made again in the same blocks whenever they are asked for.

    Attributes
    ----------
    snapshot
        The references searched.
    probes
        (p, d) templates of the acquired images, search by search.
    search
        (p,) row of the search that each belongs to, rising; a search without one was not acquired.
    searches
        Number n of searches.
    fusion
        How the scores of a search's images become one: their best, or their mean.
    """

    snapshot: Snapshot
    probes: Embeddings = field(repr=False)
    search: IntArray = field(repr=False)
    searches: int
    fusion: Fusion = "max"

    def blocks(self) -> Iterator[tuple[IntArray, FloatArray]]:
        """Rows of some acquired searches and their (rows, subjects) scores, until all have come."""
        rows, starts = np.unique(self.search, return_index=True)
        ends = np.append(starts[1:], len(self.search))
        most = max(1, _BLOCK_SCORES // max(1, len(self.snapshot)))
        first = 0
        while first < len(rows) and len(self.snapshot):
            last = max(first + 1, int(np.searchsorted(ends, starts[first] + most, side="right")))
            images = slice(starts[first], ends[last - 1])
            scores = self.snapshot.subject_scores(self.probes[images])
            yield rows[first:last], self._fused(scores, starts[first:last] - starts[first])
            first = last

    def matrix(self) -> FloatArray:
        """(n, subjects) all scores, with NaN rows for searches not acquired: four bytes each, all in memory."""
        scores = np.full((self.searches, len(self.snapshot.subjects)), np.nan, np.float32)
        for rows, block in self.blocks():
            scores[rows] = block
        return scores

    def hits(self, threshold: float) -> Hits:
        """Every score at or over a threshold, mates among them."""
        found = [Hits(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0, np.float32))]
        least = np.float32(threshold)
        if float(least) < threshold:  # rounding must not let in what lies just under it
            least = np.nextafter(least, np.float32(np.inf))
        for rows, block in self.blocks():
            row, column = np.nonzero(block >= least)
            found.append(Hits(rows[row], column.astype(np.int64), block[row, column]))
        return Hits(
            *(np.concatenate([getattr(part, name) for part in found]) for name in ("search", "subject", "score"))
        )

    def references_of(self, hits: Hits) -> IntArray:
        """(h,) row in the snapshot of the reference most alike to any image of the search, for each hit."""
        column = {subject: i for i, subject in enumerate(self.snapshot.subjects)}
        columns = np.array([column[subject] for subject in self.snapshot.subject_ids], np.int64)
        by_subject = np.argsort(columns, kind="stable")
        best = np.empty(len(hits), np.int64)
        for i, (search, subject) in enumerate(zip(hits.search, hits.subject, strict=True)):
            references = by_subject[slice(*np.searchsorted(columns[by_subject], [subject, subject + 1]))]
            images = self.probes.vectors[slice(*np.searchsorted(self.search, [search, search + 1]))]
            alike = (self.snapshot.references.vectors[references] @ images.T).max(axis=1)
            best[i] = references[alike.argmax()]
        return best

    def _fused(self, scores: FloatArray, starts: IntArray) -> FloatArray:
        if len(starts) == len(scores):
            return scores
        if self.fusion == "max":
            best: FloatArray = np.maximum.reduceat(scores, starts, axis=0)
            return best
        images = np.diff(np.append(starts, len(scores)))
        mean: FloatArray = (np.add.reduceat(scores.astype(np.float64), starts, axis=0) / images[:, None]).astype(
            np.float32
        )
        return mean
