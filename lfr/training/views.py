"""Aligned faces of measuring images under one condition, made once for every model that is measured on them.

They are pictures of real people: files with mode 0600 in ``LFR_HOME/evaluation`` that go nowhere else.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from lfr.errors import ImageError, ManifestError
from lfr.evaluation import Manifest, Progress, StrArray, Templates, central_face
from lfr.evaluation.private import write_whole
from lfr.models import CROP_SIDE, Model
from lfr.sources import read_image
from lfr.training.config import Condition
from lfr.training.crops import private_file, write_private
from lfr.training.street import as_seen
from lfr.types import Embeddings, FloatArray, IntArray, Pixels
from lfr.vision import MEASURES, Detector, Embedder, Quality, align, assess

__all__ = ["Views", "joined", "make_views", "templates_of_views"]


@dataclass(frozen=True, eq=False)
class Views:
    """Aligned faces under a condition, a row for each image.

    Attributes
    ----------
    folder
        Where they lie.
    manifest
        The images.
    images
        (n,) digests of the images as they are.
    condition
        What was done to them.
    crops
        (n, 112, 112, 3) BGR; black where no face was found.
    faces_found
        (n,) faces in each image after that.
    quality
        Of the central one.
    digest
        Of images, condition and detector.
    """

    folder: Path
    manifest: Manifest = field(repr=False)
    images: StrArray = field(repr=False)
    condition: Condition
    crops: Pixels = field(repr=False)
    faces_found: IntArray = field(repr=False)
    quality: Quality = field(repr=False)
    digest: str

    def __len__(self) -> int:
        return len(self.manifest)


def make_views(
    manifest: Manifest,
    images: StrArray,
    condition: Condition,
    model: Model,
    home: Path,
    *,
    digest: str,
    seed: int,
    progress: Progress | None = None,
) -> Views:
    """Degrade images, find the central face of each and align it; all is kept for the next model.

    An image that cannot be decoded is one without a face: a failure to acquire.

    Parameters
    ----------
    manifest, images
        Images and their digests.
    condition
        What is done to them.
    model
        Whose detector finds the faces.
    home
        Folder of everything that lfr keeps.
    digest
        Data digest of the manifest.
    seed
        Of the degradations.
    progress
        Sees the images that are done.

    Raises
    ------
    ManifestError
        They cannot be kept.
    """
    said = json.dumps([digest, condition.model_dump(mode="json"), model.digest, seed, images.tolist()], sort_keys=True)
    key = hashlib.sha256(said.encode()).hexdigest()
    folder = home / "evaluation" / f"views-{key[:16]}"
    facts = folder / "facts.npz"
    if not facts.is_file():
        detector = Detector(model.detector)
        found = np.zeros(len(manifest), np.int64)
        measured = np.full((len(manifest), len(MEASURES)), np.nan, np.float32)
        files = manifest.files
        rows = range(len(manifest))
        with private_file(folder / "crops.npy", (len(rows), CROP_SIDE, CROP_SIDE, 3)) as crops:
            for row in rows if progress is None else progress(rows, len(rows)):
                rng = np.random.default_rng([seed, row])
                try:
                    read = read_image(files[row])
                except ImageError:
                    continue  # nobody is found in it
                picture = _seen(read, detector, condition, rng)
                faces = detector.detect(picture)
                found[row] = len(faces)
                if len(faces):
                    chosen = central_face(faces, (picture.shape[1], picture.shape[0]))
                    face = faces[chosen : chosen + 1]
                    crop = align(picture, face.landmarks)
                    measured[row] = assess(face, crop).values
                    crops[row] = crop[0]
        try:  # last, since it says that the faces are there
            write_whole(facts, lambda file: np.savez(file, found=found, quality=measured))
        except OSError as error:
            raise ManifestError(f"{facts}: cannot keep what faces gave here: {error.strerror}") from error
    kept = np.load(facts)
    pixels: Pixels = np.load(folder / "crops.npy", mmap_mode="r")
    return Views(folder, manifest, images, condition, pixels, kept["found"], Quality(kept["quality"]), key)


def templates_of_views(views: Views, model: Model, *, progress: Progress | None = None) -> Templates:
    """Return the templates that a model makes of aligned faces; they are kept beside them with mode 0600."""
    kept = views.folder / f"templates-{model.digest[:16]}.npy"
    if kept.is_file():
        vectors: FloatArray = np.load(kept)
    else:
        embedder = Embedder(model, batch_size=32)
        acquired = np.flatnonzero(views.faces_found > 0)
        vectors = np.full((len(views), model.embedding_size), np.nan, np.float32)
        starts = range(0, len(acquired), 32)
        for start in starts if progress is None else progress(starts, len(starts)):
            rows = acquired[start : start + 32]
            vectors[rows] = embedder.embed(views.crops[rows]).vectors
        write_private(kept, vectors)
    return Templates(
        views.manifest,
        Embeddings(vectors, model.digest),
        views.quality,
        views.faces_found,
        views.images,
        model.version.name,
        views.digest,
    )


def joined(references: Templates, probes: Templates) -> Templates:
    """Return the templates of references and of probes as those of one set."""
    first, second = references.manifest, probes.manifest
    manifest = Manifest(
        second.name,
        second.root,
        (*first.paths, *second.paths),
        np.concatenate([first.subject_id, second.subject_id]),
        np.concatenate([first.reference, second.reference]),
        np.concatenate([first.track_id, second.track_id]),
        {name: np.concatenate([first.groups[name], second.groups[name]]) for name in first.groups},
        np.concatenate([first.line, second.line]),
    )
    return Templates(
        manifest,
        Embeddings(np.concatenate([references.embeddings.vectors, probes.embeddings.vectors]), probes.model_digest),
        Quality(np.concatenate([references.quality.values, probes.quality.values])),
        np.concatenate([references.faces_found, probes.faces_found]),
        np.concatenate([references.images, probes.images]),
        probes.model_version,
        probes.data_digest,
    )


def _seen(picture: Pixels, detector: Detector, condition: Condition, rng: np.random.Generator) -> Pixels:
    """A probe under a condition; where no face is found in the picture as it is, it is half as high as the picture."""
    height = picture.shape[0] / 2
    if condition.face_px is not None:
        faces = detector.detect(picture)
        if len(faces):
            chosen = central_face(faces, (picture.shape[1], picture.shape[0]))
            height = float(faces.xyxy[chosen, 3] - faces.xyxy[chosen, 1])
    return as_seen(picture, height, condition, rng)
