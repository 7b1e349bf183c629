"""``lfr bench all`` and ``lfr bench table``: every benchmark at once, as a page and for the README."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from lfr.cli.bench_rows import (
    camera_rows,
    detect_rows,
    device_rows,
    embed_rows,
    end_where_parity_failed,
    evaluate_rows,
    growth_rows,
    match_rows,
    picture_rows,
    pipeline_rows,
    runtime_rows,
    start_rows,
    stride_rows,
)
from lfr.cli.console import JsonOption, ThreadsOption, emit, err, out

__all__ = ["every", "table"]

_NOT_A_DOCUMENT = (ValueError, KeyError, TypeError, AttributeError)

ReportOption = Annotated[
    Path | None, typer.Option("--report", metavar="FILE.html", help="Write everything as one page.")
]
ServiceOption = Annotated[
    Path | None,
    typer.Option("--service", metavar="FILE.json", help="What `lfr bench serve --json` printed, for the same page."),
]


def every(
    report: ReportOption = None,
    service: ServiceOption = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="Small numbers: that both sides do the same, and not how fast.")
    ] = False,
    models: Annotated[
        list[str] | None,
        typer.Option("--model", metavar="VERSION", help="Version to measure; more than once for several."),
    ] = None,
    repeats: Annotated[int, typer.Option("--repeats", min=1, max=1000, help="Turns of each side.")] = 3,
    threads: ThreadsOption = None,
    json: JsonOption = False,
) -> None:
    """Measure everything against every peer that is installed, with the machine's limits; takes half an hour or so.

    Exits with 1 where a parity does not hold, whatever the times are. The
    service and the store, which start servers, have commands of their own:
    `lfr bench serve`, whose figures `--service` takes in, and `lfr bench store`.
    """
    from lfr.evaluation.benchmarks import all_rows, machine_facts
    from lfr.settings import read_settings

    chosen = models or [read_settings().model]
    of_service = {} if service is None else {"service": _service(service)}
    rows = _rows(chosen, quick=quick, repeats=1 if quick else repeats, threads=threads)
    document = {"rows": rows, "machine": machine_facts(), **of_service}
    if report is not None:
        _write_page(report, document)

    def show() -> None:
        from lfr.evaluation.benchmarks import benchmark_table

        out.print(benchmark_table(document), markup=False, soft_wrap=True)

    emit(document, as_json=json, show=show)
    end_where_parity_failed(all_rows(document))


def table(
    file: Annotated[Path, typer.Argument(metavar="FILE.json", help="What `lfr bench all --json` printed.")],
    service: ServiceOption = None,
    into: Annotated[
        Path | None, typer.Option("--into", metavar="FILE.md", help="Write it there, between the two comments for it.")
    ] = None,
    report: ReportOption = None,
) -> None:
    """Print a benchmark document as the table that the README shows, put it there, or draw the page of it.

    Nothing is measured. Example: lfr bench all --json > all.json; lfr bench
    serve --json > service.json; lfr bench table all.json --service
    service.json --into README.md --report benchmarks.html
    """
    from lfr.errors import InputError
    from lfr.evaluation.benchmarks import benchmark_table, with_table

    document = _document(file)
    if service is not None:
        document["service"] = _service(service)
    try:
        lines = benchmark_table(document)
    except _NOT_A_DOCUMENT as error:
        raise InputError(f"{file}: not a benchmark document") from error
    if report is not None:
        _write_page(report, document)
    if into is not None:
        try:
            into.write_text(with_table(into.read_text(encoding="utf-8"), lines), encoding="utf-8")
        except OSError as error:
            raise InputError(f"{into}: cannot be written: {error.strerror}") from error
        except UnicodeDecodeError as error:
            raise InputError(f"{into}: not text in UTF-8") from error
        err.print(f"{into}: {len(document['rows'])} rows", markup=False)
    if report is None and into is None:
        out.print(lines, markup=False, soft_wrap=True, end="")


def _document(file: Path) -> dict[str, Any]:
    """Read a benchmark document."""
    import json as json_

    from lfr.errors import InputError

    try:
        document = json_.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{file}: cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise InputError(f"{file}: not a benchmark document") from error
    if not isinstance(document, dict) or not {"rows", "machine"} <= document.keys():
        raise InputError(f"{file}: not a benchmark document")
    return document


def _service(file: Path) -> dict[str, Any]:
    """Read a document of `lfr bench serve --json`, of which all that is shown is there."""
    from lfr.errors import InputError
    from lfr.evaluation.benchmarks import service_aims

    document = _document(file)
    try:
        service_aims(document)
    except InputError as error:
        raise InputError(f"{file}: {error}") from error
    except _NOT_A_DOCUMENT as error:
        raise InputError(f"{file}: not a document of `lfr bench serve --json`") from error
    return document


def _write_page(report: Path, document: dict[str, Any]) -> None:
    """Draw the page."""
    from lfr.errors import InputError
    from lfr.evaluation.benchmarks import benchmark_html

    try:
        report.write_text(benchmark_html(document), encoding="utf-8")
    except OSError as error:
        raise InputError(f"{report}: cannot write: {error.strerror}") from error


def _rows(models: list[str], *, quick: bool, repeats: int, threads: int | None) -> list[dict[str, Any]]:
    from lfr.evaluation.benchmarks import growth_sizes, has_cuda, made_up_faces

    rows: list[dict[str, Any]] = []
    for model in models:
        rows += pipeline_rows(
            None,
            references=1_000 if quick else 10_000,
            detect_every=1 if quick else 2,  # so few faces would make a share of two
            threshold=0.45,
            repeats=repeats,
            model=model,
            threads=threads,
            scene_s=3.0 if quick else None,
        )
        sides: dict[str, Any] = {"repeats": repeats, "model": model, "threads": threads}
        rows += picture_rows(None, most=4 if quick else 200, **sides)
        rows += embed_rows(None, limits=not quick, most=4 if quick else 200, **sides)
        rows += detect_rows(None, limits=not quick, most=2 if quick else 120, **sides)
        rows += [] if quick else runtime_rows(most=40, **sides)
        few: dict[str, Any] = {"streets": 1, "street_s": 2.0} if quick else {}
        rows += camera_rows([2] if quick else None, strides=(1,) if quick else (1, 2), **few, **sides)
    street: dict[str, Any] = {"streets": 1, "street_s": 5.0} if quick else {"streets": 24}
    rows += stride_rows([2] if quick else None, model=models[0], threads=threads, **street)
    if quick or has_cuda():
        rows += device_rows(
            model="torch-f32" if quick else "torch-cuda-bf16",
            repeats=repeats,
            threads=threads,
            most=4 if quick else 200,
            small=quick,
        )
    rows += match_rows([17_000] if quick else None, repeats=repeats, threads=threads, limits=not quick)
    rows += growth_rows([70_000] if quick else growth_sizes(), repeats=repeats, threads=threads)
    rows += evaluate_rows(made_up_faces(600 if quick else 13_233), repeats=repeats, threads=threads)
    return rows + start_rows(repeats=repeats)
