"""Plots draw what they are given, in both themes, and survive what data throw at them."""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np
import pytest
from matplotlib.figure import Figure

from lfr.evaluation.group_plots import Interval, plot_forest, plot_heat_map
from lfr.evaluation.plot_style import Theme, data_uri, svg
from lfr.evaluation.plots import plot_det, plot_discard, plot_fpir_by_size, plot_score_histograms

NAN = float("nan")
RATES = np.array([0.5, 0.1, 0.01, 0.0])

DRAWN: dict[str, Callable[[Theme], Figure]] = {
    "det": lambda theme: plot_det({"women": (RATES, RATES[::-1]), "men": (RATES, RATES)}, theme=theme, title="DET"),
    "scores": lambda theme: plot_score_histograms([0.5, NAN, 0.7], [0.1, 0.2], thresholds={"a": 0.4}, theme=theme),
    "no scores": lambda theme: plot_score_histograms([NAN], [], theme=theme),
    "sizes": lambda theme: plot_fpir_by_size(
        [10, 100], [0.0, 0.01], low=[0, 0.001], high=[0.03, 0.03], independent=[0.001, 0.01], target=0.01, theme=theme
    ),
    "forest": lambda theme: plot_forest(
        [Interval("a", 1.0, 0.9, 1.1, "equitable"), Interval("b", 0.5, NAN, 0.9, "not shown"), Interval("c", 2, 1, 3)],
        bounds=(0.8, 1.25),
        equal=1.0,
        theme=theme,
    ),
    "empty forest": lambda theme: plot_forest([], theme=theme),
    "heat map": lambda theme: plot_heat_map(
        [[0.1, 0.0], [NAN, 1e-5]], rows=["a", "b"], columns=["a", "b"], label="FMR", theme=theme
    ),
    "discard": lambda theme: plot_discard({"Sharpness": ([0, 0.5], [0.2, 0.1])}, theme=theme),
}


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("kind", DRAWN)
def test_every_plot_draws_in_both_themes_and_the_same_twice(kind: str, theme: Theme) -> None:
    first, second = (svg(DRAWN[kind](theme)) for _ in range(2))
    assert first == second
    assert first.startswith("<svg")
    assert first.rstrip().endswith("</svg>")
    assert data_uri(DRAWN[kind](theme)).startswith("data:image/svg+xml;base64,")


def test_a_plot_fetches_nothing() -> None:
    links = re.findall(r'(?:href|src)="(http[^"]*)"', svg(DRAWN["det"]("light")))
    assert links == []


def test_scores_that_were_not_acquired_are_counted_in_the_legend() -> None:
    (axes,) = DRAWN["scores"]("light").axes
    legend = axes.get_legend()
    assert legend is not None
    labels = [text.get_text() for text in legend.get_texts()]
    assert labels[:2] == ["mated (3, 1 not acquired)", "non-mated (2)"]


def test_verdicts_and_cells_are_written_and_not_only_coloured() -> None:
    (forest,) = DRAWN["forest"]("light").axes
    assert [text.get_text() for text in forest.texts] == ["equitable", "not shown"]
    (cells,) = DRAWN["heat map"]("light").axes
    assert [text.get_text() for text in cells.texts] == ["10%", "0", "none", "1 in 100,000"]
