"""One source read for one camera, until its end or the feed's.

Two threads of the camera's process: one takes frames from the source and
has faces looked for in them, one decides. So a frame is on its way to the
detector while the one before it is tracked and searched.
"""

from __future__ import annotations

import logging
import queue
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Protocol

from lfr.access import Principal, holder
from lfr.alerts import count_faces
from lfr.database import Store
from lfr.deployments import Feed, FeedState, check_live, feed_of, note_feed
from lfr.errors import (
    AccessDeniedError,
    InputError,
    LfrError,
    NotAuthorisedError,
    ServiceError,
    SourceError,
    StoreUnavailableError,
)
from lfr.serving.camera import CameraPost, FrameReader
from lfr.serving.liveness import LIVE_FOR_S
from lfr.serving.order import Position
from lfr.serving.tally import Tally
from lfr.sources import Source, SourceEvent, is_recorded, source_name
from lfr.types import Faces, Frame, Pixels

__all__ = ["Opener", "Reading"]

_LOG = logging.getLogger(__name__)
_AHEAD = 3
"""Frames that are looked at, or waiting for it, at once."""
_AGAIN_S, _REOPEN_S, _COUNT_EVERY_S = 0.2, 5.0, 1.0


class Opener(Protocol):
    """Opens a source: `lfr.sources.open_source`."""

    def __call__(self, spec: str, *, on_event: Callable[[SourceEvent], None]) -> Source:
        """Open it; raises SourceError."""
        ...


@dataclass(frozen=True, eq=False)
class _Looked:
    """A frame in which faces are being looked for; `faces` waits for them, None: they are not."""

    frame: Frame
    faces: Callable[[], Faces] | None
    began: float


class _Ended(Exception):  # noqa: N818 - no error: somebody ended it
    """The feed was ended, or is another one by now."""


