"""A camera's picture for whoever looks at it now: everybody blurred but a person in an alert, and nothing kept."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

import cv2
import numpy as np

from lfr.pipeline import draw_preview
from lfr.pipeline.stream import FrameResult
from lfr.types import Pixels

__all__ = ["Picture", "Screen"]

_WANTED_S = 3.0
_FRESH_S = 2.0
_EVERY_S = 0.2
_WIDEST_PX = 960
_JPEG_QUALITY = 75


@dataclass(frozen=True)
class Picture:
    """One picture that is fit to be shown.

    Attributes
    ----------
    number
        Rises from picture to picture.
    jpeg
        Everybody blurred but a person in an alert.
    """

    number: int
    jpeg: bytes = field(repr=False)


class Screen:
    """Holds at most one picture, drawn only while somebody looks, at most five a second."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._picture: Picture | None = None
        self._drawn_at = self._wanted_at = float("-inf")
        self._number = 0

    def offer(self, pixels: Pixels, result: FrameResult, alerted: Mapping[int, str]) -> None:
        """Draw a frame, if somebody looks. One on which faces were not looked for is never shown.

        Parameters
        ----------
        pixels
            (height, width, 3) BGR frame; the caller may overwrite it.
        result
            What was found in it.
        alerted
            Label for each track that an alert is about.
        """
        now = time.monotonic()
        if now - self._wanted_at > _WANTED_S:
            self.forget()
            return
        if not result.detected or now - self._drawn_at < _EVERY_S:
            return
        shown = draw_preview(pixels, faces=result.faces, tracks=result.tracks, alerted=alerted)
        jpeg = _encoded(shown)
        shown[:] = 0
        with self._lock:
            self._number += 1
            self._picture = Picture(self._number, jpeg)
            self._drawn_at = now

    def look(self, *, after: int) -> Picture | None:
        """Return the picture, if it is later than one that was seen and at most two seconds old.

        That somebody looks is what has the next frames drawn.
        """
        now = self._wanted_at = time.monotonic()
        with self._lock:
            if now - self._drawn_at > _FRESH_S:
                self._picture = None
            found = self._picture
        return found if found is not None and found.number != after else None

    def forget(self) -> None:
        """Drop the picture."""
        with self._lock:
            self._picture = None


def _encoded(picture: Pixels) -> bytes:
    height, width = picture.shape[:2]
    if width > _WIDEST_PX:
        size = _WIDEST_PX, max(1, round(height * _WIDEST_PX / width))
        picture = np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)
    done, data = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
    assert done, "a frame that was decoded can be encoded"
    return data.tobytes()
