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

_SILENT_FFMPEG = "-8"  # AV_LOG_QUIET


class _LogLevel:
    """OpenCV's log level, which is one for the process: silent while any thread is inside."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inside = 0
        self._before = 0

    def enter(self) -> None:
        with self._lock:
            if self._inside == 0:
                self._before = cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
            self._inside += 1

    def leave(self) -> None:
        with self._lock:
            self._inside -= 1
            if self._inside == 0:
                cv2.utils.logging.setLogLevel(self._before)


_LOG_LEVEL = _LogLevel()


@contextlib.contextmanager
def quiet_decoder() -> Iterator[None]:
    """Silence OpenCV's log and, from the first capture of the process on, FFmpeg's."""
    # OpenCV reads this variable when it first opens a video and offers no call for it. A value the
    # user has set is left alone.
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", _SILENT_FFMPEG)
    _LOG_LEVEL.enter()
    try:
        yield
    finally:
        _LOG_LEVEL.leave()
