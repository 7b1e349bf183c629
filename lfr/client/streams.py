"""A run of frames from one camera: a few on their way at once, in order, sent again where the way breaks."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections import deque
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any, Self

import httpx

from lfr.client.answers import FrameResult, checked
from lfr.errors import BusyError, ConflictError, PassedOverError, ServiceError, StoreUnavailableError

__all__ = ["AsyncFrameStream", "FrameStream", "TimedFrame"]

TimedFrame = tuple[bytes, datetime]
_AGAIN = (BusyError, ServiceError, StoreUnavailableError)
_FIRST_WAIT_S, _LONGEST_WAIT_S = 0.1, 0.5  # shorter than the service waits for a frame that others follow


class _Requests:
    """The requests of one stream; and how long to go on trying."""

    def __init__(self, deployment_id: str, camera_id: str, *, give_up_s: float) -> None:
        self.stream, self.give_up_s = secrets.token_hex(8), give_up_s
        self._camera = f"/v1/deployments/{deployment_id}/cameras/{camera_id}"

    def frame(self, index: int, encoded: bytes, captured_at: datetime) -> dict[str, Any]:
        """Return how a frame is sent."""
        kind = "image/png" if encoded.startswith(b"\x89PNG") else "image/jpeg"
        headers = {
            "Content-Type": kind,
            "X-Captured-At": captured_at.astimezone(UTC).isoformat(),
            "X-Stream": self.stream,
            "X-Index": str(index),
        }
        return {"method": "POST", "url": f"{self._camera}/frames", "content": encoded, "headers": headers}

    def end(self) -> dict[str, Any]:
        """Return how the stream is ended."""
        return {"method": "DELETE", "url": f"{self._camera}/streams/{self.stream}"}


def _wait_s(attempt: int) -> float:
    return float(min(_LONGEST_WAIT_S, _FIRST_WAIT_S * 2**attempt))


class FrameStream:
    """Frames of one camera, sent from threads of its own.

    A frame that comes, or comes again, after the service went on with a later one is lost: it has no result.

    Parameters
    ----------
    client
        Knows the service and the key.
    deployment_id, camera_id
        Which camera.
    in_flight
        Frames on their way at once; `send` waits while there are so many.
    give_up_s
        Seconds for which a frame is sent again while the service is away.
    on_event
        Told, in a line, when the way breaks and when it is back.
    """

    def __init__(
        self,
        client: httpx.Client,
        deployment_id: str,
        camera_id: str,
        *,
        in_flight: int = 4,
        give_up_s: float = 60.0,
        on_event: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._client, self._on_event = client, on_event
        self._requests = _Requests(deployment_id, camera_id, give_up_s=give_up_s)
        self._in_flight = in_flight
        self._threads = ThreadPoolExecutor(in_flight, thread_name_prefix="frames")
        self._sent: deque[Future[FrameResult | None]] = deque()
        self._index = 0

    def send(self, encoded: bytes, *, captured_at: datetime | None = None) -> list[FrameResult]:
        """Send a frame, and return the answers that are here by now, in order; waits while too many are on their way.

        Parameters
        ----------
        encoded
            A JPEG or PNG.
        captured_at
            When it was taken, later than the one before; None: now.

        Raises
        ------
        LfrError
            What the service says no to; ServiceError where it stayed away too long.
        """
        asked = self._requests.frame(self._index, encoded, captured_at or datetime.now(UTC))
        self._sent.append(self._threads.submit(self._ask, self._index, asked))
        self._index += 1
        found = []
        while self._sent and (self._sent[0].done() or len(self._sent) >= self._in_flight):
            found.append(self._sent.popleft().result())
        return [result for result in found if result is not None]

    def finish(self) -> list[FrameResult]:
        """Wait for the answers that are still to come, end the stream, and return them and what its end decided."""
        found = []
        while self._sent:
            found.append(self._sent.popleft().result())
        found.append(self._ask(-1, self._requests.end()))
        return [result for result in found if result is not None]

    def results(self, frames: Iterable[TimedFrame]) -> Iterator[FrameResult]:
        """Send frames and yield their results in order, and last what the end of the stream decided."""
        for encoded, captured_at in frames:
            yield from self.send(encoded, captured_at=captured_at)
        yield from self.finish()

    def close(self) -> None:
        """End the threads; frames that were not sent are not."""
        self._threads.shutdown(wait=True, cancel_futures=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _ask(self, index: int, asked: dict[str, Any]) -> FrameResult | None:
        until, attempt = time.monotonic() + self._requests.give_up_s, 0
        while True:
            try:
                document = checked(self._client.request(**asked))
            except (httpx.TransportError, *_AGAIN) as error:
                if time.monotonic() > until:
                    raise _given_up(error) from error
                if attempt == 0:
                    self._on_event(f"frame {index}: {_said(error)}; sending it again")
                time.sleep(_wait_s(attempt))
                attempt += 1
                continue
            except ConflictError as error:
                if not _is_lost(error, index, attempt):
                    raise
                self._on_event(f"frame {index}: lost: {error}")
                return None
            if attempt:
                self._on_event(f"frame {index}: the service is back")
            return FrameResult.from_document(index, document)


class AsyncFrameStream:
    """As `FrameStream`, for asyncio."""

    def __init__(
        self,
        client: httpx.AsyncClient,
        deployment_id: str,
        camera_id: str,
        *,
        in_flight: int = 4,
        give_up_s: float = 60.0,
        on_event: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._client, self._on_event, self._in_flight = client, on_event, in_flight
        self._requests = _Requests(deployment_id, camera_id, give_up_s=give_up_s)

    async def results(self, frames: AsyncIterable[TimedFrame]) -> AsyncIterator[FrameResult]:
        """Send frames and yield their results in order, and last what the end of the stream decided.

        The next frame is asked for only when fewer than ``in_flight`` are on their way.
        """
        sent: deque[asyncio.Task[FrameResult | None]] = deque()
        try:
            index = 0
            async for encoded, captured_at in frames:
                asked = self._requests.frame(index, encoded, captured_at)
                sent.append(asyncio.create_task(self._ask(index, asked)))
                index += 1
                while sent and (sent[0].done() or len(sent) >= self._in_flight):
                    if (result := await sent.popleft()) is not None:
                        yield result
            while sent:
                if (result := await sent.popleft()) is not None:
                    yield result
            if (result := await self._ask(-1, self._requests.end())) is not None:
                yield result
        finally:
            for task in sent:
                task.cancel()

    async def _ask(self, index: int, asked: dict[str, Any]) -> FrameResult | None:
        until, attempt = time.monotonic() + self._requests.give_up_s, 0
        while True:
            try:
                document = checked(await self._client.request(**asked))
            except (httpx.TransportError, *_AGAIN) as error:
                if time.monotonic() > until:
                    raise _given_up(error) from error
                if attempt == 0:
                    self._on_event(f"frame {index}: {_said(error)}; sending it again")
                await asyncio.sleep(_wait_s(attempt))
                attempt += 1
                continue
            except ConflictError as error:
                if not _is_lost(error, index, attempt):
                    raise
                self._on_event(f"frame {index}: lost: {error}")
                return None
            if attempt:
                self._on_event(f"frame {index}: the service is back")
            return FrameResult.from_document(index, document)


def _is_lost(error: ConflictError, index: int, attempt: int) -> bool:
    """Whether a frame was overtaken on its way, or its camera began anew meanwhile and went on with a later one."""
    return index >= 0 and (isinstance(error, PassedOverError) or attempt > 0)


def _said(error: Exception) -> str:
    return str(error) or type(error).__name__


def _given_up(error: Exception) -> ServiceError:
    return ServiceError(f"the service stayed away: {_said(error)}")
