"""The cameras of a service in this process, without Ray: the same `CameraPost`, with the model beside it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping

from fastapi.concurrency import run_in_threadpool

from lfr.access import Principal
from lfr.database import Store
from lfr.deployments import LiveDeployment
from lfr.models import Model
from lfr.pipeline import Recogniser
from lfr.serving.alive import HeldFaces
from lfr.serving.camera import CameraPost, FrameAnswer
from lfr.serving.feeding import Feeder
from lfr.serving.order import Position
from lfr.serving.screen import Picture
from lfr.serving.settings import Limits
from lfr.serving.tally import FedFrames
from lfr.sources import decode_image
from lfr.types import Embeddings, Faces, Pixels
from lfr.watchlist import load_sealed

__all__ = ["LocalCameras", "LocalReader"]


class LocalReader(Recogniser):
    """A recogniser that takes encoded frames, of several threads one after another: a network runs one at a time.

    Parameters
    ----------
    model
        To read with.
    """

    def __init__(self, model: Model) -> None:
        super().__init__(model)
        self._one_at_a_time = threading.Lock()

    def detect(self, pixels: Pixels) -> Faces:
        """Look for faces."""
        with self._one_at_a_time:
            return super().detect(pixels)

    def embed(self, crops: Pixels) -> Embeddings:
        """Make templates."""
        with self._one_at_a_time:
            return super().embed(crops)

    def begin(self, picture: bytes | Pixels) -> Callable[[], Faces]:
        """Look for faces when asked for them."""
        return lambda: self.detect(decode_image(picture, name="frame") if isinstance(picture, bytes) else picture)


class LocalCameras:
    """`lfr.serving.api.Cameras` in this process."""

    def __init__(
        self,
        store: Store,
        reader: LocalReader,
        *,
        limits: Limits | None = None,
        sources: Mapping[str, str] | None = None,
        detect_every: int = 1,
    ) -> None:
        self._store, self._reader, self._limits, self._sources = store, reader, limits or Limits(), sources or {}
        self._detect_every = detect_every
        self._posts: dict[tuple[str, str], CameraPost] = {}
        self._feeders: dict[tuple[str, str], Feeder] = {}

    async def frame(
        self, principal: Principal, deployment: LiveDeployment, camera_id: str, encoded: bytes, position: Position
    ) -> FrameAnswer:
        """Have a camera take a frame."""
        return await run_in_threadpool(self.post(deployment, camera_id).frame, principal, encoded, position)

    async def end_stream(
        self, principal: Principal, deployment: LiveDeployment, camera_id: str, stream: str
    ) -> FrameAnswer:
        """Have a camera end a stream."""
        return await run_in_threadpool(self.post(deployment, camera_id).end_stream, principal, stream)

    async def preview(
        self, principal: Principal, deployment: LiveDeployment, camera_id: str, after: int
    ) -> Picture | None:
        """Return a camera's next picture."""
        return await run_in_threadpool(self.post(deployment, camera_id).preview, principal, after)

    async def look(self, deployment: LiveDeployment, camera_id: str) -> None:
        """Have a camera look whether a source is to be read for it."""
        await run_in_threadpool(self.feeder(deployment, camera_id).look, self._sources)

    async def faces(self, encoded: bytes) -> Faces:
        """Return the faces in an encoded picture."""
        return await run_in_threadpool(self._reader.begin(encoded))

    async def taken(self) -> tuple[FedFrames, ...]:
        """Return what was read for cameras since the last call."""
        return tuple(taken for feeder in self._feeders.values() if (taken := feeder.taken()) is not None)

    async def held(self) -> Mapping[str, HeldFaces | None]:
        """Return what the cameras hold of faces."""
        return {"camera": sum((post.held() for post in self._posts.values()), HeldFaces())}

    @property
    def addresses(self) -> Mapping[str, str]:
        """Of the sources that may be read."""
        return self._sources

    def forget(self, deployment_id: str) -> None:
        """Lose a deployment's cameras, as where their processes ended; what they read ends without a word."""
        for key in [key for key in self._feeders if key[0] == deployment_id]:
            self._feeders.pop(key).close()
            self._posts.pop(key)

    def close(self) -> None:
        """End what is read."""
        for feeder in self._feeders.values():
            feeder.close()

    def feeder(self, deployment: LiveDeployment, camera_id: str) -> Feeder:
        """Return what reads for a camera, made the first time."""
        key = deployment.id, camera_id
        if key not in self._feeders:
            self._feeders[key] = Feeder(
                self._store,
                self.post(deployment, camera_id),
                deployment.id,
                camera_id,
                reader=self._reader,
                detect_every=self._detect_every,
            )
        return self._feeders[key]

    def post(self, deployment: LiveDeployment, camera_id: str) -> CameraPost:
        """Return a camera, made the first time."""
        key = deployment.id, camera_id
        if key not in self._posts:
            sealed = load_sealed(
                self._store,
                deployment.watchlist_id,
                digest=deployment.watchlist_digest,
                model_digest=deployment.model_digest,
            )
            self._posts[key] = CameraPost(
                self._store,
                deployment,
                camera_id,
                reader=self._reader,
                watchlist=sealed.snapshot,
                limits=self._limits,
                detect_every=self._detect_every,
            )
        return self._posts[key]
