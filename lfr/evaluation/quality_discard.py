"""Error against discard: do the quality measures, and the gate made of them, refuse the faces that would be missed.

ISO/IEC 29794-1 (error versus discard characteristic); P. Grother and E.
Tabassi, "Performance of biometric quality measures", IEEE TPAMI 29(4), 2007.
The error is FNIR at one threshold: of the mated searches that gave a face,
those whose own subject is not found.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from numpy.typing import NDArray

from lfr.errors import ManifestError
from lfr.evaluation.plot_style import Theme
from lfr.evaluation.plots import plot_discard
from lfr.evaluation.searches import Searches
from lfr.statistics import Rate, difference_interval, effective_trials, rate_over_subjects, subject_bootstrap
from lfr.types import BoolArray
from lfr.vision import MEASURES, SEARCH_POLICY, QualityPolicy

__all__ = ["DiscardCurve", "GateEffect", "QualityDiscard", "evaluate_quality"]

SHOT = "shot score"
"""The measure that the best shots of a track are chosen by."""

MOST_REFUSED = 0.3
_STEPS = 61
_REPLICATES = 1000

Floats = NDArray[np.float64]
Verdict = Literal["earns its place", "refuses the wrong faces", "not shown"]


@dataclass(frozen=True, eq=False)
class DiscardCurve:
    """FNIR among the faces left when the worst by one measure are refused.

    Attributes
    ----------
    measure
        Of `lfr.vision.MEASURES`, or the shot score.
    refused, fnir
        (k,) share refused, 0 to 0.3, and the error among the rest.
    area
        Under the curve, over the shares refused; refusing at random leaves the error as it is.
    gain
        ``(random - area) / (random - ideal)``: 1 where every face refused would have been missed as long as there
        are any, 0 where one might as well refuse at random, negative where that would be better. NaN where nobody
        or everybody was missed.
    low, high
        95% interval of the gain: subjects drawn again.
    """

    measure: str
    refused: Floats = field(repr=False)
    fnir: Floats = field(repr=False)
    area: float
    gain: float
    low: float
    high: float

    def as_dict(self) -> dict[str, Any]:
        """Return the JSON form; NaN is null."""
        gain, low, high = (None if np.isnan(x) else x for x in (self.gain, self.low, self.high))
        points = [{"refused": q, "fnir": e} for q, e in zip(self.refused.tolist(), self.fnir.tolist(), strict=True)]
        return {
            "measure": self.measure,
            "area": self.area,
            "gain": gain,
            "gain_low": low,
            "gain_high": high,
            "curve": points[::2],
        }


@dataclass(frozen=True)
class GateEffect:
    """What a quality gate refuses.

    Attributes
    ----------
    policy
        Its name.
    refused
        Share of the mated searches with a face that it refuses.
    refused_by
        How many each measure alone would refuse.
    missed_if_refused, missed_if_kept
        FNIR of those it refuses, had they been searched, and of those it lets through.
    difference_low, difference_high
        95% interval of the first less the second; NaN where nothing is refused or kept.
    false_positive_if_refused, false_positive_if_kept
        FPIR of non-mated searches, likewise.
    """

    policy: str
    refused: Rate
    refused_by: tuple[tuple[str, int], ...]
    missed_if_refused: Rate
    missed_if_kept: Rate
    difference_low: float
    difference_high: float
    false_positive_if_refused: Rate
    false_positive_if_kept: Rate

    @property
    def verdict(self) -> Verdict:
        """Whether those refused are missed more often than those kept, as far as the data show."""
        if self.difference_low > 0:
            return "earns its place"
        return "refuses the wrong faces" if self.difference_high < 0 else "not shown"

    def as_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        ends = (None if np.isnan(x) else x for x in (self.difference_low, self.difference_high))
        return {
            "policy": self.policy,
            "verdict": self.verdict,
            "refused": self.refused.as_dict(),
            "refused_by": dict(self.refused_by),
            "missed_if_refused": self.missed_if_refused.as_dict(),
            "missed_if_kept": self.missed_if_kept.as_dict(),
            "difference": dict(zip(("low", "high"), ends, strict=True)),
            "false_positive_if_refused": self.false_positive_if_refused.as_dict(),
            "false_positive_if_kept": self.false_positive_if_kept.as_dict(),
        }


@dataclass(frozen=True, eq=False)
class QualityDiscard:
    """Error against discard for every measure, and for the gate.

    Attributes
    ----------
    threshold
        Score from which a subject is found.
    fnir
        Error with nothing refused, of the mated searches that gave a face.
    failures_to_acquire
        Mated searches that gave none: no quality, and no part of the curves.
    curves
        One for each measure, most gain first.
    gate
        What the gate of live searches does.
    """

    threshold: float
    fnir: Rate
    failures_to_acquire: int
    curves: tuple[DiscardCurve, ...]
    gate: GateEffect

    def as_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {
            "threshold": self.threshold,
            "fnir": self.fnir.as_dict(),
            "failures_to_acquire": self.failures_to_acquire,
            "measures": [curve.as_dict() for curve in self.curves],
            "gate": self.gate.as_dict(),
        }

    def to_json(self) -> str:
        """Return the JSON form as text."""
        return json.dumps(self.as_dict(), indent=2, allow_nan=False)

    def to_pandas(self) -> pd.DataFrame:
        """Return one row a measure, most gain first."""
        rows = [curve.as_dict() for curve in self.curves]
        return pd.DataFrame([{name: value for name, value in row.items() if name != "curve"} for row in rows])

    def _repr_html_(self) -> str:
        return f"<p>the gate {self.gate.policy}: {self.gate.verdict}</p>{self.to_pandas().to_html(index=False)}"

    def plot_discard(self, *, theme: Theme = "light") -> Figure:
        """Draw the curves, with that of refusing at random."""
        curves = {curve.measure: (curve.refused, curve.fnir) for curve in self.curves[:7]}
        flat = np.full(_STEPS, self.fnir.value)
        return plot_discard(
            {**curves, "at random": (np.linspace(0, MOST_REFUSED, _STEPS), flat)},
            label="FNIR",
            theme=theme,
            title=f"threshold {self.threshold:.4f}",
        )


def evaluate_quality(
    searches: Searches,
    *,
    threshold: float,
    rng: np.random.Generator,
    policy: QualityPolicy = SEARCH_POLICY,
    replicates: int = _REPLICATES,
) -> QualityDiscard:
    """Compute error against discard.

    Parameters
    ----------
    searches
        Run without a quality gate: what it would refuse must have been searched.
    threshold
        Score from which a subject is found.
    rng
        Orders equal qualities, and draws subjects.
    policy
        The gate to judge.
    replicates
        Draws for the intervals.

    Raises
    ------
    ManifestError
        No mated search gave a face.
    """
    counted = searches.mated & searches.acquired
    if not counted.any():
        raise ManifestError("quality: no mated search gave a face, so no error can fall")
    missed = ~searches.found(threshold)[counted]
    subject = searches.subject[counted]
    quality = {name: searches.quality[name][counted] for name in MEASURES} | {SHOT: searches.quality.shot[counted]}
    shares = np.linspace(0, MOST_REFUSED, _STEPS)
    kept = np.stack([_kept(values, shares, rng) for values in quality.values()], axis=1)
    curves = _curves(tuple(quality), shares, missed, kept, subject, rng=rng, replicates=replicates)
    return QualityDiscard(
        threshold,
        rate_over_subjects(missed, subject),
        int((searches.mated & ~searches.acquired).sum()),
        curves,
        _gate(searches, threshold, policy),
    )


def _kept(quality: NDArray[np.floating[Any]], shares: Floats, rng: np.random.Generator) -> BoolArray:
    """(n, k) whether each face is left when a share of the worst is refused; one not assessed is refused first."""
    worst_first = np.lexsort((rng.permutation(len(quality)), np.nan_to_num(quality, nan=-np.inf)))
    place = np.empty(len(quality), np.int64)
    place[worst_first] = np.arange(len(quality))
    return np.asarray(place[:, None] >= np.floor(shares * len(quality))[None])


def _curves(
    names: tuple[str, ...],
    shares: Floats,
    missed: BoolArray,
    kept: NDArray[np.bool_],
    subject: NDArray[np.int64],
    *,
    rng: np.random.Generator,
    replicates: int,
) -> tuple[DiscardCurve, ...]:
    """Curves from (n, measures, k) faces kept."""
    numbers = np.unique(subject, return_inverse=True)[1]
    columns = kept.reshape(len(kept), -1)
    trials, events = (np.zeros((int(numbers.max()) + 1, columns.shape[1])) for _ in range(2))
    np.add.at(trials, numbers, columns)
    np.add.at(events, numbers[missed], columns[missed])
    drawn = subject_bootstrap(events, trials, replicates=replicates, rng=rng)
    shape = (-1, len(names), len(shares))
    fnir = (events.sum(axis=0) / np.maximum(trials.sum(axis=0), 1)).reshape(shape)[0]
    gain = _gain(fnir, shares)
    draws = _gain(drawn.reshape(shape), shares)
    known = draws[~np.isnan(draws).any(axis=1)]  # a draw in which nobody was missed tells nothing
    low, high = np.quantile(known, (0.025, 0.975), axis=0) if len(known) else np.full((2, len(names)), np.nan)
    areas = np.trapezoid(fnir, shares, axis=-1)
    curves = [
        DiscardCurve(name, shares, fnir[i], float(areas[i]), float(gain[i]), float(low[i]), float(high[i]))
        for i, name in enumerate(names)
    ]
    return tuple(sorted(curves, key=lambda curve: -np.nan_to_num(curve.gain)))


def _gain(fnir: Floats, shares: Floats) -> Floats:
    """(...,) gain of curves (..., k) over refusing at random; NaN where nobody or everybody was missed."""
    first = fnir[..., :1]
    ideal = np.maximum(0.0, (first - shares) / (1.0 - shares))
    random, best = (np.trapezoid(np.broadcast_to(curve, fnir.shape), shares, axis=-1) for curve in (first, ideal))
    with np.errstate(invalid="ignore", divide="ignore"):
        gain: Floats = (random - np.trapezoid(fnir, shares, axis=-1)) / (random - best)
    return np.where((first[..., 0] > 0) & (first[..., 0] < 1), gain, np.nan)


def _gate(searches: Searches, threshold: float, policy: QualityPolicy) -> GateEffect:
    passed = np.array(policy.passed(searches.quality), np.bool_)
    mated, others = searches.mated & searches.acquired, ~searches.mated & searches.acquired
    missed, alarmed = ~searches.found(threshold), searches.false_positive(threshold)

    def rate(event: BoolArray, among: BoolArray, *, exact: bool = False) -> Rate:
        return rate_over_subjects(event[among], searches.subject[among], exact=exact)

    def counts(among: BoolArray) -> tuple[float, float]:
        trials = effective_trials(missed[among], searches.subject[among])
        return float(missed[among].mean()) * trials if among.any() else 0.0, trials

    refused, kept = mated & ~passed, mated & passed
    low, high = difference_interval(counts(refused), counts(kept))
    return GateEffect(
        policy.name,
        rate(~passed, mated),
        tuple((name, int((~(searches.quality[name][mated] >= least)).sum())) for name, least in policy.minimum.items()),
        rate(missed, refused),
        rate(missed, kept),
        float(low),
        float(high),
        rate(alarmed, others & ~passed, exact=True),
        rate(alarmed, others & passed, exact=True),
    )
