"""Plots of error rates: computing and drawing are separate, these functions only draw.

Colours are those of M. Okabe and K. Ito ("Color universal design", 2008),
told apart with any colour vision and, with the markers, in print without
colour. Every function returns a new figure that no global state holds.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Literal

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike
from scipy.special import ndtri

__all__ = [
    "Interval",
    "Theme",
    "data_uri",
    "plot_det",
    "plot_discard",
    "plot_forest",
    "plot_fpir_by_size",
    "plot_heat_map",
    "plot_score_histograms",
    "svg",
]

Theme = Literal["light", "dark"]

_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#F0E442", "#999999")
_MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
_DET_TICKS = (1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 0.05, 0.2, 0.4)
_PAPER = {"light": ("#ffffff", "#1c2430", "#d7dce3"), "dark": ("#161b22", "#e6e9ee", "#3a424e")}
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


def plot_det(curves: Mapping[str, tuple[ArrayLike, ArrayLike]], *, theme: Theme = "light", title: str = "") -> Figure:
    """Detection error trade-off: FNMR against FMR, both on normal deviate scales.

    A. Martin and others, "The DET curve in assessment of detection task
    performance", Eurospeech 1997.

    Parameters
    ----------
    curves
        Name to FMR and FNMR (or FPIR and FNIR) at rising thresholds; points where one is 0 or 1 have no place
        on these scales and are left out.
    theme, title
        How it looks, and what it says above.
    """
    with _styled(theme):
        figure, axes = _figure(6.4, 5.2, title)
        for (name, (false_match, false_non_match)), colour, marker in zip(
            curves.items(), _COLOURS, _MARKERS, strict=False
        ):
            x, y = np.asarray(false_match, np.float64), np.asarray(false_non_match, np.float64)
            drawn = (x > 0) & (x < 1) & (y > 0) & (y < 1)
            every = max(1, int(drawn.sum()) // 8)
            axes.plot(ndtri(x[drawn]), ndtri(y[drawn]), color=colour, marker=marker, markevery=every, label=name)
        for axis, label in ((axes.xaxis, "FMR"), (axes.yaxis, "FNMR")):
            axis.set_ticks(ndtri(_DET_TICKS), labels=[_share(tick) for tick in _DET_TICKS])
            axis.set_label_text(label)
        axes.tick_params(axis="x", rotation=30)
        _legend(axes)
        return figure


def plot_score_histograms(
    mated: ArrayLike,
    non_mated: ArrayLike,
    *,
    thresholds: Mapping[str, float] | None = None,
    theme: Theme = "light",
    title: str = "",
) -> Figure:
    """Mated and non-mated scores, each as a density, on a logarithmic axis so that tails show.

    Parameters
    ----------
    mated, non_mated
        Scores; NaN (not acquired) is left out of the drawing and counted in the legend.
    thresholds
        Name to threshold, drawn as a line.
    theme, title
        How it looks, and what it says above.
    """
    with _styled(theme):
        figure, axes = _figure(6.8, 4.2, title)
        sides = (("mated", np.asarray(mated, np.float64)), ("non-mated", np.asarray(non_mated, np.float64)))
        known = np.concatenate([scores[np.isfinite(scores)] for _, scores in sides])
        edges = np.linspace(known.min(), known.max(), 81) if len(known) else np.linspace(-1, 1, 81)
        for (name, scores), colour, style in zip(sides, _COLOURS, ("-", "--"), strict=False):
            finite = scores[np.isfinite(scores)]
            missing = len(scores) - len(finite)
            label = f"{name} ({len(scores):,}" + (f", {missing:,} not acquired)" if missing else ")")
            if not len(finite):
                axes.plot([], [], color=colour, linestyle=style, label=label)
            else:
                axes.hist(
                    finite,
                    list(edges),
                    density=True,
                    histtype="step",
                    color=colour,
                    linestyle=style,
                    linewidth=1.6,
                    label=label,
                )
        for (name, threshold), line in zip((thresholds or {}).items(), ("-.", ":", (0, (5, 1))), strict=False):
            axes.axvline(threshold, color=axes.xaxis.label.get_color(), linestyle=line, linewidth=1, label=name)
        axes.set(xlabel="score (cosine, higher is more alike)", ylabel="density", yscale="log")
        _legend(axes)
        return figure


def plot_fpir_by_size(
    sizes: ArrayLike,
    measured: ArrayLike,
    *,
    low: ArrayLike | None = None,
    high: ArrayLike | None = None,
    independent: ArrayLike | None = None,
    target: float | None = None,
    theme: Theme = "light",
    title: str = "",
) -> Figure:
    """FPIR against watchlist size at one threshold, measured, and as if comparisons were independent.

    Parameters
    ----------
    sizes
        (n,) watchlist sizes.
    measured, low, high
        (n,) FPIR and the ends of its interval.
    independent
        (n,) ``1 - (1 - FMR)^size``.
    target
        The FPIR that is asked for, drawn as a line.
    theme, title
        How it looks, and what it says above.
    """
    with _styled(theme):
        figure, axes = _figure(6.4, 4.4, title)
        x, y = np.asarray(sizes, np.float64), np.asarray(measured, np.float64)
        axes.plot(x, np.where(y > 0, y, np.nan), color=_COLOURS[0], marker="o", label="measured")
        if low is not None and high is not None:
            floor = float(np.min(y[y > 0], initial=1.0)) / 10
            axes.fill_between(x, np.maximum(np.asarray(low, np.float64), floor), np.asarray(high, np.float64),
                              color=_COLOURS[0], alpha=0.18, linewidth=0, label="95% interval")  # fmt: skip
        if independent is not None:
            axes.plot(x, independent, color=_COLOURS[1], linestyle="--", marker="s", label="if independent")
        if target is not None:
            axes.axhline(target, color=axes.xaxis.label.get_color(), linestyle=":", label=f"target {_share(target)}")
        axes.set(xlabel="watchlist size", ylabel="FPIR", xscale="log", yscale="log")
        _legend(axes)
        return figure


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
    with _styled(theme):
        figure, axes = _figure(7.2, 1.4 + 0.42 * max(1, len(rows)), title)
        if bounds is not None:
            axes.axvspan(*bounds, color=_COLOURS[2], alpha=0.14, linewidth=0, label="counts as equal")
        if equal is not None:
            axes.axvline(equal, color=axes.xaxis.label.get_color(), linewidth=1)
        for i, row in enumerate(rows):
            colour = _VERDICT_COLOURS.get(row.verdict or "", _COLOURS[0])
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
    with _styled(theme):
        matrix = np.asarray(values, np.float64)
        figure, axes = _figure(2.4 + 0.8 * len(columns), 1.8 + 0.5 * len(rows), title)
        shown = np.ma.masked_invalid(np.log10(np.maximum(matrix, 1e-9)))
        image = axes.imshow(shown, cmap="cividis", aspect="auto")
        middle = float(np.mean(image.get_clim()))
        for (i, j), value in np.ndenumerate(matrix):
            bright = np.isfinite(value) and np.log10(max(value, 1e-9)) > middle
            colour = "#000000" if bright else "#ffffff" if np.isfinite(value) else axes.xaxis.label.get_color()
            axes.annotate(
                _share(value) if np.isfinite(value) else "none", (j, i), ha="center", va="center", color=colour
            )
        axes.set_xticks(range(len(columns)), labels=columns, rotation=30, ha="right")
        axes.set_yticks(range(len(rows)), labels=rows)
        axes.grid(visible=False)
        axes.set_xlabel(label)
        return figure


def plot_discard(
    curves: Mapping[str, tuple[ArrayLike, ArrayLike]], *, label: str = "FNMR", theme: Theme = "light", title: str = ""
) -> Figure:
    """Error against discard: the error that is left once the worst share by quality is refused.

    P. Grother and E. Tabassi, "Performance of biometric quality measures",
    IEEE TPAMI 29(4), 2007.

    Parameters
    ----------
    curves
        Quality measure to share refused (0..1) and the error among the rest.
    label
        Which error it is.
    theme, title
        How it looks, and what it says above.
    """
    with _styled(theme):
        figure, axes = _figure(6.4, 4.4, title)
        for (name, (share, error)), colour, marker in zip(curves.items(), _COLOURS, _MARKERS, strict=False):
            axes.plot(share, error, color=colour, marker=marker, markevery=0.2, label=name)
        axes.set(xlabel="share refused, worst quality first", ylabel=label)
        axes.set_ylim(bottom=0)
        _legend(axes)
        return figure


def svg(figure: Figure) -> str:
    """Return a figure as SVG text that can stand inside an HTML page."""
    buffer = io.StringIO()
    # A salt of its own makes the ids in the file, and so the file, the same every time.
    with rc_context({"svg.fonttype": "path", "svg.hashsalt": "lfr"}):
        figure.savefig(buffer, format="svg", metadata={"Date": None})
    text = buffer.getvalue()
    return text[text.index("<svg") :]


def data_uri(figure: Figure) -> str:
    """Return a figure as the source of an ``<img>``."""
    return "data:image/svg+xml;base64," + base64.b64encode(svg(figure).encode()).decode("ascii")


def _styled(theme: Theme) -> AbstractContextManager[None]:
    paper, ink, rule = _PAPER[theme]
    return rc_context(
        {
            "figure.facecolor": paper,
            "axes.facecolor": paper,
            "axes.edgecolor": rule,
            "axes.labelcolor": ink,
            "axes.titlecolor": ink,
            "text.color": ink,
            "xtick.color": ink,
            "ytick.color": ink,
            "grid.color": rule,
            "axes.grid": True,
            "grid.linewidth": 0.6,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "font.size": 10,
            "lines.markersize": 5,
            "legend.frameon": False,
        }
    )


def _figure(width: float, height: float, title: str) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.add_subplot()
    if title:
        axes.set_title(title, loc="left", fontsize=11)
    return figure, axes


def _legend(axes: Axes) -> None:
    if axes.get_legend_handles_labels()[0]:
        axes.legend(loc="best", fontsize=9)


def _order(verdict: str | None) -> int:
    return {"equitable": 0, "not equitable": 1, "not shown": 2}.get(verdict or "", 0)


def _share(value: float) -> str:
    """A share as people read it: 5%, 0.1%, 1 in 100,000."""
    if value == 0:
        return "0"
    if value >= 0.001:
        return f"{100 * value:.3g}%"
    return f"1 in {round(1 / value):,}"
