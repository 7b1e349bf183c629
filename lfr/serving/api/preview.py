"""Look at a camera, with everybody unrecognisable but a person in an alert (R5); and how each camera does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from fastapi import APIRouter, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import StreamingResponse

from lfr.access import Principal
from lfr.deployments import record_preview, show_deployment
from lfr.errors import BusyError, LfrError, ServiceError
from lfr.serving.api.guard import BEARER, Acting, Guarded, Serving, may
from lfr.serving.api.problems import PROBLEMS
from lfr.serving.api.service import Service

__all__ = ["router"]

router = APIRouter(route_class=Guarded, dependencies=[BEARER], responses=PROBLEMS, tags=["cameras"])

_BOUNDARY = "lfr-picture"
_EVERY_S = 0.2
_ASK_AGAIN_S = 2.0
_MOST = 20


@router.get(
    "/deployments/{deployment_id}/cameras/{camera_id}/preview",
    summary="Look at a camera",
    response_class=StreamingResponse,
    responses={200: {"description": "JPEGs, one after another.", "content": {"multipart/x-mixed-replace": {}}}},
    openapi_extra=may("deployment.preview"),
)
async def preview(
    deployment_id: str, camera_id: str, request: Request, principal: Acting, service: Serving
) -> StreamingResponse:
    """Follow a camera of a live deployment. Faces are made unrecognisable where the frame is; nothing is kept.

    Only a person in an alert of this camera stays visible while they are in the picture. That somebody looks is
    logged. It ends with the deployment, and when the key is no longer valid.
    """
    granted = await run_in_threadpool(service.live, principal, deployment_id)
    granted.check_camera(camera_id)
    if service.previews_open >= _MOST:
        raise BusyError(f"{service.previews_open} previews are open, which is the most")
    await run_in_threadpool(record_preview, service.store, principal, granted, camera_id)
    return StreamingResponse(
        _pictures(service, principal, request, deployment_id, camera_id),
        media_type=f"multipart/x-mixed-replace; boundary={_BOUNDARY}",
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )


async def _pictures(
    service: Service, principal: Principal, request: Request, deployment_id: str, camera_id: str
) -> AsyncIterator[bytes]:
    clock, seen = asyncio.get_running_loop().time, 0
    asked_at = clock()
    with _counted(service):
        yield f"--{_BOUNDARY}\r\n".encode()
        while True:
            try:
                if clock() - asked_at > _ASK_AGAIN_S:
                    await run_in_threadpool(service.authenticate, request)
                    asked_at = clock()
                granted = await run_in_threadpool(service.live, principal, deployment_id)
                picture = await service.cameras.preview(principal, granted, camera_id, seen)
            except (BusyError, ServiceError):  # a part starts again
                picture = None
            except LfrError:
                return
            if picture is not None:
                seen = picture.number
                # The boundary follows at once, because browsers show a picture only when they have seen it.
                head = f"Content-Type: image/jpeg\r\nContent-Length: {len(picture.jpeg)}\r\n\r\n".encode()
                yield head + picture.jpeg + f"\r\n--{_BOUNDARY}\r\n".encode()
            await asyncio.sleep(_EVERY_S)


@contextmanager
def _counted(service: Service) -> Iterator[None]:
    service.previews_open += 1
    try:
        yield
    finally:
        service.previews_open -= 1


@dataclass(frozen=True)
class _Health:
    camera: str
    faces_seen: int
    frames: int
    dropped: int
    last_frame_at: str | None
    feed: dict[str, Any] | None
    silent_s: float | None
    waiting: int
    refused: int


@router.get(
    "/deployments/{deployment_id}/camera-health", summary="How cameras do", openapi_extra=may("deployment.list")
)
def health(deployment_id: str, principal: Acting, service: Serving) -> dict[str, Any]:
    """Return each camera's counters, its silence, what is read for it, and the frames on their way or refused here.

    `dropped` are frames of a stream that nobody looked at: too fast, or while a part of the service was away.
    """
    shown, now = show_deployment(service.store, principal, deployment_id), service.store.now()
    found = []
    for camera in shown.cameras:
        last, flow = camera["last_frame_at"], service.flow(deployment_id, camera["camera"])
        silent_s = max(0.0, (now - datetime.fromisoformat(last)).total_seconds()) if last else None
        found.append(_Health(**camera, silent_s=silent_s, waiting=flow.waiting, refused=flow.refused))
    return {"cameras": [vars(one) for one in found]}
