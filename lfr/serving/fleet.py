"""Finds the actors of live deployments, makes them, and removes them: matchers, cameras in use, and shadows."""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any, cast

import ray
from ray import serve
from ray.exceptions import RayActorError, RayError, RayTaskError

from lfr.access import Principal
from lfr.database import Store
from lfr.deployments import LiveDeployment, active_feeds, live_now
from lfr.errors import LfrError, LimitError, ServiceError
from lfr.serving.actors import (
    APP_NAME,
    CAMERA,
    EVERY_ACTOR,
    MATCHER,
    NAMESPACE,
    SHADOW,
    matchers_of,
    parts,
    shadow_of,
)
from lfr.serving.alive import HeldFaces
from lfr.serving.camera import FrameAnswer
from lfr.serving.camera_actor import FRAMES, Camera
from lfr.serving.crossing import CROSSING_BYTES
from lfr.serving.opening import ServedModel, ServedShadow
from lfr.serving.order import Position
from lfr.serving.remote import cause_of
from lfr.serving.screen import Picture
from lfr.serving.settings import AppArgs
from lfr.serving.tally import FedFrames
from lfr.types import Faces

__all__ = ["Fleet"]

_LOG = logging.getLogger(__name__)
_HELD_S = 3.0
_OTHER_CALLS = 4  # of a camera at once


