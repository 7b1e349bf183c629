"""The named actors of live deployments: a `Matcher` (several for a large list), a `Camera` for each camera in use."""

from __future__ import annotations

import logging
from contextlib import suppress
from typing import Any, cast

import ray
from ray import serve
from ray.exceptions import RayActorError, RayError, RayTaskError

from lfr.access import Principal
from lfr.database import Store
from lfr.deployments import LiveDeployment, active_feeds, live_now
from lfr.errors import ConflictError, LfrError, LimitError, ServiceError
from lfr.serving.camera import CameraPost, FrameAnswer
from lfr.serving.feeding import Feeder
from lfr.serving.matcher import Matcher
from lfr.serving.opening import ServedModel, open_service_store
from lfr.serving.order import Position
from lfr.serving.remote import RemoteReader, RemoteReferences, cause_of
from lfr.serving.screen import Picture
from lfr.serving.settings import CROSSING_BYTES, AppArgs
from lfr.types import Faces

__all__ = ["APP_NAME", "NAMESPACE", "Camera", "Fleet"]

NAMESPACE = "lfr"
APP_NAME = "lfr"
_LOG = logging.getLogger(__name__)
_MATCHER, _CAMERA = "matcher", "camera"
_EVERY_ACTOR = {"namespace": NAMESPACE, "lifetime": "detached", "max_restarts": -1, "num_cpus": 0}


class Camera:
    """The actor around a `CameraPost`: reader and watchlist are other processes.

    Parameters
    ----------
    args, model
        Of the app.
    deployment, camera_id
        Which camera.
    """

    def __init__(self, args: AppArgs, model: ServedModel, deployment: LiveDeployment, camera_id: str) -> None:
        deployment.check_model(model.digest)
        detector, embedder = (serve.get_deployment_handle(name, APP_NAME) for name in ("Detector", "Embedder"))
        store, reader = open_service_store(args), RemoteReader(detector, embedder, model_digest=model.digest)
        self._post = CameraPost(
            store,
            deployment,
            camera_id,
            reader=reader,
            watchlist=RemoteReferences(lambda: matchers_of(args, deployment)),
            limits=args.limits,
        )
        self._feeder = Feeder(store, self._post, deployment.id, camera_id, reader=reader, sources=args.addresses)
        self._camera_id = camera_id
        self.look()  # it may have been feeding before its process ended

    def frame(self, principal: Principal, encoded: bytes, position: Position) -> FrameAnswer | LfrError:
        """As `CameraPost.frame`; an error is returned, so that Ray logs nothing of the call."""
        if (feed := self._feeder.reads) is not None:
            return ConflictError(
                f"camera {self._camera_id}: the service reads {feed.source} for it; end that before frames are sent"
            )
        try:
            return self._post.frame(principal, encoded, position)
        except LfrError as error:
            return error

    def end_stream(self, principal: Principal, stream: str) -> FrameAnswer | LfrError:
        """As `CameraPost.end_stream`; an error is returned."""
        try:
            return self._post.end_stream(principal, stream)
        except LfrError as error:
            return error

    def look(self) -> None:
        """Begin to read what the camera's row asks for, if anything."""
        with suppress(LfrError):  # the steward has it look again
            self._feeder.look()

    def preview(self, principal: Principal, after: int) -> Picture | LfrError | None:
        """As `CameraPost.preview`; an error is returned."""
        try:
            return self._post.preview(principal, after)
        except LfrError as error:
            return error

    def close(self) -> None:
        """End what is read, and then as `CameraPost.close`."""
        self._feeder.close()
        self._post.close()


class Fleet:
    """Finds the actors, makes them, and removes those whose deployment is no longer live.

    Parameters
    ----------
    args, model
        Of the app.
    """

    def __init__(self, args: AppArgs, model: ServedModel) -> None:
        self._args, self._model = args, model
        self._cameras: dict[tuple[str, str], Any] = {}

    async def frame(
        self, principal: Principal, deployment: LiveDeployment, camera_id: str, encoded: bytes, position: Position
    ) -> FrameAnswer:
        """Have a camera take a frame; raises as `CameraPost.frame`, and ServiceError while a part starts again."""
        return await self._call(deployment, camera_id, "frame", principal, encoded, position)

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
        self._camera(deployment, camera_id).look.remote()

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

    def reconcile(self, store: Store) -> None:
        """Make a matcher for each live deployment and a camera for each feed, and remove the actors of any other.

        Raises
        ------
        StoreUnavailableError
            The database cannot be asked; nothing is changed.
        """
        wanted = {deployment.id: deployment for deployment in live_now(store)}
        for actor in ray.util.list_named_actors(all_namespaces=True):
            kind, deployment_id = _parts(actor["name"])
            if actor["namespace"] == NAMESPACE and kind in (_MATCHER, _CAMERA) and deployment_id not in wanted:
                _remove(actor["name"])
        for deployment in wanted.values():
            if deployment.model_digest == self._model.digest:
                matchers_of(self._args, deployment)
        for feed in active_feeds(store):
            fed = wanted.get(feed.deployment_id)
            if fed is not None and fed.model_digest == self._model.digest:
                self._camera(fed, feed.camera_id).look.remote()

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
            concurrency = self._args.limits.frames_waiting + 4
            self._cameras[key] = (
                ray.remote(Camera)
                .options(
                    name=f"{_CAMERA} {deployment.id} {camera_id}",
                    get_if_exists=True,
                    max_concurrency=concurrency,
                    **_EVERY_ACTOR,
                )
                .remote(self._args, self._model, deployment, camera_id)
            )
        return self._cameras[key]


def matchers_of(args: AppArgs, deployment: LiveDeployment) -> tuple[Any, ...]:
    """Return the matchers of a live deployment in the order of their parts, made if they are not there."""
    return tuple(
        ray.remote(Matcher)
        .options(name=f"{_MATCHER} {deployment.id} {part}", get_if_exists=True, max_task_retries=2, **_EVERY_ACTOR)
        .remote(args, deployment, part)
        for part in range(args.matchers(deployment.watchlist_size))
    )


def _remove(name: str) -> None:
    with suppress(ValueError):  # somebody else was faster
        actor = ray.get_actor(name, namespace=NAMESPACE)
        if _parts(name)[0] == _CAMERA:
            with suppress(RayError):
                ray.get(actor.close.remote(), timeout=2)
        ray.kill(actor, no_restart=True)
        _LOG.info("removed %s", name)


def _parts(name: str) -> tuple[str, str]:
    kind, _, rest = name.partition(" ")
    return kind, rest.partition(" ")[0]
