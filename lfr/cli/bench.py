"""``lfr bench``: speed against what others would use, with the parity it was checked with."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from lfr.cli.console import JsonOption, ThreadsOption, emit, err, out, track

if TYPE_CHECKING:
    from lfr.settings import Settings
    from lfr.types import Frame

__all__ = ["app"]

app = typer.Typer(help="Measure speed against other software, side by side.", no_args_is_help=True)

LFW_IMAGES = 200
SCENE_SECONDS = 40.0
QUIET_CORES = 0.1
"""Cores that other processes may keep busy without the figures being called in doubt."""

ModelOption = Annotated[
    str | None,
    typer.Option(
        "--model",
        metavar="VERSION",
        help="Model version; `lfr models list` shows them.  [default: openvino-bf16 where the processor has it, "
        "else openvino-f32]",
    ),
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
    threads: ThreadsOption = None,
    json: JsonOption = False,
) -> None:
    """Templates a second at batch 1, 8 and 32, against OpenCV's FaceRecognizerSF.

    OpenCV gets the same network in float32, the same crops and as many
    threads (default: all cores). Parity is the cosine of our templates to
    those of the float32 torch reference.
    """
    from lfr.evaluation.benchmarks import BATCHES, bench_embed, opencv_recogniser, read_crops, sface_onnx
    from lfr.models import load_model

    settings, version, threads = _setting(model, threads)
    paths, data = _pictures(images, settings)
    with err.status("loading the model, its reference, and OpenCV's copy of it"):
        peer = opencv_recogniser(sface_onnx(settings.weights))
        loaded, reference = (
            load_model(name, threads=threads, weights=settings.weights) for name in (version, "torch-f32")
        )
    crops = read_crops(paths, loaded, progress=partial(track, description="reading faces", total=len(paths)))
    progress = partial(track, description="embedding", total=len(BATCHES))
    rows = bench_embed(
        loaded, crops, peer=peer, reference=reference, threads=threads, repeats=repeats, progress=progress
    )
    _emit([row | {"data": data} for row in rows], as_json=json)


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
    threads: ThreadsOption = None,
    json: JsonOption = False,
) -> None:
    """Frames a second at 1280x736, against OpenCV's FaceDetectorYN.

    OpenCV gets the same network in float32, the same frames and as many
    threads (default: all cores). Parity is the share of the boxes OpenCV
    scores 0.7 and over that ours overlap with an IoU of at least 0.9.
    """
    from lfr.evaluation.benchmarks import bench_detect, opencv_detector, read_frames, yunet_onnx
    from lfr.models import load_model

    settings, version, threads = _setting(model, threads)
    frames, data = _frames(source, settings)
    pictures = read_frames(track(frames, "reading frames"))
    with err.status("loading the model and OpenCV's copy of it"):
        peer = opencv_detector(yunet_onnx(settings.weights))
        loaded = load_model(version, threads=threads, weights=settings.weights)
    progress = partial(track, description="detecting", total=repeats)
    rows = bench_detect(loaded, pictures, peer=peer, threads=threads, repeats=repeats, progress=progress)
    _emit([row | {"data": data} for row in rows], as_json=json)


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
    threads: ThreadsOption = None,
    json: JsonOption = False,
) -> None:
    """Probes a second for the best five references, 1, 8 and 64 at once, against faiss.IndexFlatIP.

    Both search exactly, on the same random templates of 128 numbers, with as
    many threads (default: all cores), so no model takes part. Parity is the
    share of candidates that are the same, or tie at float32's precision.
    """
    from lfr.evaluation.benchmarks import REFERENCES, bench_match

    _, _, threads = _setting(None, threads)
    sizes = references or list(REFERENCES)
    progress = partial(track, description="matching", total=len(sizes))
    rows = bench_match(threads=threads, references=sizes, repeats=repeats, progress=progress)
    _emit(rows, as_json=json)


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

    from lfr.evaluation.benchmarks import EvaluationSet, bench_evaluate, made_up_faces

    _, _, threads = _setting(None, threads)
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
    progress = partial(track, description="evaluating", total=3)
    _emit(bench_evaluate(data, threads=threads, repeats=repeats, progress=progress), as_json=json)


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
    from tempfile import TemporaryDirectory

    from lfr.evaluation.benchmarks import check_recorded
    from lfr.evaluation.benchmarks.pipeline import bench_pipeline
    from lfr.models import load_model
    from lfr.pipeline import Recogniser

    if source is not None:
        check_recorded(source)
    settings, version, threads = _setting(model, threads)
    with TemporaryDirectory() as folder, err.status("loading the model") as status:
        path = _video(settings, Path(folder)) if source is None else Path(source)
        model_version = load_model(version, threads=threads, weights=settings.weights, detector_streams=threads)
        recogniser = Recogniser(model_version)
        row = bench_pipeline(
            path,
            recogniser,
            threads=threads,
            references=references,
            threshold=threshold,
            detect_every=detect_every,
            repeats=repeats,
            weights=settings.weights,
            progress=status.update,
        )
    _emit([row], as_json=json)


def _video(settings: Settings, folder: Path) -> Path:
    """Return the video to measure on: the street crowd, or a simulated scene written to ``folder``."""
    from lfr.sources import Scene, SceneSettings, demo_portraits

    if settings.eval_data is not None:
        return settings.eval_data / "video" / "street_crowd_1080p.mp4"
    path = folder / "simulated_scene.mp4"
    Scene(demo_portraits(), SceneSettings(duration_s=20.0, fps=12.5, people_per_minute=40.0)).write_video(path)
    return path


def _setting(model: str | None, threads: int | None) -> tuple[Settings, str, int]:
    """Return the environment's settings, the model version and the number of threads to measure with."""
    from lfr.evaluation.benchmarks import core_count, fastest_version
    from lfr.settings import read_settings

    settings = read_settings()
    # What the environment names is meant; its default is for other commands.
    named = settings.model if "model" in settings.model_fields_set else None
    return settings, model or named or fastest_version(), threads or settings.threads or core_count()


