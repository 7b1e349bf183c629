"""What happens to a deployment's alerts in the order of the audit log, so that whoever was cut off can go on."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, or_, select

from lfr.access import Principal
from lfr.alerts.history import sees_own_only
from lfr.alerts.rows import utc_text
from lfr.audit import force_chain
from lfr.database import Store
from lfr.database.tables import Alert, AuditEntry, Entry
from lfr.deployments.rows import owned
from lfr.errors import InputError

__all__ = ["AlertEvent", "events_after", "last_sequence"]

_OF_ALERTS = (
    "alert.raise", "alert.adjudicate", "alert.retract", "alert.lapse",
    "alert.outcome", "alert.hand-over", "alert.hold", "alert.release",
)  # fmt: skip
_OF_DEPLOYMENT = ("deployment.start", "deployment.end", "deployment.withdraw", "deployment.purge")
MAX_EVENTS = 1_000


@dataclass(frozen=True)
class AlertEvent:
    """One thing that happened, as it was committed.

    Attributes
    ----------
    sequence
        Of its entry in the force's audit chain; rises in the order of commits.
    action, time
        What, and when.
    alert
        The alert as it stands now, without images; None for what happened to the deployment itself.
    """

    sequence: int
    action: str
    time: datetime
    alert: dict[str, Any] | None

    def as_dict(self) -> dict[str, Any]:
        """The event as JSON documents show it."""
        return {"sequence": self.sequence, "action": self.action, "time": utc_text(self.time), "alert": self.alert}


def events_after(
    store: Store, principal: Principal, deployment_id: str, *, after: int = 0, limit: int = 100
) -> tuple[AlertEvent, ...]:
    """Return what happened in a deployment after an event, oldest first; a device sees its own alerts only.

    Raises
    ------
    InputError
        The limit is not in 1..1,000, or ``after`` is negative.
    NotFoundError
        There is no such deployment in the principal's force.
    """
    principal.require("alert.list", what=deployment_id)
    if after < 0 or not 1 <= limit <= MAX_EVENTS:
        raise InputError(f"events after {after}, at most {limit}: from 0, and 1 to {MAX_EVENTS}")
    find = (
        select(AuditEntry.sequence, AuditEntry.action, AuditEntry.time, Alert, Entry.reason)
        .outerjoin(Alert, Alert.id == AuditEntry.object)
        .outerjoin(Entry, Entry.id == Alert.entry_id)
        .where(
            AuditEntry.chain == force_chain(principal.force_id),
            AuditEntry.sequence > after,
            or_(
                AuditEntry.action.in_(_OF_ALERTS) & (Alert.deployment_id == deployment_id),
                AuditEntry.action.in_(_OF_DEPLOYMENT) & (AuditEntry.object == deployment_id),
            ),
        )
        .order_by(AuditEntry.sequence)
        .limit(limit)
    )
    own_only = sees_own_only(principal)
    if own_only:
        find = find.where(or_(Alert.id.is_(None), Alert.raised_by == principal.id))
    with store.database.read() as session:
        deployment = owned(session, principal, deployment_id)
        return tuple(
            AlertEvent(sequence, action, time, _shown(alert, demo=deployment.demo, reason=None if own_only else reason))
            for sequence, action, time, alert, reason in session.execute(find)
        )


def last_sequence(store: Store, principal: Principal) -> int:
    """Return the sequence of the last entry in the force's chain: one cheap query that tells whether to look again."""
    principal.require("alert.list")
    find = select(func.max(AuditEntry.sequence)).where(AuditEntry.chain == force_chain(principal.force_id))
    with store.database.read() as session:
        return int(session.scalar(find) or 0)


def _shown(alert: Alert | None, *, demo: bool, reason: str | None) -> dict[str, Any] | None:
    if alert is None:
        return None
    return {
        "alert": alert.id,
        "demo": demo,
        "deployment": alert.deployment_id,
        "camera": alert.camera_id,
        "track_id": alert.track_id,
        "entry": alert.entry_id,
        "subject_id": alert.subject_id,
        "category": alert.category,
        "reason": reason,
        "score": round(alert.score, 4),
        "threshold": alert.threshold,
        "state": alert.state,
        "captured_at": utc_text(alert.captured_at),
        "created_at": utc_text(alert.created_at),
        "decided_at": utc_text(alert.decided_at) if alert.decided_at else None,
        "image_until": utc_text(alert.image_expires_at) if alert.image is not None else None,
    }
