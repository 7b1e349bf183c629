"""The operator's console: plain files, served as they are, that ask nothing of anybody but this service."""

from __future__ import annotations

import hashlib
from functools import cache
from importlib.resources import files

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse
from starlette.exceptions import HTTPException

__all__ = ["HEADERS", "router"]

_TYPES = {
    "html": "text/html; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
}
HEADERS = {
    # No inline script or style, nothing from elsewhere, no frame around it, and no string that becomes markup.
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
        "require-trusted-types-for 'script'; trusted-types 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=(), clipboard-read=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cache-Control": "no-cache",
}
"""Of every file of the console."""

router = APIRouter(include_in_schema=False)


@router.get("/console")
def page(request: Request) -> Response:
    """Return the page."""
    return _file(request, "index.html")


@router.get("/console/")
def with_slash() -> RedirectResponse:
    """Lead to the page."""
    return RedirectResponse("/console", status_code=308)


@router.get("/console/{name}")
def part(request: Request, name: str) -> Response:
    """Return a script, a style sheet or a picture of the page."""
    return _file(request, name)


def _file(request: Request, name: str) -> Response:
    found = _files().get(name)
    if found is None:
        raise HTTPException(404, "the console has no such file")
    content, tag = found
    headers = {**HEADERS, "ETag": tag}
    if request.headers.get("if-none-match") == tag:
        return Response(status_code=304, headers=headers)
    return Response(content, media_type=_TYPES[name.rpartition(".")[2]], headers=headers)


@cache
def _files() -> dict[str, tuple[bytes, str]]:
    """Each file's content and entity tag; a name that is not here reaches nothing."""
    found = {}
    for file in files(__name__).joinpath("static").iterdir():
        content = file.read_bytes()
        found[file.name] = content, f'"{hashlib.sha256(content).hexdigest()[:32]}"'
    return found
