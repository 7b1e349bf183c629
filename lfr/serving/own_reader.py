"""A reader that looks for faces in its own process, so that no frame of a camera the service reads leaves it."""

from __future__ import annotations

import threading
from collections.abc import Callable

from lfr.pipeline import Recogniser
from lfr.pipeline.recogniser import read_crops
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
        self._lock = threading.Lock()
        self._recogniser: Recogniser | None = None

    def begin(self, picture: SentFrame) -> Callable[[], Faces]:
        """Look for faces in a frame, encoded or (height, width, 3) BGR, and return what returns them.

        Raises
        ------
        ImageError
            It is broken.
        ModelError
            The model cannot be loaded here.
        """
        if isinstance(picture, bytes):
            picture = decode_image(picture, name="frame", max_pixels=self._args.limits.frame_pixels)
        faces = self.detect(picture)
        return lambda: faces

    def detect(self, pixels: Pixels) -> Faces:
        """Return the faces of a (height, width, 3) BGR picture."""
        with self._lock:
            if self._recogniser is None:
                model = open_model(self._args, self._served, only="detector")
                self._recogniser = Recogniser(model, min_face_px=self._args.min_face_px)
            return self._recogniser.detect(pixels)

    def crops(self, pixels: Pixels, faces: Faces) -> tuple[Pixels, Quality]:
        """Return aligned crops of the faces, and their quality."""
        return read_crops(pixels, faces)

    def embed(self, crops: Pixels) -> Embeddings:
        """Return one template for each aligned crop; raises as the service's embedder."""
        return self._embedder.embed(crops)
