"""Is it the group, or what comes with it: errors by group, with age, quality or another column held equal.

Two views of the same counts. Stratification compares groups within each
stratum and pools them by Mantel and Haenszel ("Statistical aspects of the
analysis of data from retrospective studies of disease", JNCI 22(4), 1959);
the logistic model has a term for each group, column and the quality of the
shot, with errors that allow for several searches of one subject (sandwich
estimator, clustered by subject).
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from statsmodels.genmod.families import Binomial
from statsmodels.genmod.generalized_linear_model import GLM
from statsmodels.stats.contingency_tables import StratifiedTable
from statsmodels.tools import add_constant
from statsmodels.tools.sm_exceptions import ConvergenceWarning, PerfectSeparationError, PerfectSeparationWarning

from lfr.errors import ManifestError
from lfr.evaluation.manifest import UNLABELLED, StrArray
from lfr.evaluation.searches import Searches
from lfr.types import BoolArray

__all__ = ["AdjustedGroup", "ErrorModel", "Stratum", "error_models"]

ErrorKind = Literal["miss", "false positive"]

_LEAST_EVENTS = 10
_QUALITY_STRATA = ("low", "middle", "high")


@dataclass(frozen=True)
class OddsRatio:
    """Odds of an error against those of the largest group, with a 95% interval; None where not estimable."""

    value: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Stratum:
    """Errors of one group in one stratum.

    Attributes
    ----------
    stratum
        Label by column, ``quality`` among them.
    group
        Name of the group.
    count, of
        Errors, and searches they were counted in.
    """

    stratum: dict[str, str]
    group: str
    count: int
    of: int


@dataclass(frozen=True)
class AdjustedGroup:
    """One group against the largest.

    Attributes
    ----------
    group
        Its name.
    alone
        Odds ratio with nothing else in the model.
    adjusted
        With all other terms in the model.
    pooled
        Mantel and Haenszel's, over the strata.
    """

    group: str
    alone: OddsRatio
    adjusted: OddsRatio
    pooled: OddsRatio


@dataclass(frozen=True)
class ErrorModel:
    """Model of one kind of error.

    Attributes
    ----------
    error
        ``miss`` of mated searches, or ``false positive`` of non-mated ones.
    reference
        The largest group, which the others are compared with.
    terms
        What the model holds besides the group.
    groups
        Every other labelled group.
    others
        Odds ratio of each other term: a level against its column's largest, or one standard deviation of quality.
    strata
        Counts by stratum.
    not_estimated
        Why there is no figure, for a group or for the whole.
    """

    error: ErrorKind
    reference: str
    terms: tuple[str, ...]
    groups: tuple[AdjustedGroup, ...]
    others: dict[str, OddsRatio]
    strata: tuple[Stratum, ...]
    not_estimated: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """Return the documented JSON form."""
        return {
            "error": self.error,
            "reference": self.reference,
            "terms": list(self.terms),
            "groups": [
                {
                    "group": group.group,
                    "odds_ratio": vars(group.alone),
                    "odds_ratio_adjusted": vars(group.adjusted),
                    "odds_ratio_pooled": vars(group.pooled),
                }
                for group in self.groups
            ],
            "others": {name: vars(ratio) for name, ratio in self.others.items()},
            "strata": [vars(stratum) for stratum in self.strata],
            "not_estimated": list(self.not_estimated),
        }


_NONE = OddsRatio(None, None, None)


def error_models(
    searches: Searches, columns: Sequence[str], threshold: float, *, adjust: Sequence[str] = ()
) -> tuple[ErrorModel, ErrorModel]:
    """Model misses and false positives on group, other columns and quality.

    Parameters
    ----------
    searches
        The table; searches that were not acquired have no quality and stand outside (their rate is FTA).
    columns
        Group columns, taken together.
    threshold
        Score at or over which a subject is a candidate.
    adjust
        Columns to hold equal, for example an age band.

    Raises
    ------
    ManifestError
        There is no such column.
    """
    for column in (*columns, *adjust):
        if column not in searches.groups:
            there = ", ".join(searches.groups) or "none"
            name = searches.watchlist.references.manifest.name
            raise ManifestError(f"{name}, line 1: no group column '{column}'; there are: {there}")
    labels = np.stack([searches.groups[column] for column in columns], axis=1)
    labelled = (labels != UNLABELLED).all(axis=1) & searches.acquired
    group = np.array([", ".join(row) for row in labels.tolist()], np.str_)
    adjusting = {column: searches.groups[column] for column in dict.fromkeys(adjust) if column not in columns}
    missed = ~searches.found(threshold)
    return (
        _Modelled(searches, group, adjusting, missed, labelled & searches.mated).model("miss"),
        _Modelled(searches, group, adjusting, searches.false_positive(threshold), labelled & ~searches.mated).model(
            "false positive"
        ),
    )


class _Modelled:
    """The searches that one model is of."""

    def __init__(
        self, searches: Searches, group: StrArray, adjust: dict[str, StrArray], event: BoolArray, rows: BoolArray
    ) -> None:
        self.event = event[rows].astype(np.float64)
        self.group = group[rows]
        self.adjust = {name: labels[rows] for name, labels in adjust.items()}
        self.subject = np.unique(searches.subject_id[rows], return_inverse=True)[1]
        self.quality = searches.quality.shot[rows].astype(np.float64)

    def model(self, error: ErrorKind) -> ErrorModel:
        """Fit it."""
        names = _by_size(self.group)
        terms = (*self.adjust, "quality")
        strata = self._strata()
        counted = tuple(
            Stratum(dict(zip(terms, key, strict=True)), name, int(self.event[at & (self.group == name)].sum()), int(
                (at & (self.group == name)).sum()
            ))
            for key, at in strata
            for name in names
            if (at & (self.group == name)).any()
        )  # fmt: skip
        events = int(self.event.sum())
        said: list[str] = []
        if len(names) < 2:
            said.append("fewer than two labelled groups were acquired")
        elif min(events, len(self.event) - events) < _LEAST_EVENTS:
            said.append(f"{events} errors in {len(self.event)} searches; a model needs {_LEAST_EVENTS} of each outcome")
        if said:
            return ErrorModel(error, names[0] if names else "", terms, (), {}, counted, tuple(said))
        estimable = [name for name in names[1:] if 0 < self.event[self.group == name].mean() < 1]
        if not 0 < self.event[self.group == names[0]].mean() < 1:
            said.append(f"{names[0]}: all searches end alike, so odds against it are undefined")
            return ErrorModel(error, names[0], terms, (), {}, counted, tuple(said))
        said += [
            f"{name}: all searches end alike, so its odds are undefined" for name in names[1:] if name not in estimable
        ]
        rows = np.isin(self.group, [names[0], *estimable])
        dummies = {f"group {name}": (self.group == name).astype(np.float64) for name in estimable}
        alone = self._fit(dummies, rows)
        others, dropped = self._other_terms(rows)
        said += dropped
        adjusted = self._fit({**dummies, **others}, rows)
        if adjusted is None:
            said.append("the adjusted model has no finite fit: a term separates errors from the rest")
        groups = tuple(
            AdjustedGroup(
                name,
                (alone or {}).get(f"group {name}", _NONE),
                (adjusted or {}).get(f"group {name}", _NONE),
                self._pooled(name, names[0], strata),
            )
            for name in estimable
        )
        shown = {name: ratio for name, ratio in (adjusted or {}).items() if not name.startswith("group ")}
        return ErrorModel(error, names[0], terms, groups, shown, counted, tuple(said))

    def _other_terms(self, rows: BoolArray) -> tuple[dict[str, NDArray[np.float64]], list[str]]:
        terms: dict[str, NDArray[np.float64]] = {}
        dropped = []
        for column, labels in self.adjust.items():
            for level in _by_size(labels[rows])[1:]:
                if not 0 < self.event[rows & (labels == level)].mean() < 1:
                    dropped.append(f"{column} {level}: all searches end alike, so it has no term")
                    continue
                terms[f"{column} {level}"] = (labels == level).astype(np.float64)
        spread = self.quality[rows].std()
        if spread > 0:
            terms["quality"] = (self.quality - self.quality[rows].mean()) / spread
        return terms, dropped

    def _fit(self, terms: dict[str, NDArray[np.float64]], rows: BoolArray) -> dict[str, OddsRatio] | None:
        """Odds ratio of each term; None where the fit does not converge."""
        design = add_constant(np.stack([term[rows] for term in terms.values()], axis=1))
        with warnings.catch_warnings():
            warnings.simplefilter("error", ConvergenceWarning)
            warnings.simplefilter("error", PerfectSeparationWarning)
            try:
                fit = GLM(self.event[rows], design, family=Binomial()).fit(
                    cov_type="cluster", cov_kwds={"groups": self.subject[rows]}
                )
            except (ConvergenceWarning, PerfectSeparationError, PerfectSeparationWarning, np.linalg.LinAlgError):
                return None
        ends = np.exp(fit.conf_int()[1:])
        values = np.exp(fit.params[1:])
        return {
            name: OddsRatio(float(value), float(low), float(high))
            for name, value, (low, high) in zip(terms, values, ends, strict=True)
            if np.isfinite([value, low, high]).all()
        }

    def _strata(self) -> list[tuple[tuple[str, ...], BoolArray]]:
        ends = np.quantile(self.quality, (1 / 3, 2 / 3)) if len(self.quality) else np.zeros(2)
        third = np.array(_QUALITY_STRATA)[np.searchsorted(ends, self.quality, side="left")]
        keys = np.stack([*self.adjust.values(), third], axis=1) if len(third) else np.zeros((0, 1), np.str_)
        found, number = np.unique(keys, axis=0, return_inverse=True)
        return [(tuple(key.tolist()), number.reshape(-1) == i) for i, key in enumerate(found)]

    def _pooled(self, name: str, reference: str, strata: list[tuple[tuple[str, ...], BoolArray]]) -> OddsRatio:
        tables = []
        for _, at in strata:
            sides = [self.event[at & (self.group == side)] for side in (name, reference)]
            if all(len(side) for side in sides):
                tables.append(np.array([[side.sum(), len(side) - side.sum()] for side in sides]))
        if not tables:
            return _NONE
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore", RuntimeWarning)  # a stratum without errors divides by zero; checked below
            pooled = StratifiedTable(tables)
            value = float(pooled.oddsratio_pooled)
            low, high = (float(end) for end in pooled.oddsratio_pooled_confint())
        return OddsRatio(value, low, high) if np.isfinite([value, low, high]).all() else _NONE


def _by_size(labels: StrArray) -> list[str]:
    """Labels, the most frequent first."""
    names, counts = np.unique(labels, return_counts=True)
    return [str(names[i]) for i in np.lexsort((names, -counts))]
