"""Finds faces in frames, several at a time."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from ray import serve

from lfr.errors import ImageError, LfrError
from lfr.pipeline import Recogniser, workers_ahead
from lfr.serving.box import Box
from lfr.serving.crossing import SentFrame
from lfr.serving.logs import log_json
from lfr.serving.opening import ServedModel, open_model
from lfr.serving.settings import AppArgs
from lfr.serving.starting import Opened
from lfr.serving.tidy import keep_tidy
from lfr.sources import decode_image
from lfr.types import Faces

__all__ = ["Detector"]


class Detector:
    """One process of the detector.

    A frame that is alone is looked at by all threads together, which is soonest; where several are there each has a
    thread of its own, because threads that share a frame wait for each other, and all of them for other processes.

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
        self._alone, at_once = self._open(args, served), 1 if args.detector.gpus else workers_ahead(args.threads)
        self._together = self._open(args, served, streams=at_once) if at_once > 1 else self._alone
        self._busy, self._lock = 0, threading.Lock()
        self._pool = ThreadPoolExecutor(at_once, thread_name_prefix="find faces")
        self._max_pixels = args.limits.frame_pixels
        keep_tidy()
        self._opened = Opened(reached, time.time())

    def opened(self) -> Opened:
        """Return when this process had opened what it needs."""
        return self._opened

    def model_digest(self) -> str:
        """Return the digest of the model in use."""
        return self._alone.model.digest

    def detect_batch(self, pictures: Sequence[SentFrame]) -> list[Faces | LfrError]:
        """Return the faces of each picture, or why it cannot be used.

        Parameters
        ----------
        pictures
            Each encoded, or (height, width, 3) BGR.
        """
        with self._lock:
            self._busy += len(pictures)
            recogniser = self._alone if self._busy == 1 else self._together
        try:
            return list(self._pool.map(partial(self._detect, recogniser), pictures))
        finally:
            with self._lock:
                self._busy -= len(pictures)

    async def detect(self, picture: SentFrame) -> Faces | LfrError:
        """Return one picture's faces, found together with those of others that wait."""
        box: Box[SentFrame, Faces | LfrError] = Box(picture)
        try:
            await self.detect_boxes(box)
            return box.take()
        finally:
            box.clear()

    @serve.batch(max_batch_size=4, batch_wait_timeout_s=0.0, max_concurrent_batches=2)
    async def detect_boxes(self, boxes: list[Box[SentFrame, Faces | LfrError]]) -> list[None]:
        """Answer boxes with pictures in them."""
        answers = await asyncio.to_thread(self.detect_batch, [box.given for box in boxes])
        for box, answer in zip(boxes, answers, strict=True):
            box.put(answer)
        return [None] * len(boxes)

    def reconfigure(self, config: dict[str, float]) -> None:
        """Take the batch's limits."""
        self.detect_boxes.set_max_batch_size(int(config["max_batch_size"]))  # type: ignore[attr-defined]
        self.detect_boxes.set_batch_wait_timeout_s(float(config["batch_wait_s"]))  # type: ignore[attr-defined]

    def _detect(self, recogniser: Recogniser, picture: SentFrame) -> Faces | LfrError:
        try:
            if isinstance(picture, bytes):
                picture = decode_image(picture, name="frame", max_pixels=self._max_pixels)
            return recogniser.detect(picture)
        except ImageError as error:
            return error

    @staticmethod
    def _open(args: AppArgs, served: ServedModel, *, streams: int = 1) -> Recogniser:
        model = open_model(args, served, only="detector", detector_streams=streams)
        return Recogniser(model, min_face_px=args.min_face_px)
