"""The teacher's templates of clean faces, made once: training only reads them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from lfr.evaluation import Progress
from lfr.models import Model
from lfr.training.crops import Crops, write_private
from lfr.training.degradation import aligned
from lfr.types import FloatArray
from lfr.vision import Embedder

__all__ = ["teacher_file", "teacher_templates"]

_BATCH = 32


def teacher_templates(
    crops: Crops, model: Model, *, mirrored: bool = False, progress: Progress | None = None
) -> FloatArray:
    """Return the templates of clean faces, kept beside the crops with mode 0600.

    Parameters
    ----------
    crops
        The faces.
    model
        The teacher.
    mirrored
        Of the mirror images instead.
    progress
        Sees the faces that are done.

    Returns
    -------
    (n, d) of length 1.

    Raises
    ------
    ManifestError
        They cannot be kept.
    """
    path = teacher_file(crops, model.digest, mirrored=mirrored)
    if path.is_file():
        kept: FloatArray = np.load(path)
        return kept
    embedder = Embedder(model, batch_size=_BATCH)
    templates = np.empty((len(crops), model.embedding_size), np.float32)
    done: Iterable[int] = range(len(crops)) if progress is None else progress(range(len(crops)), len(crops))
    for first in done:
        if first % _BATCH:
            continue
        rows = range(first, min(first + _BATCH, len(crops)))
        faces = [aligned(crops.pixels[row], crops.landmarks, mirrored=mirrored) for row in rows]
        templates[rows.start : rows.stop] = embedder.embed(np.stack(faces)).vectors
    write_private(path, templates)
    return templates


def teacher_file(crops: Crops, model_digest: str, *, mirrored: bool) -> Path:
    """Where `teacher_templates` keeps a model's templates of the faces or of their mirror images."""
    return crops.folder / f"teacher-{model_digest[:16]}{'-mirrored' if mirrored else ''}.npy"
