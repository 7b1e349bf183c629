"""The fairness report: one HTML page that needs nothing else; verdict first, then reasons, then every number."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup
from matplotlib.figure import Figure

from lfr.errors import InputError
from lfr.evaluation.fairness import Fairness, Grouping
from lfr.evaluation.fairness_view import (
    cross_group_figure,
    headline,
    models_figure,
    pair_text,
    pairs_figure,
    rate_text,
    rates_figure,
    share_text,
    sweep_figure,
)
from lfr.evaluation.plot_style import Theme, data_uri

__all__ = ["write_fairness_report"]

_THEMES: tuple[Theme, Theme] = ("light", "dark")


def write_fairness_report(path: Path, fairness: Fairness, *, facts: Mapping[str, str]) -> None:
    """Write the page.

    Parameters
    ----------
    path
        The HTML file; replaced if it is there.
    fairness
        The evaluation.
    facts
        Rows of the table of what was measured: model, digests, data, where the threshold is from.

    Raises
    ------
    InputError
        The file cannot be written.
    """
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("lfr.evaluation"), autoescape=True, undefined=jinja2.StrictUndefined
    )
    environment.filters |= {"rate": rate_text, "share": share_text, "pair": pair_text}
    searches = fairness.searches
    page = environment.get_template("fairness.html").render(
        fairness=fairness,
        headline=headline(fairness),
        facts=facts,
        mated=int(searches.mated.sum()),
        non_mated=int((~searches.mated).sum()),
        watchlist=len(searches.watchlist),
        groupings=[_drawn(grouping) for grouping in fairness.groupings],
        models=_figure(lambda theme: models_figure(fairness, theme=theme), "Odds of each error by group"),
    )
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(page, encoding="utf-8")
    except OSError as error:
        raise InputError(f"{path}: cannot write the report: {error.strerror}") from error


def _drawn(grouping: Grouping) -> dict[str, Any]:
    """A grouping and its figures."""
    equity, name = grouping.equity, grouping.name
    return {
        "it": grouping,
        "tpir": _figure(lambda theme: rates_figure(grouping, "tpir", theme=theme), f"TPIR by {name}"),
        "fpir": _figure(lambda theme: rates_figure(grouping, "fpir", theme=theme), f"FPIR by {name}"),
        "tpir_pairs": _figure(lambda theme: pairs_figure(equity.tpir, "TPIR", theme=theme), f"Pairs by {name}, TPIR"),
        "fpir_pairs": _figure(lambda theme: pairs_figure(equity.fpir, "FPIR", theme=theme), f"Pairs by {name}, FPIR"),
        "tpir_sweep": _figure(lambda theme: sweep_figure(grouping, "tpir", theme=theme), f"TPIR by threshold, {name}"),
        "fpir_sweep": _figure(lambda theme: sweep_figure(grouping, "fpir", theme=theme), f"FPIR by threshold, {name}"),
        "cross": _figure(lambda theme: cross_group_figure(grouping, theme=theme), f"FMR between groups, {name}"),
    }


def _figure(draw: Callable[[Theme], Figure | None], what: str) -> Markup:
    """A figure in both themes, of which the page shows the one that fits; nothing where there is none."""
    images = []
    for theme in _THEMES:
        figure = draw(theme)
        if figure is None:
            return Markup("")
        images.append(Markup('<img class="{}" src="{}" alt="{}">').format(theme, data_uri(figure), what))
    return Markup("").join(images)
