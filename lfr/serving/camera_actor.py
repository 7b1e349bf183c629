"""A camera in a process of its own: reader, watchlist and shadow are other processes."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Mapping
from contextlib import suppress

import ray
from ray import serve

from lfr.access import Principal
from lfr.database import Store
from lfr.deployments import LiveDeployment
from lfr.errors import ConflictError, LfrError
from lfr.serving.actors import APP_NAME, matchers_of, shadow_of
from lfr.serving.alive import HeldFaces
from lfr.serving.camera import CameraPost, FrameAnswer
from lfr.serving.feeding import Feeder
from lfr.serving.logs import log_json
from lfr.serving.opening import ServedModel, ServedShadow, open_service_store
from lfr.serving.order import Position
from lfr.serving.own_reader import OwnReader
from lfr.serving.remote import RemoteReader, RemoteReferences
from lfr.serving.screen import Picture
from lfr.serving.settings import AppArgs
from lfr.serving.shadow_actor import RemoteShadow
from lfr.serving.shadow_feed import OpenedShadow, ShadowFeed
from lfr.serving.tally import FedFrames
from lfr.serving.tidy import keep_tidy

__all__ = ["FRAMES", "Camera"]

_LOG = logging.getLogger(__name__)
_REST_S = 1.0
FRAMES = "frames"
"""The threads that take frames, apart from those for all other calls."""


class Camera:
    """The actor around a `CameraPost`: reader and watchlist are other processes.

    Parameters
    ----------
    args, model
        Of the app.
    deployment, camera_id
        Which camera.
    shadow
        What looks on, if anything does.
    """

    def __init__(
        self,
        args: AppArgs,
        model: ServedModel,
        deployment: LiveDeployment,
        camera_id: str,
        shadow: ServedShadow | None = None,
    ) -> None:
        log_json()
        deployment.check_model(model.digest)
        detector, embedder = (serve.get_deployment_handle(name, APP_NAME) for name in ("Detector", "Embedder"))
        store, reader = open_service_store(args), RemoteReader(detector, embedder, model_digest=model.digest)
        self._post = CameraPost(
            store,
            deployment,
            camera_id,
            reader=reader,
            watchlist=RemoteReferences(lambda: matchers_of(args, deployment), size=deployment.watchlist_size),
            limits=args.limits,
            detect_every=args.detect_every,
            shadow=_feed(args, store, deployment, camera_id, shadow) if shadow else None,
        )
        # One detector on a GPU serves all cameras; on processors the way of a frame to another process only costs.
        looks = reader if args.detector.gpus else OwnReader(args, model, reader)
        self._feeder = Feeder(store, self._post, deployment.id, camera_id, reader=looks, detect_every=args.detect_every)
        self._camera_id = camera_id
        self.look(args.addresses)  # it may have been feeding before its process ended
        keep_tidy()
        threading.Thread(target=self._rest, name="rest", daemon=True).start()

    def held(self) -> HeldFaces:
        """As `CameraPost.held`."""
        return self._post.held()

    def taken(self) -> FedFrames | None:
        """As `Feeder.taken`."""
        return self._feeder.taken()

    @ray.method(concurrency_group=FRAMES)
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

    def withdraw(self, request: str) -> None:
        """As `CameraPost.withdraw`."""
        self._post.withdraw(request)

    def end_stream(self, principal: Principal, stream: str) -> FrameAnswer | LfrError:
        """As `CameraPost.end_stream`; an error is returned."""
        try:
            return self._post.end_stream(principal, stream)
        except LfrError as error:
            return error

    def look(self, addresses: Mapping[str, str]) -> None:
        """Begin to read what the camera's row asks for, if anything, of the sources that the app has now."""
        with suppress(LfrError):  # the steward has it look again
            self._feeder.look(addresses)

    def preview(self, principal: Principal, after: int) -> Picture | LfrError | None:
        """As `CameraPost.preview`; an error is returned."""
        try:
            return self._post.preview(principal, after)
        except LfrError as error:
            return error

    def close(self) -> None:
        """End what is read, and then as `CameraPost.close`."""
        self._feeder.stop()
        self._post.close()
        self._feeder.close()

    def _rest(self) -> None:
        while True:
            time.sleep(_REST_S)
            try:
                self._post.rest()
            except LfrError as error:
                _LOG.info("rest: %s", type(error).__name__)
            except Exception:  # noqa: BLE001 # the next turn tries again
                _LOG.exception("rest")


def _feed(args: AppArgs, store: Store, deployment: LiveDeployment, camera_id: str, shadow: ServedShadow) -> ShadowFeed:
    def open_shadow() -> OpenedShadow:
        return RemoteShadow(shadow_of(args, shadow, deployment), camera_id).opened()

    return ShadowFeed(store, deployment, camera_id, shadow.version, open_shadow=open_shadow)
