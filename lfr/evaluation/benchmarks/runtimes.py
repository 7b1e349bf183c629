"""The same networks on another runtime: what the choice of runtime is worth."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from lfr.evaluation.benchmarks.detect import box_parity
from lfr.evaluation.benchmarks.embed import cosine_parity
from lfr.evaluation.benchmarks.peers import equal_threads
from lfr.evaluation.benchmarks.timing import benchmark_row, interleave
from lfr.models import Model
from lfr.types import Pixels
from lfr.vision import Detector, Embedder

__all__ = ["bench_runtimes"]

_BATCH = 8
_TIMED_FRAMES = 8


def bench_runtimes(
    model: Model,
    peer: Model,
    *,
    crops: Pixels,
    frames: Sequence[Pixels],
    threads: int,
    repeats: int = 5,
) -> list[dict[str, Any]]:
    """Time the embedder and the detector of two versions of the default model.

    Parameters
    ----------
    model, peer
        Both made with ``threads`` threads.
    crops
        (n, 112, 112, 3) BGR aligned crops, at least one.
    frames
        (height, width, 3) BGR pictures of one size, at least one.
    threads
        Threads of everything else.
    repeats
        As for `lfr.evaluation.benchmarks.timing.interleave`.

    Returns
    -------
    Two rows of the benchmark document.

    Raises
    ------
    RuntimeUnavailableError
        A package of the extra ``bench`` is not installed.
    """
    ours, theirs = (Embedder(version) for version in (model, peer))
    find, find_theirs = (Detector(version.detector).detect for version in (model, peer))
    batch = np.resize(crops, (_BATCH, *crops.shape[1:]))
    timed = frames[:_TIMED_FRAMES]
    with equal_threads(threads):
        embedding = interleave(lambda: ours.embed(batch), lambda: theirs.embed(batch), repeats=repeats)
        detection = interleave(
            lambda: [find(pixels) for pixels in timed],
            lambda: [find_theirs(pixels) for pixels in timed],
            repeats=repeats,
        )
        same_templates = cosine_parity(ours.embed(crops).vectors, theirs.embed(crops).vectors)
        same_boxes = box_parity([find(pixels) for pixels in frames], [find_theirs(pixels) for pixels in frames])
    sides: dict[str, Any] = {
        "peer_name": f"the same network as {peer.version.name}",
        "version": model.version.name,
        "threads": threads,
    }
    height, width = frames[0].shape[:2]
    return [
        benchmark_row(f"embed, batch {_BATCH}", embedding, items=_BATCH, unit="faces", parity=same_templates, **sides),
        benchmark_row(
            f"detect, {width}x{height}", detection, items=len(timed), unit="frames", parity=same_boxes, **sides
        ),
    ]
