"""Open-set identification (ISO/IEC 19795-1): FPIR, TPIR and rank, from a table of searches.

A non-mated search is a false positive where any subject scores at or over the
threshold; a mated one is a true positive where its own subject does, at any
rank. A search that was not acquired is a miss if mated and no false positive
if not, and stays in both denominators.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from numpy.typing import NDArray

from lfr.evaluation.plot_style import Theme
from lfr.evaluation.plots import plot_det, plot_fpir_by_size, plot_score_histograms
from lfr.evaluation.searches import Searches
from lfr.evaluation.watchlist_size import SizeEstimate, fpir_by_size
from lfr.statistics import Rate, rate_over_subjects
from lfr.types import BoolArray, FloatArray

__all__ = [
    "FPIR_TARGETS",
    "Identification",
    "IdentificationPoint",
    "SearchCurve",
    "cumulative_match",
    "evaluate_identification",
    "search_curve",
    "search_rates",
    "threshold_for_fpir",
]

FPIR_TARGETS = (0.1, 0.03, 0.01, 0.003, 0.001)

_RANKS = 20


@dataclass(frozen=True)
class IdentificationPoint:
    """TPIR where FPIR is held at a target.

    Attributes
    ----------
    fpir
        The target.
    tpir
        Share of mated searches whose own subject is at or over the threshold.
    fpir_observed
        Share of non-mated searches that return anybody: at or under the target.
    threshold
        The smallest that keeps it there.
    """

    fpir: float
    tpir: Rate
    fpir_observed: Rate
    threshold: float

    def as_dict(self) -> dict[str, Any]:
        """Return the documented JSON form."""
        return {
            "fpir": self.fpir,
            "tpir": self.tpir.as_dict(),
            "fpir_observed": self.fpir_observed.as_dict(),
            "threshold": self.threshold,
        }


@dataclass(frozen=True, eq=False)
class SearchCurve:
    """FPIR and FNIR against the threshold.

    Attributes
    ----------
    threshold
        (k,) rising: every distinct highest score of a non-mated search, and just over the last.
    fpir, fnir
        (k,) share of non-mated searches with a candidate, of mated ones without their mate; NaN where there is none.
    """

    threshold: NDArray[np.float64]
    fpir: NDArray[np.float64]
    fnir: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.threshold)


@dataclass(frozen=True, eq=False)
class Identification:
    """What the searches of an evaluation set show.

    Attributes
    ----------
    searches
        The table that all is computed from.
    points
        For each target that the searches can show.
    insufficient_data
        Targets left out, because target times non-mated searches is under 1.
    curve
        FPIR and FNIR at every threshold.
    cmc
        (20,) element k - 1: share of mated searches whose own subject is among the first k, whatever the score.
    by_size
        FPIR at the points' thresholds for watchlists of several sizes.
    """

    searches: Searches = field(repr=False)
    points: tuple[IdentificationPoint, ...]
    insufficient_data: tuple[float, ...]
    curve: SearchCurve = field(repr=False)
    cmc: NDArray[np.float64] = field(repr=False)
    by_size: tuple[SizeEstimate, ...] = field(repr=False)

    def to_json(self) -> str:
        """Return the documented JSON form as text."""
        return json.dumps(self.as_dict(), indent=2, allow_nan=False)

    def to_pandas(self) -> pd.DataFrame:
        """Return one row a target FPIR."""
        return pd.DataFrame(
            [
                {
                    "fpir": point.fpir,
                    "threshold": point.threshold,
                    **{f"tpir_{key}": value for key, value in point.tpir.as_dict().items()},
                    **{f"fpir_{key}": value for key, value in point.fpir_observed.as_dict().items()},
                }
                for point in self.points
            ]
        )

    def plot_det(self, *, theme: Theme = "light", title: str = "") -> Figure:
        """Draw FNIR against FPIR."""
        curve = {f"watchlist of {len(self.searches.watchlist):,}": (self.curve.fpir, self.curve.fnir)}
        return plot_det(curve, errors=("FPIR", "FNIR"), theme=theme, title=title)

    def plot_scores(self, *, theme: Theme = "light", title: str = "") -> Figure:
        """Draw the scores of mated searches with their mate, and the highest of non-mated ones."""
        searches = self.searches
        thresholds = {f"FPIR {point.fpir:g}": point.threshold for point in self.points[-3:]}
        mated, other = searches.mate_score[searches.mated], searches.other_score[~searches.mated]
        return plot_score_histograms(mated, other, thresholds=thresholds, theme=theme, title=title)

    def plot_fpir_by_size(self, point: int = -1, *, theme: Theme = "light", title: str = "") -> Figure:
        """Draw FPIR against watchlist size at the threshold of one of ``points``."""
        at = self.points[point]
        rows = [row for row in self.by_size if row.threshold == at.threshold]
        return plot_fpir_by_size(
            [row.watchlist_size for row in rows],
            [row.measured for row in rows],
            low=[row.low for row in rows],
            high=[row.high for row in rows],
            independent=[row.independent for row in rows],
            target=at.fpir,
            theme=theme,
            title=title,
        )

    def _repr_html_(self) -> str:
        searches = self.searches
        return (
            f"<p>watchlist of {len(searches.watchlist):,}; {int(searches.mated.sum()):,} mated and "
            f"{int((~searches.mated).sum()):,} non-mated searches</p>{self.to_pandas().to_html(index=False)}"
        )

    def as_dict(self) -> dict[str, Any]:
        """Return the documented JSON form."""
        searches = self.searches
        mated = searches.mated
        shown = np.unique(np.linspace(0, len(self.curve) - 1, 200).round().astype(int))
        return {
            "watchlist_size": len(searches.watchlist),
            "references": len(searches.watchlist.references),
            "mated": int(mated.sum()),
            "non_mated": int((~mated).sum()),
            "mated_subjects": len(np.unique(searches.subject_id[mated])),
            "non_mated_subjects": len(np.unique(searches.subject_id[~mated])),
            "failures_to_acquire": int((~searches.acquired).sum()),
            "failures_to_enrol": searches.watchlist.failures_to_enrol,
            "searches_with_several_faces": int(searches.several_faces.sum()),
            "points": [point.as_dict() for point in self.points],
            "insufficient_data": list(self.insufficient_data),
            "cmc": self.cmc.tolist() if mated.any() else [],
            "curve": [
                {"threshold": threshold, "fpir": fpir, "fnir": None if np.isnan(fnir) else fnir}
                for threshold, fpir, fnir in zip(
                    *(column[shown].tolist() for column in (self.curve.threshold, self.curve.fpir, self.curve.fnir)),
                    strict=True,
                )
            ],
            "by_watchlist_size": [vars(estimate) for estimate in self.by_size],
        }


def evaluate_identification(
    searches: Searches,
    *,
    rng: np.random.Generator,
    targets: Sequence[float] = FPIR_TARGETS,
    sizes: Sequence[int] = (),
) -> Identification:
    """Compute every figure of a table of searches.

    Parameters
    ----------
    searches
        At least one of them non-mated.
    rng
        Draws the watchlists of other sizes.
    targets
        FPIRs; one with ``target * non_mated < 1`` is left out.
    sizes
        Watchlist sizes to estimate FPIR at; empty: powers of ten up to the size searched, and that.
    """
    thresholds = {target: at for target in targets if (at := threshold_for_fpir(searches, target)) is not None}
    points = tuple(
        IdentificationPoint(target, *search_rates(searches, threshold), threshold)
        for target, threshold in thresholds.items()
    )
    enrolled = len(searches.watchlist.snapshot.subjects)
    wanted = sizes or sorted({size for size in (10, 100, 1000, 10000, 100000) if size < enrolled} | {enrolled})
    return Identification(
        searches,
        points,
        tuple(target for target in targets if target not in thresholds),
        search_curve(searches),
        cumulative_match(searches),
        tuple(fpir_by_size(searches, wanted, list(thresholds.values()), rng=rng)) if enrolled and thresholds else (),
    )


def threshold_for_fpir(searches: Searches, fpir: float) -> float | None:
    """Smallest threshold that keeps the observed FPIR at or under a target.

    None where ``fpir`` times the number of non-mated searches is under 1: the
    data cannot show it. -1 where nothing need be refused.
    """
    highest = _highest_others(searches)
    non_mated = int((~searches.mated).sum())
    allowed = int(fpir * non_mated + 1e-9)  # 0.07 * 100 is a little over 7
    if allowed < 1:
        return None
    if allowed >= len(highest):
        return -1.0
    # The first score that must not count decides; -1 is the least cosine there is.
    return float(max(np.nextafter(highest[-1 - allowed], np.float32(np.inf)), np.float32(-1.0)))


def search_rates(searches: Searches, threshold: float, *, among: BoolArray | None = None) -> tuple[Rate, Rate]:
    """TPIR and FPIR at a threshold, each with its interval over subjects.

    Parameters
    ----------
    searches
        The table.
    threshold
        Score at or over which a subject is a candidate.
    among
        (n,) searches to count, for example those of a group; None: all.
    """
    counted = np.ones(len(searches), np.bool_) if among is None else among
    mated, non_mated = counted & searches.mated, counted & ~searches.mated
    tpir = rate_over_subjects(searches.found(threshold)[mated], searches.subject_id[mated])
    fpir = rate_over_subjects(searches.false_positive(threshold)[non_mated], searches.subject_id[non_mated], exact=True)
    return tpir, fpir


def search_curve(searches: Searches) -> SearchCurve:
    """FPIR and FNIR at each threshold at which FPIR changes."""
    highest = _highest_others(searches)
    last = np.nextafter(highest[-1:], np.float32(np.inf)) if len(highest) else np.full(1, -1, np.float32)
    threshold = np.unique(np.concatenate([highest, last])).astype(np.float64)
    mate = np.sort(np.nan_to_num(searches.mate_score[searches.mated], nan=-np.inf)).astype(np.float64)
    over = len(highest) - np.searchsorted(highest.astype(np.float64), threshold)
    missed = np.searchsorted(mate, threshold)
    return SearchCurve(
        threshold,
        over / (~searches.mated).sum(),
        missed / len(mate) if len(mate) else np.full(len(threshold), np.nan),
    )


def cumulative_match(searches: Searches, ranks: int = _RANKS) -> NDArray[np.float64]:
    """(ranks,) cumulative match characteristic: share of mated searches whose mate is among the first k.

    Equal scores go to the mate. NaN without mated searches.
    """
    rank = searches.mate_rank[searches.mated]
    if not len(rank):
        return np.full(ranks, np.nan)
    return np.array([np.mean((rank > 0) & (rank <= k)) for k in range(1, ranks + 1)])


def _highest_others(searches: Searches) -> FloatArray:
    """Highest score of each non-mated search that has one, ascending."""
    scores = searches.other_score[~searches.mated]
    return np.sort(scores[~np.isnan(scores)])
