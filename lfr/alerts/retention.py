"""Alerts that nobody decided in time lapse; an image that is needed is held by a named person (R7, R15)."""

from __future__ import annotations

from datetime import date

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from lfr.access import Principal, record
from lfr.alerts.images import reference_image
from lfr.alerts.rows import alert_digest, locked_alert, required_text, standing_hold, with_image
from lfr.database import Store
from lfr.database.store import new_id
from lfr.database.tables import Alert, Deployment, Hold
from lfr.errors import AccessDeniedError, ConflictError, InputError

__all__ = ["hold", "lapse_all", "lapse_overdue", "release_hold", "standing_holds"]


def hold(store: Store, principal: Principal, alert_id: str, *, reason: str, review_on: date) -> str:
    """Keep an alert's probe and reference images beyond their clocks, until they are reviewed.

    The reference image is kept with the hold under the deployment's key,
    because the watchlist's key is destroyed sooner. Release removes it.

    Parameters
    ----------
    store, principal
        Where, and the person who answers for it.
    alert_id
        Whose image has not been deleted, and whose clock has not run out.
    reason
        Why, such as an investigation's reference; a reference and not a name, because the audit log keeps it.
    review_on
        The day, after today, on which it must be looked at again.

    Returns
    -------
    Id of the hold.

    Raises
    ------
    ConflictError
        It is held already, its image is gone, or its deployment's purge has begun.
    KeyFileError
        A key is gone, and with it the image.
    InputError
        The reason is blank, or the review is not in the future.
    """
    reason = required_text("reason", reason)
    today = store.now().date()
    if review_on <= today:
        raise InputError(f"review on {review_on}: must come after today, {today}")
    principal.require("alert.hold", what=alert_id)
    person_id = principal.require_person()
    with store.database.write() as session:
        alert = locked_alert(session, principal, alert_id)
        now = store.now()
        found = standing_hold(session, alert_id)
        if found is not None:
            raise ConflictError(f"{alert_id}: held already by {found.person_id}, review on {found.review_on}")
        with_image(session, alert, now=now)
        if session.get_one(Deployment, alert.deployment_id).purge_proof is not None:
            # A purge takes the alerts' rows before it begins, so it either sees this hold or is seen here.
            raise ConflictError(
                f"{alert_id}: deployment {alert.deployment_id} is being purged; it is too late to hold it"
            )
        hold_id = new_id("hold")
        reference = reference_image(store, session, alert)
        session.add(
            Hold(
                id=hold_id,
                alert_id=alert_id,
                person_id=person_id,
                reason=reason,
                review_on=review_on,
                reference_image=store.keys.load(alert.deployment_id).encrypt(reference, row=hold_id),
                made_at=now,
                released_at=None,
                released_by=None,
            )
        )
        record(
            store,
            session,
            principal,
            "alert.hold",
            alert_id,
            details={"hold": hold_id, "reason": reason, "review_on": review_on.isoformat()},
        )
        return hold_id


def release_hold(store: Store, principal: Principal, alert_id: str, *, reason: str) -> None:
    """End a hold, by its person or an authorising officer; the image's own clock then counts again.

    Raises
    ------
    ConflictError
        It is not held.
    AccessDeniedError
        Somebody else holds it.
    InputError
        The reason is blank.
    """
    reason = required_text("reason", reason)
    principal.require("alert.release", what=alert_id)
    person_id = principal.require_person()
    with store.database.write() as session:
        locked_alert(session, principal, alert_id)
        found = standing_hold(session, alert_id)
        if found is None:
            raise ConflictError(f"{alert_id} is not held")
        if found.person_id != person_id and "authorising_officer" not in principal.roles:
            raise AccessDeniedError(f"{alert_id}: held by {found.person_id}; they or an authorising officer release it")
        found.released_at, found.released_by, found.reference_image = store.now(), person_id, None
        record(store, session, principal, "alert.release", alert_id, details={"hold": found.id, "reason": reason})


def standing_holds(session: Session, *, force_id: str, deployment_id: str | None = None) -> tuple[Hold, ...]:
    """Return the holds that keep images of a force, or of one of its deployments, oldest first."""
    find = select(Hold).join(Alert, Alert.id == Hold.alert_id).where(Hold.released_at.is_(None))
    find = find.where(Alert.force_id == force_id)
    if deployment_id is not None:
        find = find.where(Alert.deployment_id == deployment_id)
    return tuple(session.scalars(find.order_by(Hold.made_at, Hold.id)))


def lapse_overdue(store: Store, session: Session, principal: Principal) -> tuple[str, ...]:
    """Let the force's alerts lapse that are still ``new`` when their image's clock has run out.

    Works in the caller's transaction, as part of a sweep, and changes nothing the second time. Call it before
    anything else is logged there: whoever adjudicates holds an alert's row before the audit chain, too.

    Returns
    -------
    Ids of the alerts that lapsed.
    """
    return _lapse(store, session, principal, Alert.image_expires_at <= store.now())


def lapse_all(store: Store, session: Session, principal: Principal, deployment_id: str) -> tuple[str, ...]:
    """Let every ``new`` alert of a deployment lapse, because it is being purged; otherwise as `lapse_overdue`."""
    return _lapse(store, session, principal, Alert.deployment_id == deployment_id)


def _lapse(store: Store, session: Session, principal: Principal, which: ColumnElement[bool]) -> tuple[str, ...]:
    principal.require("alert.lapse")
    # Under the alerts' locks, so that an adjudication comes wholly before or after.
    find = select(Alert).where(Alert.force_id == principal.force_id, Alert.state == "new", which)
    find = find.order_by(Alert.id).with_for_update().execution_options(populate_existing=True)
    lapsed = []
    for alert in session.scalars(find).all():
        before = alert_digest(alert)
        alert.state, alert.decided_at = "lapsed", store.now()
        record(
            store,
            session,
            principal,
            "alert.lapse",
            alert.id,
            before=before,
            after=alert_digest(alert),
            details={"deployment": alert.deployment_id},
        )
        lapsed.append(alert.id)
    return tuple(lapsed)
