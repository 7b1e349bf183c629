"""Templates of evaluation images: one face from each, and a row for each that gave none."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lfr.models import Model
from lfr.sources import read_image
from lfr.types import BoolArray, Embeddings, Faces, IntArray, Pixels
from lfr.vision import MEASURES, Detector, Embedder, Quality, align, assess

__all__ = ["Acquired", "acquire", "central_face"]

_BATCH = 16


@dataclass(frozen=True, eq=False)
class Acquired:
    """What a list of images gave.

    Attributes
    ----------
    templates
        One row for each image; all-NaN where no face was found (a failure to acquire).
    faces_found
        (n,) faces in each image; where there are several, the one nearest the centre was used.
    quality
        One row for each image, of the face that was used; all-NaN where there was none.
    """

    templates: Embeddings
    faces_found: IntArray
    quality: Quality

    def __len__(self) -> int:
        return len(self.faces_found)

    @property
    def failed(self) -> BoolArray:
        """(n,) images that no template could be made from."""
        return np.asarray(self.faces_found == 0)


def acquire(
    paths: Sequence[Path], model: Model, *, progress: Callable[[Iterable[Path]], Iterable[Path]] = iter
) -> Acquired:
    """Return template and quality of the central face of each image, with the code that live frames go through.

    Parameters
    ----------
    paths
        Image files.
    model
        The version that is evaluated.
    progress
        Wraps the paths as they are read, to show progress.

    Raises
    ------
    ImageError
        A file is missing or no image. That is broken data, not a failure to acquire.
    """
    detector, embedder = Detector(model.detector), Embedder(model, batch_size=_BATCH)
    vectors = np.full((len(paths), model.embedding_size), np.nan, np.float32)
    faces_found = np.zeros(len(paths), np.int64)
    quality = np.full((len(paths), len(MEASURES)), np.nan, np.float32)
    waiting: list[tuple[int, Pixels]] = []

    def embed_waiting() -> None:
        rows, crops = [row for row, _ in waiting], [crop for _, crop in waiting]
        if crops:
            vectors[rows] = embedder.embed(np.concatenate(crops)).vectors
        waiting.clear()

    for row, path in enumerate(progress(paths)):
        pixels = read_image(path)
        faces = detector.detect(pixels)
        faces_found[row] = len(faces)
        if len(faces):
            chosen = central_face(faces, (pixels.shape[1], pixels.shape[0]))
            face = faces[chosen : chosen + 1]
            crop = align(pixels, face.landmarks)
            quality[row] = assess(face, crop).values
            waiting.append((row, crop))
        if len(waiting) == _BATCH:
            embed_waiting()
    embed_waiting()
    return Acquired(Embeddings(vectors, model.digest), faces_found, Quality(quality))


def central_face(faces: Faces, resolution_wh: tuple[int, int]) -> int:
    """Row of the face whose box has its centre nearest the image's centre.

    Raises
    ------
    ValueError
        There is no face.
    """
    centres = (faces.xyxy[:, :2] + faces.xyxy[:, 2:]) / 2
    distance = np.linalg.norm(centres - np.array(resolution_wh) / 2, axis=1)
    return int(distance.argmin())
