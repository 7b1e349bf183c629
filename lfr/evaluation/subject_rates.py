"""Shares of trials of which several are of one subject, with intervals over subjects."""

from __future__ import annotations

from typing import cast

import numpy as np
from numpy.typing import NDArray

from lfr.statistics import Method, Rate, clopper_pearson_bounds, wilson_bounds
from lfr.types import BoolArray

__all__ = ["rate_over_subjects"]


def rate_over_subjects(event: BoolArray, subject: NDArray[np.generic], *, exact: bool = False) -> Rate:
    """Share of trials with an event, with its 95% interval over subjects.

    The variance is that of drawing whole subjects again, in its closed form
    for a ratio (W. G. Cochran, "Sampling Techniques", 1977, section 2.11). It
    tells how many independent trials would carry as much information, at most
    as many as there are; the interval is Wilson's or Clopper-Pearson's for
    that many. With one trial a subject it is the plain interval. Where every
    trial ends alike the variance says nothing, and a subject counts as one trial.

    Parameters
    ----------
    event
        (n,) whether each trial had the event.
    subject
        (n,) subject of each trial.
    exact
        Clopper-Pearson instead of Wilson, as for FPIR.
    """
    of, count = len(event), int(event.sum())
    name = "clopper-pearson" if exact else "wilson"
    number = np.unique(subject, return_inverse=True)[1]
    events, trials = np.bincount(number, event), np.bincount(number)
    method = cast("Method", name if len(trials) == of else f"{name}-over-subjects")
    if not of:
        return Rate(None, None, None, 0, 0, method)
    share = count / of
    variance = float(np.sum((events - share * trials) ** 2)) / of**2
    effective = min(share * (1 - share) / variance, of) if variance else len(trials)
    low, high = (clopper_pearson_bounds if exact else wilson_bounds)(share * effective, effective)
    return Rate(share, float(low), float(high), count, of, method)
