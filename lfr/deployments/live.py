"""What a running pipeline asks: is this live, with what, and is it still."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import select
from sqlalchemy.orm import Session

from lfr.access import Principal, record
from lfr.database import Store
from lfr.database.tables import Calibration as CalibrationRow
from lfr.database.tables import Camera, Deployment
from lfr.deployments.rows import owned, utc_text
from lfr.errors import NotAuthorisedError
from lfr.matching import DecisionRule
from lfr.types import Calibration

__all__ = [
    "DEMO_NOTICE",
    "LiveDeployment",
    "Standing",
    "check_live",
    "ended_by",
    "live",
    "live_now",
    "record_preview",
    "record_use",
    "standing",
    "still_live",
]

DEMO_NOTICE = "not approved for field use"

Standing = Literal["draft", "authorised", "live", "ended", "withdrawn", "purged", "not begun", "window closed", "gone"]


@dataclass(frozen=True)
class LiveDeployment:
    """A deployment that was live and inside its window when it was read.

    Attributes
    ----------
    id, force_id, name, place
        Which one.
    demo
        Whether everything that comes of it is marked `DEMO_NOTICE`.
    starts_at, ends_at
        Its window; the end is outside.
    categories, cameras
        Who may be looked for, and where.
    watchlist_id, watchlist_digest, watchlist_size
        The sealed list it was authorised with.
    model_version, model_digest
        The one model that may be used.
    calibration_id
        Where the threshold comes from.
    rule
        Threshold, shots and fusion.
    """

    id: str
    force_id: str
    name: str
    place: str
    demo: bool
    starts_at: datetime
    ends_at: datetime
    categories: tuple[str, ...]
    cameras: tuple[str, ...]
    watchlist_id: str
    watchlist_digest: str
    watchlist_size: int
    model_version: str
    model_digest: str
    calibration_id: str
    rule: DecisionRule

    @property
    def threshold(self) -> float:
        """Score at or over which there is an alert."""
        return self.rule.threshold

    @property
    def notice(self) -> str | None:
        """What must be shown with everything that comes of it; None where there is nothing."""
        return DEMO_NOTICE if self.demo else None

    def check_camera(self, camera_id: str) -> None:
        """Raise NotAuthorisedError unless the camera is one of the deployment's."""
        if camera_id not in self.cameras:
            raise NotAuthorisedError(
                f"deployment {self.id}: camera {camera_id} is not one of its cameras ({', '.join(self.cameras)})"
            )

    def check_model(self, model_digest: str) -> None:
        """Raise NotAuthorisedError unless the model is the deployment's, naming both."""
        if model_digest != self.model_digest:
            raise NotAuthorisedError(
                f"deployment {self.id}: authorised with model {self.model_digest}, not with {model_digest}"
            )


def live(store: Store, principal: Principal, deployment_id: str) -> LiveDeployment:
    """Return a deployment that is live now.

    Raises
    ------
    NotAuthorisedError
        It is not live, or it is outside its window; the message says which.
    NotFoundError
        There is no such deployment in the principal's force.
    AccessDeniedError
        The principal's role may not.
    """
    principal.require("deployment.run", what=deployment_id)
    with store.database.read() as session:
        row = owned(session, principal, deployment_id)
        now = store.now()
        if (stands := _standing(row.state, row.starts_at, row.ends_at, now=now)) != "live":
            window = f"its window is {utc_text(row.starts_at)} to {utc_text(row.ends_at)}, and it is {utc_text(now)}"
            what = window if stands in ("not begun", "window closed") else f"is {stands}, not live"
            raise NotAuthorisedError(f"deployment {deployment_id}: {what}")
        return _read(session, row)


def live_now(store: Store) -> tuple[LiveDeployment, ...]:
    """Return every force's deployments that are live now, for the service that keeps their watchlists in memory."""
    now = store.now()
    find = select(Deployment).where(Deployment.state == "live", Deployment.starts_at <= now, Deployment.ends_at > now)
    with store.database.read() as session:
        return tuple(_read(session, row) for row in session.scalars(find.order_by(Deployment.id)))


def standing(store: Store, deployment_id: str) -> Standing:
    """Return where a deployment stands now, by one query of its key."""
    find = select(Deployment.state, Deployment.starts_at, Deployment.ends_at).where(Deployment.id == deployment_id)
    with store.database.read() as session:
        row = session.execute(find).one_or_none()
    return "gone" if row is None else _standing(row.state, row.starts_at, row.ends_at, now=store.now())


def check_live(store: Store, deployment_id: str) -> None:
    """Raise NotAuthorisedError unless a deployment is live and inside its window; the message says where it stands."""
    if (stands := standing(store, deployment_id)) != "live":
        raise NotAuthorisedError(f"deployment {deployment_id}: is {stands}, not live")


def ended_by(store: Store, deployment_id: str) -> Literal["withdrawn", "ended"]:
    """Return what ended the use of a deployment that may be purged since."""
    with store.database.read() as session:
        row = session.execute(select(Deployment.withdrawn_at).where(Deployment.id == deployment_id)).one_or_none()
    return "withdrawn" if row is not None and row.withdrawn_at is not None else "ended"


def still_live(store: Store, deployment_id: str) -> bool:
    """Whether a deployment is live and inside its window: cheap enough to ask several times a second."""
    return standing(store, deployment_id) == "live"


def record_use(
    store: Store, principal: Principal, deployment: LiveDeployment, camera_id: str, *, details: dict[str, Any]
) -> None:
    """Log that a camera began or ended being used; counts only, nothing of those who did not alert."""
    with store.database.write() as session:
        about = {"camera": camera_id, "watchlist": deployment.watchlist_digest, **details}
        record(store, session, principal, "deployment.run", deployment.id, details=about)


def record_preview(store: Store, principal: Principal, deployment: LiveDeployment, camera_id: str) -> None:
    """Log that somebody looks at a camera's picture, in which everybody is blurred but a person in an alert (R5)."""
    with store.database.write() as session:
        principal.require("deployment.preview", force_id=deployment.force_id, what=f"deployment {deployment.id}")
        record(store, session, principal, "deployment.preview", deployment.id, details={"camera": camera_id})


def _standing(state: str, starts_at: datetime, ends_at: datetime, *, now: datetime) -> Standing:
    if state != "live":
        return state  # type: ignore[return-value] # states are written by this package and by purge
    if now < starts_at:
        return "not begun"
    return "window closed" if now >= ends_at else "live"


def _read(session: Session, row: Deployment) -> LiveDeployment:
    kept = session.get(CalibrationRow, row.calibration_id)
    calibration = Calibration.from_document(
        {**kept.document, "digest": kept.id} if kept is not None else None, name=f"calibration {row.calibration_id}"
    )
    cameras = session.scalars(select(Camera.camera_id).where(Camera.deployment_id == row.id).order_by(Camera.camera_id))
    request = row.request
    return LiveDeployment(
        id=row.id,
        force_id=row.force_id,
        name=row.name,
        place=request["place"],
        demo=row.demo,
        starts_at=row.starts_at,
        ends_at=row.ends_at,
        categories=tuple(request["categories"]),
        cameras=tuple(cameras.all()),
        watchlist_id=row.watchlist_id,
        watchlist_digest=row.watchlist_digest,
        watchlist_size=row.watchlist_size,
        model_version=row.model_version,
        model_digest=row.model_digest,
        calibration_id=row.calibration_id,
        rule=DecisionRule(threshold=calibration.threshold, shots=request["shots"], fusion=request["fusion"]),
    )
