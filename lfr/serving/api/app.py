"""The factory of the HTTP interface; it runs without Ray as well."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from fastapi import FastAPI

from lfr import __version__
from lfr.serving import console
from lfr.serving.api import alerts, audit, events, feeds, frames, governance, health, preview, signing_in, stream
from lfr.serving.api.guard import Guarding, RequestLog
from lfr.serving.api.problems import add_handlers
from lfr.serving.api.schemas import Problem
from lfr.serving.api.service import Service

__all__ = ["create_app"]

_ABOUT = """\
Frames of cameras in, alerts out, inside a live and authorised deployment. An alert is advice: a person decides.

Send the key as `Authorization: Bearer lfr_…`. Every error is a problem document (RFC 9457) whose `type` does not
change. Every answer has `X-Request-Id`.
"""


def create_app(service: Service, *, request_id: Callable[[], str] | None = None) -> FastAPI:
    """Return the interface over a service.

    Parameters
    ----------
    service
        Store, cameras and model; the app closes the store when it ends.
    request_id
        Returns the id of the current request, where whatever runs the app gives it one and shows it; None: made here.
    """

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        service.store.close()

    app = FastAPI(title="lfr", version=__version__, description=_ABOUT, lifespan=lifespan)
    app.state.service = service
    for part in (frames, stream, feeds, alerts, events, preview, governance, audit):
        app.include_router(part.router, prefix="/v1")
    app.include_router(health.models_router, prefix="/v1")
    app.include_router(health.router, prefix="/v1")
    app.include_router(health.open_router)
    app.include_router(signing_in.router, prefix="/v1")
    app.include_router(console.router)
    add_handlers(app)
    limits = service.limits
    app.add_middleware(Guarding, body_bytes=limits.body_bytes, frame_bytes=limits.frame_bytes)
    app.add_middleware(RequestLog, given_id=request_id)
    model = service.model
    service.metrics.model.info({"alias": model.alias, "version": model.version, "digest": model.digest})
    _describe_problems(app)
    return app


def _describe_problems(app: FastAPI) -> None:
    """Put the problem document among the described ones; no route returns it by itself."""
    describe = app.openapi

    def openapi() -> dict[str, object]:
        document = describe()
        document.setdefault("components", {}).setdefault("schemas", {})["Problem"] = Problem.model_json_schema()
        return document

    app.openapi = openapi  # type: ignore[method-assign] # FastAPI's own way to extend the description