class Reading:
    """Reads one feed until it ends; begins at once.

    Parameters
    ----------
    store, post
        Where, and the camera.
    feed, spec
        What is to be read, and its address.
    reader
        Looks for faces.
    open_with
        Opens the source.
    tally
        Told what each frame came to.
    detect_every
        In one of so many frames faces are looked for; the others move its tracks on.
    """

    def __init__(
        self,
        store: Store,
        post: CameraPost,
        feed: Feed,
        spec: str,
        reader: FrameReader,
        open_with: Opener,
        tally: Tally,
        *,
        detect_every: int = 1,
    ) -> None:
        self.feed = feed
        self._store, self._post, self._reader, self._open, self._tally = store, post, reader, open_with, tally
        self._detect_every = detect_every
        self._spec, self._stream = spec, f"{feed.id}-{secrets.token_hex(4)}"
        self._done = threading.Event()
        self._principal: Principal | None = None
        self._looked_at = self._counted_at = float("-inf")
        self._index = self._lost = self._dropped = 0  # frames decided on; lost, of which so many the source dropped
        self._last, self._said = datetime(1970, 1, 1, tzinfo=UTC), ""
        self._thread = threading.Thread(target=self._run, name=f"feed {feed.camera_id}", daemon=True)
        self._thread.start()

    @property
    def alive(self) -> bool:
        """Whether it goes on."""
        return self._thread.is_alive()

    def stop(self) -> None:
        """Have it end soon."""
        self._done.set()

    def close(self) -> None:
        """End it, and wait for that."""
        self.stop()
        if self._thread is not threading.current_thread():
            self._thread.join()

    def _run(self) -> None:
        state, reason = self._came_to()
        self._end_stream()
        if state is not None:
            self._say(state, reason)

    def _came_to(self) -> tuple[FeedState | None, str]:
        """Read to the end; return how the feed stands then, None where somebody else said so, and why."""
        try:
            return "ended", self._read_all()
        except _Ended:
            return None, ""
        except NotAuthorisedError as error:
            return "ended", str(error)
        except AccessDeniedError as error:
            self._post.drop_stream(self._stream)  # nothing is decided in the name of somebody who may not any more
            return "failed", str(error)
        except LfrError as error:
            return "failed", self._why(error)
        except Exception:  # noqa: BLE001 - whatever it is, nobody may take the camera for one that works
            _LOG.exception("camera %s", self.feed.camera_id)
            return "failed", "reading failed; the log has the kind of error"

    def _end_stream(self) -> None:
        """Decide for who was in the picture; where the database is away the camera does so once it is back."""
        with suppress(LfrError):
            if self._principal is not None:
                self._tally.add(self._post.end_stream(self._principal, self._stream), frames=0)

    def _read_all(self) -> str:
        """Read to the end, opening what cannot be reached again and again; return why it ended."""
        self._look_at_last()
        while True:
            self._look()
            try:
                with self._open(self._spec, on_event=self._event) as source:
                    self._say("reading")
                    self._read(source)
            except SourceError as error:
                if is_recorded(self._spec):
                    raise
                self._say("lost", self._why(error))
                self._wait(_REOPEN_S)
            else:
                return "source ended"

    def _read(self, source: Source) -> None:
        """Decide on each frame in turn, while the next ones are looked at."""
        began, self._dropped, over = datetime.now(UTC), 0, threading.Event()
        looked: queue.Queue[_Looked | Exception | None] = queue.Queue()
        places = threading.Semaphore(_AHEAD)
        frames = _frames(source, places, over)
        submitting = threading.Thread(
            target=self._submit, args=(frames, looked), name=f"read {self.feed.camera_id}", daemon=True
        )
        submitting.start()
        try:
            while (item := self._next(looked)) is not None:
                if isinstance(item, Exception):
                    raise item
                taken = item.frame.time_s
                at = datetime.fromtimestamp(taken, UTC) if source.live else began + timedelta(seconds=taken)
                self._last = max(at, self._last + timedelta(microseconds=1))
                try:
                    self._decide(item, live=source.live)
                finally:
                    item.frame.pixels[:] = 0
                    places.release()
                self._count(source.dropped)
        except _Ended:
            self._end_stream()  # a stream that stalls takes seconds to close, and nobody waits for that
            raise
        finally:
            source.close()
            over.set()
            places.release()
            submitting.join()
            self._lost += _overwrite(looked)
            with suppress(LfrError):
                self._count(source.dropped, at_once=True)

    def _submit(self, frames: Iterator[Frame], looked: queue.Queue[_Looked | Exception | None]) -> None:
        """Have faces looked for in frame after frame; runs on a thread of its own."""
        try:
            for number, frame in enumerate(frames):
                began = time.perf_counter()
                faces = self._begin(frame.pixels) if number % self._detect_every == 0 else None
                looked.put(_Looked(frame, faces, began))
        except Exception as error:  # noqa: BLE001 - raised again by whoever takes it
            looked.put(error)
        else:
            looked.put(None)

    def _begin(self, pixels: Pixels) -> Callable[[], Faces]:
        """Begin to look for faces in a frame, and return what waits for them."""
        try:
            return self._reader.begin(pixels)
        except (ServiceError, InputError) as error:
            return partial(_fail, error)

    def _next(self, looked: queue.Queue[_Looked | Exception | None]) -> _Looked | Exception | None:
        while True:
            self._look()
            with suppress(queue.Empty):
                return looked.get(timeout=LIVE_FOR_S)

    def _decide(self, item: _Looked, *, live: bool) -> None:
        """Decide on a frame; where a part is away, a recording waits for it and a camera's frame is dropped."""
        faces = item.faces
        while True:
            assert self._principal is not None
            try:
                found = None if faces is None else faces()
                position = Position(self._last, self._stream, self._index, live=live)
                took_s = time.perf_counter() - item.began
                answer = self._post.look_at(self._principal, item.frame.pixels, found, position, detect_s=took_s)
            except (ServiceError, StoreUnavailableError, InputError) as error:
                if isinstance(error, InputError) and not live:
                    raise
                self._warn(str(error))
                self._wait(_AGAIN_S)
                if live:
                    self._lost += 1
                    return
                faces = None if faces is None else self._begin(item.frame.pixels)
                continue
            self._index += 1
            self._said = ""
            self._tally.add(answer)
            return

    def _warn(self, what: str) -> None:
        if what != self._said:  # once, and not for each frame
            self._said = what
            _LOG.warning("camera %s: %s", self.feed.camera_id, what)

    def _look_at_last(self) -> None:
        """Look for the first time, as soon as the database can be asked."""
        while True:
            try:
                self._look()
            except StoreUnavailableError as error:
                self._warn(str(error))
                if self._done.wait(_AGAIN_S):
                    raise _Ended from error
            else:
                return

    def _look(self) -> None:
        """Raise where the feed, its deployment, or the right of whoever began it has ended."""
        if self._done.is_set():
            raise _Ended
        if time.monotonic() - self._looked_at <= LIVE_FOR_S:
            return
        try:
            now = feed_of(self._store, self.feed.deployment_id, self.feed.camera_id)
            principal = holder(self._store, self.feed.begun_by)
            principal.require("deployment.feed")
            if now is None or now.id != self.feed.id or not now.active:
                raise _Ended
            check_live(self._store, self.feed.deployment_id)
        except StoreUnavailableError:
            if self._principal is None:
                raise
            return  # nothing alerts meanwhile, because that asks it too
        self._principal, self._looked_at = principal, time.monotonic()

    def _wait(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            self._done.wait(min(left, LIVE_FOR_S))
            self._look()

    def _count(self, dropped: int, *, at_once: bool = False) -> None:
        """Count the frames that nobody looked at; of a source that was opened again it begins at none."""
        self._lost += dropped - self._dropped
        self._dropped = dropped
        if not self._lost or (not at_once and time.monotonic() - self._counted_at < _COUNT_EVERY_S):
            return
        self._counted_at = time.monotonic()
        deployment_id, camera_id = self.feed.deployment_id, self.feed.camera_id
        with suppress(StoreUnavailableError):  # the next time
            count_faces(self._store, deployment_id, camera_id, faces_seen=0, frames=0, dropped=self._lost)
            self._tally.drop(self._lost)
            self._lost = 0

    def _event(self, event: SourceEvent) -> None:
        if event.kind == "connected":
            self._say("reading")
        elif event.kind != "gave_up":
            self._say("lost", "the stream broke off" if event.kind == "lost" else f"tried {event.attempt} times")

    def _why(self, error: LfrError) -> str:
        """Return what is wrong, with the source's name in place of its address."""
        text = str(error)
        for address in {source_name(self._spec), str(Path(self._spec))}:
            text = text.replace(address, self.feed.source)
        return text

    def _say(self, state: FeedState, reason: str = "") -> None:
        with suppress(LfrError):
            note_feed(self._store, self.feed, state, reason)


def _frames(source: Source, places: threading.Semaphore, over: threading.Event) -> Iterator[Frame]:
    """Yield frames when there is a place, so that of a live source it is the newest then, until it is over."""
    frames = iter(source)
    while True:
        places.acquire()
        if over.is_set() or (frame := next(frames, None)) is None:
            return
        yield frame


def _overwrite(looked: queue.Queue[_Looked | Exception | None]) -> int:
    """Overwrite frames that nobody will decide on, and return how many those are."""
    frames = 0
    with suppress(queue.Empty):
        while True:
            item = looked.get_nowait()
            if isinstance(item, _Looked):
                item.frame.pixels[:] = 0
                frames += 1
    return frames


def _fail(error: LfrError) -> Faces:
    raise error
