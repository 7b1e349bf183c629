"""One model version as a recogniser of pictures: detect, align, assess, embed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lfr.errors import FaceError
from lfr.models import Model
from lfr.types import Embeddings, Faces, Pixels
from lfr.vision import Detector, Embedder, Quality, QualityPolicy, align, assess, single_face_present

__all__ = ["OneFace", "Recogniser", "read_crops"]

SINGLE_FACE_LEAST = 90.0
"""Least SingleFacePresent of a picture of one person: bystanders may have a tenth of the face's area."""


@dataclass(frozen=True, eq=False)
class OneFace:
    """The face of a picture that shows one person.

    Attributes
    ----------
    face, quality, template
        Box and landmarks, measures, and template: each of length 1.
    """

    face: Faces
    quality: Quality
    template: Embeddings


def read_crops(pixels: Pixels, faces: Faces) -> tuple[Pixels, Quality]:
    """Return (n, 112, 112, 3) aligned crops of a picture's faces, and their quality; no model is needed for it."""
    crops = align(pixels, faces.landmarks)
    return crops, assess(faces, crops)


class Recogniser:
    """Everything between pixels and templates, with one model version.

    Parameters
    ----------
    model
        The loaded version.
    min_face_px, max_side, score_threshold
        As for `lfr.vision.Detector`.
    """

    def __init__(
        self,
        model: Model,
        *,
        min_face_px: int | None = None,
        max_side: int | None = None,
        score_threshold: float = 0.7,
    ) -> None:
        self.model = model
        self._detector = Detector(
            model.detector, score_threshold=score_threshold, min_face_px=min_face_px, max_side=max_side
        )
        self._embedder = Embedder(model)

    def detect(self, pixels: Pixels) -> Faces:
        """Return the faces of a (height, width, 3) BGR picture, highest score first."""
        return self._detector.detect(pixels)

    def crops(self, pixels: Pixels, faces: Faces) -> tuple[Pixels, Quality]:
        """Return (n, 112, 112, 3) aligned crops of the faces, and their quality."""
        return read_crops(pixels, faces)

    def embed(self, crops: Pixels) -> Embeddings:
        """Return one template for each aligned crop."""
        return self._embedder.embed(crops)

    def one_face(self, pixels: Pixels, *, name: str, policy: QualityPolicy | None = None) -> OneFace:
        """Return the face of a picture of one person.

        Parameters
        ----------
        pixels
            (height, width, 3) BGR.
        name
            What an error calls the picture, for example its path.
        policy
            Least quality; None: any.

        Raises
        ------
        FaceError
            No face, several faces, or one that the policy finds too poor; the message names the measure.
        """
        faces = self.detect(pixels)
        if not len(faces):
            raise FaceError(f"{name}: no face found")
        alone = single_face_present(faces)
        if alone < SINGLE_FACE_LEAST:
            raise FaceError(
                f"{name}: {len(faces)} faces found where one is wanted "
                f"(SingleFacePresent is {alone:.0f}, at least {SINGLE_FACE_LEAST:.0f} is needed)"
            )
        largest = faces[np.array([faces.size_px.argmax()])]
        crops, quality = self.crops(pixels, largest)
        if policy is not None and (reasons := policy.reasons(quality)[0]):
            raise FaceError(f"{name}: the face is not good enough: {'; '.join(reasons)}")
        return OneFace(largest, quality, self.embed(crops))
