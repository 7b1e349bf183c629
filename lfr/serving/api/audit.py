"""The audit log for those who oversee: its entries, and whether its chain holds."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query

from lfr.oversight import check_log, read_log
from lfr.serving.api.guard import BEARER, Acting, Guarded, Serving, may
from lfr.serving.api.problems import PROBLEMS

__all__ = ["router"]

router = APIRouter(route_class=Guarded, dependencies=[BEARER], responses=PROBLEMS, tags=["audit"])


@router.get("/audit/entries", summary="Read the log", openapi_extra=may("audit.read"))
def entries(
    principal: Acting,
    service: Serving,
    action: Annotated[str | None, Query(max_length=200, description="Begins with this, such as `alert.`.")] = None,
    actor: Annotated[str | None, Query(max_length=200, description="Exactly this reference.")] = None,
    object_id: Annotated[str | None, Query(alias="object", max_length=200, description="Exactly this one.")] = None,
    before: Annotated[int | None, Query(ge=1, le=2**53, description="Entries with a lower number only.")] = None,
    limit: Annotated[int, Query(ge=1, le=500, description="At most so many, newest first.")] = 100,
) -> dict[str, Any]:
    """Return entries of the force's own chain, newest first, with where the chain stands."""
    return read_log(
        service.store, principal, action=action, actor=actor, object_id=object_id, before=before, limit=limit
    ).as_dict()


@router.post("/audit/check", summary="Check the chain", openapi_extra=may("audit.export"))
def check(principal: Acting, service: Serving) -> dict[str, Any]:
    """Check every entry, hash and signature of the force's chain as it stands; that it was done is logged."""
    return check_log(service.store, principal).as_dict()
