"""A snapshot spread over several holders, and their scores put together as if it were one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from lfr.errors import InputError
from lfr.matching.snapshot import Snapshot
from lfr.types import Embeddings, FloatArray, IntArray

__all__ = ["ShardMerge", "shard"]


def shard(snapshot: Snapshot, index: int, count: int) -> Snapshot:
    """Return one of `count` parts of a snapshot: rows in their order, as many in each as can be.

    A subject with several references may lie in two parts; `ShardMerge` takes the better score.

    Parameters
    ----------
    snapshot
        All of it.
    index, count
        Which part, from 0, of how many; parts beyond the number of rows are empty.

    Raises
    ------
    InputError
        There is no such part.
    """
    if not 0 <= index < count:
        raise InputError(f"part {index} of {count}: there is none")
    rows = slice(index * len(snapshot) // count, (index + 1) * len(snapshot) // count)
    vectors = snapshot.references.vectors[rows]
    return Snapshot(Embeddings(vectors, snapshot.model_digest), snapshot.subject_ids[rows])


@dataclass(frozen=True)
class ShardMerge:
    """Puts scores of the parts together: a maximum for each subject, which loses nothing and rounds nothing.

    Attributes
    ----------
    parts
        Subjects of each part, in the order of its columns.
    subjects
        Each subject once, in the order of the whole snapshot: that of its first row.
    """

    parts: tuple[tuple[str, ...], ...] = field(repr=False)
    subjects: tuple[str, ...] = field(init=False, repr=False)
    _columns: tuple[IntArray, ...] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        column: dict[str, int] = {}
        for part in self.parts:
            for subject in part:
                column.setdefault(subject, len(column))
        object.__setattr__(self, "subjects", tuple(column))
        columns = tuple(np.array([column[subject] for subject in part], np.int64) for part in self.parts)
        object.__setattr__(self, "_columns", columns)

    def scores(self, parts: Sequence[FloatArray]) -> FloatArray:
        """Return (m, subjects) scores from those of each part, (m, subjects of the part).

        Raises
        ------
        InputError
            There are not as many as parts, or one has not the shape of its part.
        """
        if len(parts) != len(self.parts):
            raise InputError(f"{len(parts)} answers of {len(self.parts)} parts")
        best: FloatArray = np.full((len(parts[0]), len(self.subjects)), -np.inf, np.float32)
        for columns, scores in zip(self._columns, parts, strict=True):
            if scores.shape != (len(best), len(columns)):
                raise InputError(f"a part's scores have shape {scores.shape}, expected {(len(best), len(columns))}")
            best[:, columns] = np.maximum(best[:, columns], scores)
        return best
