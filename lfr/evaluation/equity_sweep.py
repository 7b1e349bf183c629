"""What the choice of a threshold does to equity: the same verdicts at every threshold worth a look.

NPL's evaluation of 2023 found one model equal at one threshold and unequal
at a lower one, and a threshold raised for fewer false positives can cost one
group its true ones. A verdict is read beside its neighbours.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from lfr.evaluation.equity import EquityPolicy, equity
from lfr.evaluation.group_rates import GroupRates
from lfr.evaluation.identification import search_rates, threshold_for_fpir
from lfr.evaluation.searches import Searches
from lfr.statistics import Rate, Verdict

__all__ = ["SweepPoint", "equity_sweep"]

_TARGETS = tuple(float(f"{share * 10.0**-power:.0e}") for power in range(1, 5) for share in (3, 1))


@dataclass(frozen=True)
class SweepPoint:
    """Rates and verdicts at one threshold.

    Attributes
    ----------
    threshold
        Score from which a subject is a candidate.
    asked_for
        Whether it is the threshold of the evaluation.
    tpir_verdict, fpir_verdict
        Over all pairs of labelled groups.
    groups
        Name of each labelled group.
    tpir, fpir
        Of each of them.
    """

    threshold: float
    asked_for: bool
    tpir_verdict: Verdict
    fpir_verdict: Verdict
    groups: tuple[str, ...]
    tpir: tuple[Rate, ...]
    fpir: tuple[Rate, ...]

    def as_dict(self) -> dict[str, Any]:
        """Return the documented JSON form."""
        return {
            "threshold": self.threshold,
            "asked_for": self.asked_for,
            "tpir_verdict": self.tpir_verdict,
            "fpir_verdict": self.fpir_verdict,
            "groups": [
                {"group": name, "tpir": tpir.as_dict(), "fpir": fpir.as_dict()}
                for name, tpir, fpir in zip(self.groups, self.tpir, self.fpir, strict=True)
            ],
        }


def equity_sweep(
    searches: Searches, groups: Sequence[GroupRates], threshold: float, policy: EquityPolicy
) -> tuple[SweepPoint, ...]:
    """Verdicts at the threshold asked for and at those of rising FPIR, from the lowest threshold to the highest.

    Parameters
    ----------
    searches
        The table.
    groups
        Groups to compare; the unlabelled are left out.
    threshold
        The one asked for.
    policy
        What counts as equal, the same at each.
    """
    labelled = [group for group in groups if group.labelled]
    others = {at for target in _TARGETS if (at := threshold_for_fpir(searches, target)) is not None}
    points = []
    for at in sorted({*others, threshold}):
        result = equity(searches, labelled, searches.found(at), searches.false_positive(at), policy)
        rates = [search_rates(searches, at, among=group.members) for group in labelled]
        points.append(
            SweepPoint(
                at,
                bool(np.isclose(at, threshold, rtol=0, atol=0)),
                result.tpir.verdict,
                result.fpir.verdict,
                tuple(group.name for group in labelled),
                tuple(tpir for tpir, _ in rates),
                tuple(fpir for _, fpir in rates),
            )
        )
    return tuple(points)
