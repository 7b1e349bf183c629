"""Fairness of one model at one threshold and watchlist size: every number, and one verdict.

Equity belongs to a model, a threshold and a watchlist together, never to a
model alone; so the verdict is given at the threshold asked for and shown at
others beside it, and again without the few people who cause most errors.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from lfr.evaluation.adjusted import ErrorModel, error_models
from lfr.evaluation.concentration import Concentration, concentration, false_positive_without
from lfr.evaluation.equity import Equity, EquityPolicy, Measure, equity, measures_of, worst_verdict
from lfr.evaluation.equity_sweep import SweepPoint, equity_sweep
from lfr.evaluation.fairness_view import (
    ErrorRate,
    cross_group_figure,
    group_rows,
    pair_text,
    pairs_figure,
    rates_figure,
    share_text,
    summary_html,
    sweep_figure,
)
from lfr.evaluation.group_rates import CrossGroup, GroupRates, cross_group, group_rates, groupings
from lfr.evaluation.identification import search_rates
from lfr.evaluation.menagerie import Menagerie, menagerie
from lfr.evaluation.searches import Searches
from lfr.statistics import Comparison, Rate, Verdict, clopper_pearson_upper, subjects_needed
from lfr.types import BoolArray

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from lfr.evaluation.plot_style import Theme

__all__ = ["Fairness", "Grouping", "evaluate_fairness"]


@dataclass(frozen=True, eq=False)
class Grouping:
    """One way to group people.

    Attributes
    ----------
    by
        Columns.
    groups
        Every group, the unlabelled among them.
    equity
        Verdicts over the labelled groups.
    without_outliers
        The same without the references and probes that stand out; None where none does.
    measures
        Group measures with formula and interval.
    cross
        Non-mated comparisons between groups.
    sweep
        The verdicts at other thresholds.
    """

    by: tuple[str, ...]
    groups: tuple[GroupRates, ...]
    equity: Equity
    without_outliers: Equity | None
    measures: tuple[Measure, ...]
    cross: CrossGroup = field(repr=False)
    sweep: tuple[SweepPoint, ...] = field(repr=False)

    @property
    def name(self) -> str:
        """How tables call it."""
        return " x ".join(self.by)

    def as_dict(self) -> dict[str, Any]:
        """Return the documented JSON form."""
        return {
            "by": list(self.by),
            **self.equity.as_dict(),
            "without_outliers": None if self.without_outliers is None else self.without_outliers.as_dict(),
            "measures": [vars(measure) for measure in self.measures],
            "cross_group": self.cross.as_dict(),
            "sweep": [point.as_dict() for point in self.sweep],
        }


@dataclass(frozen=True, eq=False)
class Fairness:
    """What an evaluation shows about equal treatment.

    Attributes
    ----------
    verdict
        ``equitable``, ``not equitable`` or ``not shown``, over every grouping.
    reasons
        Why, in sentences, the weightiest first.
    threshold
        Score from which a subject is a candidate.
    policy
        What counts as equal.
    searches
        The table that all is computed from.
    tpir, fpir
        Of all searches together.
    groupings
        One for each column, and one for all of them together.
    concentration, menagerie
        Who causes the errors.
    models
        Of misses and of false positives, for the last grouping.
    """

    verdict: Verdict
    reasons: tuple[str, ...]
    threshold: float
    policy: EquityPolicy
    searches: Searches = field(repr=False)
    tpir: Rate
    fpir: Rate
    groupings: tuple[Grouping, ...]
    concentration: Concentration
    menagerie: Menagerie
    models: tuple[ErrorModel, ErrorModel] = field(repr=False)

    @property
    def groups(self) -> tuple[GroupRates, ...]:
        """Every group of every grouping, in order."""
        return tuple(group for grouping in self.groupings for group in grouping.groups)

    def as_dict(self) -> dict[str, Any]:
        """Return the documented JSON form."""
        searches = self.searches
        return {
            "verdict": self.verdict,
            "reasons": list(self.reasons),
            "threshold": self.threshold,
            "watchlist_size": len(searches.watchlist),
            "mated": int(searches.mated.sum()),
            "non_mated": int((~searches.mated).sum()),
            "mated_subjects": len(np.unique(searches.subject_id[searches.mated])),
            "non_mated_subjects": len(np.unique(searches.subject_id[~searches.mated])),
            "failures_to_acquire": int((~searches.acquired).sum()),
            "failures_to_enrol": searches.watchlist.failures_to_enrol,
            "tpir": self.tpir.as_dict(),
            "fpir": self.fpir.as_dict(),
            "policy": vars(self.policy),
            "groups": [group.as_dict() for group in self.groups],
            "groupings": [grouping.as_dict() for grouping in self.groupings],
            "worst_references": [culprit.as_dict() for culprit in self.concentration.references],
            "worst_probes": [culprit.as_dict() for culprit in self.concentration.probes],
            "concentration": self.concentration.as_dict(),
            "menagerie": self.menagerie.as_dict(),
            "models": [model.as_dict() for model in self.models],
        }

    def to_json(self) -> str:
        """Return the documented JSON form as text."""
        return json.dumps(self.as_dict(), indent=2, allow_nan=False)

    def to_pandas(self) -> pd.DataFrame:
        """Return one row a group."""
        return pd.DataFrame(group_rows(self))

    def plot_rates(self, which: ErrorRate, grouping: int = -1, *, theme: Theme = "light") -> Figure:
        """Draw TPIR or FPIR of each group of a grouping (by default the last)."""
        return rates_figure(self.groupings[grouping], which, theme=theme)

    def plot_pairs(self, which: ErrorRate, grouping: int = -1, *, theme: Theme = "light") -> Figure:
        """Draw each pair of groups against the bounds within which it counts as equal."""
        return pairs_figure(getattr(self.groupings[grouping].equity, which), which.upper(), theme=theme)

    def plot_sweep(self, which: ErrorRate, grouping: int = 0, *, theme: Theme = "light") -> Figure:
        """Draw TPIR or FPIR of each group against the threshold, with the verdicts."""
        return sweep_figure(self.groupings[grouping], which, theme=theme)

    def plot_cross_group(self, grouping: int = -1, *, theme: Theme = "light") -> Figure:
        """Draw the FMR between groups."""
        return cross_group_figure(self.groupings[grouping], theme=theme)

    def _repr_html_(self) -> str:
        return summary_html(self)


def evaluate_fairness(
    searches: Searches,
    *,
    by: Sequence[str],
    threshold: float,
    policy: EquityPolicy,
    rng: np.random.Generator,
    adjust: Sequence[str] = (),
    replicates: int = 2000,
) -> Fairness:
    """Compute every figure and the verdict.

    Parameters
    ----------
    searches
        The table.
    by
        Group columns; each is looked at alone, and all of them together.
    threshold
        Score at or over which a subject is a candidate.
    policy
        What counts as equal.
    rng
        Draws subjects for bootstrap intervals, and people for the menagerie's tests.
    adjust
        Columns that the models hold equal, for example an age band.
    replicates
        Resampled data sets of each bootstrap.

    Raises
    ------
    ManifestError
        A column is not there, or has one label only.
    """
    found, positive = searches.found(threshold), searches.false_positive(threshold)
    hits = searches.scores.hits(threshold)
    spread = concentration(searches, hits)
    without = _without(searches, spread)
    left_positive = false_positive_without(searches, hits, spread.outlying_references)
    made = []
    for columns in groupings(by):
        groups = group_rates(searches, columns, threshold)
        again = None
        if without is not None:
            again = equity(searches, groups, found, left_positive, policy, counted=without)
        made.append(
            Grouping(
                columns,
                tuple(groups),
                equity(searches, groups, found, positive, policy),
                again,
                measures_of(searches, groups, found, positive, rng=rng, replicates=replicates),
                cross_group(searches, columns, hits),
                equity_sweep(searches, groups, threshold, policy),
            )
        )
    tpir, fpir = search_rates(searches, threshold)
    models = error_models(searches, made[-1].by, threshold, adjust=adjust)
    verdict = worst_verdict([grouping.equity.verdict for grouping in made])
    reasons = (*_reasons(made), *_size_reason(searches, fpir, policy), *_outlier_reason(made, spread))
    return Fairness(
        verdict,
        reasons,
        threshold,
        policy,
        searches,
        tpir,
        fpir,
        tuple(made),
        spread,
        menagerie(searches, rng=rng),
        models,
    )


def _without(searches: Searches, spread: Concentration) -> BoolArray | None:
    """(n,) searches that stay when those who stand out are left out; None where nobody does."""
    outliers = {*spread.outlying_references, *spread.outlying_probes}
    return np.asarray(~np.isin(searches.subject_id, list(outliers))) if outliers else None


def _reasons(made: Sequence[Grouping]) -> list[str]:
    said: dict[Verdict, list[str]] = {"not equitable": [], "not shown": [], "equitable": []}
    for grouping in made:
        for which, comparison in (("tpir", grouping.equity.tpir), ("fpir", grouping.equity.fpir)):
            said[comparison.verdict].append(f"by {grouping.name}, {_sentence(grouping, comparison, which)}")
    return [*said["not equitable"], *said["not shown"], *said["equitable"]]


def _sentence(grouping: Grouping, comparison: Comparison, which: str) -> str:
    """What a comparison came to, with its most telling pair."""
    name = {"tpir": "people on the watchlist who are found (TPIR)", "fpir": "false alerts for others (FPIR)"}[which]
    bounds = f"{comparison.low:g} to {comparison.high:g}"
    pairs = [pair for pair in comparison.pairs if pair.verdict == comparison.verdict]
    if comparison.verdict == "equitable":
        return f"{name}: alike in every pair of groups, each {comparison.measure} surely within {bounds}"
    if not pairs:
        return f"{name}: nothing to compare, {'; '.join(comparison.reasons)}"
    worst = max(pairs, key=lambda pair: abs(_distance(pair.estimate, comparison.measure)))
    rates = {group.name: getattr(group, which).value for group in grouping.groups}
    shares = ["none searched" if rates[n] is None else share_text(rates[n]) for n in (worst.first, worst.second)]
    apart = f"{comparison.measure} {pair_text(worst, comparison.measure)}"
    found = f"{worst.first} {shares[0]}, {worst.second} {shares[1]}; {apart}"
    if comparison.verdict == "not equitable":
        return f"{name} differ: {found}, and {bounds} would count as equal"
    more = f", about {worst.needed:,} people in each group would be needed" if worst.needed else ""
    return (
        f"{name}: too little data to say in {len(pairs)} of {len(comparison.pairs)} pairs of groups, "
        f"least of all for {found}{more}"
    )


def _distance(estimate: float | None, measure: str) -> float:
    if estimate is None:
        return 0.0
    return float(np.log(max(estimate, 1e-12))) if measure == "ratio" else estimate


def _size_reason(searches: Searches, fpir: Rate, policy: EquityPolicy) -> list[str]:
    people = len(np.unique(searches.subject_id[~searches.mated]))
    needed = subjects_needed(policy.max_fpir_difference)
    upper = clopper_pearson_upper(min(fpir.count, people), people)
    if people >= needed:
        return []
    return [
        f"insufficient data: {people:,} non-mated subjects, {needed:,} needed to show an FPIR under "
        f"{policy.max_fpir_difference:g} if not one of them raised a false alert (upper bound here: {upper:.4f})"
    ]


def _outlier_reason(made: Sequence[Grouping], spread: Concentration) -> list[str]:
    names = spread.outlying_references
    if not names:
        return []
    share = spread.top_references_share or 0.0
    whose = f"the reference of {names[0]}" if len(names) == 1 else f"{len(names)} references"
    said = [f"{share:.0%} of the searches with a false positive have it from {whose} alone; look there first"]
    for grouping in made:
        again = grouping.without_outliers
        if again is not None and again.verdict != grouping.equity.verdict:
            said.append(
                f"{grouping.name}: without them the verdict is '{again.verdict}', not '{grouping.equity.verdict}'"
            )
    return said
