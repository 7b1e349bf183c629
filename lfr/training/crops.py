"""Faces cut out once with a margin, so that training can degrade them before they are aligned as the street does it.

They are pictures of real people: one file with mode 0600 in ``LFR_HOME/evaluation``, which processes map into memory
by name, and a data card beside it. Delete the folder when the experiment no longer needs it.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from lfr.errors import ImageError, ManifestError
from lfr.evaluation import Manifest, Progress, central_face
from lfr.evaluation.private import write_whole
from lfr.geometry import similarity_transform
from lfr.models import ALIGNMENT_TEMPLATE, CROP_SIDE, Model
from lfr.sources import read_image
from lfr.types import FloatArray, IntArray, Pixels
from lfr.vision import Detector

__all__ = ["Crops", "cut_crops", "open_crops", "private_file", "unreadable_images", "write_private"]

_TEMPLATE = np.array(ALIGNMENT_TEMPLATE, np.float32)


@dataclass(frozen=True, eq=False)
class Crops:
    """Upright faces with a margin, at the scale of an aligned crop.

    Attributes
    ----------
    folder
        Where they lie.
    pixels
        (n, side, side, 3) BGR, mapped from the file.
    row
        (n,) row of the manifest that each was cut from; images without a face, or that no one can read, have none.
    face_px
        (n,) height of the face's box in pixels of the crop.
    margin_px
        What lies around the 112x112 crop on each side.
    unreadable
        Images that could not be read.
    """

    folder: Path
    pixels: Pixels = field(repr=False)
    row: IntArray = field(repr=False)
    face_px: FloatArray = field(repr=False)
    margin_px: int
    unreadable: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.row)

    def __reduce__(self) -> tuple[Callable[[Path], Crops], tuple[Path]]:
        """To another process goes the name of the folder, never a face."""
        return open_crops, (self.folder,)

    @property
    def landmarks(self) -> FloatArray:
        """(5, 2) where the landmarks lie in each crop."""
        return _TEMPLATE + np.float32(self.margin_px)


def cut_crops(
    manifest: Manifest,
    rows: IntArray,
    model: Model,
    home: Path,
    *,
    digest: str,
    margin_px: int,
    unreadable_share: float,
    progress: Progress | None = None,
) -> Crops:
    """Cut the central face out of images, once, and keep them in ``HOME/evaluation``.

    Parameters
    ----------
    manifest, rows
        The images, and which of them.
    model
        Whose detector finds the faces.
    home
        Folder of everything that lfr keeps.
    digest
        Data digest of the manifest.
    margin_px
        As for `Crops`.
    unreadable_share
        Share of images that may be unreadable.
    progress
        Sees the images that are done.

    Raises
    ------
    ManifestError
        More images are unreadable than may be, which are named; none holds a face; nothing can be written.
    """
    key = json.dumps([digest, model.digest, margin_px, hashlib.sha256(rows.tobytes()).hexdigest()])
    folder = home / "evaluation" / f"crops-{hashlib.sha256(key.encode()).hexdigest()[:16]}"
    if not (folder / "crops.json").is_file():
        _cut(manifest, rows, model, folder, margin_px, unreadable_share, progress)
    return open_crops(folder)


def open_crops(folder: Path) -> Crops:
    """Map crops that `cut_crops` kept."""
    said = json.loads((folder / "crops.json").read_text(encoding="utf-8"))
    pixels: Pixels = np.load(folder / "crops.npy", mmap_mode="r")
    facts = np.load(folder / "facts.npy")
    return Crops(
        folder,
        pixels[: len(facts)],
        facts[:, 0].astype(np.int64),
        facts[:, 1].astype(np.float32),
        said["margin_px"],
        tuple(said["unreadable"]),
    )


def _cut(
    manifest: Manifest,
    rows: IntArray,
    model: Model,
    folder: Path,
    margin_px: int,
    unreadable_share: float,
    progress: Progress | None,
) -> None:
    detector = Detector(model.detector)
    side = CROP_SIDE + 2 * margin_px
    files = manifest.files
    unreadable: list[str] = []
    facts: list[tuple[float, float]] = []
    with private_file(folder / "crops.npy", (len(rows), side, side, 3)) as pixels:
        for row in rows.tolist() if progress is None else progress(rows.tolist(), len(rows)):
            try:
                picture = read_image(files[row])
            except ImageError:
                unreadable.append(manifest.paths[row])
                _check_unreadable(manifest, unreadable, len(rows), unreadable_share)
                continue
            faces = detector.detect(picture)
            if not len(faces):
                continue
            chosen = central_face(faces, (picture.shape[1], picture.shape[0]))
            matrix = similarity_transform(faces.landmarks[chosen : chosen + 1], _TEMPLATE + np.float32(margin_px))[0]
            crop = cv2.warpAffine(picture, matrix, (side, side), flags=cv2.INTER_LINEAR)
            height = faces.xyxy[chosen, 3] - faces.xyxy[chosen, 1]
            pixels[len(facts)] = crop
            facts.append((row, float(height * np.hypot(matrix[0, 0], matrix[0, 1]))))
    if not facts:
        raise ManifestError(f"{manifest.name}: no face was found in any of {len(rows)} images")
    write_private(folder / "facts.npy", np.array(facts, np.float64))
    said = {"margin_px": margin_px, "unreadable": unreadable}
    try:
        card = _card(manifest, folder, len(facts), len(rows), model)
        write_whole(folder / "README.md", lambda file: file.write(card.encode()))
        # Last, since it says that the others are there.
        write_whole(folder / "crops.json", lambda file: file.write(json.dumps(said).encode() + b"\n"))
    except OSError as error:
        raise ManifestError(f"{folder}: cannot keep faces here: {error.strerror}") from error


def unreadable_images(
    manifest: Manifest, rows: IntArray, *, share: float, progress: Progress | None = None
) -> tuple[str, ...]:
    """Return those of some images that cannot be decoded, before anything is spent on the others.

    Raises
    ------
    ManifestError
        They are more than this share, and are named.
    """
    files = manifest.files
    unreadable: list[str] = []
    for row in rows.tolist() if progress is None else progress(rows.tolist(), len(rows)):
        try:
            read_image(files[row])
        except ImageError:
            unreadable.append(manifest.paths[row])
    _check_unreadable(manifest, unreadable, len(rows), share)
    return tuple(unreadable)


def _check_unreadable(manifest: Manifest, unreadable: list[str], of: int, share: float) -> None:
    if len(unreadable) > share * of:
        named = ", ".join(unreadable)
        raise ManifestError(
            f"{manifest.name}: {len(unreadable)} of {of} images cannot be read, and {share:.1%} of them may be: {named}"
        )


@contextmanager
def private_file(path: Path, shape: tuple[int, ...]) -> Iterator[Pixels]:
    """Yield an array of bytes that becomes a file that only its owner may read: whole, or not at all.

    Raises
    ------
    ManifestError
        It cannot be written.
    """
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        for folder in (path.parent.parent.parent, path.parent.parent, path.parent):
            folder.mkdir(mode=0o700, exist_ok=True)
        os.close(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600))
        space = os.statvfs(partial)
        if int(np.prod(shape)) > space.f_bavail * space.f_frsize:  # a mapped file that finds none ends the process
            raise ManifestError(f"{path}: {int(np.prod(shape)) >> 20} MiB do not fit on the disk")
        pixels = np.lib.format.open_memmap(partial, mode="w+", dtype=np.uint8, shape=shape)
        yield pixels
        pixels.flush()
        partial.replace(path)
    except OSError as error:
        raise ManifestError(f"{path}: cannot keep faces here: {error.strerror}") from error
    finally:
        partial.unlink(missing_ok=True)


def write_private(path: Path, values: FloatArray | NDArray[np.float64]) -> None:
    """Write an array to a file that only its owner may read, whole or not at all.

    Raises
    ------
    ManifestError
        It cannot be written.
    """
    try:
        write_whole(path, lambda file: np.save(file, values))
    except OSError as error:
        raise ManifestError(f"{path}: cannot keep what faces gave here: {error.strerror}") from error


def _card(manifest: Manifest, folder: Path, faces: int, images: int, model: Model) -> str:
    return f"""# Training crops: {folder.name}

Pictures of real people's faces, for an experiment only. They stay in this folder with mode 0600 and go to no run, log
or message. Delete the folder when the experiment no longer needs it.

| | |
|---|---|
| made from | {manifest.name} |
| images | {images}, {faces} with a face |
| detector | {model.version.name}, {model.digest} |
"""
