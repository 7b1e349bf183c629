"""Bootstraps that draw subjects, never comparisons: scores of one subject are alike."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lfr.statistics.over_pairs import checked_pairs
from lfr.statistics.proportions import Bounds, check_confidence, ratio_or_nan

__all__ = ["percentile_interval", "subject_bootstrap", "subject_draws", "vertex_bootstrap"]

Floats = NDArray[np.float64]

_BLOCK_BYTES = 32 << 20  # of weights, so that memory does not grow with replicates


def subject_bootstrap(
    events: ArrayLike,
    trials: ArrayLike,
    *,
    replicates: int = 2000,
    rng: np.random.Generator,
    strata: ArrayLike | None = None,
) -> Floats:
    """Shares of events when subjects are drawn again with replacement.

    Each replicate weighs subject i by the times it was drawn, w_i, and the
    share of a column is ``sum w_i e_i / sum w_i t_i`` (B. Efron and R.
    Tibshirani, "An Introduction to the Bootstrap", 1993, chapter 6; A. C.
    Davison and D. V. Hinkley, "Bootstrap Methods and their Application",
    1997, section 3.8 for whole clusters). All columns of a replicate share one
    draw, so differences and ratios of columns can be taken replicate by replicate.

    Parameters
    ----------
    events, trials
        (s, k) events and trials of each of s subjects in each of k columns,
        as groups times thresholds; ``trials`` of shape (s,) holds for every column.
    replicates
        Number of draws, B.
    rng
        Source of the draws.
    strata
        (s,) stratum of each subject: as many are drawn from each as there are.

    Returns
    -------
    (B, k) shares; NaN where no trial of a column was drawn.

    Raises
    ------
    ValueError
        If the shapes differ or there are no subjects.
    """
    counts, sizes = np.asarray(events, np.float64), np.asarray(trials, np.float64)
    if sizes.ndim == 1 and counts.ndim == 2:
        sizes = np.broadcast_to(sizes[:, None], counts.shape)
    if counts.ndim != 2 or counts.shape != sizes.shape:
        raise ValueError(f"events and trials must be (subjects, columns) alike, got {counts.shape} and {sizes.shape}")
    both = np.concatenate([counts, sizes], axis=1)
    columns = counts.shape[1]
    shares = np.empty((replicates, columns))
    for start, weights in subject_draws(len(counts), replicates, rng, strata):
        sums = weights @ both
        shares[start : start + len(weights)] = ratio_or_nan(sums[:, :columns], sums[:, columns:])
    return shares


def vertex_bootstrap(
    first: ArrayLike,
    second: ArrayLike,
    *,
    events: ArrayLike,
    faces: ArrayLike | None = None,
    other_faces: ArrayLike | None = None,
    comparisons: ArrayLike | None = None,
    replicates: int = 2000,
    rng: np.random.Generator,
    strata: ArrayLike | None = None,
) -> Floats:
    """Shares of non-mated comparisons with an event when subjects are drawn again.

    The weight of the pair of subjects i, j is w_i w_j, the times each was
    drawn (T. A. B. Snijders and S. P. Borgatti, "Non-parametric standard
    errors and tests for network statistics", Connections 22(2), 1999; named
    vertex bootstrap by R. Fogliato, P. Patil, P. Perona, arXiv 2306.01198).
    A subject is not compared with its own copy. What was compared is given by
    ``faces``, and then only pairs with an event need be listed, or by
    ``comparisons``, and then all pairs are listed.

    Parameters
    ----------
    first, second
        (p,) the two subjects of each listed pair, as numbers from 0; a pair
        is listed once.
    events
        (p,) or (p, k) comparisons of the pair with an event, for k columns as thresholds.
    faces
        (s,) faces of each subject, each compared with every face of every other subject.
    other_faces
        (s,) faces that those of ``faces`` were compared with, where the two
        are different sets, as of two groups, or probes and references.
    comparisons
        (p,) all comparisons of the pair, instead of ``faces``.
    replicates
        Number of draws, B.
    rng
        Source of the draws.
    strata
        (s,) stratum of each subject: as many are drawn from each as there are.

    Returns
    -------
    (B, k) shares; NaN where a draw holds no comparison.

    Raises
    ------
    ValueError
        If the shapes differ, there are no subjects, a pair is of one subject,
        or both or none of ``faces`` and ``comparisons`` are given.
    """
    a, b = checked_pairs(first, second, faces=faces, comparisons=comparisons)
    counts = np.asarray(events, np.float64)
    counts = counts[:, None] if counts.ndim == 1 else counts
    if counts.ndim != 2 or len(counts) != len(a):
        raise ValueError(f"events must be of {len(a)} pairs, got {np.shape(events)}")
    if faces is not None:
        ours = np.asarray(faces, np.float64)
        theirs = ours if other_faces is None else np.asarray(other_faces, np.float64)
        if theirs.shape != ours.shape:
            raise ValueError(f"faces and other_faces must be of one length, got {ours.shape} and {theirs.shape}")
        subjects = len(ours)
        # Of one set, each comparison is in the product twice.
        once = 0.5 if other_faces is None else 1.0
    else:
        sizes = np.asarray(comparisons, np.float64)
        subjects = int(max(a.max(initial=-1), b.max(initial=-1))) + 1
    shares = np.empty((replicates, counts.shape[1]))
    for start, weights in subject_draws(subjects, replicates, rng, strata, values=subjects + 3 * len(a)):
        pair = weights[:, a] * weights[:, b]
        if faces is not None:
            of = once * ((weights @ ours) * (weights @ theirs) - weights**2 @ (ours * theirs))
        else:
            of = pair @ sizes
        shares[start : start + len(weights)] = ratio_or_nan(pair @ counts, of[:, None])
    return shares


def percentile_interval(samples: ArrayLike, *, confidence: float = 0.95) -> Bounds:
    """Ends of the percentile interval of replicates, for each column.

    Parameters
    ----------
    samples
        (B, ...) replicates.
    confidence
        Two-sided coverage, between 0 and 1.

    Returns
    -------
    Low and high, of the shape of one replicate. NaN, for undefined, where the
    replicates that are NaN are more than one tail holds: an end of the
    interval could then be anywhere. Fewer are left out.

    Raises
    ------
    ValueError
        If there are no replicates or ``confidence`` is not between 0 and 1.
    """
    check_confidence(confidence)
    values = np.asarray(samples, np.float64)
    if not values.ndim or not len(values):
        raise ValueError("there are no replicates")
    tail = (1.0 - confidence) / 2.0
    undefined = np.isnan(values)
    lost = undefined.mean(axis=0) > tail
    # The columns that are given up are filled, so that numpy does not warn of them.
    ends = np.nanquantile(np.where(lost, 0.0, values), [tail, 1.0 - tail], axis=0)
    return np.where(lost, np.nan, ends[0]), np.where(lost, np.nan, ends[1])


def subject_draws(
    subjects: int, replicates: int, rng: np.random.Generator, strata: ArrayLike | None = None, *, values: int = 0
) -> Iterator[tuple[int, Floats]]:
    """Yield how often each subject was drawn, replicate by replicate in blocks.

    Parameters
    ----------
    subjects, replicates
        How many are drawn from, and how often as many are drawn.
    rng
        Source of the draws.
    strata
        As for `subject_bootstrap`.
    values
        Numbers that the caller makes of each replicate; a block is as small as these ask for.

    Returns
    -------
    Replicate that the block starts at, and (block, subjects) counts.

    Raises
    ------
    ValueError
        There are no subjects, or ``strata`` are of others.
    """
    if not subjects:
        raise ValueError("there are no subjects to draw")
    stratum = np.zeros(subjects, np.intp) if strata is None else np.unique(np.asarray(strata), return_inverse=True)[1]
    if stratum.shape != (subjects,):
        raise ValueError(f"strata must name one of each of {subjects} subjects, got {stratum.shape}")
    # Subject numbers stratum by stratum; a draw inside a stratum is a place in its stretch.
    order = np.argsort(stratum, kind="stable")
    sizes = np.bincount(stratum)
    start_of = np.repeat(np.cumsum(sizes) - sizes, sizes)
    size_of = np.repeat(sizes, sizes)
    block = max(1, _BLOCK_BYTES // (8 * max(subjects, values)))
    for start in range(0, replicates, block):
        rows = min(block, replicates - start)
        drawn = order[start_of + rng.integers(size_of, size=(rows, subjects))]
        drawn += np.arange(rows)[:, None] * subjects
        yield start, np.bincount(drawn.ravel(), minlength=rows * subjects).reshape(rows, subjects).astype(np.float64)
