"""Expected false alerts against watchlist size, a line for each threshold."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from lfr.evaluation.plot_style import COLOURS, MARKERS, Theme, add_legend, new_figure, styled
from lfr.evaluation.watchlist_size import SizeEstimate

__all__ = ["plot_false_alerts"]


def plot_false_alerts(
    estimates: Sequence[SizeEstimate],
    *,
    faces: int,
    threshold: float,
    bound: tuple[int, float],
    target: float,
    theme: Theme = "light",
    title: str = "",
) -> Figure:
    """Draw expected false alerts per so many faces, on logarithmic axes.

    Parameters
    ----------
    estimates
        FPIR by watchlist size and threshold; where it is 0 nothing can be drawn.
    faces
        Passes that are counted, for example 10,000.
    threshold
        The calibration's.
    bound
        Watchlist size of the calibration, and the upper bound on its FPIR, drawn as a mark that points down.
    target
        The FPIR asked for, drawn as a line.
    theme, title
        How it looks, and what it says above.
    """
    with styled(theme):
        figure, axes = new_figure(6.8, 4.6, title)
        thresholds = sorted({estimate.threshold for estimate in estimates})
        for at, colour, marker in zip(thresholds, COLOURS, MARKERS, strict=False):
            rows = [estimate for estimate in estimates if estimate.threshold == at]
            sizes = [estimate.watchlist_size for estimate in rows]
            measured = np.array([estimate.measured for estimate in rows]) * faces
            independent = np.array([estimate.independent for estimate in rows]) * faces
            name = f"threshold {at:.4f}" + (" (calibrated)" if at == threshold else "")
            name += "" if measured.any() else ": none seen"
            axes.plot(sizes, np.where(measured > 0, measured, np.nan), color=colour, marker=marker, label=name)
            axes.plot(sizes, np.where(independent > 0, independent, np.nan), color=colour, linestyle="--", linewidth=1)
        ink = axes.xaxis.label.get_color()
        axes.plot([], [], color=ink, linestyle="--", linewidth=1, label="if comparisons were independent")
        size, upper = bound
        axes.plot([size], [upper * faces], color=ink, marker=7, linestyle="", markersize=9, label="95% upper bound")
        axes.axhline(target * faces, color=ink, linestyle=":", label="target")
        axes.set(xlabel="watchlist size", ylabel=f"false alerts per {faces:,} faces", xscale="log", yscale="log")
        add_legend(axes)
        return figure
