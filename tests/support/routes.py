"""The interface's table of routes, with made-up ids where ids stand."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from fastapi import FastAPI
from starlette.routing import WebSocketRoute

from lfr.serving.api.guard import PERMISSION, Guarded

__all__ = ["MADE_UP", "Asked", "every_route", "guarded_routes"]

MADE_UP = "none-0"


@dataclass(frozen=True)
class Asked:
    """A way to ask a route.

    Attributes
    ----------
    method
        ``WEBSOCKET`` of a WebSocket.
    template, path
        Its path with the names of what it takes, and with made-up ids.
    permission
        That it says it takes; None of a route without a door of its own.
    """

    method: str
    template: str
    path: str
    permission: str | None

    def path_with(self, ids: dict[str, str]) -> str:
        """Its path with these ids, by the names of what it takes."""
        return _filled(self.template, ids)


def every_route(app: FastAPI) -> list[Asked]:
    """Return every route there is, guarded or not."""
    found = []
    for prefix, route in _walk(app.routes):
        template = prefix + route.path
        if isinstance(route, WebSocketRoute):
            methods: Iterable[str] = ("WEBSOCKET",)
        else:  # a route without methods, as a mounted app is, takes any
            methods = sorted(getattr(route, "methods", None) or ("GET", "POST", "DELETE"))
        permission = (route.openapi_extra or {})[PERMISSION] if isinstance(route, Guarded) else None
        found += [Asked(method, template, _filled(template, {}), permission) for method in methods]
    return found


def guarded_routes(app: FastAPI) -> list[tuple[str, str, str]]:
    """Return method, path with made-up ids, and permission of each guarded route."""
    return [(one.method, one.path, one.permission) for one in every_route(app) if one.permission is not None]


def _walk(given: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    for route in given:
        original = getattr(route, "original_router", None)
        if original is not None:
            yield from _walk(original.routes, prefix + route.include_context.prefix)
        else:
            yield prefix, route


def _filled(template: str, ids: dict[str, str]) -> str:
    known = {"which": "probe", "file_format": "json", **ids}
    return re.sub(r"\{([^}:]+)[^}]*\}", lambda name: known.get(name[1], MADE_UP), template)
