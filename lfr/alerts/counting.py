"""Count: faces seen, alerts, what became of them, and false alerts with their intervals."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from sqlalchemy import case, func, or_, select, update
from sqlalchemy.orm import Session

from lfr.alerts.states import OUTCOME_STATES
from lfr.database import Store
from lfr.database.tables import Alert, Camera, Deployment, Outcome
from lfr.errors import ConflictError, NotFoundError
from lfr.statistics import Rate, clopper_pearson

__all__ = ["AlertCounts", "count_faces", "counts", "counts_by_camera"]

_COUNTED_STATES = ("live", "ended", "withdrawn")
_LAST_COUNT = timedelta(minutes=1)


@dataclass(frozen=True)
class AlertCounts:
    """The record's figures, of a deployment or of one camera.

    Attributes
    ----------
    faces_seen
        Tracks: people's passes. Nothing else is known of those who did not alert.
    frames
        Frames looked at.
    alerts
        All of them.
    true_alerts
        Called viable and not taken back in the ten seconds in which that is possible; for the first ten seconds
        it is provisional.
    false_alerts
        Called not viable.
    confirmed_true, confirmed_false
        By engagement.
    engagements
        ``engaged`` and what follows from it.
    arrests, other_outcomes
        Alerts by the last kind recorded for them: ``arrest``, and any other.
    unadjudicated
        ``new`` and ``lapsed``.
    lapsed
        Of these, the ones that nobody can adjudicate any more.
    outcomes
        Alerts by the last kind recorded for them.
    """

    faces_seen: int = 0
    frames: int = 0
    alerts: int = 0
    true_alerts: int = 0
    false_alerts: int = 0
    confirmed_true: int = 0
    confirmed_false: int = 0
    engagements: int = 0
    unadjudicated: int = 0
    lapsed: int = 0
    outcomes: Mapping[str, int] = field(default_factory=dict)

    @property
    def arrests(self) -> int:
        """Alerts that led to an arrest."""
        return self.outcomes.get("arrest", 0)

    @property
    def other_outcomes(self) -> int:
        """Alerts that led to something else."""
        return sum(self.outcomes.values()) - self.arrests

    @property
    def false_alerts_per_face(self) -> Rate:
        """``false_alerts + confirmed_false`` over faces seen, Clopper-Pearson 95%."""
        return _share(self.false_alerts + self.confirmed_false, self.faces_seen)

    @property
    def false_alerts_per_alert(self) -> Rate:
        """``false_alerts + confirmed_false`` over alerts, Clopper-Pearson 95%."""
        return _share(self.false_alerts + self.confirmed_false, self.alerts)

    def as_dict(self) -> dict[str, Any]:
        """The figures as JSON documents show them."""
        return {
            "faces_seen": self.faces_seen,
            "frames": self.frames,
            "alerts": self.alerts,
            "true_alerts": self.true_alerts,
            "false_alerts": self.false_alerts,
            "confirmed_true": self.confirmed_true,
            "confirmed_false": self.confirmed_false,
            "engagements": self.engagements,
            "arrests": self.arrests,
            "other_outcomes": self.other_outcomes,
            "unadjudicated": self.unadjudicated,
            "lapsed": self.lapsed,
            "outcomes": dict(self.outcomes),
            "false_alerts_per_face": self.false_alerts_per_face.as_dict(),
            "false_alerts_per_alert": self.false_alerts_per_alert.as_dict(),
        }


def count_faces(
    store: Store, deployment_id: str, camera_id: str, *, faces_seen: int, frames: int, dropped: int = 0
) -> None:
    """Add what a camera saw since the last call to its counters, which never fall.

    Parameters
    ----------
    store
        Where.
    deployment_id, camera_id
        The camera. Frames that were looked at inside the window may be counted just after it closed.
    faces_seen, frames
        Tracks and frames since the last call, not since the start: a camera that is started again goes on counting.
    dropped
        Frames of a live source since then that nobody looked at: too fast, or while a part was away.

    Raises
    ------
    NotFoundError
        The deployment has no such camera.
    ConflictError
        It was never live, or is purged and its use ended over a minute ago.
    ValueError
        A negative number.
    """
    if min(faces_seen, frames, dropped) < 0:
        raise ValueError(f"camera {camera_id}: counters never fall, got {faces_seen}, {frames} and {dropped}")
    with store.database.write() as session:
        counted = session.execute(
            update(Camera)
            .where(
                Camera.deployment_id == deployment_id,
                Camera.camera_id == camera_id,
                select(Deployment.id)
                .where(
                    Deployment.id == deployment_id,
                    or_(
                        Deployment.state.in_(_COUNTED_STATES),
                        # A camera stops within a second of a withdrawal, and that is purged at once.
                        func.coalesce(Deployment.withdrawn_at, Deployment.ended_at) > store.now() - _LAST_COUNT,
                    ),
                )
                .exists(),
            )
            .values(
                faces_seen=Camera.faces_seen + faces_seen,
                frames=Camera.frames + frames,
                frames_dropped=Camera.frames_dropped + dropped,
                last_frame_at=store.now() if frames else Camera.last_frame_at,
            )
            .returning(Camera.camera_id)
        ).one_or_none()
        if counted is None:
            if session.get(Camera, (deployment_id, camera_id)) is None:
                raise NotFoundError(f"deployment {deployment_id}: camera {camera_id} is not one of its cameras")
            raise ConflictError(f"deployment {deployment_id}: counts faces only once it is live and until it is purged")


def counts(session: Session, deployment_id: str) -> AlertCounts:
    """Return a deployment's figures, from its rows only."""
    return _sum(counts_by_camera(session, deployment_id).values())


