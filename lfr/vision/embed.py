"""Turn aligned crops into templates, many at a time."""

from __future__ import annotations

import numpy as np

from lfr.models import Model
from lfr.types import Embeddings, FloatArray, Pixels

__all__ = ["Embedder"]


class Embedder:
    """Templates of aligned crops.

    Parameters
    ----------
    model
        The loaded version; its digest goes with every template.
    batch_size
        Most crops the network sees at once.
    """

    def __init__(self, model: Model, *, batch_size: int = 16) -> None:
        self._network = model.embedder
        self._batch_size = batch_size
        self._empty = np.zeros((0, model.embedding_size), np.float32)
        self.model_digest = model.digest

    def embed(self, crops: Pixels) -> Embeddings:
        """Return one unit-length template for each of (n, 112, 112, 3) BGR crops."""
        starts = range(0, len(crops), self._batch_size)
        raw = [self._empty, *(self._network(crops[i : i + self._batch_size])[0] for i in starts)]
        vectors: FloatArray = np.concatenate(raw)
        for part in raw:
            part[:] = 0
        vectors /= np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), np.finfo(np.float32).tiny)
        return Embeddings(vectors, self.model_digest)
