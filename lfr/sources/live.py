"""Live sources: an RTSP stream or a capture device. Only the newest frame counts."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np

from lfr.errors import SourceError
from lfr.sources.quiet import quiet_decoder
from lfr.sources.source import Source
from lfr.types import Frame, Pixels

__all__ = ["LiveSource", "SourceEvent"]

_LOG = logging.getLogger(__name__)
_FIRST_WAIT_S = 0.5
_MOST_DOUBLINGS = 20  # 2.0 ** 1024 overflows, and a camera may be away for weeks
_JITTER = 0.25  # so that cameras that went away together do not all come back at the same moment


@dataclass(frozen=True)
class SourceEvent:
    """A live source came, went, or is being tried again.

    Attributes
    ----------
    kind
        What happened. A source is connected when its first frame is here.
    attempt
        Number of tries since the stream was lost; 0 for the first connection.
    wait_s
        Seconds until the next try.
    """

    kind: Literal["connected", "lost", "retrying", "gave_up"]
    attempt: int = 0
    wait_s: float = 0.0


class LiveSource(Source):
    """The newest frame of a stream or device.

    A thread reads as fast as the camera sends and keeps one frame; what was
    not asked for in time is dropped and counted, so a slow consumer sees the
    present and memory does not grow. A lost stream is tried again, waiting
    twice as long each time, until `close`. Nothing is written to disk.
    A frame's index counts the frames captured, so that a gap shows a drop.

    Parameters
    ----------
    spec
        ``rtsp://`` or ``rtsps://`` URL, a device number, or its ``/dev`` path.
    name
        What messages call it, without credentials.
    connect_timeout_s, read_timeout_s
        Seconds to wait for the stream to open, and for its next frame. `close`
        cannot break either off: it may take as long where a stream stalls.
    max_wait_s
        Longest wait between two tries.
    give_up_s
        Seconds without a frame after which iterating raises; None: never.
    on_event
        Told of every change, on the reader's thread. What it raises ends the source.

    Raises
    ------
    SourceError
        Nothing answers at the first opening; while iterating: the source was given up.
    """

    live = True
    frame_count = None

    def __init__(
        self,
        spec: str,
        *,
        name: str,
        connect_timeout_s: float = 10.0,
        read_timeout_s: float = 5.0,
        max_wait_s: float = 30.0,
        give_up_s: float | None = None,
        on_event: Callable[[SourceEvent], None] | None = None,
    ) -> None:
        self.name = name
        self._spec = spec
        self._timeouts_s = (connect_timeout_s, read_timeout_s)
        self._max_wait_s, self._give_up_s, self._on_event = max_wait_s, give_up_s, on_event
        self._random = np.random.default_rng()
        self._changed = threading.Condition()
        self._newest: Frame | None = None
        self._error: SourceError | None = None
        self._closing = threading.Event()
        self._captured = 0
        self._dropped = 0
        self._last_s = 0.0
        opened = self._open()
        if opened is None:
            device = "no camera there, or it is in use"
            stream = f"no stream there (waited at most {connect_timeout_s:g} s)"
            raise SourceError(f"{name}: {stream if '://' in spec else device}")
        capture, pixels = opened
        fps = float(capture.get(cv2.CAP_PROP_FPS))
        self.fps = fps if 0.0 < fps < 1000.0 else None
        self.resolution_wh = (pixels.shape[1], pixels.shape[0])
        self._thread = threading.Thread(target=self._run, args=opened, name=f"read {name}", daemon=True)
        self._thread.start()

    @property
    def dropped(self) -> int:
        """Frames captured so far that were replaced before anyone asked for them."""
        with self._changed:
            return self._dropped

    def __iter__(self) -> Iterator[Frame]:
        """Yield the newest frame each time, waiting for one if need be."""
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._newest or self._error or self._closing.is_set())
                if self._closing.is_set():
                    return
                frame, self._newest = self._newest, None
                if frame is None:
                    assert self._error is not None
                    raise self._error
            yield frame

    def close(self) -> None:
        """End the thread and the stream."""
        self._closing.set()
        with self._changed:
            self._newest = None
            self._changed.notify_all()
        if self._thread is not threading.current_thread():  # `on_event` may close
            self._thread.join()

    def _open(self) -> tuple[cv2.VideoCapture, Pixels] | None:
        """Return a capture and its first frame, or None."""
        # FFmpeg's default of UDP loses packets and passes few firewalls; OpenCV takes the option from
        # this variable alone. A value the user has set is left alone.
        os.environ.setdefault("OPENCV_FFMPEG_CAPTURE_OPTIONS", "rtsp_transport;tcp")
        with quiet_decoder():
            try:
                capture = self._capture()
            except cv2.error:  # a device number that is none
                return None
            more, pixels = capture.read() if capture.isOpened() else (False, None)
        if more:
            return capture, np.asarray(pixels, np.uint8)
        capture.release()
        return None

    def _capture(self) -> cv2.VideoCapture:
        if self._spec.isdecimal():
            return cv2.VideoCapture(int(self._spec))
        if self._spec.startswith("/dev/"):
            return cv2.VideoCapture(self._spec, cv2.CAP_V4L2)
        connect_s, read_s = self._timeouts_s
        limits = (cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, connect_s), (cv2.CAP_PROP_READ_TIMEOUT_MSEC, read_s)
        parameters = [int(v) for key, seconds in limits for v in (key, seconds * 1000)]
        return cv2.VideoCapture(self._spec, cv2.CAP_FFMPEG, parameters)

    def _run(self, capture: cv2.VideoCapture, pixels: Pixels) -> None:
        """Keep the newest frame until closed; runs on the thread, which alone touches the capture."""
        opened: tuple[cv2.VideoCapture, Pixels] | None = (capture, pixels)
        attempt = 0
        try:
            while opened is not None:
                self._say(SourceEvent("connected", attempt))
                self._read(*opened)
                if self._closing.is_set():
                    return
                self._say(SourceEvent("lost"))
                opened, attempt = self._reconnect()
        finally:
            # However the thread ends, nobody may be left waiting for a frame.
            with self._changed:
                self._error = self._error or SourceError(f"{self.name}: reading ended on an error")
                self._changed.notify_all()

    def _read(self, capture: cv2.VideoCapture, pixels: Pixels) -> None:
        """Keep the newest frame until closed or lost."""
        try:
            more = True
            while more and not self._closing.is_set():
                self._keep(pixels)
                with quiet_decoder():
                    more, decoded = capture.read()
                if more:
                    pixels = np.asarray(decoded, np.uint8)
        finally:
            capture.release()

    def _keep(self, pixels: Pixels) -> None:
        with self._changed:
            self._last_s = max(self._last_s, time.time())  # the clock may be set back; frames' times never fall
            self._dropped += self._newest is not None
            self._newest = Frame(self._captured, self._last_s, pixels)
            self._captured += 1
            self._changed.notify_all()

    def _reconnect(self) -> tuple[tuple[cv2.VideoCapture, Pixels] | None, int]:
        """Try until the stream is back; return it (None when closed or given up) and the number of tries."""
        lost_s = time.monotonic()
        attempt = 0
        while not self._closing.is_set():
            wait_s = self._wait_s(attempt)
            if self._give_up_s is not None:
                left_s = self._give_up_s - (time.monotonic() - lost_s)
                if left_s <= 0.0:
                    self._say(SourceEvent("gave_up", attempt))
                    self._error = SourceError(f"{self.name}: lost, and not back within {self._give_up_s:g} s")
                    break
                wait_s = min(wait_s, left_s)
            attempt += 1
            self._say(SourceEvent("retrying", attempt, wait_s))
            if self._closing.wait(wait_s):
                break
            opened = self._open()
            if opened is not None:
                return opened, attempt
        return None, attempt

    def _wait_s(self, attempt: int) -> float:
        wait_s = _FIRST_WAIT_S * 2.0 ** min(attempt, _MOST_DOUBLINGS)
        wait_s = min(wait_s, self._max_wait_s / (1.0 + _JITTER))
        return wait_s * (1.0 + _JITTER * float(self._random.uniform(-1.0, 1.0)))

    def _say(self, event: SourceEvent) -> None:
        level = logging.INFO if event.kind == "connected" and event.attempt == 0 else logging.WARNING
        _LOG.log(level, "%s: %s (attempt %d, next in %.1f s)", self.name, event.kind, event.attempt, event.wait_s)
        if self._on_event is not None:
            self._on_event(event)
