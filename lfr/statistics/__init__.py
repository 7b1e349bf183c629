"""Intervals for shares, and how many subjects a claim needs: numpy and scipy only."""

from lfr.statistics.proportions import (
    Bounds,
    Method,
    Rate,
    clopper_pearson,
    clopper_pearson_bounds,
    clopper_pearson_upper,
    rate_with,
    wilson,
    wilson_bounds,
    wilson_by_subject,
)
from lfr.statistics.sample_sizes import subjects_needed

__all__ = [
    "Bounds",
    "Method",
    "Rate",
    "clopper_pearson",
    "clopper_pearson_bounds",
    "clopper_pearson_upper",
    "rate_with",
    "subjects_needed",
    "wilson",
    "wilson_bounds",
    "wilson_by_subject",
]
