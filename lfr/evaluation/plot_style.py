"""How plots look, and how they become text.

Colours are those of M. Okabe and K. Ito ("Color universal design", 2008),
told apart with any colour vision and, with the markers, in print without
colour.
"""

from __future__ import annotations

import base64
import io
from contextlib import AbstractContextManager
from typing import Literal

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

__all__ = ["COLOURS", "MARKERS", "Theme", "add_legend", "data_uri", "new_figure", "share_label", "styled", "svg"]

Theme = Literal["light", "dark"]

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#F0E442", "#999999")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
_PAPER = {"light": ("#ffffff", "#1c2430", "#d7dce3"), "dark": ("#161b22", "#e6e9ee", "#3a424e")}


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


def styled(theme: Theme) -> AbstractContextManager[None]:
    """Draw in a theme for as long as this lasts."""
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


def new_figure(width: float, height: float, title: str) -> tuple[Figure, Axes]:
    """Return a figure with its axes, that no global state holds."""
    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.add_subplot()
    if title:
        axes.set_title(title, loc="left", fontsize=11)
    return figure, axes


def add_legend(axes: Axes) -> None:
    """Add a legend where something has a name."""
    if axes.get_legend_handles_labels()[0]:
        axes.legend(loc="best", fontsize=9)


def share_label(value: float) -> str:
    """A share as people read it: 5%, 0.1%, 1 in 100,000."""
    if value == 0:
        return "0"
    if value >= 0.001:
        return f"{100 * value:.3g}%"
    return f"1 in {round(1 / value):,}"
