"""Faces, frames and probes a second where everything stays on one device, against the way through the host's memory."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch

from lfr.evaluation.benchmarks.detect import box_parity
from lfr.evaluation.benchmarks.embed import cosine_parity
from lfr.evaluation.benchmarks.match import VERSION, random_templates, search_parity
from lfr.evaluation.benchmarks.peers import equal_threads
from lfr.evaluation.benchmarks.timing import benchmark_row, interleave
from lfr.matching import Snapshot
from lfr.matching.on_device import DeviceSearch
from lfr.models import Model
from lfr.types import Embeddings, Pixels
from lfr.vision import Detector, Embedder, align
from lfr.vision.on_device import DeviceVision

__all__ = ["DEVICE_BATCH", "DEVICE_FRAMES", "DEVICE_PROBES", "DEVICE_REFERENCES", "bench_device", "device_names"]

DEVICE_BATCH = 256
DEVICE_FRAMES = 16
DEVICE_PROBES = 4_096
DEVICE_REFERENCES = 17_000
_SEED = 20_261_130


def bench_device(
    model: Model,
    crops: Pixels,
    frames: Sequence[Pixels],
    *,
    reference: Model,
    threads: int,
    batch: int = DEVICE_BATCH,
    probes: int = DEVICE_PROBES,
    references: int = DEVICE_REFERENCES,
    repeats: int = 5,
) -> list[dict[str, Any]]:
    """Time embedding, detection with alignment, and search with everything on the model's device.

    Frames are brought to the device in the time that is taken; crops and probes are there already, and all results
    stay. The peer is the same version with pictures from and results in the host's memory, frame by frame, and the
    search of `Snapshot` on the processor. Parity of templates and boxes is with the reference.

    Parameters
    ----------
    model
        A version that runs on torch.
    crops
        (n, 112, 112, 3) BGR aligned crops; repeated to fill the batch.
    frames
        (height, width, 3) BGR pictures of one size, all looked at in one batch.
    reference
        The version that templates and boxes should agree with: ``torch-f32``.
    threads
        Threads that the processor's side has.
    batch, probes, references
        Sizes of what is embedded, searched for and searched.
    repeats
        As for `lfr.evaluation.benchmarks.timing.interleave`.

    Returns
    -------
    Three rows of the benchmark document, each with its ``device``.

    Raises
    ------
    RuntimeUnavailableError
        The version runs on something else.
    """
    vision = DeviceVision(model, batch_size=batch)
    side: dict[str, Any] = {"threads": threads, "repeats": repeats}
    height, width = frames[0].shape[:2]
    names = device_names(batch, (width, height), probes, references)
    with equal_threads(threads):
        rows = [
            _embedding(names[0], model, vision, np.resize(crops, (batch, *crops.shape[1:])), reference, **side),
            _frames(names[1], model, vision, frames, reference, **side),
            _search(names[2], vision.device, references, probes, **side),
        ]
    named = torch.cuda.get_device_name(vision.device) if vision.device.type == "cuda" else "cpu"
    return [row | {"device": named} for row in rows]


def device_names(batch: int, resolution_wh: tuple[int, int], probes: int, references: int) -> tuple[str, str, str]:
    """Return what the three rows are called."""
    width, height = resolution_wh
    return (
        f"device: embed, batch {batch}",
        f"device: {width}x{height}, detect and align",
        f"device: match, {probes:,} of {references:,}",
    )


def _embedding(
    name: str, model: Model, vision: DeviceVision, crops: Pixels, reference: Model, *, threads: int, repeats: int
) -> dict[str, Any]:
    on_device, host = torch.from_numpy(crops).to(vision.device), Embedder(model, batch_size=len(crops))
    timing = interleave(
        _waited(vision.device, lambda: vision.embed(on_device)), lambda: host.embed(crops), repeats=repeats
    )
    return benchmark_row(
        name,
        timing,
        items=len(crops),
        unit="faces",
        peer_name=f"{model.version.name} through the host's memory",
        parity=cosine_parity(vision.embed(on_device).cpu().numpy(), Embedder(reference).embed(crops).vectors),
        version=model.version.name,
        threads=threads,
    )


def _frames(
    name: str,
    model: Model,
    vision: DeviceVision,
    frames: Sequence[Pixels],
    reference: Model,
    *,
    threads: int,
    repeats: int,
) -> dict[str, Any]:
    detector, batch = Detector(model.detector), np.stack(frames)

    def ours() -> object:
        on_device = vision.put(batch)
        return vision.align(on_device, vision.detect(on_device))

    def peer() -> list[Pixels]:
        return [align(frame, detector.detect(frame).landmarks) for frame in frames]

    timing = interleave(_waited(vision.device, ours), peer, repeats=repeats)
    found, expected = vision.detect(vision.put(batch)).of_frames(len(frames)), Detector(reference.detector)
    return benchmark_row(
        name,
        timing,
        items=len(frames),
        unit="frames",
        peer_name=f"{model.version.name} through the host's memory",
        parity=box_parity(found, [expected.detect(frame) for frame in frames]),
        version=model.version.name,
        threads=threads,
    )


def _search(name: str, device: torch.device, size: int, count: int, *, threads: int, repeats: int) -> dict[str, Any]:
    rng = np.random.default_rng(_SEED)
    references, probes = random_templates(size, rng), random_templates(count, rng)
    snapshot = Snapshot(Embeddings(references, VERSION), tuple(map(str, range(size))))
    search, told = DeviceSearch(snapshot, device.type), Embeddings(probes, VERSION)
    on_device = torch.from_numpy(probes).to(device)
    timing = interleave(
        _waited(device, partial(search.search_on_device, on_device)), lambda: snapshot.search(told), repeats=repeats
    )
    row = benchmark_row(
        name,
        timing,
        items=count,
        unit="probes",
        peer_name="the search of a snapshot on the processor",
        parity=search_parity(search.search(told), snapshot.search(told), references=references, probes=probes),
        version=VERSION,
        threads=threads,
    )
    return row | {"references": size, "probes": count}


def _waited(device: torch.device, call: Callable[[], object]) -> Callable[[], object]:
    """``call`` and the wait for what it launched, so that its time is the device's."""
    if device.type != "cuda":
        return call

    def both() -> None:
        call()
        torch.cuda.synchronize(device)

    return both