def counts_by_camera(session: Session, deployment_id: str) -> dict[str, AlertCounts]:
    """Return the figures of each of a deployment's cameras, by its id."""
    states: dict[str, Counter[str]] = {}
    true_alerts: Counter[str] = Counter()
    for camera_id, state, alerts, true in session.execute(
        select(Alert.camera_id, Alert.state, func.count(), func.sum(case((Alert.counted_true, 1), else_=0)))
        .where(Alert.deployment_id == deployment_id)
        .group_by(Alert.camera_id, Alert.state)
    ):
        states.setdefault(camera_id, Counter())[state] = alerts
        true_alerts[camera_id] += int(true)
    kinds = _last_kinds(session, deployment_id)
    cameras = session.scalars(select(Camera).where(Camera.deployment_id == deployment_id).order_by(Camera.camera_id))
    return {
        camera.camera_id: _of(camera, states.get(camera.camera_id, Counter()), true_alerts, kinds) for camera in cameras
    }


def _of(
    camera: Camera, states: Counter[str], true_alerts: Counter[str], kinds: Mapping[str, Counter[str]]
) -> AlertCounts:
    return AlertCounts(
        faces_seen=camera.faces_seen,
        frames=camera.frames,
        alerts=states.total(),
        true_alerts=true_alerts[camera.camera_id],
        false_alerts=states["not_viable"],
        confirmed_true=states["confirmed_true"],
        confirmed_false=states["confirmed_false"],
        engagements=states["engaged"] + states["confirmed_true"] + states["confirmed_false"],
        unadjudicated=states["new"] + states["lapsed"],
        lapsed=states["lapsed"],
        outcomes=dict(sorted(kinds.get(camera.camera_id, Counter()).items())),
    )


def _last_kinds(session: Session, deployment_id: str) -> dict[str, Counter[str]]:
    last: dict[str, tuple[str, int, str]] = {}
    for alert_id, camera_id, state, kind in session.execute(
        select(Alert.id, Alert.camera_id, Outcome.state, Outcome.kind)
        .join(Outcome, Outcome.alert_id == Alert.id)
        .where(Alert.deployment_id == deployment_id, Outcome.kind.is_not(None))
    ):
        order = OUTCOME_STATES.index(state)  # an alert passes each state once, in this order
        if alert_id not in last or last[alert_id][1] < order:
            last[alert_id] = (camera_id, order, str(kind))
    kinds: dict[str, Counter[str]] = {}
    for camera_id, _, kind in last.values():
        kinds.setdefault(camera_id, Counter())[kind] += 1
    return kinds


def _sum(parts: Iterable[AlertCounts]) -> AlertCounts:
    figures: Counter[str] = Counter()
    outcomes: Counter[str] = Counter()
    for part in parts:
        outcomes.update(part.outcomes)
        figures.update({name: value for name, value in vars(part).items() if name != "outcomes"})
    return AlertCounts(**figures, outcomes=dict(sorted(outcomes.items())))


def _share(count: int, of: int) -> Rate:
    # More false alerts than faces can only be where faces were not counted; that is no share.
    if count > of:
        return Rate(None, None, None, count, of, "clopper-pearson")
    return clopper_pearson(count, of)
