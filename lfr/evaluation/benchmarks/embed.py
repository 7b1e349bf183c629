"""Templates a second, against OpenCV's recogniser on the same network in float32."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from lfr.errors import InputError
from lfr.evaluation.acquisition import central_face
from lfr.evaluation.benchmarks.peers import FaceEmbedder, equal_threads
from lfr.evaluation.benchmarks.timing import Progress, benchmark_row, interleave
from lfr.models import Model
from lfr.sources import read_image
from lfr.types import FloatArray, Pixels
from lfr.vision import Detector, Embedder, align

__all__ = ["BATCHES", "bench_embed", "cosine_parity", "read_crops"]

BATCHES = (1, 8, 32)


def read_crops(
    paths: Sequence[Path], model: Model, *, progress: Callable[[Iterable[Path]], Iterable[Path]] = iter
) -> Pixels:
    """Return (n, 112, 112, 3) aligned crops: the central face of each picture that shows one.

    Raises
    ------
    ImageError
        A file is missing or no image.
    InputError
        No picture shows a face.
    """
    detector = Detector(model.detector)
    crops = []
    for path in progress(paths):
        pixels = read_image(path)
        faces = detector.detect(pixels)
        if len(faces):
            chosen = central_face(faces, (pixels.shape[1], pixels.shape[0]))
            crops.append(align(pixels, faces[chosen : chosen + 1].landmarks))
    if not crops:
        raise InputError(f"no face was found in any of the {len(paths)} pictures to embed")
    return np.concatenate(crops)


def bench_embed(
    model: Model,
    crops: Pixels,
    *,
    peer: FaceEmbedder,
    reference: Model,
    threads: int,
    batches: Sequence[int] = BATCHES,
    repeats: int = 5,
    progress: Progress = iter,
) -> list[dict[str, Any]]:
    """Time the embedder at each batch size against OpenCV's ``FaceRecognizerSF``.

    OpenCV's recogniser takes one face at a time, so it is called once for each
    face of a batch. Parity is the cosine of each template to that of the
    reference, over all crops.

    Parameters
    ----------
    model
        The version to measure, made with ``threads`` threads.
    crops
        (n, 112, 112, 3) BGR aligned crops; repeated where a batch needs more.
    peer
        OpenCV's recogniser: `lfr.evaluation.benchmarks.peers.opencv_recogniser`.
    reference
        The version that templates should agree with: ``torch-f32``.
    threads
        Threads that OpenCV gets.
    batches
        Faces embedded at once.
    repeats
        As for `lfr.evaluation.benchmarks.timing.interleave`.
    progress
        Wraps the batch sizes.

    Returns
    -------
    One row of the benchmark document for each batch size.

    Raises
    ------
    RuntimeUnavailableError
        A package of the extra ``bench`` is not installed.
    """
    with equal_threads(threads):
        expected = Embedder(reference).embed(crops).vectors
        theirs = np.array([peer(crop) for crop in crops])
        theirs /= np.linalg.norm(theirs, axis=1, keepdims=True)
        parity = cosine_parity(Embedder(model).embed(crops).vectors, expected)
        parity |= {
            "crops": len(crops),
            **{f"peer_{name}": value for name, value in cosine_parity(theirs, expected).items()},
        }
        return [
            _row(model, peer, np.resize(crops, (batch, *crops.shape[1:])), parity, threads=threads, repeats=repeats)
            for batch in progress(batches)
        ]


def cosine_parity(vectors: FloatArray, reference: FloatArray) -> dict[str, Any]:
    """Compare (n, d) templates with those of the reference, row by row; all of unit length.

    Returns
    -------
    ``cosine_min``, ``cosine_mean``, and ``under_0_999``: how many have a lower cosine than that.
    """
    cosine = np.einsum("nd,nd->n", vectors.astype(np.float64), reference.astype(np.float64))
    return {
        "cosine_min": round(float(cosine.min()), 6),
        "cosine_mean": round(float(cosine.mean()), 6),
        "under_0_999": int((cosine < 0.999).sum()),
    }


def _row(
    model: Model,
    peer: FaceEmbedder,
    crops: Pixels,
    parity: dict[str, Any],
    *,
    threads: int,
    repeats: int,
) -> dict[str, Any]:
    embedder = Embedder(model, batch_size=len(crops))
    timing = interleave(
        lambda: embedder.embed(crops),
        lambda: [peer(crop) for crop in crops],
        repeats=repeats,
    )
    return benchmark_row(
        f"embed, batch {len(crops)}",
        timing,
        items=len(crops),
        unit="faces",
        peer_name="OpenCV FaceRecognizerSF, float32",
        parity=parity,
        version=model.version.name,
        threads=threads,
    )
