"""What the service itself reads for a camera: begin, end, and which sources there are."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path
from fastapi.concurrency import run_in_threadpool

from lfr.deployments import Feed, begin_feed, end_feed
from lfr.errors import RefusedError
from lfr.serving.api.guard import BEARER, Acting, Guarded, Serving, may
from lfr.serving.api.problems import PROBLEMS
from lfr.serving.api.schemas import FeedDocument, FeedRequest, SourcesDocument
from lfr.sources import source_name

__all__ = ["feed_document", "router"]

router = APIRouter(route_class=Guarded, dependencies=[BEARER], responses=PROBLEMS, tags=["cameras"])

_CAMERAS = "/deployments/{deployment_id}/cameras"
CameraId = Annotated[str, Path(max_length=200, examples=["north"])]


@router.get(
    "/sources",
    summary="Which sources there are",
    response_model=SourcesDocument,
    openapi_extra=may("deployment.feed"),
)
def sources(principal: Acting, service: Serving) -> dict[str, Any]:
    """Return the names of the streams, devices and files that the force may have read; never an address."""
    return {"sources": [name for name, use in sorted(service.sources.items()) if use.allows(principal.force_id)]}


@router.post(
    _CAMERAS,
    status_code=201,
    summary="Have the service read a camera",
    response_model=FeedDocument,
    openapi_extra=may("deployment.feed"),
)
async def begin(deployment_id: str, asked: FeedRequest, principal: Acting, service: Serving) -> dict[str, Any]:
    """Have the service read a source for a camera of a live deployment, in the name of the person who asks.

    The source is one that the configuration has for the force and the camera, by its name: no address that a request
    gives is ever opened. A stream
    that breaks off is tried again; only its newest frame counts. A file is read to its end, once. It ends with the
    deployment, when the person's keys are no longer valid, and with `DELETE`; how it stands is in `camera-health`.
    Until then the camera takes no frames from anybody else.
    """
    granted = await run_in_threadpool(service.live, principal, deployment_id)
    granted.check_camera(asked.camera)
    allowed = [name for name, use in sorted(service.sources.items()) if use.allows(principal.force_id, asked.camera)]
    if asked.source not in allowed:
        raise RefusedError(
            f"source {source_name(asked.source)}: not one that this service's configuration has for camera "
            f"{asked.camera} ({', '.join(allowed) or 'none'}), and no other is ever opened"
        )
    feed = await run_in_threadpool(begin_feed, service.store, principal, granted, asked.camera, source=asked.source)
    await service.cameras.look(granted, asked.camera)
    return feed_document(feed)


@router.delete(
    f"{_CAMERAS}/{{camera_id}}",
    summary="End what the service reads for a camera",
    response_model=FeedDocument,
    openapi_extra=may("deployment.feed"),
)
def end(deployment_id: str, camera_id: CameraId, principal: Acting, service: Serving) -> dict[str, Any]:
    """End it; within a second nothing is decided any more but on the people who were in the picture."""
    return feed_document(end_feed(service.store, principal, deployment_id, camera_id))


def feed_document(feed: Feed) -> dict[str, Any]:
    """Return a feed as JSON documents show it."""
    return {
        "deployment": feed.deployment_id,
        "camera": feed.camera_id,
        "source": feed.source,
        "state": feed.state,
        "reason": feed.reason,
        "changed_at": feed.changed_at,
    }
