"""Answers leave as they are written.

Ray's server makes its socket so that asyncio does not switch Nagle's algorithm off: the body of an answer, which is
written after its head, then waits at times for the receiver to acknowledge the head, which takes it 40 ms.
"""

from __future__ import annotations

import os
import socket
from contextlib import suppress

from starlette.types import ASGIApp, Receive, Scope, Send

__all__ = ["SendAtOnce"]


class SendAtOnce:
    """Has every TCP connection of this process send what is written at once, from the first request on.

    Parameters
    ----------
    app
        The interface.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app, self._begun = app, False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on."""
        if not self._begun and scope["type"] != "lifespan":  # nothing listens yet when that begins
            self._begun = True
            _send_at_once()
        await self._app(scope, receive, send)


def _send_at_once() -> None:
    # A socket that listens gives the option to what it accepts.
    for name in os.listdir("/dev/fd"):  # noqa: PTH208 - numbers, not paths
        with suppress(OSError), socket.socket(fileno=os.dup(int(name))) as found:
            if found.family in (socket.AF_INET, socket.AF_INET6) and found.type == socket.SOCK_STREAM:
                found.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
