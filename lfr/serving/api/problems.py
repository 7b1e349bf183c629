"""Every error as a problem document (RFC 9457) with a type that does not change."""

from __future__ import annotations

import logging
import re
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from lfr import errors
from lfr.errors import LfrError

__all__ = ["PROBLEMS", "UnauthenticatedError", "add_handlers", "problem_of", "problem_type", "status_of"]

_LOG = logging.getLogger("lfr.serving")
_TYPE = "urn:lfr:problem:"


class UnauthenticatedError(errors.AccessDeniedError):
    """The request has no key, or one that is not valid."""


_STATUS: dict[type[LfrError], int] = {
    LfrError: 500,
    errors.InputError: 422,
    errors.LimitError: 413,
    errors.ModelError: 503,
    errors.ModelMismatchError: 409,
    errors.StoreError: 503,
    errors.KeyFileError: 409,
    errors.RegistryError: 409,
    errors.NotFoundError: 404,
    errors.ConflictError: 409,
    errors.ServiceError: 503,
    errors.BusyError: 429,
    errors.RefusedError: 409,
    errors.AccessDeniedError: 403,
    UnauthenticatedError: 401,
}
"""A class without a line has its parent's."""


def status_of(kind: type[LfrError]) -> int:
    """Return the HTTP status of an error of the error tree."""
    return next(_STATUS[parent] for parent in kind.__mro__ if parent in _STATUS)


def problem_type(kind: type[LfrError]) -> str:
    """Return the stable type of an error of the error tree, such as ``urn:lfr:problem:not-found``."""
    words = re.findall(r"[A-Z][a-z]*", kind.__name__.removesuffix("Error"))
    return _TYPE + "-".join(words).lower()


def _document(status: int, detail: str, *, kind: str = "about:blank", **more: object) -> dict[str, Any]:
    return {"type": kind, "title": HTTPStatus(status).phrase, "status": status, "detail": detail, **more}


def problem_of(error: LfrError) -> dict[str, Any]:
    """Return an error as a problem document."""
    return _document(status_of(type(error)), str(error), kind=problem_type(type(error)))


def _response(request: Request, document: dict[str, Any], headers: dict[str, str] | None = None) -> JSONResponse:
    request_id = getattr(request.state, "request_id", None)
    content = {**document, **({"request_id": request_id} if request_id else {})}
    return JSONResponse(content, status_code=document["status"], media_type="application/problem+json", headers=headers)


def add_handlers(app: FastAPI) -> None:
    """Answer every error with a problem document."""

    @app.exception_handler(LfrError)
    async def on_lfr_error(request: Request, error: LfrError) -> JSONResponse:
        status = status_of(type(error))
        headers = {"Retry-After": "1"} if status in (429, 503) else None
        if isinstance(error, UnauthenticatedError):
            headers = {"WWW-Authenticate": "Bearer"}
        return _response(request, problem_of(error), headers)

    @app.exception_handler(RequestValidationError)
    async def on_invalid(request: Request, error: RequestValidationError) -> JSONResponse:
        # What was sent stays out of the answer and so out of anybody's log.
        where = [{"where": [str(part) for part in one["loc"]], "reason": one["msg"]} for one in error.errors()]
        document = _document(422, "the request is not as described", kind=_TYPE + "invalid-request", problems=where)
        return _response(request, document)

    @app.exception_handler(HTTPException)
    async def on_http(request: Request, error: HTTPException) -> JSONResponse:
        if error.status_code == 400:  # FastAPI's own, for a body that is no text or nests too deeply
            return _response(request, _document(422, "the body cannot be read", kind=_TYPE + "invalid-request"))
        headers = dict(error.headers) if error.headers else None
        return _response(request, _document(error.status_code, str(error.detail)), headers)

    @app.exception_handler(Exception)
    async def on_other(request: Request, error: Exception) -> JSONResponse:
        _LOG.error("request failed: %s", type(error).__name__)  # its message may hold what was sent
        return _response(request, _document(500, "something failed here; the log has its kind", kind=_TYPE + "failure"))


def _problem(description: str, kind: str, status: int, detail: str) -> dict[str, Any]:
    example = _document(status, detail, kind=kind)
    return {
        "description": description,
        "content": {
            "application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}, "example": example}
        },
    }


PROBLEMS: dict[int | str, dict[str, Any]] = {
    401: _problem("No key, or one that is not valid.", _TYPE + "unauthenticated", 401, "the key is not known here"),
    403: _problem(
        "The key's role may not do this.", _TYPE + "access-denied", 403, "person-1 may not do alert.adjudicate: …"
    ),
    404: _problem("There is none.", _TYPE + "not-found", 404, "deployment deployment-1: there is none of that name"),
    409: _problem(
        "What is there does not allow it, or a safeguard says no.",
        _TYPE + "not-authorised",
        409,
        "deployment deployment-1: is ended, not live",
    ),
    413: _problem("Larger than the limit.", _TYPE + "limit", 413, "the body is over 8388608 bytes, which is the limit"),
    422: _problem("What was sent cannot be used.", _TYPE + "image", 422, "frame: the picture is truncated (…)"),
    429: _problem("Too much at once; `Retry-After` says when.", _TYPE + "busy", 429, "over 60 frames a second"),
    503: _problem(
        "The database or a part of the service is not there; nothing was done. `Retry-After` says when.",
        _TYPE + "store-unavailable",
        503,
        "the database cannot be reached",
    ),
}
"""Answers that every route may give, for the description of the interface."""
