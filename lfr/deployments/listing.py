"""See deployments: all of a force's, or one with everything that was authorised."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import select

from lfr.access import Principal
from lfr.database import Store
from lfr.database.tables import Calibration as CalibrationRow
from lfr.database.tables import Camera, Deployment
from lfr.deployments.live import DEMO_NOTICE
from lfr.deployments.rows import utc_text
from lfr.errors import NotFoundError

__all__ = ["DeploymentView", "list_deployments", "show_deployment"]

_MEASURED = ("target_fpir", "fpir", "tpir", "watchlist_size", "subjects", "non_mated_subjects", "simulated")


@dataclass(frozen=True)
class DeploymentView:
    """A deployment as people see it.

    Attributes
    ----------
    row
        What is kept of it.
    threshold, verdict
        Of its calibration.
    measured
        What the calibration says the threshold means: target, FPIR and TPIR with intervals, and on what.
    cameras
        Name and counters of each camera.
    """

    row: Deployment
    threshold: float
    verdict: str
    measured: dict[str, Any]
    cameras: tuple[dict[str, Any], ...]

    @property
    def id(self) -> str:
        """Of the deployment."""
        return self.row.id

    @property
    def state(self) -> str:
        """Where it stands in its lifecycle."""
        return self.row.state

    def as_dict(self) -> dict[str, Any]:
        """The deployment as JSON documents show it."""
        row = self.row
        return {
            "deployment": row.id,
            "name": row.name,
            "state": row.state,
            "demo": row.demo,
            "notice": DEMO_NOTICE if row.demo else None,
            "starts_at": utc_text(row.starts_at),
            "ends_at": utc_text(row.ends_at),
            "request": row.request,
            "watchlist": {"id": row.watchlist_id, "digest": row.watchlist_digest, "size": row.watchlist_size},
            "model": {"version": row.model_version, "digest": row.model_digest},
            "calibration": {
                "id": row.calibration_id,
                "threshold": self.threshold,
                "verdict": self.verdict,
                **self.measured,
            },
            "cameras": list(self.cameras),
            "created": {"by": row.created_by, "at": utc_text(row.created_at)},
            "authorisation": row.authorisation,
            "started": _event(row.started_by, row.started_at),
            "ended": _event(row.ended_by, row.ended_at),
            "withdrawn": _event(row.withdrawn_by, row.withdrawn_at, reason=row.withdrawal_reason),
            "purged": _event("", row.purged_at),
        }


def list_deployments(store: Store, principal: Principal, *, state: str | None = None) -> tuple[DeploymentView, ...]:
    """Return a force's deployments, newest window first.

    Parameters
    ----------
    store, principal
        Where, and who looks.
    state
        Only those in this state; None: all.
    """
    principal.require("deployment.list", what="deployments")
    return _views(store, principal, state=state)


def show_deployment(store: Store, principal: Principal, deployment_id: str) -> DeploymentView:
    """Return one deployment.

    Raises
    ------
    NotFoundError
        There is no such deployment in the principal's force.
    """
    principal.require("deployment.list", what=deployment_id)
    found = _views(store, principal, deployment_id=deployment_id)
    if not found:
        raise NotFoundError(f"deployment {deployment_id}: there is none of that name")
    return found[0]


def _views(
    store: Store, principal: Principal, *, state: str | None = None, deployment_id: str | None = None
) -> tuple[DeploymentView, ...]:
    find = (
        select(Deployment, CalibrationRow.document)
        .join(CalibrationRow, CalibrationRow.id == Deployment.calibration_id)
        .where(Deployment.force_id == principal.force_id)
        .order_by(Deployment.starts_at.desc(), Deployment.id)
    )
    if state is not None:
        find = find.where(Deployment.state == state)
    if deployment_id is not None:
        find = find.where(Deployment.id == deployment_id)
    with store.database.read() as session:
        rows = session.execute(find).all()
        ids = [row.id for row, _ in rows]
        cameras: Sequence[Camera] = session.scalars(
            select(Camera).where(Camera.deployment_id.in_(ids)).order_by(Camera.camera_id)
        ).all()
    return tuple(
        DeploymentView(
            row,
            threshold=float(document["threshold"]),
            verdict=str(document["verdict"]),
            measured={name: document.get(name) for name in _MEASURED},
            cameras=tuple(_camera(camera) for camera in cameras if camera.deployment_id == row.id),
        )
        for row, document in rows
    )


def _camera(camera: Camera) -> dict[str, Any]:
    last = utc_text(camera.last_frame_at) if camera.last_frame_at else None
    return {
        "camera": camera.camera_id,
        "faces_seen": camera.faces_seen,
        "frames": camera.frames,
        "dropped": camera.frames_dropped,
        "last_frame_at": last,
        "feed": _feed(camera),
    }


def _feed(camera: Camera) -> dict[str, Any] | None:
    """What the service reads for it, or did last."""
    if camera.feed_state is None or camera.feed_changed_at is None:
        return None
    return {
        "source": camera.feed_source,
        "state": camera.feed_state,
        "reason": camera.feed_reason or "",
        "changed_at": camera.feed_changed_at.astimezone(UTC).isoformat(),
    }


def _event(by: str | None, at: datetime | None, **more: str | None) -> dict[str, Any] | None:
    if at is None:
        return None
    return {**({"by": by} if by else {}), "at": utc_text(at), **more}
