"""One camera of a live deployment, fed with frames by whoever holds its key."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Protocol

from lfr.access import Principal
from lfr.alerts import RaisedAlert, dismissed
from lfr.database import Store
from lfr.deployments import LiveDeployment
from lfr.errors import BusyError, LfrError, NotAuthorisedError, StoreUnavailableError
from lfr.pipeline import StreamProcessor, StreamSettings
from lfr.pipeline.station import Station
from lfr.pipeline.stream import FaceReader, References
from lfr.serving.alive import Alive, HeldFaces, WatchedReader
from lfr.serving.crossing import SentFrame
from lfr.serving.liveness import LIVE_FOR_S, Liveness
from lfr.serving.order import FrameOrder, Position
from lfr.serving.screen import Picture, Screen
from lfr.serving.settings import Limits
from lfr.serving.shadow_feed import ShadowFeed
from lfr.sources import decode_image
from lfr.types import Faces, Frame, Pixels

__all__ = ["SILENT_S", "CameraPost", "FrameAnswer", "FrameReader"]

SILENT_S = 10.0
"""Seconds without a frame after which whoever is still in the picture is decided and forgotten."""


class FrameReader(FaceReader, Protocol):
    """A reader that can look for faces in a frame while its caller does something else."""

    def begin(self, picture: SentFrame) -> Callable[[], Faces]:
        """Begin to look for faces in a frame, encoded or (height, width, 3) BGR, and return what waits for them.

        That raises ImageError for a broken frame.
        """
        ...


@dataclass(frozen=True)
class FrameAnswer:
    """What one frame came to.

    Attributes
    ----------
    faces
        Faces in it.
    faces_seen
        Finished and current tracks of this camera since it was started.
    alerts
        Committed because of it.
    held_back
        Matches so far with entries that were suspended or had expired: no alert.
    stages_s
        Seconds that each stage took.
    passed_over
        Numbered frames of this camera so far that never came, although later ones did.
    """

    faces: int
    faces_seen: int
    alerts: tuple[RaisedAlert, ...]
    held_back: int
    stages_s: Mapping[str, float] = field(default_factory=dict)
    passed_over: int = 0


class CameraPost:
    """One camera: frames in order, alerts committed before anybody is told, and an end when the authority ends.

    Parameters
    ----------
    store, deployment, camera_id
        Which camera of which live deployment.
    reader
        Of the deployment's model.
    watchlist
        The sealed list that was authorised.
    limits
        Of the app.
    detect_every
        Frames per detection, of those that come without the faces in them.
    shadow
        Takes the same frames for a version that looks on; None: there is none.

    Raises
    ------
    NotAuthorisedError
        The camera is not one of the deployment's.
    """

    def __init__(
        self,
        store: Store,
        deployment: LiveDeployment,
        camera_id: str,
        *,
        reader: FrameReader,
        watchlist: References,
        limits: Limits,
        detect_every: int = 1,
        shadow: ShadowFeed | None = None,
    ) -> None:
        deployment.check_camera(camera_id)
        self._shadow = shadow
        self._store, self._deployment, self._camera_id = store, deployment, camera_id
        self._reader, self._watchlist, self._limits = reader, watchlist, limits
        self._settings = StreamSettings(detect_every=detect_every)
        self._alive = Alive()
        self._order: FrameOrder[FrameAnswer] = FrameOrder(camera_id, on_new_stream=self._next_stream)
        self._station = self._new_station()
        self._before: list[Station] = []  # earlier streams that have not been counted to the end
        self._unfinished: list[Station] = []  # those whose last alerts could not be committed yet
        self._faces_before = self._held_before = self._index = 0
        self._principal: Principal | None = None
        self._waiting, self._lock = 0, threading.Lock()
        self._live, self._taken_at = Liveness(store, deployment.id), float("-inf")
        self._screen = Screen()
        self._alerted: dict[int, RaisedAlert] = {}  # tracks of the current stream that alerts are about
        self._asked_at = float("-inf")

    def frame(self, principal: Principal, encoded: bytes, position: Position) -> FrameAnswer:
        """Take one encoded frame.

        Raises
        ------
        NotAuthorisedError
            The deployment is not live any more.
        NotFoundError, AccessDeniedError
            It is another force's, or the principal's role may not.
        ImageError
            It is no picture that can be used.
        ConflictError
            It is out of order.
        LimitError
            Too many frames of this camera are on their way.
        ServiceError
            It was withdrawn before the frame before it came.
        StoreUnavailableError
            The database cannot be asked: nothing was alerted, and the tracks begin anew.
        """
        self._check(principal)
        with self._place():
            began = time.perf_counter()
            found = self._reader.begin(encoded)
            pixels = decode_image(encoded, name="frame", max_pixels=self._limits.frame_pixels)
            faces = found()
            try:
                detect_s = time.perf_counter() - began
                return self._in_turn(principal, pixels, faces, position, detect_s=detect_s, picture=encoded)
            finally:
                pixels[:] = 0

    def withdraw(self, request: str) -> None:
        """As `FrameOrder.withdraw`."""
        self._order.withdraw(request)

    def look_at(
        self, principal: Principal, pixels: Pixels, faces: Faces | None, position: Position, *, detect_s: float
    ) -> FrameAnswer:
        """Take a frame that the service read itself, with the faces in it; raises as `frame`.

        Without them its tracks are predicted, or faces looked for here where that is due. The caller overwrites the
        pixels: where a part of the service is away, the same frame may be taken again.
        """
        self._check(principal)
        return self._in_turn(principal, pixels, faces, position, detect_s=detect_s, picture=pixels)

    def end_stream(self, principal: Principal, stream: str) -> FrameAnswer:
        """Decide for the tracks that a stream's end cuts off; raises as `frame` does.

        Where the database is away, `rest` commits it later, or this once it is called again.
        """
        self._check(principal)
        raised = self._settle(principal)
        if self._order.ended(stream):
            raised += self._finish(principal)
        return FrameAnswer(0, self._faces_seen, raised, self._held_back)

    def drop_stream(self, stream: str) -> None:
        """Forget a stream and decide nothing more: whoever it was read for may not any more."""
        if self._order.ended(stream):
            self._put_away()
            self._principal = None

    def preview(self, principal: Principal, after: int) -> Picture | None:
        """Return a picture of what the camera sees now, later than one that was seen, if there is one.

        Raises
        ------
        NotAuthorisedError
            The deployment is not live any more.
        NotFoundError, AccessDeniedError
            It is another force's, or the principal's role may not.
        """
        principal.require(
            "deployment.preview", force_id=self._deployment.force_id, what=f"deployment {self._deployment.id}"
        )
        self._check_live()
        self._let_go()
        return self._screen.look(after=after)

    def held(self) -> HeldFaces:
        """Return what is held of faces now."""
        stations = (self._station, *self._unfinished)
        waiting = HeldFaces() if self._shadow is None else self._shadow.held()
        return self._alive.count() + HeldFaces(crops=sum(station.pictures for station in stations)) + waiting

    def rest(self, *, silent_s: float = SILENT_S) -> None:
        """Decide for the tracks of a camera that has been silent for so long, and forget them.

        The next frame may never come, so nothing of a face waits for it. An alert that this decides is told to those
        who follow events.

        Raises
        ------
        NotAuthorisedError
            The deployment is not live any more; everything is forgotten.
        StoreUnavailableError
            The database cannot be asked; a later call decides.
        """
        principal = self._principal
        if principal is None:
            return
        if self._unfinished:
            self._check_live()
            self._settle(principal)
        if not self._station.pictures or time.monotonic() - self._taken_at < silent_s:
            return
        self._check_live()
        with self._order.pause():
            if time.monotonic() - self._taken_at >= silent_s:  # else a frame came meanwhile
                self._finish(principal)

    def close(self) -> None:
        """Overwrite what is held of faces, count, and log that the use ended."""
        with self._lock:
            principal, self._principal = self._principal, None
            unfinished, self._unfinished = self._unfinished, []
        for station in (self._station, *unfinished):
            station.forget()
        self._screen.forget()
        if principal is not None:
            with suppress(LfrError):
                self._station.end(principal)
        if self._shadow is not None:
            self._shadow.close()

    def _check(self, principal: Principal) -> None:
        deployment = self._deployment
        principal.require("deployment.run", force_id=deployment.force_id, what=f"deployment {deployment.id}")
        self._check_live()

    def _let_go(self) -> None:
        """Show nobody any more because of an alert that came to nothing (R5)."""
        if self._alerted and time.monotonic() - self._asked_at > LIVE_FOR_S:
            self._asked_at = time.monotonic()
            gone = dismissed(self._store, [alert.id for alert in self._alerted.values()])
            self._alerted = {track: alert for track, alert in self._alerted.items() if alert.id not in gone}

    def _check_live(self) -> None:
        try:
            self._live.check()
        except NotAuthorisedError:
            self.close()
            raise

    @contextmanager
    def _place(self) -> Iterator[None]:
        """Count a frame that is on its way."""
        with self._lock:
            if self._waiting >= self._limits.frames_waiting:
                raise BusyError(
                    f"camera {self._camera_id}: {self._waiting} frames are on their way already, which is the most"
                )
            self._waiting += 1
        try:
            yield
        finally:
            with self._lock:
                self._waiting -= 1

    def _in_turn(
        self,
        principal: Principal,
        pixels: Pixels,
        faces: Faces | None,
        position: Position,
        *,
        detect_s: float,
        picture: SentFrame,
    ) -> FrameAnswer:
        with self._order.turn(position) as known:
            if known is not None:
                return known
            answer = self._take(principal, pixels, faces, position, detect_s=detect_s)
            self._order.answered(position, answer)
            if self._shadow is not None:
                self._shadow.see(principal, picture, position.captured_at.timestamp(), _entries(answer.alerts))
            return answer

    def _take(
        self, principal: Principal, pixels: Pixels, faces: Faces | None, position: Position, *, detect_s: float
    ) -> FrameAnswer:
        began = time.perf_counter()
        if self._principal is None:
            self._station.begin(principal, live_source=position.live)
        self._principal, self._station.wall_clock = principal, position.live
        frame = Frame(self._index, position.captured_at.timestamp(), pixels)
        self._index += 1
        self._taken_at = time.monotonic()
        try:
            result, alerts = self._station.take(principal, frame, faces=faces)
            self._alerted |= {alert.track_id: alert for alert in alerts}
            self._screen.offer(pixels, result, {track: alert.category for track, alert in self._alerted.items()})
        except BaseException:
            # An alert that could not be committed, or a face that could not be searched, must be able to come again.
            self._put_away()
            raise
        with suppress(StoreUnavailableError):  # the alerts are committed; the rest is counted later
            self._count_before()
        decide_s = time.perf_counter() - began - result.embed_s - result.search_s
        stages = {"detect": detect_s, "embed": result.embed_s, "search": result.search_s, "decide": decide_s}
        return FrameAnswer(
            len(result.faces), self._faces_seen, alerts, self._held_back, stages, passed_over=self._order.passed_over
        )

    @property
    def _faces_seen(self) -> int:
        return self._faces_before + self._station.faces_seen

    @property
    def _held_back(self) -> int:
        return self._held_before + self._station.held_back

    def _new_station(self) -> Station:
        reader = WatchedReader(self._reader, self._alive)
        processor = StreamProcessor(reader, self._watchlist, self._deployment.rule, settings=self._settings)
        return Station(self._store, self._deployment, self._camera_id, processor, wall_clock=True)

    def _next_stream(self) -> None:
        if self._principal is None:
            self._put_away()
            return
        with suppress(StoreUnavailableError):  # `rest` commits it later
            self._finish(self._principal)

    def _finish(self, principal: Principal) -> tuple[RaisedAlert, ...]:
        """Decide for the current tracks, and go on with none; what cannot be committed now is kept for `_settle`."""
        station = self._station
        try:
            raised = station.finish(principal)
        except StoreUnavailableError:
            with self._lock:
                self._unfinished.append(station)
            self._put_away(keep=True)
            raise
        except BaseException:
            self._put_away()
            raise
        self._put_away(raised)
        return raised

    def _settle(self, principal: Principal) -> tuple[RaisedAlert, ...]:
        """Commit what earlier ends of streams decided while the database was away; raises as `end_stream`."""
        raised: tuple[RaisedAlert, ...] = ()
        while self._unfinished:
            station = self._unfinished[0]
            raised += station.finish(principal)
            station.forget()
            with self._lock:
                self._unfinished = [one for one in self._unfinished if one is not station]
        return raised

    def _put_away(self, last: tuple[RaisedAlert, ...] = (), *, keep: bool = False) -> None:
        """Go on with no tracks, and unless they are to be kept forget them; ``last`` are what their end raised."""
        if self._shadow is not None:
            self._shadow.end_stream(_entries(last))
        station, self._station = self._station, self._new_station()
        self._alerted = {}
        if not keep:
            station.forget()
        self._faces_before += station.faces_seen
        self._held_before += station.held_back
        self._before.append(station)
        with suppress(StoreUnavailableError):
            self._count_before()

    def _count_before(self) -> None:
        while self._before:
            self._before[0].count()
            self._before.pop(0)


def _entries(alerts: tuple[RaisedAlert, ...]) -> tuple[str, ...]:
    return tuple(alert.entry_id for alert in alerts)
