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
from lfr.types import Frame

__all__ = ["LiveSource", "SourceEvent"]

_LOG = logging.getLogger(__name__)
_FIRST_WAIT_S = 0.5
_JITTER = 0.25  # so that cameras that went away together do not all come back at the same moment


@dataclass(frozen=True)
class SourceEvent:
    """A live source came, went, or is being tried again.

    Attributes
    ----------
    kind
        What happened.
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

    Parameters
    ----------
    spec
        ``rtsp://`` or ``rtsps://`` URL, a device number, or its ``/dev`` path.
    name
        What messages call it, without credentials.
    connect_timeout_s, read_timeout_s
        Seconds to wait for the stream to open, and for its next frame.
    max_wait_s
        Longest wait between two tries.
    give_up_s
        Seconds without a frame after which iterating raises; None: never.
    on_event
        Told of every change, on the reader's thread.

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
        on_event: Callable[[SourceEvent], None] = lambda _: None,
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
        self._yielded = 0
        self._last_s = 0.0
        capture = self._open()
        if capture is None:
            raise SourceError(f"{name}: no stream there (waited at most {connect_timeout_s:g} s)")
        fps = float(capture.get(cv2.CAP_PROP_FPS))
        self.fps = fps if 0.0 < fps < 1000.0 else None
        self.resolution_wh = (
            int(capture.get(cv2.CAP_PROP_FRAME_WIDTH)),
            int(capture.get(cv2.CAP_PROP_FRAME_HEIGHT)),
        )
        self._say(SourceEvent("connected"))
        self._thread = threading.Thread(target=self._read, args=(capture,), name=f"read {name}", daemon=True)
        self._thread.start()

    @property
    def dropped(self) -> int:
        """Frames captured so far that were replaced before anyone asked for them."""
        with self._changed:
            return self._captured - self._yielded - (self._newest is not None)

    def __iter__(self) -> Iterator[Frame]:
        """Yield the newest frame each time, waiting for one if need be."""
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._newest or self._error or self._closing.is_set())
                frame, self._newest = self._newest, None
                if frame is None:
                    if self._error is not None and not self._closing.is_set():
                        raise self._error
                    return
                self._yielded += 1
            yield frame

    def close(self) -> None:
        """End the thread and the stream."""
        self._closing.set()
        with self._changed:
            self._newest = None
            self._changed.notify_all()
        self._thread.join()

    def _open(self) -> cv2.VideoCapture | None:
        """Return a capture that has its first frame ready, or None."""
        connect_s, read_s = self._timeouts_s
        # FFmpeg's default of UDP loses packets and passes few firewalls; OpenCV takes the option from
        # this variable alone. A value the user has set is left alone.
        os.environ.setdefault("OPENCV_FFMPEG_CAPTURE_OPTIONS", "rtsp_transport;tcp")
        with quiet_decoder():
            if self._spec.isdecimal():
                capture = cv2.VideoCapture(int(self._spec))
            elif self._spec.startswith("/dev/"):
                capture = cv2.VideoCapture(self._spec, cv2.CAP_V4L2)
            else:
                limits = (cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, connect_s), (cv2.CAP_PROP_READ_TIMEOUT_MSEC, read_s)
                parameters = [int(v) for key, seconds in limits for v in (key, seconds * 1000)]
                capture = cv2.VideoCapture(self._spec, cv2.CAP_FFMPEG, parameters)
            if capture.isOpened():
                return capture
        capture.release()
        return None

    def _read(self, capture: cv2.VideoCapture | None) -> None:
        """Keep the newest frame until closed; runs on the thread, which alone touches the capture."""
        while capture is not None and not self._closing.is_set():
            with quiet_decoder():
                more, pixels = capture.read()
            if more:
                self._keep(np.asarray(pixels, np.uint8))
                continue
            capture.release()
            if self._closing.is_set():
                return
            self._say(SourceEvent("lost"))
            capture = self._reconnect()
        if capture is not None:
            capture.release()

    def _keep(self, pixels: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]) -> None:
        with self._changed:
            self._last_s = max(self._last_s, time.time())  # the clock may be set back; frames' times never fall
            self._newest = Frame(self._captured, self._last_s, pixels)
            self._captured += 1
            self._changed.notify_all()

    def _reconnect(self) -> cv2.VideoCapture | None:
        """Try until the stream is back; None when closed or given up."""
        lost_s = time.monotonic()
        attempt = 0
        while not self._closing.is_set():
            wait_s = min(self._max_wait_s, _FIRST_WAIT_S * 2.0**attempt)
            wait_s *= 1.0 + _JITTER * float(self._random.uniform(-1.0, 1.0))
            attempt += 1
            if self._give_up_s is not None and time.monotonic() - lost_s + wait_s > self._give_up_s:
                self._say(SourceEvent("gave_up", attempt))
                with self._changed:
                    self._error = SourceError(f"{self.name}: lost, and not back within {self._give_up_s:g} s")
                    self._changed.notify_all()
                return None
            self._say(SourceEvent("retrying", attempt, wait_s))
            if self._closing.wait(wait_s):
                return None
            capture = self._open()
            if capture is not None:
                self._say(SourceEvent("connected", attempt))
                return capture
        return None

    def _say(self, event: SourceEvent) -> None:
        level = logging.INFO if event.kind == "connected" else logging.WARNING
        _LOG.log(level, "%s: %s (attempt %d, next in %.1f s)", self.name, event.kind, event.attempt, event.wait_s)
        self._on_event(event)
