"""Raise alerts: committed with their audit entries before anybody is told."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from lfr.access import Principal, record
from lfr.alerts.authority import Authority, Target, authority_of, targets_of
from lfr.alerts.rows import alert_digest, utc_text
from lfr.alerts.sighting import RaisedAlert, Sighting
from lfr.database import DataKey, Store
from lfr.database.store import new_id
from lfr.database.tables import Alert
from lfr.errors import NotAuthorisedError

__all__ = ["raise_alert", "raise_alerts"]


def raise_alert(store: Store, principal: Principal, sighting: Sighting) -> RaisedAlert | None:
    """Raise one alert. As `raise_alerts`, for one sighting."""
    return raise_alerts(store, principal, [sighting])[0]


def raise_alerts(store: Store, principal: Principal, sightings: Sequence[Sighting]) -> tuple[RaisedAlert | None, ...]:
    """Raise alerts of one deployment in one transaction, each with its audit entry.

    Everything that allows an alert is read again inside the transaction: the
    deployment live and inside its window, its list sealed with the digest that
    was authorised, the camera one of its own, model and calibration the
    authorised ones, the score at or over the calibrated threshold.

    Parameters
    ----------
    store, principal
        Where, and who runs the deployment.
    sightings
        Of one deployment; they are all raised, or none.

    Returns
    -------
    For each sighting the alert, or None where its entry was suspended or has
    expired since. They are committed: tell people of these and of no others.

    Raises
    ------
    NotFoundError
        There is no such deployment in the principal's force.
    NotAuthorisedError
        Something of the above does not hold; the message says what.
    AccessDeniedError
        The principal's role may not.
    KeyFileError
        The deployment's data key is gone.
    ValueError
        Sightings of several deployments.
    """
    if not sightings:
        return ()
    deployment_id = sightings[0].deployment_id
    if any(sighting.deployment_id != deployment_id for sighting in sightings):
        raise ValueError("sightings of several deployments")
    principal.require("alert.raise", what=deployment_id)
    with store.database.write() as session:
        authority = authority_of(session, principal, deployment_id, now=store.now())
        for sighting in sightings:
            authority.check(sighting)
        watchlist_id = authority.deployment.watchlist_id
        targets = targets_of(session, watchlist_id, (sighting.entry_id for sighting in sightings))
        image_clock = timedelta(hours=authority.policy.alert_image_hours)
        # Locks may have been waited for; what counts is the time they were had.
        now = _time_inside(store, authority)
        key = store.keys.load(deployment_id)
        alerts = [
            _alert(sighting, authority, targets, principal, key, now=now, image_clock=image_clock)
            for sighting in sightings
        ]
        session.add_all(alert for alert in alerts if alert is not None)
        session.flush()
        return tuple(
            _logged(store, session, principal, authority, alert, sighting) if alert is not None else None
            for alert, sighting in zip(alerts, sightings, strict=True)
        )


def _time_inside(store: Store, authority: Authority) -> datetime:
    """Return the time, which must still lie inside the window."""
    now = store.now()
    if now >= authority.deployment.ends_at:
        raise NotAuthorisedError(
            f"deployment {authority.deployment.id}: its window closed at {utc_text(authority.deployment.ends_at)}"
        )
    return now


def _alert(
    sighting: Sighting,
    authority: Authority,
    targets: Mapping[str, Target],
    principal: Principal,
    key: DataKey,
    *,
    now: datetime,
    image_clock: timedelta,
) -> Alert | None:
    deployment = authority.deployment
    target = targets.get(sighting.entry_id)
    if target is None:
        raise NotAuthorisedError(
            f"deployment {deployment.id}: entry {sighting.entry_id} is not on watchlist {deployment.watchlist_id}"
        )
    if target.suspended or target.expires_at <= now:
        return None
    alert_id = new_id("alert")
    return Alert(
        id=alert_id,
        force_id=deployment.force_id,
        deployment_id=deployment.id,
        camera_id=sighting.camera_id,
        track_id=int(sighting.track_id),
        entry_id=sighting.entry_id,
        subject_id=target.subject_id,
        category=target.category,
        reference_id=_reference(sighting, target),
        score=float(sighting.score),
        threshold=authority.threshold,
        shots_used=int(sighting.shots_used),
        model_digest=deployment.model_digest,
        watchlist_digest=deployment.watchlist_digest,
        calibration_id=deployment.calibration_id,
        captured_at=sighting.captured_at,
        created_at=now,
        raised_by=principal.id,
        state="new",
        counted_true=False,
        decided_at=None,
        image=key.encrypt(sighting.probe_jpeg, row=alert_id),
        image_expires_at=now + image_clock,
        image_deleted_at=None,
    )


def _logged(
    store: Store, session: Session, principal: Principal, authority: Authority, alert: Alert, sighting: Sighting
) -> RaisedAlert:
    demo = authority.deployment.demo
    entry = record(
        store,
        session,
        principal,
        "alert.raise",
        alert.id,
        after=alert_digest(alert),
        details={
            "deployment": alert.deployment_id,
            "camera": alert.camera_id,
            "entry": alert.entry_id,
            "reference": alert.reference_id,
            "watchlist": alert.watchlist_digest,
            "model": alert.model_digest,
            "calibration": alert.calibration_id,
            "score": alert.score,
            "threshold": alert.threshold,
            "captured_at": utc_text(alert.captured_at),
            "probe_sha256": hashlib.sha256(sighting.probe_jpeg).hexdigest(),
            "demo": demo,
        },
    )
    return RaisedAlert(
        id=alert.id,
        sequence=entry.sequence,
        demo=demo,
        deployment_id=alert.deployment_id,
        camera_id=alert.camera_id,
        track_id=alert.track_id,
        entry_id=alert.entry_id,
        subject_id=alert.subject_id,
        category=alert.category,
        score=alert.score,
        threshold=alert.threshold,
        captured_at=alert.captured_at,
        created_at=alert.created_at,
    )


def _reference(sighting: Sighting, target: Target) -> str:
    if sighting.reference_id is None and target.reference_ids:
        return target.reference_ids[0]
    if sighting.reference_id not in target.reference_ids or sighting.reference_id is None:
        raise NotAuthorisedError(f"entry {sighting.entry_id}: reference {sighting.reference_id} is not one of its own")
    return sighting.reference_id
