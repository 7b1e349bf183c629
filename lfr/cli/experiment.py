"""``lfr experiment``: run what a folder describes, and compare runs."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from lfr.cli.console import JsonOption, ThreadsOption, emit, err, out, track

if TYPE_CHECKING:
    from lfr.training.experiment import Place

__all__ = ["app"]

app = typer.Typer(help="Run experiments from their files, and compare what they found.", no_args_is_help=True)


@app.command()
def run(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Holds config.yaml.", show_default=False)],
    root: Annotated[
        Path | None,
        typer.Option("--root", metavar="FOLDER", help="Where the data set lies.  [default: below LFR_EVAL_DATA]"),
    ] = None,
    register: Annotated[bool, typer.Option("--register", help="Register what was trained, as a candidate.")] = False,
    threads: ThreadsOption = None,
    json: JsonOption = False,
) -> None:
    """Run an experiment to its end. The same command goes on with one that was broken off.

    What is found is a run in MLflow: settings, data digest, commit, machine,
    numbers and figures. Faces and templates stay in LFR_HOME/evaluation.
    """
    from lfr.training.experiment import run_experiment
    from lfr.training.kinds import read_experiment

    config = read_experiment(folder)
    dataset = getattr(getattr(config, "data", None), "dataset", "")
    found = run_experiment(config, folder, _place(root, dataset, threads), register=register)
    emit(found, as_json=json, show=partial(_show_found, found))


def _place(root: Path | None, dataset: str, threads: int | None) -> Place:
    from lfr.registry import open_tracking
    from lfr.settings import read_settings
    from lfr.training.experiment import Place

    settings = read_settings()
    home = settings.home.absolute()
    data = root or (settings.eval_data / dataset if settings.eval_data and dataset else None)

    def shown(items: Iterable[Any], total: int, description: str) -> Iterable[Any]:
        return track(items, description, total=total)

    def said(line: str) -> None:
        err.print(escape(line), soft_wrap=True)

    tracking = open_tracking(home, uri=settings.tracking_uri)
    return Place(home, tracking, data, threads or settings.threads, shown, said)


def _show_found(found: dict[str, Any]) -> None:
    if found.get("rows"):
        table = Table("condition", "model", "TPIR", "95% interval", "not acquired", "threshold")
        for row in found["rows"]:
            table.add_row(row["condition"], escape(row["model"]), *_shown_rate(row["tpir"]),
                          str(row["failures_to_acquire"]), f"{row['threshold']:.3f}")  # fmt: skip
        first = found["rows"][0]
        out.print(table)
        out.print(
            f"at FPIR {first['fpir']:g}; watchlist of {first['watchlist_size']:,}, {first['mated']:,} mated and "
            f"{first['non_mated']:,} non-mated searches"
        )
    for row in found.get("scenes", ()):
        value, interval = _shown_rate(row["tpir"])
        out.print(f"simulated, difficulty {row['difficulty']:g}: TPIR {value} ({interval})")
    _show_pairs(found.get("paired", ()))
    out.print(f"run [bold]{found['run']}[/]")


def _show_pairs(pairs: Iterable[dict[str, Any]]) -> None:
    for pair in pairs:
        difference, relative = pair["difference"], pair["relative"]
        line = f"{pair['condition']}: FNIR of {pair['second']} less that of {pair['first']}"
        if difference["value"] is None or difference["low"] is None:
            out.print(f"{line}: undefined")
            continue
        text = f"{line}: {100 * difference['value']:+.1f} points ({_ends(difference)})"
        if relative["value"] is not None and relative["low"] is not None:
            text += f", {relative['value']:+.0%} of it ({relative['low']:+.0%} to {relative['high']:+.0%})"
        out.print(escape(text), soft_wrap=True)


def _ends(interval: dict[str, float]) -> str:
    return f"{100 * interval['low']:+.1f} to {100 * interval['high']:+.1f}"


def _shown_rate(rate: dict[str, Any]) -> tuple[str, str]:
    if rate["value"] is None:
        return "none", "no such search"
    return f"{rate['value']:.1%}", f"{rate['low']:.1%} to {rate['high']:.1%}; {rate['count']} of {rate['of']}"
