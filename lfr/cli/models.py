"""``lfr models``: what can be run, whether its files are the pinned ones, and export."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from lfr.cli.console import JsonOption, emit, err, out, track

__all__ = ["app"]

app = typer.Typer(help="List, verify and export model versions.", no_args_is_help=True)
WeightsOption = Annotated[
    Path | None,
    typer.Option("--weights", metavar="FOLDER", help="Folder of the weight pack.  [default: the installed one]"),
]


@app.command("list")
def list_models(json: JsonOption = False) -> None:
    """Show every model version and whether it can run on this machine."""
    from lfr.errors import LfrError
    from lfr.models import DEFAULT_VERSION, VERSIONS, load_model

    rows: list[dict[str, Any]] = []
    for version in track(VERSIONS.values(), "loading", total=len(VERSIONS)):
        row: dict[str, Any] = {
            "name": version.name,
            "runtime": version.runtime,
            "precision": version.precision,
            "device": version.device,
            "default": version.name == DEFAULT_VERSION,
        }
        try:
            row |= {"available": True, "digest": load_model(version.name).digest, "reason": None}
        except LfrError as error:
            row |= {"available": False, "digest": None, "reason": str(error)}
        rows.append(row)

    def show() -> None:
        table = Table("version", "runtime", "precision", "device", "digest, or why it cannot run here")
        for row in rows:
            name = f"{row['name']} (default)" if row["default"] else row["name"]
            found = row["digest"][:16] if row["available"] else f"[yellow]{row['reason']}"
            table.add_row(name, row["runtime"], row["precision"], row["device"], found)
        out.print(table)

    emit({"models": rows}, as_json=json, show=show)


@app.command()
def verify(weights: WeightsOption = None, json: JsonOption = False) -> None:
    """Check each weight file against its pinned SHA-256.

    Exits 0 when every file is the pinned one and 1 when one is not.
    """
    from lfr.errors import WeightsError
    from lfr.models import SFACE, YUNET, weights_folder

    folder = weights or weights_folder()
    rows: list[dict[str, Any]] = []
    for file in (YUNET, SFACE):
        row: dict[str, Any] = {
            "network": file.name,
            "file": str(folder / file.file_name),
            "sha256": file.sha256,
            "licence": file.licence,
            "source": file.source,
        }
        try:
            file.verified(folder)
            row |= {"verified": True, "reason": None}
        except WeightsError as error:
            row |= {"verified": False, "reason": str(error)}
        rows.append(row)
    verified = all(row["verified"] for row in rows)

    def show() -> None:
        for row in rows:
            if row["verified"]:
                out.print(f"[green]verified[/]  {row['network']}  {row['sha256']}  {row['licence']}, {row['source']}")
            else:
                out.print(f"[red]not verified[/]  {row['reason']}", soft_wrap=True)

    emit({"verified": verified, "files": rows}, as_json=json, show=show)
    if not verified:
        raise typer.Exit(1)


@app.command()
def export(
    to: Annotated[str, typer.Option("--to", metavar="FORMAT", help="onnx or openvino.")],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FOLDER", help="Where the files go.")] = Path(),
    weights: WeightsOption = None,
    json: JsonOption = False,
) -> None:
    """Write detector and embedder in float32, each checked against the torch reference first.

    The ONNX files keep the OpenCV Zoo's input and output names, so OpenCV's
    FaceDetectorYN and FaceRecognizerSF load them.
    """
    from lfr.models import export_models

    with err.status("exporting and checking"):
        exports = export_models(output, to=to, weights=weights)

    def show() -> None:
        for item in exports:
            out.print(
                f"{item.path}  differs from the reference by at most {item.max_difference:.1e} of its largest output"
            )

    emit(
        {"exports": [{"network": e.network, "path": e.path, "max_difference": e.max_difference} for e in exports]},
        as_json=json,
        show=show,
    )
