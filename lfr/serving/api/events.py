"""A deployment's events as they are committed (SSE): whoever comes back goes on from `Last-Event-ID`."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Header, Query, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import StreamingResponse

from lfr.access import Principal
from lfr.alerts import AlertEvent, events_after
from lfr.errors import BusyError, InputError, LfrError
from lfr.serving.api.guard import BEARER, Acting, Guarded, Serving, may
from lfr.serving.api.problems import PROBLEMS
from lfr.serving.api.service import Service

__all__ = ["router"]

router = APIRouter(route_class=Guarded, dependencies=[BEARER], responses=PROBLEMS, tags=["alerts"])

_CHECKED_S = 2.0  # the key; and something is said, since what follows takes a longer silence for a broken connection
_AT_ONCE = 200
_LAST = 2**53


@router.get(
    "/deployments/{deployment_id}/events",
    summary="Follow events",
    response_class=StreamingResponse,
    responses={
        200: {
            "description": "Server-sent events; `id` is the sequence in the force's audit log.",
            "content": {"text/event-stream": {"example": 'id: 41\nevent: alert.raise\ndata: {"sequence": 41, …}\n\n'}},
        }
    },
    openapi_extra=may("alert.list"),
)
async def events(
    deployment_id: str,
    request: Request,
    principal: Acting,
    service: Serving,
    last_event_id: Annotated[
        str | None, Header(max_length=20, description="The last event that was seen; those after it follow.")
    ] = None,
    after: Annotated[int, Query(ge=0, le=_LAST, description="As Last-Event-ID, where headers cannot be set.")] = 0,
) -> StreamingResponse:
    """Follow a deployment's alerts and what is decided about them, without loss and without repeats.

    Without `Last-Event-ID` it begins with the deployment's first event. A device follows its own alerts only.
    """
    if last_event_id is not None:
        if not (last_event_id.isascii() and last_event_id.isdigit()):
            raise InputError("Last-Event-ID: the number of an event")
        after = int(last_event_id)
        if after > _LAST:
            raise InputError(f"Last-Event-ID: over {_LAST}, which no event has")
    if service.events_open >= service.limits.events_open:
        raise BusyError(f"{service.events_open} streams of events are open, which is the most")
    first = await run_in_threadpool(events_after, service.store, principal, deployment_id, after=after, limit=_AT_ONCE)
    stream = _stream(service, principal, request, deployment_id, after=after, first=first)
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(stream, media_type="text/event-stream", headers=headers)


async def _stream(
    service: Service,
    principal: Principal,
    request: Request,
    deployment_id: str,
    *,
    after: int,
    first: tuple[AlertEvent, ...],
) -> AsyncIterator[str]:
    service.opened(+1)
    clock = asyncio.get_running_loop().time
    try:
        yield "retry: 1000\n\n"
        found, head, checked = first, -1, clock()
        while True:
            for event in found:
                after = event.sequence
                yield f"id: {event.sequence}\nevent: {event.action}\ndata: {json.dumps(event.as_dict())}\n\n"
            all_seen, seen = len(found) < _AT_ONCE, head
            if all_seen:
                left_s = checked + _CHECKED_S - clock()
                head = await service.heads.past(service.store, principal, seen, within_s=left_s)
            if clock() - checked >= _CHECKED_S:
                await run_in_threadpool(service.authenticate, request)  # the key may have been revoked
                checked = clock()
                yield ": still here\n\n"
            if all_seen and head == seen:
                found = ()
                continue
            found = await run_in_threadpool(
                events_after, service.store, principal, deployment_id, after=after, limit=_AT_ONCE
            )
    except LfrError as error:
        # The connection ends; whoever follows comes back with the last id, and is told then what is wrong.
        yield f": {type(error).__name__}\n\n"
    finally:
        service.opened(-1)
