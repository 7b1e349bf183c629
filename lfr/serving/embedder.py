"""Makes templates of aligned crops, those of several cameras at a time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

import numpy as np
from ray import serve

from lfr.serving.alive import Alive, HeldFaces
from lfr.serving.box import Box
from lfr.serving.logs import log_json
from lfr.serving.opening import ServedModel, open_model
from lfr.serving.settings import AppArgs
from lfr.serving.starting import Opened
from lfr.serving.tidy import keep_tidy
from lfr.types import Embeddings, FloatArray, Pixels
from lfr.vision import Embedder as Network

__all__ = ["Embedder"]

_SPARE = 8  # templates of as few as 32 numbers


class Embedder:
    """One process of the embedder.

    Parameters
    ----------
    args
        Of the app.
    served
        The model that was resolved at start.
    """

    def __init__(self, args: AppArgs, served: ServedModel) -> None:
        reached = time.time()
        log_json()
        model = open_model(args, served, only="embedder")
        self._network = Network(model, batch_size=args.batch_crops)
        self._digest = model.digest
        self._alive = Alive()
        keep_tidy()
        self._opened = Opened(reached, time.time())

    def opened(self) -> Opened:
        """Return when this process had opened what it needs."""
        return self._opened

    def model_digest(self) -> str:
        """Return the digest of the model in use."""
        return self._digest

    def held(self) -> HeldFaces:
        """Return what is held of faces now."""
        return self._alive.count()

    def embed_batch(self, groups: Sequence[Pixels]) -> list[FloatArray]:
        """Return (n, d) templates for each group of (n, 112, 112, 3) BGR crops; groups are embedded together."""
        for group in groups:
            self._alive.crops(group)
        together = self._alive.crops(np.concatenate(groups) if groups else np.zeros((0, 112, 112, 3), np.uint8))
        vectors = self._alive.templates(self._network.embed(together).vectors)
        together[:] = 0
        ends = np.cumsum([len(group) for group in groups])
        parts = []
        for group, end in zip(groups, ends, strict=True):
            # numpy keeps what it frees under 1024 bytes, as it is, to give it out again.
            part = np.empty((len(group) + _SPARE, vectors.shape[1]), np.float32)[: len(group)]
            part[:] = vectors[end - len(group) : end]
            parts.append(self._alive.templates(part))
        vectors[:] = 0.0
        return parts

    async def embed(self, group: Pixels) -> Embeddings:
        """Return one group's templates, made together with those of others that wait, and say which model made them."""
        box: Box[Pixels, Embeddings] = Box(group)
        try:
            await self.embed_boxes(box)
            return box.take()
        finally:
            box.clear()

    @serve.batch(max_batch_size=16, batch_wait_timeout_s=0.0)
    async def embed_boxes(self, boxes: list[Box[Pixels, Embeddings]]) -> list[None]:
        """Answer boxes with groups in them."""
        answers = await asyncio.to_thread(self.embed_batch, [box.given for box in boxes])
        for box, answer in zip(boxes, answers, strict=True):
            box.put(Embeddings(answer, self._digest))
        return [None] * len(boxes)

    def reconfigure(self, config: dict[str, float]) -> None:
        """Take the batch's limits."""
        self.embed_boxes.set_max_batch_size(int(config["max_batch_size"]))  # type: ignore[attr-defined]
        self.embed_boxes.set_batch_wait_timeout_s(float(config["batch_wait_s"]))  # type: ignore[attr-defined]