class Fleet:
    """Finds the actors, makes them, and removes those whose deployment is no longer live.

    Parameters
    ----------
    args, model, shadow
        Of the app.
    """

    def __init__(self, args: AppArgs, model: ServedModel, shadow: ServedShadow | None = None) -> None:
        self._args, self._model, self._shadow = args, model, shadow
        self._cameras: dict[tuple[str, str], Any] = {}

    async def frame(
        self, principal: Principal, deployment: LiveDeployment, camera_id: str, encoded: bytes, position: Position
    ) -> FrameAnswer:
        """Have a camera take a frame; raises as `CameraPost.frame`, and ServiceError while a part starts again."""
        position = replace(position, request=uuid.uuid4().hex)
        try:
            return await self._call(deployment, camera_id, "frame", principal, encoded, position)
        except asyncio.CancelledError:  # whoever sent it is gone, and will send it again, and those before it
            self._camera(deployment, camera_id).withdraw.remote(position.request)
            raise

    async def end_stream(
        self, principal: Principal, deployment: LiveDeployment, camera_id: str, stream: str
    ) -> FrameAnswer:
        """Have a camera end a stream; raises as `frame`."""
        return await self._call(deployment, camera_id, "end_stream", principal, stream)

    async def preview(
        self, principal: Principal, deployment: LiveDeployment, camera_id: str, after: int
    ) -> Picture | None:
        """Return a camera's next picture; raises as `CameraPost.preview`, and ServiceError while it starts again."""
        answer = await self._ask(deployment, camera_id, "preview", principal, after)
        if answer is not None and not isinstance(answer, Picture):
            raise ServiceError(f"camera {camera_id}: gave no picture")
        return answer

    async def look(self, deployment: LiveDeployment, camera_id: str) -> None:
        """Have a camera look whether a source is to be read for it, without waiting for its process to start."""
        self._camera(deployment, camera_id).look.remote(self._args.addresses)

    async def faces(self, encoded: bytes) -> Faces:
        """Return the faces in an encoded picture; raises ImageError, LimitError and ServiceError."""
        if len(encoded) > CROSSING_BYTES:
            raise LimitError(f"picture: {len(encoded)} bytes; {CROSSING_BYTES} are the most")
        try:
            found = await serve.get_deployment_handle("Detector", APP_NAME).detect.remote(encoded)
        except RayError as error:
            raise ServiceError(f"the detector is starting again ({type(error).__name__})") from error
        if isinstance(found, LfrError):
            raise found
        if not isinstance(found, Faces):
            raise ServiceError("the detector gave no answer")
        return found

    async def held(self) -> Mapping[str, HeldFaces | None]:
        """Return what each kind of part holds of faces now; None where one does not answer at once.

        Of several embedders one is asked.
        """
        found = await asyncio.to_thread(self._actors)
        asked = {kind: [actor.held.remote() for actor in actors] for kind, actors in found.items()}
        asked["embedder"] = [serve.get_deployment_handle("Embedder", APP_NAME).held.remote()]
        return dict(zip(asked, await asyncio.gather(*(_sum(answers) for answers in asked.values())), strict=True))

    async def taken(self) -> tuple[FedFrames, ...]:
        """Return what the service itself read since the last call, of the cameras that answer at once."""
        cameras = (await asyncio.to_thread(self._actors))[CAMERA]
        found = await asyncio.gather(*(_at_once(camera.taken.remote()) for camera in cameras))
        return tuple(fed for fed in found if isinstance(fed, FedFrames))

    def reconcile(self, store: Store) -> None:
        """Make a matcher for each live deployment and a camera for each feed, and remove the actors of any other.

        Raises
        ------
        StoreUnavailableError
            The database cannot be asked; nothing is changed.
        """
        wanted = {deployment.id: deployment for deployment in live_now(store)}
        # By name: cameras end before what they ask.
        for actor in sorted(ray.util.list_named_actors(all_namespaces=True), key=lambda actor: str(actor["name"])):
            kind, deployment_id = parts(actor["name"])
            ours = actor["namespace"] == NAMESPACE and kind in (MATCHER, CAMERA, SHADOW)
            if ours and deployment_id not in wanted:
                _remove(actor["name"])
        for deployment in wanted.values():
            if deployment.model_digest == self._model.digest:
                matchers_of(self._args, deployment)
                if self._shadow is not None:
                    shadow_of(self._args, self._shadow, deployment)
        for feed in active_feeds(store):
            fed = wanted.get(feed.deployment_id)
            if fed is not None and fed.model_digest == self._model.digest:
                self._cameras.pop((fed.id, feed.camera_id), None)  # another one, where that process is gone for good
                self._camera(fed, feed.camera_id).look.remote(self._args.addresses)

    def _actors(self) -> dict[str, list[Any]]:
        found: dict[str, list[Any]] = {CAMERA: [], MATCHER: [], SHADOW: []}
        for actor in ray.util.list_named_actors(all_namespaces=True):
            kind, _ = parts(actor["name"])
            if actor["namespace"] == NAMESPACE and kind in found:
                with suppress(ValueError):  # it was removed meanwhile
                    found[kind].append(ray.get_actor(actor["name"], namespace=NAMESPACE))
        return found

    async def _call(self, deployment: LiveDeployment, camera_id: str, method: str, *given: object) -> FrameAnswer:
        answer = await self._ask(deployment, camera_id, method, *given)
        if not isinstance(answer, FrameAnswer):
            raise ServiceError(f"camera {camera_id}: gave no answer")
        return answer

    async def _ask(self, deployment: LiveDeployment, camera_id: str, method: str, *given: object) -> object:
        camera = self._camera(deployment, camera_id)
        try:
            answer = await getattr(camera, method).remote(*given)
        except RayActorError as error:
            self._cameras.pop((deployment.id, camera_id), None)
            raise ServiceError(
                f"camera {camera_id}: is starting again; its tracks begin anew, send the frame again"
            ) from error
        except RayTaskError as error:
            raise cause_of(error) from error
        if isinstance(answer, LfrError):
            raise answer
        return cast("object", answer)

    def _camera(self, deployment: LiveDeployment, camera_id: str) -> Any:  # noqa: ANN401 - an actor's handle
        deployment.check_camera(camera_id)
        deployment.check_model(self._model.digest)
        key = deployment.id, camera_id
        if key not in self._cameras:
            # Ray keeps what a thread was last called with: frames have as many threads as may be on their way at once.
            frames = self._args.limits.frames_waiting
            self._cameras[key] = (
                ray.remote(concurrency_groups={FRAMES: frames})(Camera)  # type: ignore[call-overload] # Ray's types lack it
                .options(
                    name=f"{CAMERA} {deployment.id} {camera_id}",
                    get_if_exists=True,
                    max_concurrency=_OTHER_CALLS,
                    **EVERY_ACTOR,
                )
                .remote(self._args, self._model, deployment, camera_id, self._shadow)
            )
        return self._cameras[key]


async def _at_once(answer: Any) -> object:  # noqa: ANN401 - of an actor or a deployment
    """Return an answer; None where it does not come at once."""
    try:
        return cast("object", await asyncio.wait_for(_awaited(answer), _HELD_S))
    except (TimeoutError, RayError):
        return None


async def _awaited(answer: Any) -> object:  # noqa: ANN401 - no coroutine, but it can be awaited
    return cast("object", await answer)


async def _sum(answers: list[Any]) -> HeldFaces | None:
    total = HeldFaces()
    for each in await asyncio.gather(*(_at_once(answer) for answer in answers)):
        if not isinstance(each, HeldFaces):
            return None
        total += each
    return total


def _remove(name: str) -> None:
    with suppress(ValueError):  # somebody else was faster
        actor = ray.get_actor(name, namespace=NAMESPACE)
        if parts(name)[0] == CAMERA:
            with suppress(RayError):
                ray.get(actor.close.remote(), timeout=2)
        ray.kill(actor, no_restart=True)
        _LOG.info("removed %s", name)