def _pictures(folder: Path | None, settings: Settings) -> tuple[list[Path], str]:
    """Return the pictures to take faces from, and what to call them."""
    from lfr.errors import InputError
    from lfr.sources import IMAGE_SUFFIXES, demo_portraits

    if folder is None and settings.eval_data is None:
        return [portrait.path for portrait in demo_portraits()], "demo faces"
    below = folder or Path(settings.eval_data or "", "lfw", "images")
    found = sorted(path for path in below.rglob("*") if path.suffix.lower() in IMAGE_SUFFIXES)
    if not found:
        raise InputError(f"{below}: no folder with pictures ({', '.join(sorted(IMAGE_SUFFIXES))})")
    if folder is not None:
        return found, "pictures given"
    chosen = [found[i * len(found) // LFW_IMAGES] for i in range(min(LFW_IMAGES, len(found)))]
    return chosen, f"LFW, {len(chosen)} images"


def _frames(source: str | None, settings: Settings) -> tuple[Iterable[Frame], str]:
    """Return the frames to detect in, and what to call them."""
    from lfr.evaluation.benchmarks import FRAME_WH, check_recorded
    from lfr.sources import Scene, SceneSettings, demo_portraits

    if source is None and settings.eval_data is not None:
        source, data = str(settings.eval_data / "video" / "street_crowd_1080p.mp4"), "street crowd"
    elif source is not None:
        data = "frames given"
    else:
        scene = SceneSettings(resolution_wh=FRAME_WH, duration_s=SCENE_SECONDS, people_per_minute=90.0, fps=2.0)
        return (seen.frame for seen in Scene(demo_portraits(), scene).frames()), "simulated scene"
    check_recorded(source)
    return _recorded(source), data


def _recorded(source: str) -> Iterable[Frame]:
    from lfr.sources import open_source

    with open_source(source) as opened:
        yield from opened


def _emit(rows: Sequence[dict[str, Any]], *, as_json: bool) -> None:
    """Print the benchmark document: rows, and the machine they were measured on."""
    from lfr.evaluation.benchmarks import machine_facts

    machine = machine_facts()

    def show() -> None:
        shows_p99 = any("p99_ms" in row for row in rows)
        table = Table("", "ours", "peer", "ratio", *(["p99"] if shows_p99 else []), "parity")
        table.columns[0].no_wrap = True
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
            f"{first['unit']}, median of {first['repeats']} and least to most, in turn; threads: {first['threads']}; "
            f"model version: {first['version']}; peer: {first['peer_name']}",
            style="dim",
        )
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


def _rate(row: dict[str, Any], side: str) -> str:
    middle, least, most = (
        f"{rate:,.0f}" if rate >= 100 else f"{rate:.1f}" for rate in (row[side], *row[f"{side}_spread"])
    )
    return f"[bold]{middle}[/]\n{least} to {most}"


def _plain(value: object) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)
