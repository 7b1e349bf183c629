"""What runs here, and whether it can work; none of it needs a key, and none of it names a person."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Response
from sqlalchemy import text

from lfr import __version__
from lfr.serving.api.guard import BEARER, Acting, Guarded, Serving, may
from lfr.serving.api.problems import PROBLEMS

__all__ = ["models_router", "open_router", "router"]

router = APIRouter(tags=["health"])
open_router = APIRouter(tags=["health"])
models_router = APIRouter(route_class=Guarded, dependencies=[BEARER], responses=PROBLEMS, tags=["health"])


@router.get("/healthz", summary="Whether it runs")
async def healthz() -> dict[str, str]:
    """Answer as long as the process runs."""
    return {"status": "ok", "version": __version__}


@router.get("/readyz", summary="Whether it can work", responses={503: PROBLEMS[503]})
def readyz(service: Serving) -> dict[str, str]:
    """Answer as long as the database can be asked; 503 otherwise, and frames are refused meanwhile."""
    with service.store.database.read() as session:
        session.execute(text("SELECT 1"))
    return {"status": "ready"}


@models_router.get("/models", summary="The model that runs", openapi_extra=may("health.read"))
def models(_: Acting, service: Serving) -> dict[str, Any]:
    """Return the one version that this service runs, and the one in its shadow, resolved once at its start."""
    model, shadow = service.model, service.shadow
    found: dict[str, Any] = {"models": [model.as_dict()]}
    if shadow is not None:
        found["shadow"] = shadow.as_dict()
    return found


@open_router.get("/metrics", summary="Figures for Prometheus", response_class=Response)
async def metrics(service: Serving) -> Response:
    """Return counters of this process, and what the parts hold of faces now; never anything of one."""
    await service.ask_parts()
    return Response(service.metrics.text(), media_type="text/plain; version=0.0.4; charset=utf-8")
