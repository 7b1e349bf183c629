"""Nagle's algorithm is off for the connections of a process that answers requests."""

from __future__ import annotations

import asyncio
import socket

import pytest
from starlette.types import Message, Receive, Scope, Send

from lfr.serving.sending import SendAtOnce


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    """Do nothing."""


def request(sender: SendAtOnce, kind: str) -> None:
    async def receive() -> Message:
        return {"type": f"{kind}.request"}

    async def send(_: Message) -> None:
        return

    asyncio.run(sender({"type": kind}, receive, send))


def waits(connection: socket.socket) -> bool:
    return not connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


@pytest.mark.parametrize("kind", ["http", "websocket"])
def test_the_first_request_has_open_and_later_connections_send_at_once(kind: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.create_connection(listener.getsockname()) as client:
        early, _ = listener.accept()
        with early, socket.create_connection(listener.getsockname()):
            sender = SendAtOnce(app)
            request(sender, "lifespan")  # comes before a server listens
            assert all(waits(one) for one in (listener, early, client))
            request(sender, kind)
            late, _ = listener.accept()
            with late, socket.create_connection(listener.getsockname()):
                later, _ = listener.accept()
                with later:
                    assert not any(waits(one) for one in (listener, early, client, later))
