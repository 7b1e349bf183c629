"""Plots of groups beside each other: these functions only draw.

Every function returns a new figure that no global state holds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from lfr.evaluation.plot_style import COLOURS, MARKERS, Theme, new_figure, share_label, styled

__all__ = ["Interval", "plot_by_threshold", "plot_forest", "plot_heat_map"]

_VERDICT_COLOURS = {"equitable": "#009E73", "not equitable": "#D55E00", "not shown": "#999999"}


@dataclass(frozen=True)
class Interval:
    """One row of a forest plot.

    Attributes
    ----------
    label
        Whom it is about, with the numbers behind it.
    value, low, high
        Estimate and the ends of its interval; a NaN end was not estimable and is drawn open.
    verdict
        ``equitable``, ``not equitable`` or ``not shown``; None: no verdict is drawn.
    """

    label: str
    value: float
    low: float
    high: float
    verdict: str | None = None


def plot_forest(
    rows: Sequence[Interval],
    *,
    bounds: tuple[float, float] | None = None,
    equal: float | None = None,
    label: str = "",
    theme: Theme = "light",
    title: str = "",
) -> Figure:
    """Estimates with intervals, a row each, against the bounds within which groups count as equal.

    Parameters
    ----------
    rows
        From top to bottom.
    bounds, equal
        The policy's bounds, shaded, and the value of equality: 1 for a ratio, 0 for a difference.
    label
        What the horizontal axis shows.
    theme, title
        How it looks, and what it says above.
    """
    with styled(theme):
        figure, axes = new_figure(7.2, 1.4 + 0.42 * max(1, len(rows)), title)
        if bounds is not None:
            axes.axvspan(*bounds, color=COLOURS[2], alpha=0.14, linewidth=0, label="counts as equal")
        if equal is not None:
            axes.axvline(equal, color=axes.xaxis.label.get_color(), linewidth=1)
        for i, row in enumerate(rows):
            colour = _VERDICT_COLOURS.get(row.verdict or "", COLOURS[0])
            ends = [end for end in (row.low, row.high) if np.isfinite(end)]
            if len(ends) == 2:
                axes.plot(ends, [i, i], color=colour, linewidth=2, solid_capstyle="butt")
            axes.plot([row.value], [i], marker="os^"[_order(row.verdict)], color=colour, markersize=7)
            if row.verdict:
                axes.annotate(row.verdict, (1.01, i), xycoords=("axes fraction", "data"), va="center", color=colour)
        axes.set_yticks(range(len(rows)), labels=[row.label for row in rows])
        axes.set_ylim(len(rows) - 0.4, -0.6)
        axes.set_xlabel(label)
        axes.grid(visible=False, axis="y")
        return figure


def plot_by_threshold(
    thresholds: ArrayLike,
    rates: Mapping[str, ArrayLike],
    *,
    verdicts: Sequence[str] = (),
    chosen: float | None = None,
    label: str = "",
    logarithmic: bool = False,
    theme: Theme = "light",
    title: str = "",
) -> Figure:
    """One rate of several groups against the threshold, with the verdict on them below.

    Parameters
    ----------
    thresholds
        (k,) rising.
    rates
        Group to its (k,) rates; NaN is left out.
    verdicts
        One for each threshold; empty: none is drawn.
    chosen
        The threshold in question, drawn as a line.
    label
        Which rate it is.
    logarithmic
        Whether the rate's axis is; a rate of 0 then has no place and is left out.
    theme, title
        How it looks, and what it says above.
    """
    with styled(theme):
        figure, axes = new_figure(7.2, 4.2, title)
        x = np.asarray(thresholds, np.float64)
        for (name, values), colour, marker in zip(rates.items(), COLOURS, MARKERS, strict=False):
            y = np.asarray(values, np.float64)
            axes.plot(x, np.where(y > 0, y, np.nan) if logarithmic else y, color=colour, marker=marker, label=name)
        for at, verdict in zip(x, verdicts, strict=False):
            axes.plot([at], [-0.14], marker="os^"[_order(verdict)], color=_VERDICT_COLOURS.get(verdict, COLOURS[0]),
                      transform=axes.get_xaxis_transform(), clip_on=False)  # fmt: skip
        for verdict in dict.fromkeys(verdicts):
            axes.plot(
                [], [], linestyle="", marker="os^"[_order(verdict)], color=_VERDICT_COLOURS[verdict], label=verdict
            )
        if chosen is not None:
            axes.axvline(chosen, color=axes.xaxis.label.get_color(), linestyle="--", linewidth=1, label="threshold")
        axes.set(ylabel=label, yscale="log" if logarithmic else "linear")
        axes.set_xlabel("threshold (below: verdict at each)" if verdicts else "threshold", labelpad=22)
        axes.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), fontsize=9)
        return figure


def plot_heat_map(
    values: ArrayLike,
    *,
    rows: Sequence[str],
    columns: Sequence[str],
    label: str,
    theme: Theme = "light",
    title: str = "",
) -> Figure:
    """Rates between groups, for example the FMR of non-mated pairs across groups, each cell with its number.

    Parameters
    ----------
    values
        (rows, columns) rates; NaN: nothing was counted, and the cell says so.
    rows, columns
        Names of the groups.
    label
        What a cell is.
    theme, title
        How it looks, and what it says above.
    """
    with styled(theme):
        matrix = np.asarray(values, np.float64)
        figure, axes = new_figure(2.4 + 0.8 * len(columns), 1.8 + 0.5 * len(rows), title)
        shown = np.ma.masked_invalid(np.log10(np.maximum(matrix, 1e-9)))
        image = axes.imshow(shown, cmap="cividis", aspect="auto")
        middle = float(np.mean(image.get_clim()))
        for (i, j), value in np.ndenumerate(matrix):
            bright = np.isfinite(value) and np.log10(max(value, 1e-9)) > middle
            colour = "#000000" if bright else "#ffffff" if np.isfinite(value) else axes.xaxis.label.get_color()
            axes.annotate(
                share_label(value) if np.isfinite(value) else "none", (j, i), ha="center", va="center", color=colour
            )
        axes.set_xticks(range(len(columns)), labels=columns, rotation=30, ha="right")
        axes.set_yticks(range(len(rows)), labels=rows)
        axes.grid(visible=False)
        axes.set_xlabel(label)
        return figure


def _order(verdict: str | None) -> int:
    return {"equitable": 0, "not equitable": 1, "not shown": 2}.get(verdict or "", 0)
