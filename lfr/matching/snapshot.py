"""References held in memory, searched exactly."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from lfr.errors import InputError, ModelMismatchError
from lfr.types import Candidates, Embeddings, FloatArray, IntArray

__all__ = ["PAIRWISE_PROBES", "SCORE_ROUNDING", "UNIT_TOLERANCE", "Snapshot", "best_candidates"]

PAIRWISE_PROBES = 16
"""Most probes whose scores are computed pair by pair, so that a score depends on nothing but its pair."""

UNIT_TOLERANCE = 1e-4
# Scores to a block, which stay in the processor's cache while they are looked at.
_BLOCK_SCORES = 1 << 18
_BLOCK_ROWS = 1 << 12
_GROUP = 16
# float32 products of unit vectors differ by less than this from exact ones, whatever order BLAS adds in.
SCORE_ROUNDING = np.float32(2e-5)
_RESCORE_ROWS = 65536


@dataclass(frozen=True, eq=False)
class Snapshot:
    """References at one moment, which nothing changes.

    Templates are copied, so that what happens to the caller's array afterwards
    does not reach a search. Scores are cosines in float32: higher is more alike.

    Attributes
    ----------
    references
        (n, d) templates, rows of unit length, several to a subject allowed.
    subject_ids
        Subject of each row.
    subjects
        Each subject once, in order of its first row: the columns of
        `subject_scores`.

    Raises
    ------
    InputError
        If the lengths differ, or a template is not finite and of unit length.
    """

    references: Embeddings = field(repr=False)
    subject_ids: tuple[str, ...] = field(repr=False)
    subjects: tuple[str, ...] = field(init=False, repr=False)
    _by_subject: IntArray = field(init=False, repr=False)
    _starts: IntArray = field(init=False, repr=False)

    def __post_init__(self) -> None:
        vectors = np.array(self.references.vectors, np.float32, order="C", copy=True)
        subject_ids = tuple(self.subject_ids)
        if len(subject_ids) != len(vectors):
            raise InputError(f"snapshot: {len(vectors)} references but {len(subject_ids)} subject ids")
        _check_unit(vectors, name="reference")
        column = {subject: i for i, subject in enumerate(dict.fromkeys(subject_ids))}
        columns = np.array([column[subject] for subject in subject_ids], np.int64)
        by_subject = np.argsort(columns, kind="stable")
        starts = np.searchsorted(columns[by_subject], np.arange(len(column)))
        for array in (vectors, by_subject, starts):
            array.setflags(write=False)
        object.__setattr__(self, "references", Embeddings(vectors, self.references.model_digest))
        object.__setattr__(self, "subject_ids", subject_ids)
        object.__setattr__(self, "subjects", tuple(column))
        object.__setattr__(self, "_by_subject", by_subject)
        object.__setattr__(self, "_starts", starts)

    def __len__(self) -> int:
        return len(self.subject_ids)

    @property
    def model_digest(self) -> str:
        """Digest of the model that made the references."""
        return self.references.model_digest

    def search(self, probes: Embeddings, *, k: int = 1) -> Candidates:
        """Best references for each probe, the same as comparing with every one.

        Returned scores are summed in float64 and rounded once to float32, so
        they depend neither on how many probes are searched together nor on
        where a reference lies; equal scores go to the lower row.

        Parameters
        ----------
        probes
            (m, d) templates of the model that made the references.
        k
            References wanted for each probe, at least 1.

        Returns
        -------
        Candidates of shape (m, min(k, n)).

        Raises
        ------
        ModelMismatchError
            If another model made the probes.
        InputError
            If a probe is not finite and of unit length, or of another length d.
        ValueError
            If ``k`` is under 1.
        """
        if k < 1:
            raise ValueError(f"k must be at least 1, got {k}")
        self.check_probes(probes)
        references, transposed = self.references.vectors, probes.vectors.T

        def product(rows: slice) -> FloatArray:
            scores: FloatArray = references[rows] @ transposed
            return scores

        return best_candidates(references, probes.vectors, k, product, slack=np.full(len(probes), SCORE_ROUNDING))

    def subject_scores(self, probes: Embeddings) -> FloatArray:
        """Score of each probe with each subject: the best over the subject's references.

        These are plain float32 products. For at most `PAIRWISE_PROBES` probes
        each is summed by itself, and a pair has the same score in every call
        and in every part of a snapshot (`shard`); for more, the same pair may
        differ by 1e-6 between calls.

        Parameters
        ----------
        probes
            (m, d) templates of the model that made the references.

        Returns
        -------
        (m, subjects), columns in the order of `subjects`.

        Raises
        ------
        ModelMismatchError
            If another model made the probes.
        InputError
            If a probe is not finite and of unit length, or of another length d.
        """
        self.check_probes(probes)
        references = self.references.vectors
        scores: FloatArray
        if len(probes) <= PAIRWISE_PROBES:
            scores = np.vecdot(references[:, None], probes.vectors[None]).T
        else:
            scores = (references @ probes.vectors.T).T
        if len(self.subjects) == len(self):
            return scores
        best: FloatArray = np.maximum.reduceat(scores[:, self._by_subject], self._starts, axis=1)
        return best

    def check_probes(self, probes: Embeddings) -> None:
        """Raise ModelMismatchError or InputError for probes that cannot be compared with these references."""
        if probes.model_digest != self.model_digest:
            raise ModelMismatchError(
                f"probes were made by model {probes.model_digest}, the references by {self.model_digest}"
            )
        if probes.vectors.shape[1] != self.references.vectors.shape[1]:
            raise InputError(
                f"probes have {probes.vectors.shape[1]} numbers each, the references {self.references.vectors.shape[1]}"
            )
        _check_unit(probes.vectors, name="probe")


def _check_unit(vectors: FloatArray, *, name: str) -> None:
    # Doubled, because these are squares of lengths; a NaN compares as false, so it is refused too.
    unit = np.abs(np.vecdot(vectors, vectors) - 1.0) <= 2 * UNIT_TOLERANCE
    if not unit.all():
        row = int(unit.argmin())
        raise InputError(f"{name} {row} has length {float(np.linalg.norm(vectors[row])):.4g}, a template has length 1")


def best_candidates(
    references: FloatArray,
    probes: FloatArray,
    k: int,
    screen: Callable[[slice], FloatArray],
    *,
    slack: FloatArray,
) -> Candidates:
    """Return the best k references of each probe: screened as is quick, then scored exactly.

    Parameters
    ----------
    references, probes
        (n, d) and (m, d) unit vectors.
    k
        Wanted for each probe; n at most are found.
    screen
        Returns the (rows, m) approximate scores of a slice of the references, in any unit.
    slack
        (m,) what two approximate scores of a probe may be out by together, in the screen's unit: none of the
        best k is lost where a reference ranked higher by the screen is not more than this ahead of it.
    """
    k = min(k, len(references))
    if k == 0 or len(probes) == 0:
        return Candidates(np.zeros((len(probes), k), np.int64), np.zeros((len(probes), k), np.float32))
    probe, row = _near_best(len(references), len(probes), k, screen, slack)
    score = _exact_scores(references, probes, row, probe)
    order = np.lexsort((row, -score, probe))
    # Each probe has at least k rows left; its first k stand at the start of its run.
    picked = order[np.searchsorted(probe[order], np.arange(len(probes)))[:, None] + np.arange(k)]
    return Candidates(row[picked], score[picked])


def _near_best(
    size: int, count: int, k: int, screen: Callable[[slice], FloatArray], slack: FloatArray
) -> tuple[IntArray, IntArray]:
    """Pairs (probe, row) that hold the best k of every probe, and what the screen may have put beside them.

    The k-th best of maxima over disjoint groups of rows is at most the k-th
    best score, so it is a floor that no candidate lies under, and far fewer
    numbers are sorted than there are scores.
    """
    step = max(_BLOCK_ROWS, _BLOCK_SCORES // count)
    if size <= step:  # a small watchlist, where every microsecond besides the product counts
        scores = screen(slice(0, size))
        near = scores >= _largest(_peaks(scores, k), k).min(axis=0) - slack
        row, probe = np.divmod(np.flatnonzero(near), count)
        return probe, row
    best = np.full((k, count), -np.inf, np.float32)
    floor = best[0].copy()
    found: list[tuple[IntArray, IntArray, FloatArray]] = []
    for start in range(0, size, step):
        scores = screen(slice(start, start + step))
        peaks = _peaks(scores, k)
        # Few blocks hold one of the best k of a probe; the others end here.
        hot = np.flatnonzero(peaks.max(axis=0) >= floor)
        if hot.size == 0:
            continue
        if hot.size < count:
            scores, peaks = scores[:, hot], peaks[:, hot]
        best[:, hot] = _largest(np.concatenate([best[:, hot], peaks]), k)
        floor[hot] = best[:, hot].min(axis=0) - slack[hot]
        at = np.flatnonzero(scores >= floor[hot])
        row, i = np.divmod(at, hot.size)
        found.append((hot[i], row + start, scores.ravel()[at]))
    probe, row, score = (np.concatenate(parts) for parts in zip(*found, strict=True))
    keep = score >= floor[probe]
    return probe[keep], row[keep]


def _peaks(scores: FloatArray, k: int) -> FloatArray:
    """(groups, m) maxima over disjoint groups of rows of (n, m) scores, several times k groups where n allows it."""
    groups = len(scores) // _GROUP
    if groups < 4 * k:
        return scores
    whole = groups * _GROUP
    peaks: FloatArray = scores[:whole].reshape(_GROUP, groups, -1).max(axis=0)
    return peaks if whole == len(scores) else np.concatenate([peaks, scores[whole:]])


def _largest(scores: FloatArray, k: int) -> FloatArray:
    """(k, m) largest of each column, in no order."""
    if k == 1:
        best: FloatArray = scores.max(axis=0, keepdims=True)
        return best
    largest: FloatArray = np.partition(np.ascontiguousarray(scores.T), -k, axis=1)[:, -k:].T
    return largest


def _exact_scores(references: FloatArray, probes: FloatArray, row: IntArray, probe: IntArray) -> FloatArray:
    """(pairs,) cosines summed in float64, some pairs at a time so that many equal references cost no memory."""
    scores = np.empty(len(row), np.float32)
    for start in range(0, len(row), _RESCORE_ROWS):
        part = slice(start, start + _RESCORE_ROWS)
        left = references[row[part]].astype(np.float64)
        scores[part] = np.einsum("nd,nd->n", left, probes[probe[part]].astype(np.float64))
    return scores
