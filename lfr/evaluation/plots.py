"""Plots of error rates: computing and drawing are separate, these functions only draw.

Every function returns a new figure that no global state holds.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike
from scipy.special import ndtri

from lfr.evaluation.plot_style import COLOURS, MARKERS, Theme, add_legend, new_figure, share_label, styled

__all__ = ["plot_det", "plot_discard", "plot_fpir_by_size", "plot_score_histograms"]

_DET_TICKS = (1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 0.05, 0.2, 0.4)


def plot_det(
    curves: Mapping[str, tuple[ArrayLike, ArrayLike]],
    *,
    errors: tuple[str, str] = ("FMR", "FNMR"),
    theme: Theme = "light",
    title: str = "",
) -> Figure:
    """Detection error trade-off: one error against the other, both on normal deviate scales.

    A. Martin and others, "The DET curve in assessment of detection task
    performance", Eurospeech 1997.

    Parameters
    ----------
    curves
        Name to FMR and FNMR (or FPIR and FNIR) at rising thresholds; points where one is 0 or 1 have no place
        on these scales and are left out.
    errors
        Names of the errors, the horizontal one first.
    theme, title
        How it looks, and what it says above.
    """
    with styled(theme):
        figure, axes = new_figure(6.4, 5.2, title)
        for (name, (false_match, false_non_match)), colour, marker in zip(
            curves.items(), COLOURS, MARKERS, strict=False
        ):
            x, y = np.asarray(false_match, np.float64), np.asarray(false_non_match, np.float64)
            drawn = (x > 0) & (x < 1) & (y > 0) & (y < 1)
            every = max(1, int(drawn.sum()) // 8)
            axes.plot(ndtri(x[drawn]), ndtri(y[drawn]), color=colour, marker=marker, markevery=every, label=name)
        for axis, label in zip((axes.xaxis, axes.yaxis), errors, strict=True):
            axis.set_ticks(ndtri(_DET_TICKS), labels=[share_label(tick) for tick in _DET_TICKS])
            axis.set_label_text(label)
        axes.tick_params(axis="x", rotation=30)
        add_legend(axes)
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
    with styled(theme):
        figure, axes = new_figure(6.8, 4.2, title)
        sides = (("mated", np.asarray(mated, np.float64)), ("non-mated", np.asarray(non_mated, np.float64)))
        known = np.concatenate([scores[np.isfinite(scores)] for _, scores in sides])
        edges = np.linspace(known.min(), known.max(), 81) if len(known) else np.linspace(-1, 1, 81)
        for (name, scores), colour, style in zip(sides, COLOURS, ("-", "--"), strict=False):
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
        add_legend(axes)
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
    with styled(theme):
        figure, axes = new_figure(6.4, 4.4, title)
        x, y = np.asarray(sizes, np.float64), np.asarray(measured, np.float64)
        axes.plot(x, np.where(y > 0, y, np.nan), color=COLOURS[0], marker="o", label="measured")
        if low is not None and high is not None:
            floor = float(np.min(y[y > 0], initial=1.0)) / 10
            axes.fill_between(x, np.maximum(np.asarray(low, np.float64), floor), np.asarray(high, np.float64),
                              color=COLOURS[0], alpha=0.18, linewidth=0, label="95% interval")  # fmt: skip
        if independent is not None:
            axes.plot(x, independent, color=COLOURS[1], linestyle="--", marker="s", label="if independent")
        if target is not None:
            axes.axhline(
                target, color=axes.xaxis.label.get_color(), linestyle=":", label=f"target {share_label(target)}"
            )
        axes.set(xlabel="watchlist size", ylabel="FPIR", xscale="log", yscale="log")
        add_legend(axes)
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
    with styled(theme):
        figure, axes = new_figure(6.4, 4.4, title)
        for (name, (share, error)), colour, marker in zip(curves.items(), COLOURS, MARKERS, strict=False):
            axes.plot(share, error, color=colour, marker=marker, markevery=0.2, label=name)
        axes.set(xlabel="share refused, worst quality first", ylabel=label)
        axes.set_ylim(bottom=0)
        add_legend(axes)
        return figure
