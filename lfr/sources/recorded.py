"""Recorded sources: one picture, a folder of pictures, a video file. Every frame is delivered."""

from __future__ import annotations

import contextlib
import queue
import threading
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from lfr.errors import LfrError, SourceError
from lfr.sources.images import IMAGE_SUFFIXES, read_image
from lfr.sources.quiet import quiet_decoder
from lfr.sources.source import Source
from lfr.types import Frame, Pixels

__all__ = ["PictureSource", "VideoSource"]

# Containers state their number of frames from duration and rate; being off by this share is their usual rounding.
_COUNT_TOLERANCE = 0.02
_PICTURE_INTERVAL_S = 1.0
_POLL_S = 0.05  # how soon a closed source is noticed


class PictureSource(Source):
    """Pictures as frames, one second apart.

    Parameters
    ----------
    path
        One picture, or a folder whose pictures are taken in order of their names.

    Raises
    ------
    SourceError
        The folder holds no picture.
    ImageError
        The first picture cannot be used; a later one raises when its turn comes.
    """

    live = False
    fps = None

    def __init__(self, path: Path) -> None:
        self.name = str(path)
        folder = path.is_dir()
        self._paths = sorted(p for p in path.iterdir() if p.suffix.lower() in IMAGE_SUFFIXES) if folder else [path]
        if not self._paths:
            raise SourceError(f"{path}: the folder holds no picture")
        self._first: Pixels | None = read_image(self._paths[0])
        self.resolution_wh = (self._first.shape[1], self._first.shape[0])
        self.frame_count = len(self._paths)

    def __iter__(self) -> Iterator[Frame]:
        """Yield one frame for each picture."""
        for index, path in enumerate(self._paths):
            first, self._first = self._first, None
            yield Frame(index, index * _PICTURE_INTERVAL_S, read_image(path) if first is None else first)


class VideoSource(Source):
    """Every frame of a video file, decoded ahead on a thread.

    Parameters
    ----------
    path
        Any container and codec that OpenCV's FFmpeg reads, animated GIF included.
    prefetch
        Frames decoded ahead at most.

    Raises
    ------
    SourceError
        The file is missing, or no video that can be decoded; while iterating:
        the file breaks off before the end it states.
    """

    live = False

    def __init__(self, path: Path, *, prefetch: int = 2) -> None:
        self.name = str(path)
        if not path.is_file():
            raise SourceError(f"{path}: no such file")
        if path.stat().st_size == 0:
            raise SourceError(f"{path}: the file is empty")
        with quiet_decoder():
            # Absolute, since FFmpeg takes what stands before a colon for a protocol.
            self._capture = cv2.VideoCapture(str(path.absolute()), cv2.CAP_FFMPEG)
            opened, pixels = self._capture.read() if self._capture.isOpened() else (False, None)
        if not opened:
            self._capture.release()
            raise SourceError(f"{path}: not a video that can be decoded")
        self._first = np.asarray(pixels, np.uint8)
        self.resolution_wh = (self._first.shape[1], self._first.shape[0])
        fps = float(self._capture.get(cv2.CAP_PROP_FPS))
        self.fps = fps if 0.0 < fps < 1000.0 else 25.0
        count = int(self._capture.get(cv2.CAP_PROP_FRAME_COUNT))
        self.frame_count = count if count > 0 else None
        self._queue: queue.Queue[Frame | LfrError | None] = queue.Queue(max(1, prefetch))
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._decode, name=f"decode {path.name}", daemon=True)

    def __iter__(self) -> Iterator[Frame]:
        """Yield every frame with its media time."""
        if not self._stop.is_set():
            self._thread.start()
        while (item := self._next()) is not None:
            if isinstance(item, LfrError):
                raise item
            yield item

    def close(self) -> None:
        """End decoding and let the file go."""
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join()
        self._capture.release()

    def _decode(self) -> None:
        """Fill the queue; runs on the thread, which alone touches the capture while it lives."""
        try:
            end = self._decode_all()
        except cv2.error as error:
            end = SourceError(f"{self.name}: cannot be decoded further ({error.err})")
        self._put(end)

    def _decode_all(self) -> SourceError | None:
        """Queue the frames; return what is wrong with the end."""
        index, pixels = 0, self._first
        time_s = 0.0
        with quiet_decoder():
            while True:
                if not self._put(Frame(index, time_s, pixels)):
                    return None
                index += 1
                more, decoded = self._capture.read()
                if not more:
                    break
                pixels = np.asarray(decoded, np.uint8)
                # Media time of odd files stands still or falls; frames must not.
                time_s = max(time_s, self._capture.get(cv2.CAP_PROP_POS_MSEC) / 1000.0)
        return self._broken_off(index)

    def _broken_off(self, delivered: int) -> SourceError | None:
        missing = (self.frame_count or 0) - delivered
        if missing <= max(1, round(_COUNT_TOLERANCE * (self.frame_count or 0))):
            return None
        return SourceError(f"{self.name}: broke off after frame {delivered} of {self.frame_count}")

    def _next(self) -> Frame | LfrError | None:
        """Take the next item; None once the source is closed."""
        while not self._stop.is_set():
            with contextlib.suppress(queue.Empty):
                return self._queue.get(timeout=_POLL_S)
        return None

    def _put(self, item: Frame | LfrError | None) -> bool:
        """Queue an item unless the source is being closed meanwhile; return whether it went in."""
        while not self._stop.is_set():
            try:
                self._queue.put(item, timeout=_POLL_S)
            except queue.Full:
                continue
            return True
        return False
