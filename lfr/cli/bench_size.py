"""``lfr bench size``: how many machines so many cameras take, and what a camera costs for an hour."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from lfr.cli.console import JsonOption, emit, out

__all__ = ["size"]


def size(
    measured: Annotated[
        Path, typer.Argument(metavar="FILE", help="What `lfr bench serve --json` wrote on a machine of the kind.")
    ],
    cameras: Annotated[int, typer.Option("--cameras", min=1, max=1_000_000, help="How many.")] = 1_000,
    fps: Annotated[float, typer.Option("--fps", min=0.1, max=120, help="Frames a second of each.")] = 5.0,
    references: Annotated[
        int,
        typer.Option(
            "--references",
            min=1,
            max=1_000_000,
            help="On the list that all of them search. Comparing is reckoned; what so many scores take on their "
            "way to a camera, which counts with larger ones, is not.",
        ),
    ] = 17_000,
    node_cores: Annotated[int, typer.Option("--node-cores", min=1, max=1_024, help="Of one machine.")] = 32,
    node_gib: Annotated[float, typer.Option("--node-gib", min=1, max=65_536, help="Memory of one machine.")] = 128.0,
    busy: Annotated[
        float, typer.Option("--busy", min=0.1, max=1, help="Share of the cores to plan with; crowds need the rest.")
    ] = 0.7,
    core_hour: Annotated[
        float | None, typer.Option("--core-hour", min=0, help="What a core costs for an hour, in your currency.")
    ] = None,
    fed: Annotated[
        Literal["http", "service"], typer.Option("--fed", help="Frames come over HTTP, or the service reads cameras.")
    ] = "http",
    json: JsonOption = False,
) -> None:
    """Reckon machines, memory and cost from what one machine was measured with.

    The reckoning is linear: a frame takes what it took there, Ray and the rest
    of a machine what they took there, and every machine has the whole list. It
    says of the measured machine itself how many frames it should have done
    with every core busy, beside what it did: trust it as far as these agree.

    Example: lfr bench serve --json > here.json; lfr bench size here.json
    --cameras 1000 --fps 5 --core-hour 0.04
    """
    import json as text

    from lfr.errors import InputError
    from lfr.evaluation.benchmarks import Wanted, plan

    try:
        document = text.loads(measured.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{measured}: cannot be read as JSON: {error}") from error
    wanted = Wanted(cameras, fps, references, node_cores, node_gib, busy, core_hour)
    row = 0
    if fed == "service":
        rows = document.get("rows", []) if isinstance(document, dict) else []
        row = next((i for i, one in enumerate(rows) if one.get("kind") == "feed"), len(rows))
    found = plan(document, wanted, row=row)

    def show() -> None:
        cost = "" if found.camera_hour is None else f", {found.camera_hour:.4f} for a camera and hour"
        out.print(
            f"[bold]{found.nodes:,} machines[/] of {node_cores} cores and {node_gib:g} GiB for {cameras:,} cameras at "
            f"{fps:g} frames a second and a list of {references:,}; {found.bound} decide{cost}"
        )
        out.print(
            f"together {found.cores:,.0f} cores in use, {found.gib:,.0f} GiB; the list takes {found.list_gib:g} GiB on "
            "each machine"
        )
        out.print(
            f"of: {found.of}; a frame {found.frame_core_ms:g} ms of a core, "
            f"{found.search_core_ms:g} of them for searches, a machine {found.idle_cores:g} cores "
            f"whatever comes in; there it did {found.measured_frames_s:g} frames a second, and the same reckoning with "
            f"every core busy says {found.reckoned_frames_s:g}",
            style="dim",
        )

    emit({"wanted": wanted.__dict__, "plan": found.as_dict()}, as_json=json, show=show)
