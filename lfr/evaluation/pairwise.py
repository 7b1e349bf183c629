"""Every comparison of a set of templates, in blocks, by the groups of both sides."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations_with_replacement
from typing import Any

import numpy as np

from lfr.errors import ManifestError
from lfr.evaluation.comparisons import FMR_TARGETS, ComparisonScores, bin_counts
from lfr.evaluation.manifest import Progress
from lfr.evaluation.templates import Templates
from lfr.types import BoolArray, FloatArray, IntArray

__all__ = ["PairwiseScores", "compare_all", "compare_vectors"]

_TAIL, _LEAST_TAIL = 1 << 21, 1 << 17
_TILE_ROWS, _TILE_COLUMNS = 512, 4096
# Stands where a tile holds no non-mated comparison; counted in the lowest bin, and taken out there.
_NONE = np.float32(-1.0)
_LEAST = float(np.nextafter(_NONE, np.float32(0)))


@dataclass(frozen=True, eq=False)
class PairwiseScores:
    """All comparisons of a set of images, each pair of images once.

    Attributes
    ----------
    by
        Group columns that the cells are of; empty: one cell.
    groups
        Labels, in order.
    cells
        Scores by the labels of both sides, the one that comes first in ``groups`` first.
    total
        All cells together.
    """

    by: tuple[str, ...]
    groups: tuple[str, ...]
    cells: Mapping[tuple[str, str], ComparisonScores]
    total: ComparisonScores

    def as_dict(self, targets: Sequence[float] = FMR_TARGETS) -> dict[str, Any]:
        """Return the documented JSON form; a cell's FMR is also given at the thresholds of the whole."""
        points = self.total.fnmr_at_fmr(targets)
        thresholds = [point.threshold for point in points]
        cells = [
            {
                "groups": [first, second],
                "fmr_at_threshold": [
                    {"threshold": at, "fmr": None if np.isnan(fmr) else float(fmr)}
                    for at, fmr in zip(thresholds, cell.fmr(thresholds), strict=True)
                ],
                **cell.as_dict(targets),
            }
            for (first, second), cell in self.cells.items()
        ]
        return {**self.total.as_dict(targets), "by": list(self.by), "cells": cells if self.by else []}


