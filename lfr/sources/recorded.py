"""Recorded sources: one picture, a folder of pictures, a video file. Every frame is delivered."""

from __future__ import annotations

import contextlib
import logging
import queue
import re
import threading
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from lfr.errors import LfrError, SourceError
from lfr.sources.container import Container, read_container
from lfr.sources.images import IMAGE_SUFFIXES, MAX_PIXELS, read_image
from lfr.sources.quiet import quiet_decoder
from lfr.sources.source import Source
from lfr.types import Frame, Pixels

__all__ = ["PictureSource", "VideoSource", "recorded_pictures"]

_LOG = logging.getLogger(__name__)
_KEY_PICTURE = ord("I")

# Containers state their number of frames from duration and rate; being off by this share is their usual rounding.
_COUNT_TOLERANCE = 0.02
_PICTURE_INTERVAL_S = 1.0
_POLL_S = 0.05  # how soon a closed source is noticed


class PictureSource(Source):
    """Pictures as frames, one second apart.

    Parameters
    ----------
    path
        One picture, or a folder whose pictures are taken in order of their
        names, numbers in them by value. Hidden files are left out.

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
        self._paths = recorded_pictures(path) if folder else [path]
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
        self._container = _inspect(path)
        with quiet_decoder():
            # Absolute, since FFmpeg takes what stands before a colon for a protocol.
            self._capture = cv2.VideoCapture(str(path.absolute()), cv2.CAP_FFMPEG)
            width, height = (self._capture.get(p) for p in (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT))
            too_large = self._capture.isOpened() and width * height > MAX_PIXELS
            opened, pixels = (False, None) if too_large or not self._capture.isOpened() else self._capture.read()
        if too_large:
            self._capture.release()
            raise SourceError(f"{path}: {width:.0f}x{height:.0f} is over {MAX_PIXELS} pixels, which is the limit")
        if not opened:
            self._capture.release()
            raise SourceError(f"{path}: not a video that can be decoded")
        self._first = np.asarray(pixels, np.uint8)
        self.resolution_wh = (self._first.shape[1], self._first.shape[0])
        fps = float(self._capture.get(cv2.CAP_PROP_FPS))
        self.fps = fps if 0.0 < fps < 1000.0 else 25.0
        count = int(self._capture.get(cv2.CAP_PROP_FRAME_COUNT))
        # FFmpeg counts what is left of a file that does not state its length.
        stated = count > 0 and not (self._container.cut_short and not self._container.states_length)
        self.frame_count = count if stated else None
        # A copy trimmed without decoding again begins between key pictures: its list has frames nobody is to see.
        self._trimmed = int(self._capture.get(cv2.CAP_PROP_FRAME_TYPE)) not in {0, _KEY_PICTURE}
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
        return self._broken_off(index, time_s)

    def _broken_off(self, delivered: int, last_s: float) -> SourceError | None:
        """Return what is wrong with the end, if anything.

        Fewer frames than stated are no proof: the number may be guessed from
        a length and a rate that varies. A file that says it is longer than it
        is, or a picture that ends well before the time it states, is.
        """
        if self.frame_count is None:
            cut = self._container.cut_short
            return (
                SourceError(f"{self.name}: broke off after frame {delivered}, the file is truncated") if cut else None
            )
        if delivered >= self.frame_count:
            return None
        assert self.fps is not None
        stated_s = self.frame_count / self.fps
        missing_s = stated_s - (last_s + 1.0 / self.fps)
        # A length may be that of the sound, which often lasts longer than the picture.
        slack_s = max(2.0 / self.fps, 0.01 * stated_s) if self._container.lists_frames else max(2.0, 0.1 * stated_s)
        if self._container.cut_short or (missing_s > slack_s and not self._trimmed):
            return SourceError(f"{self.name}: broke off after frame {delivered} of {self.frame_count}")
        if not self._trimmed and self.frame_count - delivered > max(2, _COUNT_TOLERANCE * self.frame_count):
            _LOG.warning("%s: %d frames decoded where %d were expected", self.name, delivered, self.frame_count)
        return None

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


def recorded_pictures(folder: Path) -> list[Path]:
    """Return a folder's pictures in order of their names, numbers in them by value, hidden files left out.

    Raises
    ------
    SourceError
        The folder cannot be read.
    """
    try:
        found = [p for p in folder.iterdir() if p.suffix.lower() in IMAGE_SUFFIXES and not p.name.startswith(".")]
    except OSError as error:
        raise SourceError(f"{folder}: the folder cannot be read: {error.strerror}") from error
    return sorted((p for p in found if p.is_file()), key=_by_number)


def _by_number(path: Path) -> tuple[list[str | int], str]:
    """Order names as people do: frame 2 before frame 10."""
    return [int(part) if part.isdecimal() else part for part in re.split(r"(\d+)", path.name)], path.name


def _inspect(path: Path) -> Container:
    """Return what the file's structure says, or raise for what cannot be a video."""
    try:
        if not path.is_file():
            raise SourceError(f"{path}: no such file")
        if path.stat().st_size == 0:
            raise SourceError(f"{path}: the file is empty")
        container = read_container(path)
    except OSError as error:
        raise SourceError(f"{path}: cannot be read: {error.strerror}") from error
    if container.text:  # FFmpeg renders some text as video, and follows playlists to other files
        raise SourceError(f"{path}: not a video that can be decoded")
    return container
