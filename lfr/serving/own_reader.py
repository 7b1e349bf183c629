"""A reader that looks for faces in its own process, so that no frame of a camera the service reads leaves it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from lfr.pipeline import Recogniser, read_crops, workers_ahead
from lfr.pipeline.stream import FaceReader
from lfr.serving.crossing import SentFrame
from lfr.serving.opening import ServedModel, open_model
from lfr.serving.settings import AppArgs
from lfr.sources import decode_image
from lfr.types import Embeddings, Faces, Pixels
from lfr.vision import Quality

__all__ = ["OwnReader"]


class OwnReader:
    """`lfr.serving.camera.FrameReader` with a detector here, opened for the first frame, and the service's embedder.

    Parameters
    ----------
    args, served
        Of the app; the detector is of the model that was resolved at start.
    embedder
        Makes the templates: the service's.
    """

    def __init__(self, args: AppArgs, served: ServedModel, embedder: FaceReader) -> None:
        self._args, self._served, self._embedder = args, served, embedder
        self._at_once = workers_ahead(args.threads)
        self._pool = ThreadPoolExecutor(self._at_once, thread_name_prefix="find faces")
        self._lock = threading.Lock()
        self._recogniser: Recogniser | None = None

    def begin(self, picture: SentFrame) -> Callable[[], Faces]:
        """Begin to look for faces in a frame, encoded or (height, width, 3) BGR, and return what waits for them.

        That raises ImageError for a broken frame, and ModelError where the model cannot be loaded here.
        """
        return self._pool.submit(self._look, picture).result

    def detect(self, pixels: Pixels) -> Faces:
        """Return the faces of a (height, width, 3) BGR picture."""
        return self._opened().detect(pixels)

    def crops(self, pixels: Pixels, faces: Faces) -> tuple[Pixels, Quality]:
        """Return aligned crops of the faces, and their quality."""
        return read_crops(pixels, faces)

    def embed(self, crops: Pixels) -> Embeddings:
        """Return one template for each aligned crop; raises as the service's embedder."""
        return self._embedder.embed(crops)

    def _look(self, picture: SentFrame) -> Faces:
        if isinstance(picture, bytes):
            picture = decode_image(picture, name="frame", max_pixels=self._args.limits.frame_pixels)
        return self.detect(picture)

    def _opened(self) -> Recogniser:
        with self._lock:
            if self._recogniser is None:
                model = open_model(self._args, self._served, only="detector", detector_streams=self._at_once)
                self._recogniser = Recogniser(model, min_face_px=self._args.min_face_px)
            return self._recogniser
