"""What of a frame crosses to another process: inside the call, and never through Ray's object store."""

from __future__ import annotations

import cv2
import numpy as np

from lfr.errors import ImageError
from lfr.types import Pixels

__all__ = ["CROSSING_BYTES", "SentFrame", "crossing", "size_of"]

CROSSING_BYTES = 8 << 20
"""Most bytes of a frame in one call."""

SentFrame = bytes | Pixels
"""A frame, encoded or (height, width, 3) BGR."""

_JPEG_QUALITY = 95


def size_of(picture: SentFrame) -> int:
    """Return a picture's bytes."""
    return len(picture) if isinstance(picture, bytes) else picture.nbytes


def crossing(pixels: Pixels) -> SentFrame:
    """Return a frame as it goes to another process: as it is, or a JPEG where it is too large for one call.

    Raises
    ------
    ImageError
        It cannot be encoded.
    """
    if pixels.nbytes <= CROSSING_BYTES:
        return pixels
    done, data = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
    if not done:
        raise ImageError("a frame cannot be encoded")
    return np.asarray(data, np.uint8).tobytes()
