"""One camera inside a live deployment: alerts committed before anybody is told, and an end when the authority ends.

This is the only module of the pipeline that knows the governed store;
rehearsal and evaluation do not import it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Self

from lfr.access import Principal
from lfr.alerts import RaisedAlert, Sighting, count_faces, raise_alerts
from lfr.database import Store
from lfr.deployments import LiveDeployment, ended_by, record_use, standing
from lfr.errors import LfrError, NotAuthorisedError
from lfr.pipeline.probes import Probes
from lfr.pipeline.recogniser import Recogniser
from lfr.pipeline.stream import AlertProposal, FrameResult, StreamProcessor, StreamSettings
from lfr.sources import Source
from lfr.tracking import TrackerSettings
from lfr.types import Frame
from lfr.watchlist import load_sealed

__all__ = ["POLL_S", "WatchSummary", "watch"]

POLL_S = 0.25
"""Seconds between two looks at whether the deployment is still live."""
_COUNT_EVERY_S = 1.0


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
    camera = _Camera(store, principal, deployment, camera_id, processor, source.live, on_alert)
    record_use(store, principal, deployment, camera_id, details={"use": "begins", "live_source": source.live})
    stopped = "source ended"
    try:
        with _Tether(store, deployment.id, source) as tether:
            try:
                for frame in tether.frames():
                    result = camera.take(frame)
                    if on_frame is not None:
                        on_frame(result, processor.faces_seen)
                if tether.look() == "live":
                    camera.finish()
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
        camera.forget()
        camera.count()
        details = {"use": "ends", "frames": camera.frames, "faces_seen": processor.faces_seen}
        record_use(store, principal, deployment, camera_id, details={**details, "alerts": len(camera.alerts)})
    return WatchSummary(camera.frames, processor.faces_seen, tuple(camera.alerts), camera.held_back, stopped)


@dataclass(eq=False)
class _Camera:
    """Turns frames into committed alerts and counts."""

    store: Store
    principal: Principal
    deployment: LiveDeployment
    camera_id: str
    processor: StreamProcessor
    live: bool
    on_alert: Callable[[RaisedAlert], None] | None
    probes: Probes = field(default_factory=Probes)
    alerts: list[RaisedAlert] = field(default_factory=list)
    held_back: int = 0
    frames: int = 0
    _counted: tuple[int, int] = (0, 0)
    _counted_at: float = field(default_factory=time.monotonic)
    _last: Frame | None = None

    def take(self, frame: Frame) -> FrameResult:
        """Process one frame."""
        result = self.processor.process(frame)
        self.frames += 1
        self._last = frame
        self.probes.update(frame.pixels, result)
        self._raise(result.proposals, frame)
        self.probes.forget_ended(result.tracks)
        if time.monotonic() - self._counted_at >= _COUNT_EVERY_S:
            self.count()
        return result

    def finish(self) -> None:
        """Decide for the tracks that the source's end cut off."""
        if self._last is not None:
            self._raise(self.processor.close(self._last.index, self._last.time_s), self._last)

    def forget(self) -> None:
        """Overwrite what is held of faces."""
        self.probes.forget()
        self._last = None

    def count(self) -> None:
        """Add what was seen since the last time to the camera's counters."""
        faces, frames = self.processor.faces_seen - self._counted[0], self.frames - self._counted[1]
        self._counted_at = time.monotonic()
        if faces or frames:
            count_faces(self.store, self.deployment.id, self.camera_id, faces_seen=faces, frames=frames)
            self._counted = (self._counted[0] + faces, self._counted[1] + frames)

    def _raise(self, proposals: tuple[AlertProposal, ...], frame: Frame) -> None:
        if not proposals:
            return
        sightings = [self._sighting(proposal, frame) for proposal in proposals]
        raised = raise_alerts(self.store, self.principal, sightings)
        for alert in raised:
            if alert is None:
                self.held_back += 1
                continue
            self.alerts.append(alert)
            if self.on_alert is not None:
                self.on_alert(alert)

    def _sighting(self, proposal: AlertProposal, frame: Frame) -> Sighting:
        # A live source's clock is the time of day; a recording's is its own, so there it is the time of looking.
        captured_at = datetime.fromtimestamp(frame.time_s, UTC) if self.live else self.store.now()
        return Sighting(
            deployment_id=self.deployment.id,
            camera_id=self.camera_id,
            track_id=proposal.track_id,
            entry_id=proposal.subject_id,
            score=proposal.score,
            shots_used=proposal.shots_used,
            model_digest=self.deployment.model_digest,
            watchlist_digest=self.deployment.watchlist_digest,
            calibration_id=self.deployment.calibration_id,
            captured_at=captured_at,
            probe_jpeg=self.probes.jpeg(proposal.track_id),
        )


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
            self._check()
            if self.standing != "live":
                return
            yield frame
        self._check()

    def look(self) -> str:
        """Return where the deployment stands now; once it is not live it does not become so again here."""
        if self.standing == "live":
            self.standing = standing(self._store, self._deployment_id)
        return self.standing

    def _check(self) -> None:
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
