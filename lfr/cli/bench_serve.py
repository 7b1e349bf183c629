"""``lfr bench serve``: what is left of one process's speed behind HTTP and Ray, against its aims."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from lfr.cli.bench_rows import end_where_parity_failed
from lfr.cli.console import JsonOption, ThreadsOption, as_interrupt, emit, err, out

__all__ = ["serve"]


def serve(
    source: Annotated[
        str | None,
        typer.Option(
            "--source",
            metavar="FILE|FOLDER",
            help="A recorded video or a folder of pictures.  [default: the street crowd if LFR_EVAL_DATA is set, "
            "else a simulated scene]",
        ),
    ] = None,
    frames: Annotated[int, typer.Option("--frames", min=10, max=5_000, help="Frames of the source at most.")] = 200,
    references: Annotated[
        int, typer.Option("--references", min=10, max=50_000, help="Size of the matcher's watchlist.")
    ] = 17_000,
    repeats: Annotated[int, typer.Option("--repeats", min=1, max=100, help="Turns of each side; medians count.")] = 3,
    in_flight: Annotated[int, typer.Option("--in-flight", min=1, max=8, help="Frames on their way at once.")] = 4,
    quick: Annotated[bool, typer.Option("--quick", help="Small numbers: that it works, and not how fast.")] = False,
    model: Annotated[
        str | None,
        typer.Option("--model", metavar="VERSION", help="Version to measure.  [default: LFR_MODEL, else openvino-f32]"),
    ] = None,
    calibration: Annotated[
        Path | None,
        typer.Option(
            "--calibration",
            metavar="FILE",
            help="Of that version, as `lfr calibrate --model` writes it.  [default: the one that comes with lfr, of "
            "openvino-f32]",
        ),
    ] = None,
    detect_every: Annotated[
        int, typer.Option("--detect-every", min=1, max=10, help="Frames per detection of the recording, on both sides.")
    ] = 1,
    threads: ThreadsOption = None,
    json: JsonOption = False,
) -> None:
    """The service over HTTP, its matcher and its start, against the same pipeline in one process.

    Starts a service on a store of its own, which is removed again. Both sides
    get the same JPEGs, encoded beforehand, search the same list and commit
    their alerts; parity says whether they saw as many people and raised the
    same alerts. `aim` is what a row is meant to reach, `reached` whether it did.
    Exits with 1 where a parity does not hold, whatever the times are.
    """
    from dataclasses import replace

    from lfr.cli.service_benchmark import Sizes, bench_serve
    from lfr.deployments import SHIPPED
    from lfr.evaluation.benchmarks import check_recorded, core_count, machine_facts
    from lfr.models import load_model
    from lfr.settings import read_settings

    settings = read_settings()
    if source is None and settings.eval_data is not None:
        source = str(settings.eval_data / "video" / "street_crowd_1080p.mp4")
    if source is not None:
        check_recorded(source)
    threads = threads or settings.threads or core_count()
    version = model or settings.model
    sizes = Sizes.quick() if quick else replace(Sizes(), frames=frames, references=references, repeats=repeats)
    with as_interrupt(), err.status("loading the model") as status:
        loaded = load_model(version, threads=threads, weights=settings.weights)
        document = bench_serve(
            loaded,
            source=Path(source) if source is not None else None,
            threads=threads,
            calibration=SHIPPED if calibration is None else str(calibration.absolute()),
            sizes=sizes,
            in_flight=in_flight,
            detect_every=detect_every,
            weights=settings.weights,
            progress=status.update,
        )
    document["machine"] = machine_facts()
    emit(document, as_json=json, show=lambda: _show(document, quick=quick))
    end_where_parity_failed(document["rows"])


def _show(document: dict[str, Any], *, quick: bool) -> None:
    table = Table("", "ours", "peer", "ratio", "aim reached")
    for number, row in enumerate(document["rows"], start=1):
        reached = "" if "aim" not in row else "not measured" if quick else _verdict(row["reached"])
        unit = row["unit"].partition(",")[0]
        table.add_row(
            f"{number}. {row['name']}, {unit}", _cell(row, "ours"), _cell(row, "peer"), f"{row['ratio']:.2f}", reached
        )
    out.print(table)
    for number, row in enumerate(document["rows"], start=1):
        aim = f"; aim: {row['aim']}" if "aim" in row else ""
        parity = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in row["parity"].items())
        out.print(f"{number}. peer: {row['peer_name']}; parity: {parity}{aim}", style="dim")
    start = next(row["start"] for row in document["rows"] if "start" in row)
    for name, seconds in start["stages_s"].items():
        out.print(f"to the first answer, {name.replace('_', ' ')}: {seconds:.1f} s")
    for part, stages in start["parts_s"].items():
        out.print(f"  {part}: its process {stages['process']:.1f} s, opening {stages['opening']:.1f} s", style="dim")
    sizing, first, machine = document["sizing"], document["rows"][0], document["machine"]
    out.print(
        f"a core: {sizing['frames_per_core_s']} frames/s and {sizing['faces_per_core_s']} faces/s; cameras: "
        + ", ".join(f"{count} at {name.replace('_', ' ')}" for name, count in sizing["cameras_per_core"].items())
    )
    spent = ", ".join(f"{part} {ms:.1f}" for part, ms in document["rows"][0]["core_ms_per_frame"][0].items())
    out.print(f"milliseconds of a core for a frame: {spent}")
    out.print("resident, MiB: " + ", ".join(f"{part} {mib:.0f}" for part, mib in sizing["resident_mib"].items()))
    if (told := sizing["matcher_mib_per_10000_entries"]) is not None:
        out.print(f"10,000 entries in a matcher: {told} MiB")
    out.print(
        f"searches in a frame: {first['searches_per_frame']}, each "
        f"{sizing['search_core_ms_per_million']} ms of a core for 1,000,000 references"
    )
    out.print(
        f"medians of {first['repeats']} and least to most, in turn; threads: {first['threads']}; model version: "
        f"{first['version']}; {machine['processor']}, cores: {machine['cores']}",
        style="dim",
    )


def _verdict(reached: bool) -> str:
    return "[green]yes[/]" if reached else "[red]no[/]"


def _cell(row: dict[str, Any], side: str) -> str:
    least, most = row[f"{side}_spread"]
    return f"[bold]{row[side]:,.2f}[/]\n{least:,.2f} to {most:,.2f}"
