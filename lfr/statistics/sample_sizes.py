"""How many subjects a claim needs."""

from __future__ import annotations

import math

from lfr.statistics.proportions import check_confidence

__all__ = ["subjects_needed"]


def subjects_needed(max_rate: float, *, confidence: float = 0.95) -> int:
    """Fewest subjects that, with no event among them, show a rate under ``max_rate``.

    Smallest n with ``(1 - max_rate)^n <= 1 - confidence``, which is where
    `clopper_pearson_upper` of 0 in n falls to ``max_rate``. J. A. Hanley and
    A. Lippman-Hand, "If nothing goes wrong, is everything all right?", JAMA
    249(13), 1983.

    Parameters
    ----------
    max_rate
        Largest rate to be claimed, between 0 and 1.
    confidence
        One-sided, between 0 and 1.

    Raises
    ------
    ValueError
        If either argument is not between 0 and 1.
    """
    check_confidence(confidence)
    if not 0.0 < max_rate < 1.0:
        raise ValueError(f"max_rate must lie between 0 and 1, got {max_rate}")
    return math.ceil(math.log1p(-confidence) / math.log1p(-max_rate))
