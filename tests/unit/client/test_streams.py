"""A stream of frames goes on past one that was overtaken, and ends with the reason where it can not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from lfr.client.streams import AsyncFrameStream, FrameStream
from lfr.errors import ConflictError

AT = datetime(2026, 3, 2, 9, tzinfo=UTC)
FRAMES = [(b"a frame", AT + timedelta(seconds=index)) for index in range(4)]
ANSWER = {"alerts": [], "faces": 0, "faces_seen": 0, "held_back": 0}


def refusing(index: int, problem: str) -> httpx.MockTransport:
    """A service that says no to one frame."""

    def answer(request: httpx.Request) -> httpx.Response:
        if request.headers.get("X-Index") == str(index):
            return httpx.Response(
                409, json={"type": f"urn:lfr:problem:{problem}", "detail": "frame 2 came after frame 3"}
            )
        return httpx.Response(200, json=ANSWER)

    return httpx.MockTransport(answer)


def test_a_frame_that_was_overtaken_is_lost_and_the_others_are_not() -> None:
    said: list[str] = []
    with (
        httpx.Client(transport=refusing(2, "passed-over"), base_url="http://service") as client,
        FrameStream(client, "d1", "north", on_event=said.append) as stream,
    ):
        assert [result.index for result in stream.results(FRAMES)] == [0, 1, 3, -1]
    assert said == ["frame 2: lost: frame 2 came after frame 3"]


def test_it_is_so_for_asyncio_too() -> None:
    said: list[str] = []

    async def frames() -> AsyncIterator[tuple[bytes, datetime]]:
        for frame in FRAMES:
            yield frame

    async def results() -> list[int]:
        async with httpx.AsyncClient(transport=refusing(2, "passed-over"), base_url="http://service") as client:
            stream = AsyncFrameStream(client, "d1", "north", on_event=said.append)
            return [result.index async for result in stream.results(frames())]

    assert asyncio.run(results()) == [0, 1, 3, -1]
    assert said == ["frame 2: lost: frame 2 came after frame 3"]


def test_what_else_is_not_allowed_ends_it_with_the_reason() -> None:
    with (
        httpx.Client(transport=refusing(2, "conflict"), base_url="http://service") as client,
        FrameStream(client, "d1", "north") as stream,
        pytest.raises(ConflictError, match="came after"),
    ):
        list(stream.results(FRAMES))
