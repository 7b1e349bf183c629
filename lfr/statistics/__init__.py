"""Intervals, bootstraps, group measures, equivalence and sample sizes: numpy and scipy only."""

from lfr.statistics.bootstrap import percentile_interval, subject_bootstrap, subject_draws, vertex_bootstrap
from lfr.statistics.comparison import Comparison, GroupCount, PairComparison, Verdict
from lfr.statistics.equivalence import (
    LEAST_EVENTS_FOR_RATIO,
    compare_difference,
    compare_fpir,
    compare_ratio,
    group_counts,
    holm,
)
from lfr.statistics.group_measures import (
    fairness_discrepancy_rate,
    garbe,
    gini,
    inequity_rate,
    max_over_geometric_mean,
    max_over_min,
)
from lfr.statistics.over_pairs import effective_pairs, pair_rate
from lfr.statistics.over_subjects import (
    adjusted_bounds,
    effective_trials,
    effective_trials_of_sums,
    rate_over_subjects,
    rates_over_subjects,
)
from lfr.statistics.power import (
    power,
    power_to_show_equal,
    smallest_detectable_difference,
    smallest_detectable_ratio,
    trials_needed,
)
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
from lfr.statistics.two_groups import Measure, difference_interval, p_value_of_equality, ratio_interval

__all__ = [
    "LEAST_EVENTS_FOR_RATIO",
    "Bounds",
    "Comparison",
    "GroupCount",
    "Measure",
    "Method",
    "PairComparison",
    "Rate",
    "Verdict",
    "adjusted_bounds",
    "clopper_pearson",
    "clopper_pearson_bounds",
    "clopper_pearson_upper",
    "compare_difference",
    "compare_fpir",
    "compare_ratio",
    "difference_interval",
    "effective_pairs",
    "effective_trials",
    "effective_trials_of_sums",
    "fairness_discrepancy_rate",
    "garbe",
    "gini",
    "group_counts",
    "holm",
    "inequity_rate",
    "max_over_geometric_mean",
    "max_over_min",
    "p_value_of_equality",
    "pair_rate",
    "percentile_interval",
    "power",
    "power_to_show_equal",
    "rate_over_subjects",
    "rate_with",
    "rates_over_subjects",
    "ratio_interval",
    "smallest_detectable_difference",
    "smallest_detectable_ratio",
    "subject_bootstrap",
    "subject_draws",
    "subjects_needed",
    "trials_needed",
    "vertex_bootstrap",
    "wilson",
    "wilson_bounds",
    "wilson_by_subject",
]
