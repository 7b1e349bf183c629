"""A source watched inside a live deployment: alerts committed before anybody hears, an end when the authority ends."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Self

from lfr.access import Principal
from lfr.alerts import RaisedAlert
from lfr.database import Store
from lfr.deployments import LiveDeployment, ended_by, standing
from lfr.errors import LfrError, NotAuthorisedError
from lfr.pipeline.ahead import find_ahead
from lfr.pipeline.recogniser import Recogniser
from lfr.pipeline.station import Station
from lfr.pipeline.stream import FrameResult, StreamProcessor, StreamSettings
from lfr.sources import Source
from lfr.tracking import TrackerSettings
from lfr.types import Faces, Frame
from lfr.watchlist import load_sealed

__all__ = ["POLL_S", "WatchSummary", "watch"]

POLL_S = 0.25
"""Seconds between two looks at whether the deployment is still live."""


@dataclass(frozen=True)
class WatchSummary:
    """What a camera's use came to.

    Attributes
    ----------
    frames, faces_seen
        Frames looked at, and tracks.
    alerts
        Alerts raised, in order.
    held_back
        Matches with entries that were suspended or had expired: no alert, and nothing kept.
    stopped
        ``source ended``, ``interrupted``, or what became of the deployment: ``window closed``, ``ended``,
        ``withdrawn``.
    """

    frames: int
    faces_seen: int
    alerts: tuple[RaisedAlert, ...]
    held_back: int
    stopped: str


def watch(
    store: Store,
    principal: Principal,
    deployment: LiveDeployment,
    *,
    camera_id: str,
    source: Source,
    recogniser: Recogniser,
    detect_every: int = 1,
    workers: int = 1,
    on_alert: Callable[[RaisedAlert], None] | None = None,
    on_frame: Callable[[FrameResult, int], None] | None = None,
) -> WatchSummary:
    """Watch a source until it ends, it is interrupted, or the deployment stops being live.

    Parameters
    ----------
    store, principal
        Where, and who runs it.
    deployment
        From `lfr.deployments.live`.
    camera_id
        One of its cameras.
    source
        Opened; a live one is closed when the deployment stops being live.
    recogniser
        Of the deployment's model.
    detect_every
        Frames per detection.
    workers
        Frames of a recording in which faces are looked for at once: `lfr.pipeline.find_ahead`. A live source's
        frames are always taken one by one, because an alert does not wait for the next frame.
    on_alert
        Told of each alert once it is committed.
    on_frame
        Told of each frame's result and of the faces seen so far; nothing of it may be kept.

    Raises
    ------
    NotAuthorisedError
        The camera, the model or the watchlist is not what was authorised.
    StoreUnavailableError
        The database cannot be asked any more: nothing goes on without it.
    SourceError
        The source broke off.
    """
    deployment.check_camera(camera_id)
    deployment.check_model(recogniser.model.digest)
    sealed = load_sealed(
        store, deployment.watchlist_id, digest=deployment.watchlist_digest, model_digest=deployment.model_digest
    )
    still = source.fps is None and not source.live
    settings = StreamSettings(
        detect_every=detect_every, tracker=TrackerSettings(confirm_detections=1) if still else TrackerSettings()
    )
    processor = StreamProcessor(recogniser, sealed.snapshot, deployment.rule, settings=settings)
    station = Station(store, deployment, camera_id, processor, wall_clock=source.live)
    alerts: list[RaisedAlert] = []

    def tell(raised: tuple[RaisedAlert, ...]) -> None:
        for alert in raised:
            alerts.append(alert)
            if on_alert is not None:
                on_alert(alert)

    station.begin(principal, live_source=source.live)
    stopped = "source ended"
    try:
        with _Tether(store, deployment.id, source) as tether:
            try:
                with closing(_with_faces(tether, source, recogniser, workers, detect_every)) as frames:
                    for frame, faces in frames:
                        result, raised = station.take(principal, frame, faces=faces)
                        tell(raised)
                        if on_frame is not None:
                            on_frame(result, station.faces_seen)
                if tether.look() == "live":
                    tell(station.finish(principal))
            except KeyboardInterrupt:
                stopped = "interrupted"
            except NotAuthorisedError:
                # The deployment may have ended between two looks, which the transaction of an alert sees first.
                if tether.look() == "live":
                    raise
            if stopped != "interrupted" and tether.look() != "live":
                purged = tether.standing == "purged"  # as a withdrawal is at once
                stopped = ended_by(store, deployment.id) if purged else tether.standing
    finally:
        station.end(principal)
    return WatchSummary(station.frames, station.faces_seen, tuple(alerts), station.held_back, stopped)


def _with_faces(
    tether: _Tether, source: Source, recogniser: Recogniser, workers: int, detect_every: int
) -> Generator[tuple[Frame, Faces | None]]:
    """Yield the frames of a deployment that is live, a recording's with their faces."""
    if source.live or workers == 1:
        for frame in tether.frames():
            yield frame, None
        return
    with closing(find_ahead(tether.frames(), recogniser.detect, workers=workers, detect_every=detect_every)) as ahead:
        for found in ahead:
            tether.check()
            if tether.standing != "live":  # it still was when these were taken
                return
            yield found


class _Tether:
    """Looks every `POLL_S` whether the deployment is live, on a thread of its own, and ends the source when not."""

    def __init__(self, store: Store, deployment_id: str, source: Source) -> None:
        self.standing: str = "live"
        self._store, self._deployment_id, self._source = store, deployment_id, source
        self._error: LfrError | None = None
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._look, name=f"tether {deployment_id}", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        if self.standing == "live":  # otherwise it may be waiting for a stalled stream to close
            self._thread.join()

    def frames(self) -> Iterator[Frame]:
        """Yield the source's frames for as long as the deployment is live."""
        for frame in self._source:
            self.check()
            if self.standing != "live":
                return
            yield frame
        self.check()

    def look(self) -> str:
        """Return where the deployment stands now; once it is not live it does not become so again here."""
        if self.standing == "live":
            self.standing = standing(self._store, self._deployment_id)
        return self.standing

    def check(self) -> None:
        """Raise what kept the deployment from being looked at."""
        if self._error is not None:
            raise self._error

    def _look(self) -> None:
        while not self._done.wait(POLL_S):
            try:
                self.look()
            except LfrError as error:
                self._error, self.standing = error, "unknown"
            if self.standing != "live":
                if self._source.live:  # it may be waiting for a frame; a recording's next one is soon here
                    self._source.close()
                return
