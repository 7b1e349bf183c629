"""Portraits: the pictures that walkers of a simulated scene wear as their faces."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from lfr.errors import ImageError, ManifestError
from lfr.sources.images import read_image
from lfr.types import Pixels

__all__ = ["FACE_XYXY", "PORTRAIT_PX", "Portrait", "read_portraits"]

PORTRAIT_PX = 224
"""Side of a portrait once it is brought to the common layout."""

FACE_XYXY = (43.0, 21.0, 180.0, 203.0)
"""Where the face lies in the common layout: the mean box that YuNet finds in the 136 demo faces."""


@dataclass(frozen=True)
class Portrait:
    """One picture of one subject.

    Attributes
    ----------
    subject_id
        Whom it shows.
    path
        The image file: one upright face, seen from the front.
    face_xyxy
        Left, top, right, bottom of the face in the image, as a detector
        gives it. None: the image is cropped and aligned as the demo faces are.
    """

    subject_id: str
    path: Path
    face_xyxy: tuple[float, float, float, float] | None = None

    def read(self) -> Pixels:
        """Return the portrait in the common layout, (224, 224, 3).

        Raises
        ------
        ImageError
            The file is missing or no image, or the face box lies outside it.
        """
        image = read_image(self.path)
        height, width = image.shape[:2]
        share = np.array(FACE_XYXY) / PORTRAIT_PX
        left, top, right, bottom = self.face_xyxy or tuple(share * min(width, height))
        if not (right > left and bottom > top and right > 0 and bottom > 0 and left < width and top < height):
            raise ImageError(f"{self.path}: face box {self.face_xyxy} does not lie in the {width}x{height} image")
        scale = (FACE_XYXY[3] - FACE_XYXY[1]) / (bottom - top)
        shift_x = (FACE_XYXY[0] + FACE_XYXY[2]) / 2 - scale * (left + right) / 2
        matrix = np.array([[scale, 0.0, shift_x], [0.0, scale, FACE_XYXY[1] - scale * top]])
        if scale < 0.6:
            # Shrinking in one bilinear step would alias.
            image = np.asarray(cv2.GaussianBlur(image, (0, 0), 0.4 / scale), np.uint8)
        portrait = cv2.warpAffine(
            image, matrix, (PORTRAIT_PX, PORTRAIT_PX), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        )
        return np.asarray(portrait, np.uint8)


def read_portraits(manifest: Path, *, split: str | None = None) -> tuple[Portrait, ...]:
    """Portraits named in a manifest.

    Parameters
    ----------
    manifest
        CSV file with the columns ``path`` (relative to the CSV) and
        ``subject_id``; further columns are left alone.
    split
        Keep only the rows whose column ``split`` says so.

    Raises
    ------
    ManifestError
        The file is missing, lacks a column, has a row without a value or
        with an image that is not there, or keeps no row.
    """
    try:
        text = manifest.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ManifestError(f"{manifest}: cannot be read as a UTF-8 CSV file ({type(error).__name__})") from error
    rows = csv.DictReader(text.splitlines())
    needed = ("path", "subject_id") if split is None else ("path", "subject_id", "split")
    for column in needed:
        if column not in (rows.fieldnames or ()):
            raise ManifestError(f"{manifest}: no column '{column}'; there are: {', '.join(rows.fieldnames or ())}")
    portraits = []
    for row in rows:
        where = f"{manifest} line {rows.line_num}"
        for column in needed:
            if not (row[column] or "").strip():
                raise ManifestError(f"{where}: no {column}")
        if split is not None and row["split"].strip() != split:
            continue
        image = manifest.parent / row["path"].strip()
        if not image.is_file():
            raise ManifestError(f"{where}: no image {image}")
        portraits.append(Portrait(row["subject_id"].strip(), image))
    if not portraits:
        raise ManifestError(f"{manifest}: names no portrait" + ("" if split is None else f" with split '{split}'"))
    return tuple(portraits)
