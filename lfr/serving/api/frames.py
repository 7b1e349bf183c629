"""Frames in, alerts out."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Header, Request
from fastapi.concurrency import run_in_threadpool

from lfr.deployments import LiveDeployment
from lfr.errors import BusyError, InputError, LfrError
from lfr.serving.api.guard import BEARER, Acting, Guarded, Serving, may
from lfr.serving.api.problems import PROBLEMS, problem_type
from lfr.serving.api.schemas import FrameDocument
from lfr.serving.api.service import Service
from lfr.serving.camera import FrameAnswer
from lfr.serving.order import Position

__all__ = ["answer_document", "flowing", "observe", "plausible", "router"]

router = APIRouter(route_class=Guarded, dependencies=[BEARER], responses=PROBLEMS, tags=["frames"])

_OFF = timedelta(days=1)
_TYPES = ("image/jpeg", "image/png")
_BODY = {
    "requestBody": {
        "required": True,
        "content": {kind: {"schema": {"type": "string", "format": "binary"}} for kind in _TYPES},
    }
}
_CAMERA = "/deployments/{deployment_id}/cameras/{camera_id}"


@router.post(
    f"{_CAMERA}/frames",
    summary="Look at one frame",
    response_model=FrameDocument,
    responses={415: {"description": "Neither JPEG nor PNG."}},
    openapi_extra=may("deployment.run", **_BODY),
)
async def frames(
    deployment_id: str,
    camera_id: str,
    request: Request,
    principal: Acting,
    service: Serving,
    x_captured_at: Annotated[
        datetime | None,
        Header(description="When the frame was taken, RFC 3339; rises within a stream. Absent: now."),
    ] = None,
    x_stream: Annotated[
        str,
        Header(
            max_length=64,
            pattern=r"^[A-Za-z0-9_.-]*$",
            description="Names one run of a client, so that several of its frames may be on their way at once. "
            "Another name ends the tracks of the run before.",
        ),
    ] = "",
    x_index: Annotated[
        int | None,
        Header(
            ge=0,
            le=2**53,
            description="Number of the frame in its stream, from 0. Frames are looked at in this order; one that is "
            "sent again, because its answer was lost, gets the same answer.",
        ),
    ] = None,
) -> dict[str, Any]:
    """Take one JPEG or PNG of a camera, look for the watchlist's people, and return the alerts it raised.

    The alerts in the answer are committed. Nothing of anybody else is kept but the number of people who passed,
    `faces_seen`. Frames are taken only while the deployment is live and inside its window.
    """
    began = time.perf_counter()
    with _counted(service):
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind not in _TYPES:
            raise InputError(f"content type {kind or 'none'}: a frame is {' or '.join(_TYPES)}")
        granted = await run_in_threadpool(service.live, principal, deployment_id)
        granted.check_camera(camera_id)
        with flowing(service, deployment_id, camera_id):
            service.frames.take(f"{deployment_id} {camera_id}")
            position = Position(_aware(x_captured_at), x_stream, x_index)
            encoded = await request.body()
            with _asking(service, deployment_id, camera_id):
                answer = await service.cameras.frame(principal, granted, camera_id, encoded, position)
    observe(service, granted, camera_id, answer, total_s=time.perf_counter() - began)
    return answer_document(granted, camera_id, answer)


@router.delete(
    f"{_CAMERA}/streams/{{stream}}",
    summary="End a stream",
    response_model=FrameDocument,
    openapi_extra=may("deployment.run"),
)
async def end_stream(
    deployment_id: str, camera_id: str, stream: str, principal: Acting, service: Serving
) -> dict[str, Any]:
    """Decide for the people who were in the picture when a recording ended, and return those alerts.

    Ending a stream that is not the camera's current one changes nothing.
    """
    granted = await run_in_threadpool(service.live, principal, deployment_id)
    granted.check_camera(camera_id)
    answer = await service.cameras.end_stream(principal, granted, camera_id, stream)
    service.metrics.alerts.labels(deployment_id, camera_id).inc(len(answer.alerts))
    return answer_document(granted, camera_id, answer)


@contextmanager
def _counted(service: Service) -> Iterator[None]:
    service.metrics.waiting.inc()
    try:
        yield
    except LfrError as error:
        service.metrics.refused.labels(problem_type(type(error)).rpartition(":")[2]).inc()
        raise
    finally:
        service.metrics.waiting.dec()


@contextmanager
def flowing(service: Service, deployment_id: str, camera_id: str) -> Iterator[None]:
    """Count a frame of a camera, whose name was checked, while it is on its way, and where it is refused."""
    flow = service.flow(deployment_id, camera_id)
    flow.waiting += 1
    try:
        yield
    except LfrError:
        flow.refused += 1
        raise
    finally:
        flow.waiting -= 1


@contextmanager
def _asking(service: Service, deployment_id: str, camera_id: str) -> Iterator[None]:
    """Refuse a whole frame where the camera has as many as it takes; one that is still sent holds no place."""
    flow = service.flow(deployment_id, camera_id)
    if flow.asked >= service.limits.frames_waiting:
        raise BusyError(f"camera {camera_id}: {flow.asked} frames are on their way already, which is the most")
    flow.asked += 1
    try:
        yield
    finally:
        flow.asked -= 1


def _aware(captured_at: datetime | None) -> datetime:
    if captured_at is None:
        return datetime.now(UTC)
    if captured_at.tzinfo is None:
        raise InputError(f"X-Captured-At {captured_at.isoformat()}: needs its zone, such as 2026-03-02T10:15:00Z")
    return plausible(captured_at)


def plausible(captured_at: datetime) -> datetime:
    """Return the time at which a frame was taken, in UTC; raises InputError where it is not of about now.

    A recording may be sent faster or slower than it was made, so a day off is no error.
    """
    if abs(captured_at - datetime.now(UTC)) > _OFF:
        raise InputError(f"captured at {captured_at.isoformat()}: over a day off the service's clock")
    return captured_at.astimezone(UTC)


def observe(service: Service, granted: LiveDeployment, camera_id: str, answer: FrameAnswer, *, total_s: float) -> None:
    """Count a frame that was looked at."""
    metrics = service.metrics
    metrics.frames.labels(granted.id, camera_id).inc()
    metrics.faces_seen.labels(granted.id, camera_id).set(answer.faces_seen)
    metrics.missed.labels(granted.id, camera_id).set(answer.passed_over)
    metrics.alerts.labels(granted.id, camera_id).inc(len(answer.alerts))
    metrics.watchlist.labels(granted.id, granted.watchlist_digest).set(1)
    for stage, seconds in {**answer.stages_s, "total": total_s}.items():
        metrics.stage.labels(stage).observe(seconds)


def answer_document(granted: LiveDeployment, camera_id: str, answer: FrameAnswer) -> dict[str, Any]:
    """Return a frame's answer as JSON documents show it."""
    return {
        "deployment": granted.id,
        "camera": camera_id,
        "demo": granted.demo,
        "notice": granted.notice,
        "model": {"version": granted.model_version, "digest": granted.model_digest},
        "watchlist": {"digest": granted.watchlist_digest, "size": granted.watchlist_size},
        "calibration": granted.calibration_id,
        "threshold": granted.threshold,
        "faces": answer.faces,
        "faces_seen": answer.faces_seen,
        "held_back": answer.held_back,
        "alerts": [alert.as_dict() for alert in answer.alerts],
    }
