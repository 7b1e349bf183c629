"""Whether groups are treated alike at one threshold: verdicts for TPIR and FPIR, and the measures of inequity.

Equal is shown, not assumed: a test that finds no difference is not evidence
of equality, so the verdict on too little data is ``not shown``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lfr.evaluation.group_rates import GroupRates
from lfr.evaluation.searches import Searches
from lfr.statistics import (
    Comparison,
    GroupCount,
    Verdict,
    compare_fpir,
    compare_ratio,
    effective_trials,
    fairness_discrepancy_rate,
    garbe,
    gini,
    inequity_rate,
    max_over_geometric_mean,
    max_over_min,
    percentile_interval,
    subject_bootstrap,
)
from lfr.types import BoolArray

__all__ = ["Equity", "EquityPolicy", "Measure", "equity", "measures_of", "worst_verdict"]

_ALPHA = 0.5


@dataclass(frozen=True)
class EquityPolicy:
    """What counts as equal.

    Attributes
    ----------
    tpir_low, tpir_high
        The ratio of two groups' TPIR lies between these.
    max_fpir_difference
        The FPIRs of two groups differ by no more than this; a gate's FPIR cap unless it says otherwise.
    confidence
        Two-sided coverage of the intervals.
    """

    tpir_low: float = 0.8
    tpir_high: float = 1.25
    max_fpir_difference: float = 0.001
    confidence: float = 0.95


@dataclass(frozen=True)
class Measure:
    """One number for the inequity of a set of groups.

    Attributes
    ----------
    name, formula
        What it is called, and how it was computed.
    value, low, high
        With its subject-bootstrap 95% interval; None where undefined.
    undefined
        Why it has no value, or how many of the resampled data sets had none.
    """

    name: str
    formula: str
    value: float | None
    low: float | None
    high: float | None
    undefined: str


@dataclass(frozen=True)
class Equity:
    """Verdicts on one set of groups.

    Attributes
    ----------
    verdict
        The worse of the two below.
    tpir, fpir
        Comparisons of every pair of labelled groups.
    """

    verdict: Verdict
    tpir: Comparison
    fpir: Comparison = field(repr=False)

    def as_dict(self) -> dict[str, Any]:
        """Return the documented JSON form."""
        return {"verdict": self.verdict, "tpir": self.tpir.as_dict(), "fpir": self.fpir.as_dict()}


def worst_verdict(verdicts: Sequence[Verdict]) -> Verdict:
    """``not equitable`` where one is, ``equitable`` where all are, else ``not shown``."""
    if "not equitable" in verdicts:
        return "not equitable"
    return "equitable" if verdicts and set(verdicts) == {"equitable"} else "not shown"


def equity(
    searches: Searches,
    groups: Sequence[GroupRates],
    found: BoolArray,
    false_positive: BoolArray,
    policy: EquityPolicy,
    *,
    counted: BoolArray | None = None,
) -> Equity:
    """Compare every pair of labelled groups.

    Parameters
    ----------
    searches
        The table.
    groups
        From `lfr.evaluation.group_rates.group_rates`; those without a label are left out.
    found, false_positive
        (n,) outcome of each search.
    policy
        What counts as equal.
    counted
        (n,) searches to count; None: all.
    """
    everything = np.ones(len(searches), np.bool_) if counted is None else counted
    labelled = [group for group in groups if group.labelled]
    mated = [_count(searches, g, found, everything & searches.mated) for g in labelled]
    others = [_count(searches, g, false_positive, everything & ~searches.mated) for g in labelled]
    tpir = compare_ratio(mated, low=policy.tpir_low, high=policy.tpir_high, confidence=policy.confidence)
    fpir = compare_fpir(others, max_difference=policy.max_fpir_difference, confidence=policy.confidence)
    return Equity(worst_verdict([tpir.verdict, fpir.verdict]), tpir, fpir)


def measures_of(
    searches: Searches,
    groups: Sequence[GroupRates],
    found: BoolArray,
    false_positive: BoolArray,
    *,
    rng: np.random.Generator,
    replicates: int = 2000,
) -> tuple[Measure, ...]:
    """Each group measure of FNIR and FPIR over the labelled groups, with its bootstrap interval over subjects.

    Parameters
    ----------
    searches, groups, found, false_positive
        As for `equity`.
    rng
        Draws the resampled sets of subjects.
    replicates
        How many.
    """
    labelled = [group for group in groups if group.labelled and group.mated and group.non_mated]
    if len(labelled) < 2:
        return ()
    events, trials = _sums(searches, labelled, found, false_positive)
    drawn = subject_bootstrap(events, trials, replicates=replicates, rng=rng)
    with np.errstate(invalid="ignore", divide="ignore"):
        whole = (events.sum(axis=0) / trials.sum(axis=0))[None, :]
    k = len(labelled)
    table = [
        ("FNIR max/min", "max x / min x", max_over_min, "fnir"),
        ("FPIR max/min", "max x / min x", max_over_min, "fpir"),
        ("FNIR max/geometric mean", "max x / (prod x)^(1/n)", max_over_geometric_mean, "fnir"),
        ("FPIR max/geometric mean", "max x / (prod x)^(1/n)", max_over_geometric_mean, "fpir"),
        ("FNIR Gini", "n/(n-1) · ΣΣ|xi - xj| / (2 n² mean)", gini, "fnir"),
        ("FPIR Gini", "n/(n-1) · ΣΣ|xi - xj| / (2 n² mean)", gini, "fpir"),
    ]
    measures = [
        _measure(name, formula, f(_side(whole, k, side)), f(_side(drawn, k, side))) for name, formula, f, side in table
    ]
    both = [
        ("GARBE", "½ Gini(FPIR) + ½ Gini(FNIR)", garbe),
        ("FDR", "1 - (½ max|ΔFPIR| + ½ max|ΔFNIR|)", fairness_discrepancy_rate),
        ("inequity rate", "(max/min FPIR)^½ · (max/min FNIR)^½", inequity_rate),
    ]
    measures += [
        _measure(
            name,
            formula,
            f(_side(whole, k, "fpir"), _side(whole, k, "fnir"), alpha=_ALPHA),
            f(_side(drawn, k, "fpir"), _side(drawn, k, "fnir"), alpha=_ALPHA),
        )
        for name, formula, f in both
    ]
    return tuple(measures)


def _count(searches: Searches, group: GroupRates, event: BoolArray, counted: BoolArray) -> GroupCount:
    """Independent trials that the group's searches are worth, and as large a share of them with the event."""
    rows = counted & group.members
    if not rows.any():
        return GroupCount(group.name, 0.0, 0.0, 0)
    trials = effective_trials(event[rows], searches.subject_id[rows])
    return GroupCount(group.name, float(event[rows].mean()) * trials, trials, len(np.unique(searches.subject_id[rows])))


