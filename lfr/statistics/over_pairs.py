"""Share of non-mated comparisons with an event, with an interval over the subjects that they share."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lfr.statistics.over_subjects import AGREEING_UNITS, adjusted_bounds
from lfr.statistics.proportions import Rate, rate_with, ratio_or_nan

__all__ = ["effective_pairs", "pair_rate"]

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]


def pair_rate(
    first: ArrayLike,
    second: ArrayLike,
    *,
    events: ArrayLike,
    faces: ArrayLike | None = None,
    other_faces: ArrayLike | None = None,
    comparisons: ArrayLike | None = None,
    confidence: float = 0.95,
) -> Rate:
    """Share of non-mated comparisons with an event, as FMR, with a Wilson interval over subjects.

    What was compared is given by ``faces``, and then only pairs of subjects
    with an event need be listed, so 87 million comparisons come as a few
    thousand rows; or by ``comparisons``, and then all pairs are listed. See
    `effective_pairs` for the variance.

    Parameters
    ----------
    first, second
        (p,) the two subjects of each listed pair, as numbers from 0. A pair
        is listed once, in either order.
    events
        (p,) comparisons of the pair with an event.
    faces
        (s,) faces of each subject, each compared with every face of every other subject.
    other_faces
        (s,) faces that those of ``faces`` were compared with, where the two
        are different sets, as of two groups, or probes and references.
    comparisons
        (p,) all comparisons of the pair, instead of ``faces``.
    confidence
        Two-sided coverage, between 0 and 1.

    Raises
    ------
    ValueError
        If shapes differ, a pair is of one subject, is listed twice or has
        more events than comparisons, both or none of ``faces`` and
        ``comparisons`` are given, or ``confidence`` is not between 0 and 1.
    """
    pairs = _design(first, second, events, faces, other_faces, comparisons)
    effective = _effective(pairs)
    bounds = adjusted_bounds(pairs.events.sum(), pairs.of, effective, confidence=confidence)
    return rate_with(int(pairs.events.sum()), round(pairs.of), bounds, method="wilson-over-pairs")


def effective_pairs(
    first: ArrayLike,
    second: ArrayLike,
    *,
    events: ArrayLike,
    faces: ArrayLike | None = None,
    other_faces: ArrayLike | None = None,
    comparisons: ArrayLike | None = None,
) -> float:
    """Number of independent comparisons that would carry as much information as these.

    With ``r = events - p * comparisons`` of a pair and ``d_i`` the sum of r
    over the pairs of subject i, the variance of the share p is ``(sum_i d_i^2
    - sum_pairs r^2) / (all comparisons)^2``: a pair's product with each pair
    that shares a subject with it, and with itself once (R. Fogliato, P. Patil,
    P. Perona, arXiv 2306.01198, the plug-in estimator of FMR). As there, what
    the shared subjects add is not taken to be negative. Over that of
    independent comparisons it is the design effect, and the comparisons over
    the design effect are the number, at most as many as there are.

    Few events show few of the subjects that cause them, and the interval of
    the plain estimator then covers down to 86%. So what the worst subject's
    pairs add to one another is counted twice, as though there were one more
    like it, and a quarter of a pair of the usual size that agrees wholly is
    added, as in `effective_trials_of_sums` (our choices: the tests hold the
    coverage at 93% and over). Where no comparison had an event, or all had,
    nothing is known of how alike they are, and only as many count as there
    are pairs that have no subject in common.

    Parameters and errors are those of `pair_rate`.
    """
    return _effective(_design(first, second, events, faces, other_faces, comparisons))


@dataclass(frozen=True)
class _Pairs:
    """Listed pairs, and of all pairs what each subject takes part in.

    ``first``, ``second``, ``events`` and ``comparisons`` are of each listed
    pair; ``trials`` and ``squares`` of each subject: its comparisons, and the
    sum over its pairs of their squares; ``disjoint`` is how many pairs have no
    subject in common, or a number that is surely not more.
    """

    first: Ints
    second: Ints
    events: Floats
    comparisons: Floats
    trials: Floats
    squares: Floats
    disjoint: float

    @property
    def of(self) -> float:
        """All comparisons; each is among those of two subjects."""
        return float(self.trials.sum()) / 2.0

    def by_subject(self, values: Floats) -> Floats:
        """Sum of a value of the listed pairs over those of each subject."""
        return _by_subject(self.first, self.second, values, len(self.trials))


def _effective(pairs: _Pairs) -> float:
    count, of = float(pairs.events.sum()), pairs.of
    if not of:
        return 0.0
    if count in {0.0, of}:
        return min(pairs.disjoint, of)
    share = count / of
    rest = pairs.by_subject(pairs.events) - share * pairs.trials
    # Pairs that are not listed had no event.
    unlisted = pairs.squares - pairs.by_subject(pairs.comparisons**2)
    own = pairs.by_subject((pairs.events - share * pairs.comparisons) ** 2) + share**2 * unlisted
    shared = rest**2 - own
    # Each pair's own square was taken off once for each of its subjects, and belongs in once.
    drawn = own.sum() / 2.0 + max(shared.sum(), 0.0) + max(shared.max(), 0.0)
    size = pairs.squares.sum() / pairs.trials.sum()
    independent = share * (1.0 - share) * of
    effect = (drawn + AGREEING_UNITS * size**2) / (independent + AGREEING_UNITS * size)
    return float(of / max(effect, 1.0))


def _design(
    first: ArrayLike,
    second: ArrayLike,
    events: ArrayLike,
    faces: ArrayLike | None,
    other_faces: ArrayLike | None,
    comparisons: ArrayLike | None,
) -> _Pairs:
    a, b = checked_pairs(first, second, faces=faces, comparisons=comparisons)
    counts = np.asarray(events, np.float64)
    if counts.shape != a.shape:
        raise ValueError(f"events must be of {len(a)} pairs, got {counts.shape}")
    if comparisons is not None:
        pairs = _listed(a, b, counts, np.asarray(comparisons, np.float64))
    else:
        ours = np.asarray(faces, np.float64)
        pairs = _complete(a, b, counts, ours, None if other_faces is None else np.asarray(other_faces, np.float64))
    numbers = np.minimum(a, b) * len(pairs.trials) + np.maximum(a, b)
    if len(np.unique(numbers)) != len(a):
        raise ValueError("a pair of subjects is listed twice")
    if not np.all((counts >= 0) & (counts <= pairs.comparisons)):
        raise ValueError("a pair's events must lie in 0..comparisons")
    return pairs


def checked_pairs(
    first: ArrayLike, second: ArrayLike, *, faces: ArrayLike | None, comparisons: ArrayLike | None
) -> tuple[Ints, Ints]:
    """Subjects of listed pairs as arrays; ValueError unless they are of one length and each of two subjects."""
    a, b = np.asarray(first, np.intp), np.asarray(second, np.intp)
    if a.ndim != 1 or a.shape != b.shape:
        raise ValueError(f"first and second must be of one length, got {a.shape} and {b.shape}")
    if np.any(a == b):
        raise ValueError("a non-mated pair needs two different subjects")
    if (faces is None) == (comparisons is None):
        raise ValueError("either faces or comparisons say what was compared")
    if comparisons is not None and np.shape(comparisons) != a.shape:
        raise ValueError(f"comparisons must be of {len(a)} pairs, got {np.shape(comparisons)}")
    return a, b


def _listed(a: Ints, b: Ints, events: Floats, comparisons: Floats) -> _Pairs:
    """Pairs of which all are listed."""
    _check_subjects(a, b, subjects := max(a.max(initial=-1), b.max(initial=-1)) + 1)
    trials, squares, degree = (
        _by_subject(a, b, values, subjects) for values in (comparisons, comparisons**2, np.ones(len(a)))
    )
    # Each pair with the weight 1 / (the larger degree of its two subjects) is a fractional matching.
    disjoint = float(np.sum(1.0 / np.maximum(degree[a], degree[b])))
    return _Pairs(a, b, events, comparisons, trials, squares, disjoint)


def _complete(a: Ints, b: Ints, events: Floats, faces: Floats, other: Floats | None) -> _Pairs:
    """Pairs of which all were compared: of one set of faces, or of two."""
    f, g = faces, faces if other is None else other
    if f.ndim != 1 or f.shape != g.shape:
        raise ValueError(f"faces and other_faces must be of one length, got {f.shape} and {g.shape}")
    _check_subjects(a, b, len(f))
    both, ones, others = f * g, (f > 0).astype(np.float64), (g > 0).astype(np.float64)
    in_both = ones * others
    # Of one set, f_i g_j and f_j g_i are one comparison; of two sets they are two.
    once = 0.5 if other is None else 1.0
    comparisons = once * (f[a] * g[b] + f[b] * g[a])
    trials = once * (f * (g.sum() - g) + g * (f.sum() - f))
    squares = once**2 * (f**2 * (np.sum(g**2) - g**2) + g**2 * (np.sum(f**2) - f**2) + 2.0 * both * (both.sum() - both))
    degree = ones * (others.sum() - others) + others * (ones.sum() - ones) - in_both * (in_both.sum() - in_both)
    disjoint = float(np.nan_to_num(ratio_or_nan(degree.sum() / 2.0, degree.max(initial=0.0))))
    return _Pairs(a, b, events, comparisons, trials, squares, disjoint)


def _by_subject(a: Ints, b: Ints, values: Floats, subjects: int) -> Floats:
    return np.asarray(np.bincount(a, values, subjects) + np.bincount(b, values, subjects), np.float64)


def _check_subjects(a: Ints, b: Ints, subjects: int) -> None:
    if len(a) and not (min(a.min(), b.min()) >= 0 and max(a.max(), b.max()) < subjects):
        raise ValueError(f"a subject of a pair is not in 0..{subjects - 1}")
