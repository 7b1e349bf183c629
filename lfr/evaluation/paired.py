"""Two models on the same searches: rates at the same FPIR, and the interval of their difference over subjects."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lfr.errors import ManifestError
from lfr.evaluation.manifest import StrArray
from lfr.evaluation.protocol import Pairs
from lfr.evaluation.searches import Searches
from lfr.statistics import Rate, percentile_interval, rate_over_subjects, subject_bootstrap, subject_draws
from lfr.statistics.proportions import ratio_or_nan
from lfr.types import BoolArray, FloatArray

__all__ = ["Interval", "PairedRates", "ScoredSearches", "compare_accuracy", "compare_at_fpir"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class ScoredSearches:
    """What searches scored: no template and no image.

    Attributes
    ----------
    subject
        (n,) number of the subject of each search.
    mated
        (n,) whether that subject is listed.
    mate_score
        (n,) score with its own subject; NaN where none was made.
    other_score
        (n,) highest score with another subject; NaN where none was made.
    """

    subject: StrArray
    mated: BoolArray
    mate_score: FloatArray
    other_score: FloatArray

    def __len__(self) -> int:
        return len(self.subject)

    @classmethod
    def of(cls, searches: Searches) -> ScoredSearches:
        """Return the scores of a table of searches, with numbers for the people."""
        return cls(searches.subject.astype(np.str_), searches.mated, searches.mate_score, searches.other_score)

    def highest_others(self) -> Floats:
        """Highest score of each non-mated search that has one, the highest first."""
        scores = self.other_score[~self.mated].astype(np.float64)
        return np.sort(scores[~np.isnan(scores)])[::-1]


@dataclass(frozen=True)
class Interval:
    """A number with its 95% bootstrap interval over subjects; None where it is undefined."""

    value: float | None
    low: float | None
    high: float | None

    def as_dict(self) -> dict[str, float | None]:
        """Return the JSON form."""
        return {"value": self.value, "low": self.low, "high": self.high}


@dataclass(frozen=True)
class PairedRates:
    """Two models at one FPIR.

    Attributes
    ----------
    fpir
        The target that each model's threshold keeps.
    thresholds
        Of the first and of the second.
    fnir
        Of the first and of the second, each with its own interval.
    difference
        FNIR of the second less that of the first: under 0, the second misses fewer.
    relative
        That difference as a share of the first's FNIR.
    """

    fpir: float
    thresholds: tuple[float, float]
    fnir: tuple[Rate, Rate]
    difference: Interval
    relative: Interval

    def as_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {
            "fpir": self.fpir,
            "thresholds": list(self.thresholds),
            "fnir": [rate.as_dict() for rate in self.fnir],
            "difference": self.difference.as_dict(),
            "relative": self.relative.as_dict(),
        }


def compare_at_fpir(
    first: ScoredSearches, second: ScoredSearches, *, fpir: float, replicates: int, rng: np.random.Generator
) -> PairedRates:
    """Compare the FNIR of two models where each holds the same FPIR on these searches.

    In every replicate subjects are drawn again, the same for both models, and
    each model's threshold is chosen again on what was drawn (`subject_bootstrap`):
    the interval holds the doubt about the thresholds too. The threshold is
    the smallest under which the observed FPIR stays at or under the target,
    as in `lfr.evaluation.threshold_for_fpir`.

    Parameters
    ----------
    first, second
        The same searches, row by row.
    fpir
        The target.
    replicates
        Draws of subjects.
    rng
        Draws them.

    Raises
    ------
    ManifestError
        The searches are not the same, or too few to show this FPIR.
    """
    same = np.array_equal(first.subject, second.subject) and np.array_equal(first.mated, second.mated)
    if not same:
        raise ManifestError("two models are compared on the same searches only, and these are of other people or lists")
    non_mated = int((~first.mated).sum())
    if fpir * non_mated + 1e-9 < 1 or not first.mated.any():
        raise ManifestError(f"{non_mated} non-mated searches cannot show an FPIR of {fpir:g}")
    grids = [_thresholds(scores, fpir) for scores in (first, second)]
    columns = [_columns(scores, grid) for scores, grid in zip((first, second), grids, strict=True)]
    _, person = np.unique(first.subject, return_inverse=True)
    people = int(person.max()) + 1
    events = _by_person(np.concatenate([part for pair in columns for part in pair], axis=1), person, people)
    missed_of, alarm_of = (np.bincount(person, weights=kind, minlength=people) for kind in (first.mated, ~first.mated))
    trials = np.concatenate(
        [np.repeat(of[:, None], len(grid), axis=1) for grid in grids for of in (missed_of, alarm_of)], axis=1
    )
    shares = subject_bootstrap(events, trials, replicates=replicates, rng=rng)
    observed = ratio_or_nan(events.sum(axis=0), trials.sum(axis=0))[None]
    cut = 2 * len(grids[0])
    drawn = [_fnir_at(part, fpir) for part in (shares[:, :cut], shares[:, cut:])]
    for grid, (_, at) in zip(grids, drawn, strict=True):
        if grid[-1] > -1.0 and (at == len(grid) - 1).any():
            raise ManifestError(
                f"too few thresholds were tried for an FPIR of {fpir:g}: most alarms are of few strangers' many probes"
            )
    seen = [_fnir_at(part, fpir) for part in (observed[:, :cut], observed[:, cut:])]
    a, b = (float(fnir[0]) for fnir, _ in seen)
    thresholds = tuple(float(grid[at[0]]) for grid, (_, at) in zip(grids, seen, strict=True))
    rates = tuple(
        rate_over_subjects(~(scores.mate_score >= at)[scores.mated], scores.subject[scores.mated])
        for scores, at in zip((first, second), thresholds, strict=True)
    )
    return PairedRates(
        fpir,
        (thresholds[0], thresholds[1]),
        (rates[0], rates[1]),
        _interval(b - a, drawn[1][0] - drawn[0][0]),
        _interval((b - a) / a if a else float("nan"), ratio_or_nan(drawn[1][0] - drawn[0][0], drawn[0][0])),
    )


def compare_accuracy(
    pairs: Pairs, first: BoolArray, second: BoolArray, *, replicates: int, rng: np.random.Generator
) -> Interval:
    """Share of pairs that the second model decides rightly, less that of the first, with its interval over subjects.

    A mated pair counts as often as its subject was drawn, a non-mated one as
    often as its two were, multiplied (as in `lfr.statistics.vertex_bootstrap`).
    The thresholds stay those of each fold, so the doubt about them is not in it.

    Parameters
    ----------
    pairs
        What was compared.
    first, second
        (n,) whether each model decided each pair rightly (`Accuracy.right`).
    replicates
        Draws of subjects.
    rng
        Draws them.
    """
    names, number = np.unique([*pairs.subjects, *pairs.probe_subjects], return_inverse=True)
    one, other = np.split(number, 2)
    # Each fold counts alike, as in the mean of the protocol.
    share = 1.0 / (len(np.unique(pairs.fold)) * np.bincount(pairs.fold)[pairs.fold])
    gained = share * (second.astype(np.float64) - first.astype(np.float64))
    drawn = [
        ratio_or_nan(weight @ gained, weight @ share)
        for _, counts in subject_draws(len(names), replicates, rng, values=3 * len(pairs))
        for weight in [counts[:, one] * np.where(pairs.mated, 1.0, counts[:, other])]
    ]
    return _interval(float(gained.sum()), np.concatenate(drawn))


def _thresholds(scores: ScoredSearches, fpir: float) -> Floats:
    """Every threshold that a draw may need, falling: just over each of the highest non-mated scores.

    Where all of them are taken the last is -1, under which nothing need be refused.
    """
    highest = scores.highest_others()
    _, probes = np.unique(scores.subject[~scores.mated], return_counts=True)
    expected = fpir * int(probes.sum())
    # Subjects are drawn with replacement, so the number of subjects with alarms varies about as a Poisson count, and
    # that of alarms with as many more as a stranger, weighted by his probes, has of them.
    each = float((probes**2).sum() / probes.sum())
    most = int(expected + 8 * np.sqrt(each * expected) + 8 * each)
    kept = np.unique(highest[:most].astype(np.float32))[::-1]
    over = np.nextafter(kept, np.float32(np.inf)).astype(np.float64)
    return over if len(highest) > most else np.append(over, -1.0)


def _columns(scores: ScoredSearches, grid: Floats) -> tuple[Floats, Floats]:
    """Whether each search is missed, and whether it is a false positive, at each threshold."""
    mate, other = scores.mate_score.astype(np.float64)[:, None], scores.other_score.astype(np.float64)[:, None]
    missed = scores.mated[:, None] & ~(mate >= grid)
    alarmed = ~scores.mated[:, None] & (other >= grid)
    return missed.astype(np.float64), alarmed.astype(np.float64)


def _by_person(events: Floats, person: NDArray[np.intp], people: int) -> Floats:
    summed = np.zeros((people, events.shape[1]))
    np.add.at(summed, person, events)
    return summed


def _fnir_at(shares: Floats, fpir: float) -> tuple[Floats, NDArray[np.intp]]:
    """FNIR of each replicate at the last, and so least, threshold that keeps its FPIR; and which one that is."""
    missed, alarmed = np.split(shares, 2, axis=1)
    kept = alarmed <= fpir + 1e-12
    at = np.where(kept.any(axis=1), kept.shape[1] - 1 - kept[:, ::-1].argmax(axis=1), 0)
    return missed[np.arange(len(missed)), at], at


def _interval(value: float, samples: Floats) -> Interval:
    low, high = (float(end) for end in percentile_interval(samples))
    return Interval(*(None if np.isnan(number) else number for number in (value, low, high)))
