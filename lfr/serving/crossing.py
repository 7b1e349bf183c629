"""What of a frame crosses to another process: inside the call, and never through Ray's object store."""

from __future__ import annotations

import cv2
import numpy as np

from lfr.errors import ImageError, LimitError
from lfr.types import Pixels

__all__ = ["CROSSING_BYTES", "SentFrame", "crossing"]

CROSSING_BYTES = 8 << 20
"""Most bytes of a frame in one call."""

SentFrame = bytes | Pixels
"""A frame, encoded or (height, width, 3) BGR."""

_JPEG_QUALITY = 95


def crossing(picture: SentFrame) -> SentFrame:
    """Return a frame as it goes to another process: as it is, or a JPEG where its pixels are too large for one call.

    Raises
    ------
    LimitError
        It is encoded and too large.
    ImageError
        It cannot be encoded.
    """
    if isinstance(picture, bytes):
        if len(picture) > CROSSING_BYTES:
            raise LimitError(f"frame: {len(picture)} bytes; {CROSSING_BYTES} are the most")
        return picture
    if picture.nbytes <= CROSSING_BYTES:
        return picture
    done, data = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
    if not done:
        raise ImageError("a frame cannot be encoded")
    return crossing(np.asarray(data, np.uint8).tobytes())
