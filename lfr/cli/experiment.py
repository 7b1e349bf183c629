"""``lfr experiment``: run what a folder describes, and compare runs."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any

import typer

from lfr.cli.console import JsonOption, emit, err, out, track

__all__ = ["app"]

app = typer.Typer(help="Run experiments from their files, and compare them.", no_args_is_help=True)


@app.command()
def run(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Holds config.yaml.", show_default=False)],
    root: Annotated[
        Path | None,
        typer.Option("--root", metavar="FOLDER", help="Where the data set lies.  [default: below LFR_EVAL_DATA]"),
    ] = None,
    json: JsonOption = False,
) -> None:
    """Run an experiment; the same command goes on with one that was broken off."""
    from lfr.evaluation import open_manifest
    from lfr.models import load_model
    from lfr.registry import open_tracking
    from lfr.settings import read_settings
    from lfr.training.config import read_yaml, validated
    from lfr.training.provenance import config_digest
    from lfr.training.runs import open_run
    from lfr.training.training import fit, prepare

    settings = read_settings()
    home = settings.home.absolute()
    config = validated(read_yaml(folder / "config.yaml"), where=str(folder / "config.yaml"))
    place = root or (settings.eval_data / config.data.dataset if settings.eval_data else None)
    manifest = open_manifest(dataset=config.data.dataset, root=place or "")
    teacher = load_model("openvino-f32", threads=settings.threads or 1)

    def shown(items: Iterable[Any], total: int, description: str) -> Iterable[Any]:
        return track(items, description, total=total)

    prepared = prepare(manifest, config.data, teacher, home, mirrored=config.augmentation.flip, shown=shown)
    kept = home / "experiments" / f"{folder.resolve().name}-{config_digest(config)[:12]}"
    kept.mkdir(mode=0o700, parents=True, exist_ok=True)
    run = open_run(open_tracking(home, uri=settings.tracking_uri), folder.resolve().name, config, kept)
    run.parameters({"data_digest": prepared.digest})

    def said(epoch: int, figures: dict[str, float]) -> None:
        run.metrics(figures, step=epoch)
        err.print(f"epoch {epoch}: " + ", ".join(f"{name} {value:.4g}" for name, value in figures.items()))

    _, progressed = fit(config, prepared, kept / "checkpoint.pt", said=said, shown=shown)
    emit({"run": run.run_id}, as_json=json, show=lambda: out.print(f"run {run.run_id}, {progressed.epoch} epochs"))
