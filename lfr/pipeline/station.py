"""One camera inside a live deployment: frames in, committed alerts and counts out.

`lfr watch` and the service's cameras are both made of this. It and
`lfr.pipeline.watching` are the only modules of the pipeline that know the
governed store; rehearsal and evaluation import neither.
"""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime

from lfr.access import Principal
from lfr.alerts import RaisedAlert, Sighting, count_faces, raise_alerts
from lfr.database import Store
from lfr.deployments import LiveDeployment, record_use
from lfr.errors import StoreUnavailableError
from lfr.pipeline.probes import Probes
from lfr.pipeline.stream import AlertProposal, FrameResult, StreamProcessor
from lfr.types import Faces, Frame

__all__ = ["Station"]

_COUNT_EVERY_S = 1.0


@dataclass(eq=False)
class Station:
    """Turns one camera's frames into committed alerts and counts.

    Parameters
    ----------
    store, deployment, camera_id
        Where, and which camera of which live deployment.
    processor
        Made with the deployment's model, list and rule.
    wall_clock
        Whether a frame's time is the time of day, which an alert then states; a recording's clock is its own, so
        there it states the time of looking. Whoever reads both may change it before a frame.
    """

    store: Store
    deployment: LiveDeployment
    camera_id: str
    processor: StreamProcessor
    wall_clock: bool
    frames: int = 0
    alerts: int = 0
    held_back: int = 0
    _probes: Probes = field(default_factory=Probes)
    _counted: tuple[int, int] = (0, 0)
    _counted_at: float = field(default_factory=time.monotonic)
    _last: Frame | None = None
    _closing: tuple[AlertProposal, ...] | None = None  # what the stream's end decided, until it is committed

    @property
    def faces_seen(self) -> int:
        """Finished and current passes."""
        return self.processor.faces_seen

    @property
    def pictures(self) -> int:
        """Pictures of faces that are held for tracks which are not decided."""
        return len(self._probes)

    def begin(self, principal: Principal, *, live_source: bool) -> None:
        """Log that the camera's use begins."""
        self._log(principal, {"use": "begins", "live_source": live_source})

    def take(
        self, principal: Principal, frame: Frame, *, faces: Faces | None = None
    ) -> tuple[FrameResult, tuple[RaisedAlert, ...]]:
        """Process the next frame, and return its result and the alerts that are committed because of it.

        Parameters
        ----------
        principal
            Who sends it.
        frame
            Later than the one before.
        faces
            Found in it already; None: they are looked for here.

        Raises
        ------
        NotAuthorisedError
            An alert was due, but the deployment is no longer live or something is not what was authorised.
        StoreUnavailableError
            The database cannot be asked; nothing was raised.
        """
        result = self.processor.process(frame, faces=faces)
        self.frames += 1
        self._last = frame
        self._probes.update(frame.pixels, result)
        raised = self._raise(principal, result.proposals, frame)
        self._probes.forget_ended(result.tracks)
        if time.monotonic() - self._counted_at >= _COUNT_EVERY_S:
            with suppress(StoreUnavailableError):  # the alerts are committed; what is not counted now is counted later
                self.count()
        return result, raised

    def finish(self, principal: Principal) -> tuple[RaisedAlert, ...]:
        """Decide for the tracks that the stream's end cut off; raises as `take` does.

        What could not be committed is tried again by the next call; until then the pictures of those it is about are
        held, and no others.
        """
        if self._last is None:
            return ()
        if self._closing is None:
            self._closing = self.processor.close(self._last.index, self._last.time_s)
            self._probes.keep_only({proposal.track_id for proposal in self._closing})
        raised = self._raise(principal, self._closing, self._last)
        self._closing = ()
        return raised

    def end(self, principal: Principal) -> None:
        """Overwrite what is held of faces, count, and log that the camera's use ends."""
        self.forget()
        self.count()
        details = {"use": "ends", "frames": self.frames, "faces_seen": self.faces_seen, "alerts": self.alerts}
        self._log(principal, details)

    def forget(self) -> None:
        """Overwrite what is held of faces."""
        self._probes.forget()
        self._last = None

    def count(self) -> None:
        """Add what was seen since the last time to the camera's counters."""
        faces, frames = self.faces_seen - self._counted[0], self.frames - self._counted[1]
        self._counted_at = time.monotonic()
        if faces or frames:
            count_faces(self.store, self.deployment.id, self.camera_id, faces_seen=faces, frames=frames)
            self._counted = (self._counted[0] + faces, self._counted[1] + frames)

    def _log(self, principal: Principal, details: dict[str, object]) -> None:
        record_use(self.store, principal, self.deployment, self.camera_id, details=details)

    def _raise(
        self, principal: Principal, proposals: tuple[AlertProposal, ...], frame: Frame
    ) -> tuple[RaisedAlert, ...]:
        if not proposals:
            return ()
        sightings = [self._sighting(proposal, frame) for proposal in proposals]
        outcomes = raise_alerts(self.store, principal, sightings)
        raised = tuple(alert for alert in outcomes if alert is not None)
        self.alerts += len(raised)
        self.held_back += len(outcomes) - len(raised)
        return raised

    def _sighting(self, proposal: AlertProposal, frame: Frame) -> Sighting:
        captured_at = datetime.fromtimestamp(frame.time_s, UTC) if self.wall_clock else self.store.now()
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
            probe_jpeg=self._probes.jpeg(proposal.track_id),
        )
