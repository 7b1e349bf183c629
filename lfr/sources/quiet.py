"""Keep OpenCV and its FFmpeg from writing to standard error while a source is read.

A broken file is reported once, by lfr, in one line; the decoder's own remarks
on every damaged macroblock would bury it.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterator

import cv2

__all__ = ["quiet_decoder"]

_LOCK = threading.Lock()
_SILENT_FFMPEG = "-8"  # AV_LOG_QUIET


@contextlib.contextmanager
def quiet_decoder() -> Iterator[None]:
    """Silence OpenCV's log and, from the first capture of the process on, FFmpeg's."""
    # OpenCV reads this variable when it first opens a video and offers no call for it. A value the
    # user has set is left alone.
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", _SILENT_FFMPEG)
    with _LOCK:
        before = cv2.utils.logging.getLogLevel()
        cv2.utils.logging.setLogLevel(0)
    try:
        yield
    finally:
        with _LOCK:
            cv2.utils.logging.setLogLevel(before)
