"""``lfr bench``: speed against what others would use, with the parity it was checked with."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from lfr.cli import bench_all, bench_serve, bench_size, bench_store, bench_train
from lfr.cli.bench_rows import (
    camera_rows,
    detect_rows,
    device_rows,
    embed_rows,
    evaluate_rows,
    growth_rows,
    match_rows,
    pipeline_rows,
    start_rows,
    stride_rows,
)
from lfr.cli.console import DetectEveryOption, JsonOption, ThreadsOption, emit, out

__all__ = ["app"]

_NAME_WIDTH = 36  # a longer one is broken into lines, and not the figures beside it

app = typer.Typer(help="Measure speed against other software, side by side.", no_args_is_help=True)


ModelOption = Annotated[
    str | None,
    typer.Option(
        "--model",
        metavar="VERSION",
        help="Model version; `lfr models list` shows them.  [default: openvino-bf16 where the processor has it, "
        "else openvino-f32]",
    ),
]
RooflineOption = Annotated[
    bool, typer.Option("--roofline", help="Also the machine's measured limits, and the share of them reached.")
]
RepeatsOption = Annotated[int, typer.Option("--repeats", min=1, max=1000, help="Turns of each side; medians count.")]


@app.command()
def embed(
    images: Annotated[
        Path | None,
        typer.Option(
            "--images",
            metavar="FOLDER",
            help="Pictures of faces, also in sub-folders.  [default: 200 LFW images if LFR_EVAL_DATA is set, "
            "else the demo faces]",
        ),
    ] = None,
    repeats: RepeatsOption = 5,
    model: ModelOption = None,
    limits: RooflineOption = False,
    threads: ThreadsOption = None,
    json: JsonOption = False,
) -> None:
    """Templates a second at batch 1, 8 and 32, against OpenCV's FaceRecognizerSF.

    OpenCV gets the same network in float32, the same crops and as many
    threads (default: all cores). Parity is the cosine of our templates to
    those of the float32 torch reference.
    """
    _emit(embed_rows(images, repeats=repeats, model=model, threads=threads, limits=limits), as_json=json)


@app.command()
def detect(
    source: Annotated[
        str | None,
        typer.Option(
            "--source",
            metavar="FILE",
            help="A recorded video, a picture or a folder of pictures; brought to 1280x736.  [default: the street "
            "crowd if LFR_EVAL_DATA is set, else a simulated scene]",
        ),
    ] = None,
    repeats: RepeatsOption = 5,
    model: ModelOption = None,
    limits: RooflineOption = False,
    threads: ThreadsOption = None,
    json: JsonOption = False,
) -> None:
    """Frames a second at 1280x736, against OpenCV's FaceDetectorYN.

    OpenCV gets the same network in float32, the same frames and as many
    threads (default: all cores). Parity is the share of the boxes OpenCV
    scores 0.7 and over that ours overlap with an IoU of at least 0.9.
    """
    _emit(detect_rows(source, repeats=repeats, model=model, threads=threads, limits=limits), as_json=json)


@app.command()
def match(
    references: Annotated[
        list[int] | None,
        typer.Option(
            "--references",
            metavar="N",
            min=1,
            max=10_000_000,
            help="Size of the watchlist; more than once for several.  [default: 1000, 17000, 100000, 1000000]",
        ),
    ] = None,
    repeats: RepeatsOption = 5,
    limits: RooflineOption = False,
    threads: ThreadsOption = None,
    json: JsonOption = False,
) -> None:
    """Probes a second for the best five references, 1, 8 and 64 at once, against faiss.IndexFlatIP.

    Both search exactly, on the same random templates of 128 numbers, with as
    many threads (default: all cores), so no model takes part. Parity is the
    share of candidates that are the same, or tie at float32's precision.
    """
    _emit(match_rows(references, repeats=repeats, threads=threads, limits=limits), as_json=json)


@app.command()
def device(
    repeats: RepeatsOption = 5,
    model: Annotated[
        str, typer.Option("--model", metavar="VERSION", help="A torch version; `lfr models list` shows them.")
    ] = "torch-cuda-bf16",
    threads: ThreadsOption = None,
    json: JsonOption = False,
) -> None:
    """Faces, frames and probes a second where everything stays on a GPU, against the way through the host's memory.

    Embeds 256 crops at once, finds and aligns the faces of 16 frames, and
    searches 17,000 references for 4,096 probes. Parity is that both ways come
    to the same templates, boxes and candidates. `--model torch-f32` does the
    same on the processor, which shows that it is right and not that it is fast.
    """
    _emit(device_rows(repeats=repeats, model=model, threads=threads), as_json=json)


@app.command()
def growth(
    references: Annotated[
        list[int] | None,
        typer.Option(
            "--references",
            metavar="N",
            min=1,
            max=20_000_000,
            help="Size of the list; more than once for several.  [default: 1000, 10000, 100000, 1000000]",
        ),
    ] = None,
    repeats: RepeatsOption = 5,
    threads: ThreadsOption = None,
    json: JsonOption = False,
) -> None:
    """Memory, time and exactness as the watchlist grows, and what searching in bytes first gains.

    Ours rounds references to bytes, and scores those that could be among the
    best five exactly; the peer is the same search in float32 throughout. Both
    must give what comparing with every reference in float64 gives. From a
    million on, a list is held in parts of a million, as several holders would.
    """
    _emit(growth_rows(references, repeats=repeats, threads=threads), as_json=json)


@app.command()
def evaluate(
    templates: Annotated[
        Path | None,
        typer.Option(
            "--templates", metavar="FILE", help="From `lfr evaluate embed`.  [default: as many made-up ones as LFW has]"
        ),
    ] = None,
    by: Annotated[str, typer.Option("--by", metavar="COLUMN", help="Group column of the templates.")] = "sex",
    faces: Annotated[int, typer.Option("--faces", min=200, help="How many made-up templates.")] = 13_233,
    repeats: RepeatsOption = 3,
    threads: ThreadsOption = None,
    json: JsonOption = False,
) -> None:
    """All comparisons to FMR curves by group, and 2,000 subject-bootstrap replicates, against the obvious loops.

    Parity is the largest difference of an FMR, and of an interval's end in
    widths of the interval. `whole_s` is the time that all comparisons took.
    """
    import numpy as np

    from lfr.evaluation.benchmarks import EvaluationSet, made_up_faces

    if templates is None:
        data = made_up_faces(faces)
    else:
        from lfr.evaluation import UNLABELLED, read_templates

        read = read_templates(templates)
        read = read[read.acquired & (read.manifest.group(by) != UNLABELLED)]
        subject, group = (
            np.unique(labels, return_inverse=True)[1] for labels in (read.manifest.subject_id, read.manifest.group(by))
        )
        data = EvaluationSet(read.embeddings.vectors, subject, group, f"{len(read)} faces of {read.manifest.name}")
    _emit(evaluate_rows(data, repeats=repeats, threads=threads), as_json=json)


@app.command()
def pipeline(
    source: Annotated[
        str | None,
        typer.Option(
            "--source",
            metavar="FILE|FOLDER",
            help="A recorded video, or a folder of its frames as pictures, 25 a second.  [default: the street crowd "
            "if LFR_EVAL_DATA is set, else a simulated scene]",
        ),
    ] = None,
    references: Annotated[
        int, typer.Option("--references", min=100, max=1_000_000, help="Size of the watchlist.")
    ] = 10_000,
    detect_every: Annotated[
        int, typer.Option("--detect-every", min=1, max=10, help="Frames per detection of ours.")
    ] = 2,
    threshold: Annotated[
        float, typer.Option("--threshold", min=-1, max=1, help="Score of an alert on both sides.")
    ] = 0.45,
    repeats: RepeatsOption = 3,
    model: ModelOption = None,
    threads: ThreadsOption = None,
    json: JsonOption = False,
) -> None:
    """Frames a second of the whole way, against OpenCV embedding every face of every frame.

    Both decode the file, find faces, and search the same watchlist: every
    second person of the video among random references. Parity is the share
    of OpenCV's faces of 40 px and more that ours has a face or a track on in
    the same frame, and whether the alerts are the same.
    """
    rows = pipeline_rows(
        source,
        references=references,
        detect_every=detect_every,
        threshold=threshold,
        repeats=repeats,
        model=model,
        threads=threads,
    )
    _emit(rows, as_json=json)


@app.command()
def start(repeats: RepeatsOption = 5, json: JsonOption = False) -> None:
    """Seconds and memory that `lfr --help`, `import lfr` and `lfr detect` take, each in a process of its own.

    The peer of the first two is Python that does nothing, of the third Python
    with OpenCV's detector and the same network on the same picture. Parity is
    that all ran, and that both found as many faces.
    """
    _emit(start_rows(repeats=repeats), as_json=json)


@app.command()
def cameras(
    counts: Annotated[
        list[int] | None,
        typer.Option(
            "--cameras",
            metavar="N",
            min=1,
            max=256,
            help="How many; more than once for several.  [default: 1, 4, 16, 64]",
        ),
    ] = None,
    detect_every: DetectEveryOption = 1,
    repeats: RepeatsOption = 3,
    model: ModelOption = None,
    threads: ThreadsOption = None,
    json: JsonOption = False,
) -> None:
    """Frames a second of many 720p cameras in one process, and how many it carries at 12 frames a second each.

    Each looks at a simulated street with a tracker of its own. The peer is
    one of the streets as a recording, in several frames of which faces are
    looked for at once. Parity is that every camera sees the people and
    raises the alerts that its street gives alone. What a stride of
    --detect-every loses, `lfr bench strides` shows.
    """
    _emit(camera_rows(counts, strides=(detect_every,), repeats=repeats, model=model, threads=threads), as_json=json)


@app.command()
def strides(
    of: Annotated[
        list[int] | None,
        typer.Option(
            "--detect-every", metavar="N", min=2, max=10, help="Frames per detection; more than once.  [default: 2, 3]"
        ),
    ] = None,
    streets: Annotated[
        int, typer.Option("--streets", min=1, max=1000, help="How many; each adds some twelve listed passes.")
    ] = 12,
    model: ModelOption = None,
    threads: ThreadsOption = None,
    json: JsonOption = False,
) -> None:
    """TPIR and frames a second on simulated streets where faces are found in every Nth frame only.

    The peer finds them in every frame of the same streets. Listed passes are
    compared in pairs, and the interval of what is lost draws the people again.
    """
    _emit(stride_rows(of, streets=streets, model=model, threads=threads), as_json=json)


def _emit(rows: Sequence[dict[str, Any]], *, as_json: bool) -> None:
    """Print the benchmark document: rows, and the machine they were measured on."""
    from lfr.evaluation.benchmarks import QUIET_CORES, machine_facts, tpir_said

    machine = machine_facts()

    def show() -> None:
        shows_p99 = any("p99_ms" in row for row in rows)
        table = Table("", "ours", "peer", "ratio", *(["p99"] if shows_p99 else []), "parity")
        table.columns[0].no_wrap = all(len(row["name"]) <= _NAME_WIDTH for row in rows)
        for row in rows:
            name, value = next(iter(row["parity"].items()))
            cells = [row["name"], _rate(row, "ours"), _rate(row, "peer"), f"[bold]{row['ratio']:.2f}[/]"]
            if shows_p99:
                cells.append(f"{row['p99_ms']:.2f} ms" if "p99_ms" in row else "")
            table.add_row(*cells, f"{name} {_plain(value)}")
        out.print(table)
        parities = dict.fromkeys(", ".join(f"{k} {_plain(v)}" for k, v in row["parity"].items()) for row in rows)
        if len(parities) == 1:
            out.print(f"parity: {next(iter(parities))}")
        first = rows[0]
        out.print(
            f"{_each(rows, 'unit')}, median of {first['repeats']} and least to most, in turn; threads: "
            f"{first['threads']}; model version: {first['version']}; peer: {_each(rows, 'peer_name')}",
            style="dim",
        )
        for row in rows:
            if "roofline" in row:
                out.print(_limit(row), highlight=False)
            if "memory_mib" in row and row["probes"] == 1:
                out.print(f"{row['name']}: {row['memory_mib']:,.0f} MiB, and {row['screen_mib']:,.0f} MiB in bytes")
            if "took_s" in row:
                out.print(f"{row['name']}: {row['took_s']:.2f} s, {row['peak_mib']:.0f} MiB at most", highlight=False)
            if "at_12_fps" in row:
                out.print(_carried(row), highlight=False)
            if "stride" in row:
                out.print(f"{row['name']}: TPIR {tpir_said(row['parity'])}", highlight=False)
        other_load = max((row["other_load"] for row in rows if "other_load" in row), default=0.0)
        if other_load >= QUIET_CORES:
            out.print(
                f"the machine was not quiet: other processes kept up to {other_load:.1f} cores busy; "
                "measure again when it is",
                style="yellow",
            )
        bf16 = "with bf16" if machine["bf16"] else "without bf16"
        out.print(f"{machine['processor']}, cores: {machine['cores']}, {bf16}", style="dim")

    emit({"rows": rows, "machine": machine}, as_json=as_json, show=show)


def _limit(row: dict[str, Any]) -> str:
    found = row["roofline"]
    return (
        f"{row['name']}: {found['operations'] / 1e9:.3g} G operations and {found['bytes'] / 1e6:.3g} MB each; "
        f"{found['share_of_operations']:.0%} of the {found['peak_operations_s'] / 1e9:,.0f} G operations/s "
        f"({found['precision']}) and {found['share_of_bytes']:.0%} of the {found['peak_bytes_s'] / 1e9:.1f} GB/s "
        f"measured here; bound by {found['bound']}"
    )


def _carried(row: dict[str, Any]) -> str:
    return (
        f"{row['cameras']} at 12 frames/s each: {row['looked_at']:.0%} of the frames are looked at, "
        f"{row['busy_cores']:.2f} of {row['threads']} cores busy, {row['camera_mib']:.0f} MiB a camera; "
        f"{row['at_12_fps']} would have every frame looked at"
    )


def _each(rows: Sequence[dict[str, Any]], key: str) -> str:
    return " or ".join(dict.fromkeys(row[key] for row in rows))


def _rate(row: dict[str, Any], side: str) -> str:
    middle, least, most = (
        f"{rate:,.0f}" if rate >= 100 else f"{rate:.1f}" for rate in (row[side], *row[f"{side}_spread"])
    )
    return f"[bold]{middle}[/]\n{least} to {most}"


def _plain(value: object) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)


app.command("all")(bench_all.every)
for _command in (bench_all.table, bench_serve.serve, bench_size.size, bench_store.store, bench_train.train):
    app.command()(_command)
