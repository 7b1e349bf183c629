"""How fast a version is by itself, on the machine that evaluates it."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime
from statistics import median

import numpy as np

from lfr.errors import RegistryError
from lfr.evaluation import Manifest
from lfr.evaluation.benchmarks import machine_facts, read_crops
from lfr.models import Model
from lfr.registry.documents import BenchmarkEvidence
from lfr.sources import read_image
from lfr.types import Pixels
from lfr.vision import Detector, Embedder

__all__ = ["measure_speed"]

_FRAME = (720, 1280)
_BATCH = 8
_TURNS = 15


def measure_speed(model: Model, data: Manifest, *, created: datetime) -> BenchmarkEvidence:
    """Time the detector on 1280x720 frames, one after another, and the embedder on batches of eight crops.

    Parameters
    ----------
    model
        The version.
    data
        Pictures: a frame is filled with them, and their faces are embedded.
    created
        When.

    Raises
    ------
    RegistryError
        No picture shows a face.
    """
    files = data.files[:_BATCH]
    crops = read_crops(files, model)
    if len(crops) == 0:
        raise RegistryError(f"{data.name}: no face to time the embedder with")
    batch = np.resize(crops, (_BATCH, *crops.shape[1:]))
    frame = _frame([read_image(path) for path in files])
    detector, embedder = Detector(model.detector), Embedder(model)
    return BenchmarkEvidence(
        model_digest=model.digest,
        created=created,
        frames_per_s=1 / _median_s(lambda: detector.detect(frame)),
        faces_per_s=_BATCH / _median_s(lambda: embedder.embed(batch)),
        machine=machine_facts(),
    )


def _frame(pictures: list[Pixels]) -> Pixels:
    """(720, 1280, 3) frame with the pictures side by side."""
    frame = np.zeros((*_FRAME, 3), np.uint8)
    left = 0
    for picture in pictures:
        part = picture[: _FRAME[0], : _FRAME[1] - left]
        frame[: part.shape[0], left : left + part.shape[1]] = part
        left += part.shape[1]
    return frame


def _median_s(call: Callable[[], object]) -> float:
    call()
    taken = []
    for _ in range(_TURNS):
        began = time.perf_counter()
        call()
        taken.append(time.perf_counter() - began)
    return median(taken)
