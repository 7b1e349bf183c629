"""``lfr bench store``: what the governed store costs, against its targets."""

from __future__ import annotations

from typing import Annotated, Any, cast

import typer
from rich.markup import escape
from rich.table import Table

from lfr.cli.console import JsonOption, ThreadsOption, emit, err, out

__all__ = ["store"]


def store(
    only: Annotated[
        list[str] | None,
        typer.Option("--only", metavar="PART", help="import, seal, alerts or verify; more than once for several."),
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Small numbers: that it works, and not how fast.")] = False,
    threads: ThreadsOption = None,
    json: JsonOption = False,
) -> None:
    """Enrolment, sealing, alerts and the audit log, on SQLite and PostgreSQL, against their targets.

    Works on temporary stores that are removed again; PostgreSQL is measured
    where its server is installed. Each row says whether it met its target
    (`met`); with the full numbers a row that did not makes the command exit
    with 1. For example:

    `lfr bench store --only alerts`
    """
    from lfr.errors import InputError
    from lfr.evaluation.benchmarks import core_count, machine_facts
    from lfr.evaluation.benchmarks.postgres import postgres_binaries
    from lfr.evaluation.benchmarks.store import PARTS, Part, Sizes, bench_store
    from lfr.models import load_model
    from lfr.settings import read_settings

    if unknown := sorted(set(only or ()) - set(PARTS)):
        raise InputError(f"--only {unknown[0]}: {', '.join(PARTS)}")
    settings = read_settings()
    threads = threads or settings.threads or core_count()
    with err.status("loading the model") as status:
        # The one that the shipped calibration is of, because alerts need a deployment and that a calibration.
        model = load_model("openvino-f32", threads=threads, weights=settings.weights)
        rows = bench_store(
            model,
            threads=threads,
            parts=cast("list[Part]", only) if only else PARTS,
            sizes=Sizes.quick() if quick else Sizes(),
            progress=status.update,
        )
    machine = machine_facts()

    def show() -> None:
        table = Table("", "ours", "peer or target", "ratio", "parity", "target met")
        for row in rows:
            parity = "\n".join(f"{name} {value}" for name, value in row["parity"].items())
            table.add_row(
                row["name"],
                f"{row['ours']:,.2f} {row['unit']}",
                f"{row['peer']:,.2f} {row['unit']}\n{row['peer_name']}",
                f"{row['ratio']:.2f}",
                escape(parity),
                _verdict(row, quick=quick),
            )
        out.print(table)
        if postgres_binaries() is None:
            out.print("PostgreSQL was not measured: its server is not installed", style="yellow")
        out.print(f"{machine['processor']}, cores: {machine['cores']}; threads: {threads}", style="dim")

    emit({"rows": rows, "machine": machine}, as_json=json, show=show)
    if not quick and not all(row["met"] for row in rows):
        raise typer.Exit(1)


def _verdict(row: dict[str, Any], *, quick: bool) -> str:
    said = "not measured" if quick else "[green]yes[/]" if row["met"] else "[red]no[/]"
    return f"{said}: {row['target']}"
