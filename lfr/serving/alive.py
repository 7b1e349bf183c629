"""How much of faces is in memory now: arrays are watched until they are gone, and counted until they are blank."""

from __future__ import annotations

import weakref
from dataclasses import dataclass
from typing import Any

import numpy as np

from lfr.pipeline.stream import FaceReader
from lfr.types import Embeddings, Faces, FloatArray, Pixels
from lfr.vision import Quality

__all__ = ["Alive", "HeldFaces", "WatchedReader"]


@dataclass(frozen=True)
class HeldFaces:
    """What a part of the service holds of faces.

    Attributes
    ----------
    templates
        Of probes; those of the sealed list are not counted.
    crops
        Aligned crops, and the pictures of tracks that are not decided.
    """

    templates: int = 0
    crops: int = 0

    def __add__(self, other: HeldFaces) -> HeldFaces:
        return HeldFaces(self.templates + other.templates, self.crops + other.crops)


class Alive:
    """The templates and crops of one process, by what becomes of their arrays.

    A row counts while anybody still holds its array and it is not overwritten
    with zeros, so one that somebody forgot to overwrite, or still keeps, shows.
    """

    def __init__(self) -> None:
        self._templates: dict[int, weakref.ref[Any]] = {}
        self._crops: dict[int, weakref.ref[Any]] = {}

    def templates(self, vectors: FloatArray) -> FloatArray:
        """Watch (n, d) templates, and return them."""
        _watch(self._templates, vectors)
        return vectors

    def crops(self, crops: Pixels) -> Pixels:
        """Watch (n, height, width, 3) crops, and return them."""
        _watch(self._crops, crops)
        return crops

    def count(self) -> HeldFaces:
        """Return how many there are now."""
        return HeldFaces(_count(self._templates), _count(self._crops))


class WatchedReader:
    """A reader whose crops and templates are watched.

    Parameters
    ----------
    reader
        Makes them.
    alive
        Watches them.
    """

    def __init__(self, reader: FaceReader, alive: Alive) -> None:
        self._reader, self._alive = reader, alive

    def detect(self, pixels: Pixels) -> Faces:
        """Return the faces of a picture."""
        return self._reader.detect(pixels)

    def crops(self, pixels: Pixels, faces: Faces) -> tuple[Pixels, Quality]:
        """Return aligned crops of the faces, and their quality."""
        crops, quality = self._reader.crops(pixels, faces)
        return self._alive.crops(crops), quality

    def embed(self, crops: Pixels) -> Embeddings:
        """Return one template for each aligned crop."""
        templates = self._reader.embed(self._alive.crops(crops))
        self._alive.templates(templates.vectors)
        return templates


def _watch(watched: dict[int, weakref.ref[Any]], array: Any) -> None:  # noqa: ANN401 - of any kind
    key = id(array)
    watched[key] = weakref.ref(array, lambda gone: watched.pop(key, None) if watched.get(key) is gone else None)


def _count(watched: dict[int, weakref.ref[Any]]) -> int:
    arrays = (found() for found in list(watched.values()))
    return sum(int(np.any(array, axis=tuple(range(1, array.ndim))).sum()) for array in arrays if array is not None)
