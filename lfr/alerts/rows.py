"""An alert's row: found under a lock, and its digest for the audit log."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from lfr.access import Principal
from lfr.alerts.states import Decision
from lfr.audit.chain import canonical
from lfr.database.tables import Adjudication, Alert, Hold
from lfr.errors import ConflictError, InputError, NotFoundError

__all__ = [
    "alert_digest",
    "alert_document",
    "as_decision",
    "decisions_of",
    "found_alert",
    "limited_text",
    "locked_alert",
    "required_text",
    "standing_hold",
    "utc_text",
    "with_image",
]

_MAX_TEXT = 4_000
_IN_DIGEST = (
    "id",
    "force_id",
    "deployment_id",
    "camera_id",
    "track_id",
    "entry_id",
    "subject_id",
    "category",
    "reference_id",
    "score",
    "threshold",
    "shots_used",
    "model_digest",
    "watchlist_digest",
    "calibration_id",
    "captured_at",
    "created_at",
    "raised_by",
    "state",
    "decided_at",
)


def found_alert(session: Session, principal: Principal, alert_id: str) -> Alert:
    """Return an alert of the principal's force; raises NotFoundError where there is none."""
    return _of_force(session.get(Alert, alert_id), principal, alert_id)


def locked_alert(session: Session, principal: Principal, alert_id: str) -> Alert:
    """Return an alert of the principal's force as it is now, held against other writers until the commit.

    Raises
    ------
    NotFoundError
        There is none.
    """
    find = select(Alert).where(Alert.id == alert_id).with_for_update().execution_options(populate_existing=True)
    return _of_force(session.scalars(find).one_or_none(), principal, alert_id)


def with_image(session: Session, alert: Alert, *, now: datetime) -> bytes:
    """Return an alert's sealed probe image.

    Raises
    ------
    ConflictError
        Its clock ran out and nobody held it, or it is deleted already.
    """
    overdue = alert.image_expires_at <= now and standing_hold(session, alert.id) is None
    if alert.image is None or overdue:
        raise ConflictError(
            f"{alert.id}: its image's clock ran out at {utc_text(alert.image_deleted_at or alert.image_expires_at)}"
        )
    return alert.image


def standing_hold(session: Session, alert_id: str) -> Hold | None:
    """Return the hold that keeps an alert's image, if there is one."""
    return session.scalars(select(Hold).where(Hold.alert_id == alert_id, Hold.released_at.is_(None))).one_or_none()


def decisions_of(session: Session, alert_id: str) -> tuple[Adjudication, ...]:
    """Return every adjudication and retraction of an alert in the order they were made."""
    find = select(Adjudication).where(Adjudication.alert_id == alert_id)
    return tuple(session.scalars(find.order_by(Adjudication.ordinal)))


def alert_document(alert: Alert) -> dict[str, Any]:
    """Return an alert's content but its image, as JSON."""
    row = {name: getattr(alert, name) for name in _IN_DIGEST}
    return {name: utc_text(value) if isinstance(value, datetime) else value for name, value in row.items()}


def alert_digest(alert: Alert) -> str:
    """Return the SHA-256 over an alert's content in canonical JSON."""
    return hashlib.sha256(canonical(alert_document(alert))).hexdigest()


def required_text(name: str, value: str) -> str:
    """Return a text that was asked for, stripped; raises InputError where it is blank or too long."""
    text = limited_text(name, value)
    if not text:
        raise InputError(f"{name} is missing: say it in a few words")
    return text


def limited_text(name: str, value: str) -> str:
    """Return a text that may be blank, stripped; raises InputError where it is too long."""
    text = value.strip()
    if len(text) > _MAX_TEXT:
        raise InputError(f"{name} has {len(text)} characters; {_MAX_TEXT} are the most")
    return text


def utc_text(time: datetime) -> str:
    """Return a time in UTC as text."""
    return time.astimezone(UTC).isoformat(timespec="microseconds")


def as_decision(made: Adjudication) -> Decision:
    """Return a row as the rules see it."""
    return Decision(made.person_id, made.decision)


def _of_force(alert: Alert | None, principal: Principal, alert_id: str) -> Alert:
    if alert is None or alert.force_id != principal.force_id:
        raise NotFoundError(f"{alert_id}: there is none of that name")
    return alert