def _sums(
    searches: Searches, groups: Sequence[GroupRates], found: BoolArray, false_positive: BoolArray
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(subjects, 2 groups) misses then false positives of each subject by group, and the searches they are of."""
    subject, n = searches.subject, int(searches.subject.max()) + 1
    columns = [
        (group.members & side, event)
        for side, event in ((searches.mated, ~found), (~searches.mated, false_positive))
        for group in groups
    ]
    events = np.stack(
        [np.bincount(subject[at], event[at].astype(np.float64), minlength=n) for at, event in columns], axis=1
    )
    trials = np.stack([np.bincount(subject[at], minlength=n) for at, _ in columns], axis=1)
    return events.astype(np.float64), trials.astype(np.float64)


def _side(rates: NDArray[np.float64], groups: int, side: str) -> NDArray[np.float64]:
    return rates[:, :groups] if side == "fnir" else rates[:, groups:]


def _measure(name: str, formula: str, whole: NDArray[np.float64], drawn: NDArray[np.float64]) -> Measure:
    value = float(whole[0])
    if not np.isfinite(value):
        return Measure(name, formula, None, None, None, "undefined: a group has rate 0 and stands in a denominator")
    known = drawn[np.isfinite(drawn)]
    lost = len(drawn) - len(known)
    said = f"undefined in {lost} of {len(drawn)} resampled data sets" if lost else ""
    if not len(known):
        return Measure(name, formula, value, None, None, said)
    low, high = percentile_interval(known)
    return Measure(name, formula, value, float(low), float(high), said)
