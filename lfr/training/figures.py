"""Figures of experiments: numbers only, never a face."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.figure import Figure

from lfr.evaluation.plot_style import Theme, add_legend, new_figure, styled

__all__ = ["plot_history", "plot_rules", "plot_tpir"]


def plot_history(history: Sequence[Mapping[str, float]], *, theme: Theme = "light") -> Figure:
    """Draw the loss on training and on held-out subjects by epoch."""
    with styled(theme):
        figure, axes = new_figure(6.4, 4.0, "Training")
        epochs = range(1, len(history) + 1)
        for name, label in (("loss", "training"), ("held_out_loss", "held-out subjects")):
            axes.plot(epochs, [figures[name] for figures in history], marker="o", label=label)
        axes.set_xlabel("epoch")
        axes.set_ylabel("loss")
        add_legend(axes)
        return figure


def plot_tpir(rows: Sequence[Mapping[str, Any]], *, theme: Theme = "light") -> Figure:
    """Draw TPIR with its interval, condition by condition, for each model."""
    with styled(theme):
        figure, axes = new_figure(7.2, 4.2, f"TPIR at FPIR {rows[0]['fpir']:g}")
        conditions = list(dict.fromkeys(row["condition"] for row in rows))
        models = list(dict.fromkeys(row["model"] for row in rows))
        for number, model in enumerate(models):
            own = [row for row in rows if row["model"] == model]
            places = [conditions.index(row["condition"]) + 0.15 * (number - (len(models) - 1) / 2) for row in own]
            rates = [row["tpir"] for row in own]
            ends = [[rate["value"] - rate["low"] for rate in rates], [rate["high"] - rate["value"] for rate in rates]]
            axes.errorbar(places, [rate["value"] for rate in rates], yerr=ends, fmt="o", capsize=3, label=model)
        axes.set_xticks(range(len(conditions)), conditions, rotation=30, ha="right")
        axes.set_ylabel("TPIR")
        axes.set_ylim(0, 1.02)
        add_legend(axes)
        return figure


def plot_rules(
    choosing: Sequence[Mapping[str, Any]], confirming: Sequence[Mapping[str, Any]], *, theme: Theme = "light"
) -> Figure:
    """Draw how much FNIR each rule has less than today's, with its interval, on simulated scenes.

    Parameters
    ----------
    choosing, confirming
        Rows of `lfr.training.fusion.choose_fusion`.
    theme
        Of the figure.
    """
    with styled(theme):
        figure, axes = new_figure(7.2, 4.2, "simulated: FNIR less that of today's rule")
        rules = list(dict.fromkeys(row["second"] for row in (*choosing, *confirming)))
        for rows, label, shift in ((choosing, "choosing", -0.08), (confirming, "confirming", 0.08)):
            known = [row for row in rows if None not in row["difference"].values()]
            values = [row["difference"]["value"] for row in known]
            ends = [
                [abs(row["difference"]["value"] - row["difference"][end]) for row in known] for end in ("low", "high")
            ]
            places = [rules.index(row["second"]) + shift for row in known]
            axes.errorbar(places, values, yerr=ends, fmt="o", capsize=3, label=label)
        axes.axhline(0.0, linewidth=0.8)
        axes.set_xticks(range(len(rules)), rules, rotation=30, ha="right")
        axes.set_ylabel("difference")
        add_legend(axes)
        return figure
