"""Frames of one camera in their order, whichever way they came: several may be on their way at once."""

from __future__ import annotations

import threading
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Generic, TypeVar

from lfr.errors import ConflictError, PassedOverError, ServiceError

__all__ = ["FrameOrder", "Position"]

Answer = TypeVar("Answer")
_WAIT_S = 1.0
_ANSWERS = 16
_WITHDRAWN = 256


@dataclass(frozen=True)
class Position:
    """Where a frame belongs.

    Attributes
    ----------
    captured_at
        Rises within a stream.
    stream
        Which run of a client; another one ends the tracks of the one before. Blank: frames that come one by one.
    index
        Number of the frame in its stream, from 0; None where it is not numbered.
    live
        Whether it is of now; a recording's frame has a time of its own.
    request
        Tells one sending of the frame from another.
    """

    captured_at: datetime
    stream: str = ""
    index: int | None = None
    live: bool = True
    request: str = ""


@dataclass(eq=False)
class FrameOrder(Generic[Answer]):
    """Lets the frames of a camera through one at a time, numbered ones in the order of their numbers.

    A numbered frame waits for the one before it for a second at most; if that is lost, it goes on without, unless
    whoever sent it is gone. One that is sent again, because its answer was lost, gets the same answer.

    Parameters
    ----------
    camera
        What messages call it.
    wait_s
        Longest wait for the frame before.
    on_new_stream
        Called when another stream begins.
    passed_over
        Numbered frames that never came, although later ones of their stream did.
    """

    camera: str
    wait_s: float = _WAIT_S
    on_new_stream: Callable[[], None] = lambda: None
    passed_over: int = 0
    _turn: threading.Condition = field(default_factory=threading.Condition)
    _busy: bool = False
    _stream: str | None = None
    _past: deque[str] = field(default_factory=lambda: deque(maxlen=256))
    _next: int | None = None
    _last: datetime | None = None
    _expected: list[tuple[str, int]] = field(default_factory=list)
    _answers: OrderedDict[int, Answer] = field(default_factory=OrderedDict)
    _before: tuple[int | None, datetime | None, int] = (None, None, 0)
    _withdrawn: deque[str] = field(default_factory=lambda: deque(maxlen=_WITHDRAWN))

    @contextmanager
    def turn(self, position: Position) -> Iterator[Answer | None]:
        """Give the frame its turn: None, or the answer it had already.

        Raises
        ------
        PassedOverError
            A later frame of its stream was looked at.
        ConflictError
            It is of a stream that another has followed, or is not later than the one before.
        ServiceError
            It was withdrawn before the frame before it came.
        """
        with self._turn:
            answer = self._wait(position)
            before = self._before  # as it was once this frame had its turn, whatever happened while it waited
            if answer is None:
                self._busy = True
        if answer is not None:
            yield answer
            return
        try:
            yield None
        except BaseException:
            self._next, self._last, self.passed_over = before  # so that the frame may be sent again
            raise
        finally:
            with self._turn:
                self._busy = False
                self._turn.notify_all()

    @contextmanager
    def pause(self) -> Iterator[None]:
        """Hold every frame back until this ends."""
        with self._turn:
            self._turn.wait_for(lambda: not self._busy)
            self._busy = True
        try:
            yield
        finally:
            with self._turn:
                self._busy = False
                self._turn.notify_all()

    def answered(self, position: Position, answer: Answer) -> None:
        """Keep a numbered frame's answer, inside its turn."""
        if position.index is not None:
            self._answers[position.index] = answer
            while len(self._answers) > _ANSWERS:
                self._answers.popitem(last=False)

    def withdraw(self, request: str) -> None:
        """Let a frame, whose sender is gone, not go on without the one before it: both may be sent again."""
        with self._turn:
            self._withdrawn.append(request)
            self._turn.notify_all()

    def ended(self, stream: str) -> bool:
        """End a stream, if it is the current one; whether it was."""
        with self._turn:
            self._turn.wait_for(lambda: not self._busy)
            if stream != self._stream:
                return False
            self._forget()
            if stream:
                self._past.append(stream)
            return True

    def _wait(self, position: Position) -> Answer | None:
        where = f"camera {self.camera}"
        if position.stream in self._past:
            raise ConflictError(f"{where}: stream {position.stream} has ended; begin another")
        if position.index:
            self._wait_for_predecessor(position.stream, position.index, position.request)
        else:
            self._turn.wait_for(lambda: not self._busy)
        if position.stream != self._stream:
            if position.stream in self._past:
                raise ConflictError(f"{where}: stream {position.stream} has ended; begin another")
            self._begin(position.stream)
        if position.index is not None and self._next is not None and position.index < self._next:
            if position.index in self._answers:
                return self._answers[position.index]
            raise PassedOverError(f"{where}: frame {position.index} came after frame {self._next - 1} was looked at")
        if self._last is not None and position.captured_at <= self._last:
            raise ConflictError(
                f"{where}: captured at {position.captured_at.isoformat()}, not after {self._last.isoformat()}, "
                "when the frame before it was"
            )
        self._before = self._next, self._last, self.passed_over
        if position.index is not None and self._next is not None:
            self.passed_over += position.index - self._next
        self._last = position.captured_at
        self._next = None if position.index is None else position.index + 1
        return None

    def _wait_for_predecessor(self, stream: str, index: int, request: str) -> None:
        """Wait until the frame before is done; where none comes for a second, until no earlier frame waits either."""

        def follows() -> bool:
            return stream == self._stream and self._next is not None and self._next >= index

        def is_first() -> bool:
            return index <= min(other for of, other in self._expected if of == stream)

        def withdrawn() -> bool:
            return request in self._withdrawn

        self._expected.append((stream, index))
        try:
            while not follows() or self._busy:
                # A stream this camera knows nothing of is one that it lost when it began anew: frames in any order.
                patience = self.wait_s if stream == self._stream else 3 * self.wait_s
                came = self._turn.wait_for(lambda: follows() or withdrawn(), timeout=patience)
                if not came:
                    self._turn.wait_for(lambda: follows() or is_first() or withdrawn())
                self._turn.wait_for(lambda: not self._busy)
                if follows():
                    continue
                if withdrawn():
                    raise ServiceError(f"camera {self.camera}: frame {index}: whoever sent it is gone")
                if not came and is_first():  # one that failed meanwhile may come again, so then it is waited for again
                    return
        finally:
            self._expected.remove((stream, index))
            self._turn.notify_all()

    def _begin(self, stream: str) -> None:
        if self._stream is not None:
            if self._stream:  # frames without a stream may always come again
                self._past.append(self._stream)
            self.on_new_stream()
        self._forget()
        self._stream = stream

    def _forget(self) -> None:
        self._stream, self._next, self._last = None, None, None
        self._answers.clear()
