"""What the routes work on, and who may use them."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from starlette.requests import HTTPConnection

from lfr.access import Principal, Rates, SecretMemory, authenticate
from lfr.database import Store
from lfr.deployments import LiveDeployment, live
from lfr.errors import AccessDeniedError, RegistryError
from lfr.serving.alive import HeldFaces
from lfr.serving.api.heads import Heads
from lfr.serving.api.metrics import Metrics
from lfr.serving.api.problems import UnauthenticatedError
from lfr.serving.api.sessions import COOKIE, Sessions, check_same_site
from lfr.serving.camera import FrameAnswer
from lfr.serving.liveness import LIVE_FOR_S
from lfr.serving.opening import ServedModel, ServedShadow
from lfr.serving.order import Position
from lfr.serving.screen import Picture
from lfr.serving.settings import Limits, SourceUse
from lfr.serving.tally import FedFrames
from lfr.types import Faces

if TYPE_CHECKING:
    from lfr.registry import Tracking

__all__ = ["HELD_S", "Cameras", "Flow", "Service"]

HELD_S = 0.25
"""Seconds for which the answer to what is held of faces is not asked again."""


class Cameras(Protocol):
    """The cameras of live deployments, wherever they run: `lfr.serving.fleet.Fleet`."""

    async def frame(
        self, principal: Principal, deployment: LiveDeployment, camera_id: str, encoded: bytes, position: Position
    ) -> FrameAnswer:
        """Have a camera take a frame."""
        ...

    async def end_stream(
        self, principal: Principal, deployment: LiveDeployment, camera_id: str, stream: str
    ) -> FrameAnswer:
        """Have a camera end a stream."""
        ...

    async def preview(
        self, principal: Principal, deployment: LiveDeployment, camera_id: str, after: int
    ) -> Picture | None:
        """Return a camera's next picture, in which everybody is blurred but a person in an alert."""
        ...

    async def look(self, deployment: LiveDeployment, camera_id: str) -> None:
        """Have a camera look whether a source is to be read for it."""
        ...

    async def faces(self, encoded: bytes) -> Faces:
        """Return the faces in an encoded picture, to show one upright; raises ImageError where it is none."""
        ...

    async def taken(self) -> tuple[FedFrames, ...]:
        """Return what the service itself read of cameras since the last call."""
        ...

    async def held(self) -> Mapping[str, HeldFaces | None]:
        """Return what each kind of part holds of faces now; None where it is not known."""
        ...


@dataclass
class Flow:
    """Frames of one camera in this process: on their way now, those of them that are at the camera, refused so far."""

    waiting: int = 0
    asked: int = 0
    refused: int = 0


@dataclass(eq=False)
class Service:
    """What the routes work on.

    Parameters
    ----------
    store, cameras, model
        The governed store, the cameras, the version that runs.
    limits
        Of the app.
    registry
        Opens the registry, for authorising use on people; None: there is none, and only demos are authorised.
    sources
        What the service may read for a camera, by name, and for whom.
    shadow
        The version that looks on, if there is one.
    """

    store: Store
    cameras: Cameras
    model: ServedModel
    limits: Limits = field(default_factory=Limits)
    registry: Callable[[], Tracking] | None = None
    sources: Mapping[str, SourceUse] = field(default_factory=dict)
    shadow: ServedShadow | None = None
    metrics: Metrics = field(default_factory=Metrics)
    memory: SecretMemory = field(default_factory=SecretMemory)
    requests: Rates = field(init=False)
    frames: Rates = field(init=False)
    strangers: Rates = field(init=False)
    heads: Heads = field(init=False)
    sessions: Sessions = field(init=False)
    events_open: int = 0
    previews_open: int = 0
    _held_at: float = float("-inf")
    _flows: dict[tuple[str, str], Flow] = field(default_factory=dict)
    _live: dict[tuple[str, str], tuple[LiveDeployment, float]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.requests = Rates(self.limits.requests_per_second, what="requests")
        self.frames = Rates(self.limits.frames_per_second, what="frames")
        self.strangers = Rates(5.0, what="wrong keys")
        self.heads = Heads()
        self.sessions = Sessions(self.store)

    def authenticate(self, request: HTTPConnection) -> Principal:
        """Return whose key the request shows, before anything of it is parsed.

        Raises
        ------
        UnauthenticatedError
            It has none, or one that is not valid.
        AccessDeniedError
            It has a session's cookie, and another site made the browser send it.
        BusyError
            The key comes too often, or too many wrong ones come from one address or for one key.
        """
        kind, _, key = request.headers.get("authorization", "").partition(" ")
        if not kind and (cookie := request.cookies.get(COOKIE)):
            check_same_site(request)
            return self.principal_of(self.sessions.key_of(cookie), request)
        if kind.lower() != "bearer" or not key:
            raise UnauthenticatedError("send the key as `Authorization: Bearer lfr_…`")
        return self.principal_of(key, request)

    def principal_of(self, key: str, request: HTTPConnection) -> Principal:
        """Return whose key this is; raises as `authenticate`."""
        address = request.client.host if request.client else "unknown"
        try:
            principal = authenticate(self.store, key, memory=self.memory)
        except AccessDeniedError as error:
            self.strangers.take(address)
            raise UnauthenticatedError(str(error)) from error
        self.requests.take(principal.id)
        return principal

    def flow(self, deployment_id: str, camera_id: str) -> Flow:
        """Return the counters of a camera, whose name was checked."""
        return self._flows.setdefault((deployment_id, camera_id), Flow())

    def open_registry(self) -> Tracking:
        """Open the registry; raises RegistryError where there is none."""
        if self.registry is None:
            raise RegistryError("this service has no registry, so nothing is known to be in the field")
        return self.registry()

    async def ask_parts(self) -> None:
        """Have the metrics show what the parts hold of faces, as it was at most `HELD_S` ago: anybody may ask."""
        if time.monotonic() - self._held_at > HELD_S:
            self._held_at = time.monotonic()
            self.metrics.hold(await self.cameras.held())
            self.metrics.read(await self.cameras.taken())

    def opened(self, change: int) -> None:
        """Count streams of events that are open, on the loop's thread."""
        self.events_open += change
        self.metrics.events_open.set(self.events_open)

    def live(self, principal: Principal, deployment_id: str) -> LiveDeployment:
        """Return a deployment that was live within the last `LIVE_FOR_S`; raises as `lfr.deployments.live` does."""
        principal.require("deployment.run", what=deployment_id)
        key, now = (principal.force_id, deployment_id), time.monotonic()
        found = self._live.get(key)
        if found is None or now - found[1] > LIVE_FOR_S:
            self._live.pop(key, None)
            found = live(self.store, principal, deployment_id), now
            self._live[key] = found
        return found[0]
