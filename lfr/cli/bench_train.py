"""``lfr bench train``: what the training loop leaves of a plain PyTorch loop's speed."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Annotated

import typer

from lfr.cli.console import JsonOption, ThreadsOption, emit, err, out

__all__ = ["train"]


def train(
    images: Annotated[int, typer.Option("--images", min=16, max=128, help="Images of an epoch.")] = 96,
    repeats: Annotated[int, typer.Option("--repeats", min=1, max=100, help="Turns of each side; medians count.")] = 5,
    threads: ThreadsOption = None,
    json: JsonOption = False,
) -> None:
    """Images a second of `lfr experiment run` while it trains, against a plain PyTorch loop over the same batches.

    Trains a student of SFace on the demo faces, in a temporary folder. The
    loop's own are a running mean of the weights, checks and counts.
    """
    from lfr.evaluation.benchmarks import core_count, machine_facts
    from lfr.models import load_model
    from lfr.settings import read_settings
    from lfr.training.benchmark import bench_train

    settings = read_settings()
    threads = threads or settings.threads or core_count()
    with tempfile.TemporaryDirectory(prefix="lfr-bench-train-") as folder, err.status("training"):
        teacher = load_model(threads=threads, weights=settings.weights)
        row = bench_train(teacher, Path(folder), images=images, repeats=repeats, threads=threads)
    machine = machine_facts()

    def show() -> None:
        least, most = row["ours_spread"]
        verdict = "[green]yes[/]" if row["reached"] else "[red]no[/]"
        out.print(
            f"{row['name']}: {row['ours']:.2f} images/s ({least:.2f} to {most:.2f}), {row['peer_name']} "
            f"{row['peer']:.2f}; ratio {row['ratio']:.2f}, {row['aim']}: {verdict}"
        )
        out.print(f"losses apart by {row['parity']['loss_difference']:.2g}", style="dim")
        out.print(f"{machine['processor']}, cores: {machine['cores']}; threads: {threads}", style="dim")

    emit({"rows": [row], "machine": machine}, as_json=json, show=show)