def compare_all(
    templates: Templates,
    *,
    by: Sequence[str] = (),
    progress: Progress | None = None,
) -> PairwiseScores:
    """Compare each image with each other one.

    Parameters
    ----------
    templates
        Those of an evaluation set; splits do not matter here.
    by
        Group columns; a cell is a pair of labels, of several columns joined by a comma.
    progress
        Sees the blocks that are done, of a known total.

    Raises
    ------
    ManifestError
        There is no such group column, or fewer than two images.
    """
    manifest = templates.manifest
    if len(templates) < 2:
        raise ManifestError(f"{manifest.name}: nothing to compare, there is one image")
    labels = manifest.group(*by) if by else np.full(len(templates), "")
    names, group = np.unique(labels, return_inverse=True)
    subject = np.unique(manifest.subject_id, return_inverse=True)[1]
    several = len(names) * (len(names) + 1) // 2
    tail = max(_LEAST_TAIL, _TAIL // several)
    cells = compare_vectors(templates.embeddings.vectors, subject, group, tail=tail, progress=progress)
    acquired = subject[templates.acquired]
    subjects = len(np.unique(acquired))
    total = ComparisonScores.together(list(cells.values()), subject_pairs=subjects * (subjects - 1) // 2)
    named = {(str(names[i]), str(names[j])): cell for (i, j), cell in cells.items()}
    return PairwiseScores(tuple(by), tuple(names.tolist()), named, total)


def compare_vectors(
    vectors: FloatArray,
    subject: IntArray,
    group: IntArray,
    *,
    tail: int = _TAIL,
    progress: Progress | None = None,
) -> dict[tuple[int, int], ComparisonScores]:
    """Compare each row with each other one, and condense the scores by the groups of both rows.

    Memory does not grow with the number of comparisons: scores are made some
    rows by some columns at a time, counted in fine bins, and only the highest
    non-mated ones and all mated ones are kept.

    Parameters
    ----------
    vectors
        (n, d) templates; all-NaN rows were not acquired.
    subject, group
        (n,) numbers of the subject and the group of each row.
    tail
        Highest non-mated scores that each cell keeps, at least.
    progress
        As for `compare_all`.

    Returns
    -------
    Scores by group numbers (i, j), i <= j.
    """
    order = np.argsort(group, kind="stable")  # so that a block of rows and columns is of one cell
    vectors, subject, group = vectors[order], subject[order], group[order]
    failed = np.isnan(vectors[:, 0])
    mated = _Mated.of(subject)
    bounds = np.searchsorted(group, np.arange(group.max() + 2))
    cells = {}
    pairs = list(combinations_with_replacement(range(int(group.max()) + 1), 2))
    tiles = {pair: list(_tiles(*(slice(*bounds[g : g + 2]) for g in pair))) for pair in pairs}

    def work() -> Iterator[int]:
        done = 0
        for first, second in pairs:
            cell = _Cell(tail)
            for tile in tiles[first, second]:
                cell.add(vectors, failed, mated, *tile)
                done += 1
                yield done
            rows = slice(*bounds[first : first + 2]), slice(*bounds[second : second + 2])
            cells[first, second] = cell.scores(subject, subject_pairs=_subject_pairs(subject, failed, *rows))

    for _ in work() if progress is None else progress(work(), sum(len(some) for some in tiles.values())):
        pass
    return cells


@dataclass(frozen=True, eq=False)
class _Mated:
    """Every pair of rows of one subject, first < second, in order of the first."""

    first: IntArray
    second: IntArray

    @classmethod
    def of(cls, subject: IntArray) -> _Mated:
        order = np.argsort(subject, kind="stable")
        first, second = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
        for rows in np.split(order, np.flatnonzero(np.diff(subject[order])) + 1):
            if len(rows) > 1:
                one, two = np.triu_indices(len(rows), 1)
                first.append(rows[one])
                second.append(rows[two])
        left, right = np.concatenate(first), np.concatenate(second)
        by_first = np.argsort(left, kind="stable")
        return cls(left[by_first], right[by_first])

    def within(self, rows: slice, columns: slice) -> tuple[IntArray, IntArray]:
        """Pairs whose first row and second row lie in a tile, counted from its corner."""
        some = slice(*np.searchsorted(self.first, [rows.start, rows.stop]))
        inside = (self.second[some] >= columns.start) & (self.second[some] < columns.stop)
        return self.first[some][inside] - rows.start, self.second[some][inside] - columns.start


class _Cell:
    """Gathers the scores of one pair of groups, tile by tile."""

    def __init__(self, tail: int) -> None:
        self._keep = tail
        self._floor = _LEAST
        self._high: list[FloatArray] = []
        self._held = 0
        self._bins = bin_counts(np.zeros(0, np.float32))
        self._mated: list[FloatArray] = [np.zeros(0, np.float32)]
        self._mated_rows: list[IntArray] = [np.zeros(0, np.int64)]
        self._not_compared = 0

    def add(self, vectors: FloatArray, failed: BoolArray, mated: _Mated, rows: slice, columns: slice) -> None:
        """Compare rows with columns; each pair of rows once, where the tile lies on the diagonal."""
        scores: FloatArray = vectors[rows] @ vectors[columns].T
        first, second = mated.within(rows, columns)
        own = scores[first, second]
        self._mated.append(np.where(np.isnan(own), np.float32(-np.inf), own))
        self._mated_rows.append(first + rows.start)
        taken = np.zeros(scores.shape, np.bool_)  # what holds no non-mated comparison of this cell
        if columns.start < rows.stop:
            taken |= np.arange(columns.start, columns.stop) <= np.arange(rows.start, rows.stop)[:, None]
        taken[first, second] = True
        lost = (failed[rows][:, None] | failed[columns]) & ~taken
        taken |= lost
        self._not_compared += int(np.count_nonzero(lost))
        scores[taken] = _NONE
        counts = bin_counts(scores)
        counts[0] -= np.count_nonzero(taken)
        self._bins += counts
        high = scores[scores >= np.float32(self._floor)]
        self._high.append(high)
        self._held += len(high)
        if self._held > 2 * self._keep:
            self._prune()

    def scores(self, subject: IntArray, *, subject_pairs: int) -> ComparisonScores:
        """What was gathered."""
        mated = np.concatenate(self._mated)
        order = np.argsort(mated, kind="stable")
        tail = np.sort(np.concatenate([np.zeros(0, np.float32), *self._high]))
        return ComparisonScores(
            mated[order],
            subject[np.concatenate(self._mated_rows)][order],
            self._bins,
            tail,
            self._floor,
            self._not_compared,
            subject_pairs,
        )

    def _prune(self) -> None:
        held = np.concatenate(self._high)
        place = len(held) - self._keep
        self._floor = float(np.partition(held, place)[place])
        self._high = [held[held >= np.float32(self._floor)]]
        self._held = len(self._high[0])


def _tiles(rows: slice, columns: slice) -> Iterator[tuple[slice, slice]]:
    """Tiles of a cell that hold a pair with the column after the row."""
    for top in range(rows.start, rows.stop, _TILE_ROWS):
        bottom = min(top + _TILE_ROWS, rows.stop)
        for left in range(max(columns.start, top), columns.stop, _TILE_COLUMNS):
            yield slice(top, bottom), slice(left, min(left + _TILE_COLUMNS, columns.stop))


def _subject_pairs(subject: IntArray, failed: BoolArray, rows: slice, columns: slice) -> int:
    """Pairs of different subjects, one with a template among the rows and the other among the columns."""
    here, there = (np.unique(subject[part][~failed[part]]) for part in (rows, columns))
    both = len(np.intersect1d(here, there))
    return len(here) * len(there) - both - both * (both - 1) // 2
