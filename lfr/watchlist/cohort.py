"""People who are not on the list, to see whom a reference would draw."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from lfr.errors import WatchlistError
from lfr.models import Model
from lfr.sources import Portrait, demo_portraits, read_image, read_portraits
from lfr.types import Embeddings
from lfr.vision import Detector, Embedder, align

__all__ = ["Cohort", "demo_cohort", "manifest_cohort"]


@dataclass(frozen=True, eq=False)
class Cohort:
    """Templates of people, and who each is.

    Attributes
    ----------
    name
        What a report calls it.
    templates
        One for each image.
    subject_ids
        Subject of each; one who is on the list is left out of comparisons.
    """

    name: str
    templates: Embeddings = field(repr=False)
    subject_ids: tuple[str, ...] = field(repr=False)


def demo_cohort(model: Model, *, progress: Callable[[Iterable[Path]], Iterable[Path]] = iter) -> Cohort:
    """Return the shipped made-up people, one image each."""
    first: dict[str, Portrait] = {}
    for portrait in demo_portraits():
        first.setdefault(portrait.subject_id, portrait)
    return _cohort("the made-up people of the demo", tuple(first.values()), model, progress)


def manifest_cohort(
    manifest: Path, model: Model, *, progress: Callable[[Iterable[Path]], Iterable[Path]] = iter
) -> Cohort:
    """Return the people of a manifest (CSV with ``path`` and ``subject_id``)."""
    return _cohort(manifest.name, read_portraits(manifest), model, progress)


def _cohort(
    name: str, portraits: Sequence[Portrait], model: Model, progress: Callable[[Iterable[Path]], Iterable[Path]]
) -> Cohort:
    detector, embedder = Detector(model.detector), Embedder(model, batch_size=16)
    crops, subjects = [], []
    for portrait, path in zip(portraits, progress([p.path for p in portraits]), strict=True):
        pixels = read_image(path)
        faces = detector.detect(pixels)
        if len(faces):
            crops.append(align(pixels, faces[np.array([faces.size_px.argmax()])].landmarks))
            subjects.append(portrait.subject_id)
    if not crops:
        raise WatchlistError(f"{name}: no face found in any image of the cohort")
    return Cohort(name, embedder.embed(np.concatenate(crops)), tuple(subjects))
