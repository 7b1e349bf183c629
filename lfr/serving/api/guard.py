"""The door: key and permission before anything of a request is read, and a limit on its body."""

from __future__ import annotations

import json
import logging
import re
import secrets
import time
from collections.abc import Callable, Coroutine, Iterator
from typing import Annotated, Any

from fastapi import Depends, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.routing import APIRoute
from fastapi.security import HTTPBearer
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from lfr.access import Principal
from lfr.errors import InputError, LimitError
from lfr.serving.api.service import Service

__all__ = ["BEARER", "Acting", "Guarded", "Guarding", "RequestLog", "Serving", "may"]

BEARER = Depends(HTTPBearer(auto_error=False, description="A key that `lfr access add` made: `lfr_…`."))
PERMISSION = "x-lfr-permission"
_SURROGATE = re.compile("[\ud800-\udfff]")
_LOG = logging.getLogger("lfr.serving.requests")


def may(permission: str, **more: Any) -> dict[str, Any]:  # noqa: ANN401 - whatever OpenAPI has
    """Say which permission a route takes, as its ``openapi_extra``."""
    return {PERMISSION: permission, **more}


class Guarded(APIRoute):
    """A route that nobody reaches without a key that has its permission."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return the handler behind the door."""
        handle = super().get_route_handler()
        permission = (self.openapi_extra or {})[PERMISSION]

        async def guarded(request: Request) -> Response:
            service: Service = request.app.state.service
            principal = await run_in_threadpool(service.authenticate, request)
            principal.require(permission)
            request.state.principal = principal
            _check_length(request, most=request.scope["lfr_body_bytes"])
            await _check_text(request)
            return await handle(request)

        return guarded


def _check_length(request: Request, *, most: int) -> None:
    stated = request.headers.get("content-length", "0")
    if not stated.isascii() or not stated.isdigit():
        raise InputError("Content-Length is no number")
    if int(stated) > most:
        raise LimitError(f"the body is over {most} bytes, which is the limit")


async def _check_text(request: Request) -> None:
    """Refuse text that PostgreSQL takes in no column: NUL, and half a surrogate pair."""
    if "\0" in request.scope["path"] or b"%00" in request.scope["query_string"]:
        raise InputError("the address holds a NUL character")
    if request.headers.get("content-type", "").partition(";")[0].strip().lower().endswith("json"):
        try:
            strings = "".join(_strings(json.loads(await request.body())))
        except (ValueError, RecursionError):
            return  # no JSON: whatever reads the body says so
        if "\0" in strings or _SURROGATE.search(strings):
            raise InputError("the body holds a NUL character or half a surrogate pair")


def _strings(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for name, inner in value.items():
            yield name
            yield from _strings(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _strings(inner)


class Guarding:
    """Cuts a body off where it passes the limit, whatever length it states.

    Parameters
    ----------
    app
        The interface.
    body_bytes, frame_bytes
        The limit, and that of routes which take a frame.
    """

    def __init__(self, app: ASGIApp, *, body_bytes: int, frame_bytes: int) -> None:
        self._app, self._body_bytes, self._frame_bytes = app, body_bytes, frame_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        most = self._frame_bytes if scope["path"].endswith("/frames") else self._body_bytes
        scope["lfr_body_bytes"] = most
        taken = 0

        async def limited() -> Message:
            nonlocal taken
            message = await receive()
            taken += len(message.get("body", b""))
            if taken > most:
                raise LimitError(f"the body is over {most} bytes, which is the limit")
            return message

        await self._app(scope, limited, send)


class RequestLog:
    """Gives each request an id, and logs one line of it: no body, no query, no key.

    Parameters
    ----------
    app
        The interface.
    given_id
        Returns the id that the request has already; None: it gets one here.
    """

    def __init__(self, app: ASGIApp, *, given_id: Callable[[], str] | None = None) -> None:
        self._app, self._given_id = app, given_id

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = self._given_id() if self._given_id else secrets.token_hex(8)
        began, status = time.perf_counter(), 0
        scope.setdefault("state", {})["request_id"] = request_id

        async def noted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                if self._given_id is None:
                    message["headers"] = [*message.get("headers", []), (b"x-request-id", request_id.encode())]
            await send(message)

        try:
            await self._app(scope, receive, noted)
        finally:
            principal = scope["state"].get("principal")
            _LOG.info(
                "request",
                extra={
                    "lfr": {
                        "request_id": request_id,
                        "method": scope["method"],
                        "route": getattr(scope.get("route"), "path", None),
                        "status": status,
                        "ms": round((time.perf_counter() - began) * 1000, 1),
                        "actor": getattr(principal, "id", None),
                    }
                },
            )


def _acting(request: Request) -> Principal:
    principal: Principal = request.state.principal
    return principal


def _serving(request: Request) -> Service:
    service: Service = request.app.state.service
    return service


Acting = Annotated[Principal, Depends(_acting)]
Serving = Annotated[Service, Depends(_serving)]
