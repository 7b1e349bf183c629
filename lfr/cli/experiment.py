"""``lfr experiment``: run what a folder describes, and compare runs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import StrEnum
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


class Part(StrEnum):
    """Parts of a split by subject."""

    TRAIN = "train"
    HELD_OUT = "held_out"
    MEASURE = "measure"


@app.command()
def run(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Holds config.yaml.", show_default=False)],
    root: Annotated[
        Path | None,
        typer.Option("--root", metavar="FOLDER", help="Where the data set lies.  [default: below LFR_EVAL_DATA]"),
    ] = None,
    register: Annotated[bool, typer.Option("--register", help="Register what was trained, as a candidate.")] = False,
    workers: Annotated[int, typer.Option("--workers", min=0, help="Processes of Ray Train; 0: this one trains.")] = 0,
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
    dataset = getattr(getattr(config, "data", None), "dataset", "video" if getattr(config, "clips", None) else "")
    found = run_experiment(config, folder, _place(root, dataset, threads, workers), register=register)
    emit(found, as_json=json, show=partial(_show_found, found))


@app.command()
def compare(
    runs: Annotated[list[str], typer.Argument(metavar="RUN…", help="Ids, or names of experiments.")],
    fpir: Annotated[float, typer.Option("--fpir", help="At which FNIR is compared.")] = 0.01,
    replicates: Annotated[int, typer.Option("--replicates", min=100, help="Draws of subjects.")] = 2000,
    plot: Annotated[
        Path | None, typer.Option("--plot", metavar="FILE", help="TPIR side by side.", show_default=False)
    ] = None,
    json: JsonOption = False,
) -> None:
    """Put what runs measured side by side, with 95% intervals of the differences over subjects.

    What others are compared with is the first model of the first run, on the
    very same faces. Scores of people stay in the LFR_HOME that a run ran in.
    """
    from lfr.cli.evaluation_data import save_figure
    from lfr.training.comparing import compare_runs
    from lfr.training.figures import plot_tpir

    place = _place(None, "", None)
    compared = compare_runs(place.tracking, place.home, runs, fpir=fpir, replicates=replicates)
    if plot is not None:
        save_figure(plot_tpir(compared.rows), plot)

    def show() -> None:
        _show_rows(compared.rows)
        _show_pairs(compared.paired)

    emit(compared.as_dict(), as_json=json, show=show)


@app.command()
def split(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Holds config.yaml.", show_default=False)],
    manifest: Annotated[Path, typer.Option("--manifest", metavar="CSV", help="Written.", show_default=False)],
    part: Annotated[Part, typer.Option("--part", help="Who trains, is held out, or only measures.")] = Part.MEASURE,
    root: Annotated[Path | None, typer.Option("--root", metavar="FOLDER", help="Where the data set lies.")] = None,
    json: JsonOption = False,
) -> None:
    """Write who an experiment trains or measures with as a manifest, so that others measure on the same people.

    For example, evidence for a student on people whom it never saw:
    `lfr experiment split experiments/02_low_resolution --manifest half.csv`, then
    `lfr registry evaluate 2 --manifest half.csv --card lfw_measuring_half`.
    """
    from lfr.training.experiment import write_part
    from lfr.training.kinds import read_experiment

    config = read_experiment(folder)
    dataset = getattr(getattr(config, "data", None), "dataset", "")
    made = write_part(config, folder, _place(root, dataset, None), part.value, manifest)
    emit(made, as_json=json, show=lambda: out.print(
        f"{manifest}: {made['images']:,} images of {made['subjects']:,} people", soft_wrap=True, markup=False
    ))  # fmt: skip


@app.command()
def search(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Holds the config.yaml of a training.")],
    over: Annotated[
        list[str], typer.Option("--over", metavar="FIELD=V1,V2", help="optimiser.learning_rate=1e-4,3e-4; repeat it.")
    ],
    root: Annotated[Path | None, typer.Option("--root", metavar="FOLDER", help="Where the data set lies.")] = None,
    at_once: Annotated[int, typer.Option("--at-once", min=1, help="Trials side by side.")] = 1,
    threads: ThreadsOption = None,
    json: JsonOption = False,
) -> None:
    """Train with every combination of some fields' values, with Ray Tune; nothing is measured.

    The held-out subjects decide. Write the values that won into config.yaml and run it.
    """
    from lfr.errors import SettingsError
    from lfr.training.config import TrainingConfig
    from lfr.training.experiment import search_experiment
    from lfr.training.kinds import read_experiment
    from lfr.training.searching import read_grid

    config = read_experiment(folder)
    if not isinstance(config, TrainingConfig):
        raise SettingsError(f"{folder}: trains nothing, so there is nothing to search")
    place = _place(root, config.data.dataset, threads)
    found = search_experiment(config, folder, place, read_grid(over), at_once=at_once)

    def show() -> None:
        table = Table(*found[0])
        for row in found:
            table.add_row(
                *(
                    escape(f"{value:.4g}" if isinstance(value, float) else "" if value is None else str(value))
                    for value in row.values()
                )
            )
        out.print(table)

    emit({"trials": found}, as_json=json, show=show)


def _place(root: Path | None, dataset: str, threads: int | None, workers: int = 0) -> Place:
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
    return Place(home, tracking, data, threads or settings.threads, workers, shown, said)


def _show_found(found: dict[str, Any]) -> None:
    if found.get("rows"):
        _show_rows(found["rows"])
    for row in found.get("scenes", ()):
        value, interval = _shown_rate(row["tpir"])
        out.print(f"simulated, difficulty {row['difficulty']:g}: TPIR {value} ({interval})")
    _show_pairs(found.get("paired", ()))
    if "chosen" in found:
        _show_fusion(found)
    _show_cost(found)
    out.print(f"run [bold]{found['run']}[/]")


def _show_fusion(found: dict[str, Any]) -> None:
    table = Table("passes", "rule", "FNIR", "95% interval", "less today's rule", "95% interval")
    for name in ("choosing", "confirming", "clips"):
        for row in found[name]:
            difference, what = row["difference"], name if name == "clips" else f"simulated, {name}"
            less = "none" if difference["value"] is None else f"{100 * difference['value']:+.1f} points"
            table.add_row(what, row["second"], *_shown_rate(row["fnir"][1]), less, _ends(difference))
    out.print(table)
    word = "changes" if found["changes_default"] else "stays as it is"
    out.print(f"simulated: best when choosing {found['chosen']}; the default, {found['today']}, {word}")


def _show_cost(found: dict[str, Any]) -> None:
    speed = found.get("cost", {}).get("speed", {})
    for name, row in speed.items():
        ends = f"{row['ratio_low']:.2f} to {row['ratio_high']:.2f}"
        out.print(f"{name}: {row['faces_per_s']:.0f} faces/s, {row['ratio']:.2f} of {next(iter(speed))} ({ends})")
    if "quantised" in found:
        made = found["quantised"]
        out.print(f"{made['quantised_layers']} of {made['layers']} layers of 8 bits, the others of float")
    for name, row in found.get("verification", {}).get("models", {}).items():
        out.print(f"{name}: accuracy {row['accuracy']:.2%} on {found['verification']['pairs']:,} pairs")
    for pair in found.get("verification", {}).get("paired", []):
        numbers = [pair["accuracy_difference"][end] for end in ("value", "low", "high")]
        less, low, high = ("undefined" if number is None else f"{100 * number:+.2f}" for number in numbers)
        out.print(f"accuracy of {pair['second']} less that of {pair['first']}: {less} points ({low} to {high})")
    if "fairness" in found:
        for name, row in found["fairness"]["models"].items():
            said = ", ".join(f"{key}: {value}" for key, value in row.items() if key != "threshold")
            out.print(f"{name}: {said}", soft_wrap=True)
        out.print("verdicts of fairness: " + ("unchanged" if found["fairness"]["unchanged"] else "[red]changed[/]"))


def _show_rows(rows: Sequence[dict[str, Any]]) -> None:
    table = Table("condition", "model", "TPIR", "95% interval", "not acquired", "threshold")
    for row in rows:
        table.add_row(
            row["condition"],
            escape(row["model"]),
            *_shown_rate(row["tpir"]),
            str(row["failures_to_acquire"]),
            f"{row['threshold']:.3f}",
        )
    out.print(table)
    first = rows[0]
    out.print(
        f"at FPIR {first['fpir']:g}; watchlist of {first['watchlist_size']:,}, {first['mated']:,} mated and "
        f"{first['non_mated']:,} non-mated searches"
    )


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


def _ends(interval: dict[str, float | None]) -> str:
    if interval["low"] is None or interval["high"] is None:
        return "undefined"
    return f"{100 * interval['low']:+.1f} to {100 * interval['high']:+.1f}"


def _shown_rate(rate: dict[str, Any]) -> tuple[str, str]:
    if rate["value"] is None:
        return "none", "no such search"
    return f"{rate['value']:.1%}", f"{rate['low']:.1%} to {rate['high']:.1%}; {rate['count']} of {rate['of']}"
