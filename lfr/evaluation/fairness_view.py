"""Figures and tables of a fairness evaluation, for notebooks and the report."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from matplotlib.figure import Figure

from lfr.evaluation.group_plots import Interval, plot_by_threshold, plot_forest, plot_heat_map
from lfr.evaluation.plot_style import Theme
from lfr.statistics import Comparison, PairComparison, Rate

if TYPE_CHECKING:
    from lfr.evaluation.fairness import Fairness, Grouping

__all__ = [
    "ErrorRate",
    "cross_group_figure",
    "group_rows",
    "headline",
    "interval_text",
    "models_figure",
    "pair_text",
    "pairs_figure",
    "rate_text",
    "rates_figure",
    "share_text",
    "summary_html",
    "sweep_figure",
]

_LEAST_DRAWN = 30

ErrorRate = Literal["tpir", "fpir"]


def headline(fairness: Fairness) -> str:
    """Say in one sentence whether the model may be used so, and why."""
    because = fairness.reasons[0] if fairness.reasons else "nothing could be compared"
    if fairness.verdict == "not equitable":
        return f"This model may not be used at this threshold, because it does not treat groups alike: {because}."
    if fairness.verdict == "not shown":
        return (
            f"This evidence does not allow using this model: it is not shown that groups are treated alike. {because}."
        )
    return (
        "On this data groups are treated alike at this threshold and watchlist size. "
        "Whether the model may be used is for the promotion gate, which looks at more than this."
    )


def rates_figure(grouping: Grouping, which: ErrorRate, *, theme: Theme = "light") -> Figure:
    """Draw the rate of each group with its interval; of fewer than 30 searches it would be all interval."""
    rows = []
    for group in grouping.groups:
        rate: Rate = getattr(group, which)
        if rate.of >= _LEAST_DRAWN and rate.value is not None and rate.low is not None and rate.high is not None:
            rows.append(Interval(f"{group.name}  {rate.count}/{rate.of}", rate.value, rate.low, rate.high))
    return plot_forest(rows, label=f"{which.upper()} with 95% interval over subjects", theme=theme)


def pairs_figure(comparison: Comparison, name: str, *, theme: Theme = "light") -> Figure:
    """Draw each pair of groups against the bounds within which it counts as equal."""
    rows = [
        Interval(f"{pair.first} / {pair.second}", pair.estimate, _nan(pair.low), _nan(pair.high), pair.verdict)
        for pair in comparison.pairs
        if pair.estimate is not None
    ]
    ratio = comparison.measure == "ratio"
    return plot_forest(
        rows,
        bounds=(comparison.low, comparison.high),
        equal=1.0 if ratio else 0.0,
        label=f"{'ratio' if ratio else 'difference'} of {name}, with 95% interval",
        theme=theme,
    )


def sweep_figure(grouping: Grouping, which: ErrorRate, *, theme: Theme = "light") -> Figure:
    """Draw a rate of every labelled group against the threshold, with the verdict at each."""
    points = grouping.sweep
    rates = {
        name: [_nan(getattr(point, which)[i].value) for point in points] for i, name in enumerate(points[0].groups)
    }
    return plot_by_threshold(
        [point.threshold for point in points],
        rates,
        verdicts=[getattr(point, f"{which}_verdict") for point in points],
        chosen=next(point.threshold for point in points if point.asked_for),
        label=which.upper(),
        logarithmic=which == "fpir",
        theme=theme,
    )


def cross_group_figure(grouping: Grouping, *, theme: Theme = "light") -> Figure:
    """Draw the FMR between groups: whom searches of one group are taken for."""
    cross = grouping.cross
    return plot_heat_map(
        cross.fmr, rows=cross.probes, columns=cross.references, label="reference; rows: who was searched", theme=theme
    )


def models_figure(fairness: Fairness, *, theme: Theme = "light") -> Figure | None:
    """Draw the odds of each error by group, alone and with the other columns held equal; None where none was fitted."""
    rows = []
    for model in fairness.models:
        for group in model.groups:
            for name, ratio in (("alone", group.alone), ("held equal", group.adjusted)):
                if ratio.value is not None:
                    label = f"{model.error}: {group.group}, {name}"
                    rows.append(Interval(label, ratio.value, _nan(ratio.low), _nan(ratio.high)))
    if not rows:
        return None
    return plot_forest(rows, equal=1.0, label="odds against the largest group, with 95% interval", theme=theme)


def group_rows(fairness: Fairness) -> list[dict[str, Any]]:
    """Return one row a group, flat, as a data frame wants it."""
    rows = []
    for grouping in fairness.groupings:
        for group in grouping.groups:
            row: dict[str, Any] = {"by": grouping.name, "group": group.name, **group.group}
            for name in ("tpir", "fpir", "fta"):
                rate: Rate = getattr(group, name)
                row |= {name: rate.value, f"{name}_low": rate.low, f"{name}_high": rate.high}
                row |= {f"{name}_count": rate.count, f"{name}_of": rate.of}
            row |= {"mated_subjects": group.mated_subjects, "non_mated_subjects": group.non_mated_subjects}
            rows.append(row | dict(group.quality))
    return rows


def summary_html(fairness: Fairness) -> str:
    """Return what a notebook shows: the verdict, the reasons, the groups."""
    reasons = "".join(f"<li>{escape(reason)}</li>" for reason in fairness.reasons)
    head = "".join(f"<th>{name}</th>" for name in ("by", "group", "TPIR", "FPIR", "not acquired"))
    body = "".join(
        "<tr>"
        + "".join(
            f"<td>{escape(cell)}</td>"
            for cell in (grouping.name, group.name, rate_text(group.tpir), rate_text(group.fpir), str(group.fta.count))
        )
        + "</tr>"
        for grouping in fairness.groupings
        for group in grouping.groups
    )
    return (
        f"<p><b>{escape(fairness.verdict)}</b> at threshold {fairness.threshold:.4f}, watchlist of "
        f"{len(fairness.searches.watchlist):,}</p><ul>{reasons}</ul>"
        f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
    )


def rate_text(rate: Rate) -> str:
    """Return a rate as people read it, with its interval and the counts."""
    return f"{interval_text(rate)}, {rate.count:,} of {rate.of:,}" if rate.of else "no search"


def interval_text(rate: Rate) -> str:
    """Return a rate as people read it, with its interval."""
    if rate.value is None or rate.low is None or rate.high is None:
        return "no search"
    return f"{share_text(rate.value)} ({share_text(rate.low)} to {share_text(rate.high)})"


def share_text(value: float) -> str:
    """Return a share with as many digits as it needs."""
    if value == 0:
        return "0"
    return f"{value:.1%}" if value >= 0.01 else f"{100 * value:.2g}%" if value >= 0.0001 else f"{value:.1e}"


def pair_text(pair: PairComparison, measure: str) -> str:
    """Return a pair's estimate and interval as people read it."""
    if pair.estimate is None:
        return "undefined"
    form = "{:.2f}" if measure == "ratio" else "{:+.4f}"
    ends = [form.format(end) if end is not None and np.isfinite(end) else "no end" for end in (pair.low, pair.high)]
    return f"{form.format(pair.estimate)} ({ends[0]} to {ends[1]})"


def _nan(value: float | None) -> float:
    return float("nan") if value is None else float(value)
