"""A person decides on an alert, and can take it back for ten seconds (R6)."""

from __future__ import annotations

from sqlalchemy.orm import Session

from lfr.access import Principal, policy_of, record
from lfr.alerts.rows import alert_digest, as_decision, decisions_of, locked_alert, required_text, utc_text
from lfr.alerts.states import RETRACTION_WINDOW, AlertState, Verdict, decided, standing
from lfr.database import Store
from lfr.database.store import new_id
from lfr.database.tables import Adjudication, Alert, Deployment
from lfr.errors import AccessDeniedError, ConflictError, InputError, NotAuthorisedError

__all__ = ["adjudicate", "retract"]

_GONE = ("withdrawn", "purged")


def adjudicate(
    store: Store,
    principal: Principal,
    alert_id: str,
    *,
    decision: Verdict,
    subject_factors: str,
    system_factors: str,
    environmental_factors: str,
) -> AlertState:
    """Decide whether an alert is viable, having regard to the three kinds of factors.

    Parameters
    ----------
    store, principal
        Where, and the officer; a device cannot adjudicate.
    alert_id
        Of a ``new`` alert.
    decision
        ``viable`` or ``not_viable``.
    subject_factors
        Of the person: likeness, age, injury, disguise.
    system_factors
        Of the system: quality, score against threshold.
    environmental_factors
        Of the place: light, weather, crowd, angle.

    Returns
    -------
    The alert's state: still ``new`` where the force's policy asks for a second person's ``viable``.

    Raises
    ------
    ConflictError
        It is decided already, this person has adjudicated it already, or its image's clock ran out.
    NotAuthorisedError
        Its deployment was withdrawn or purged, so nothing may come of it.
    InputError
        The decision is none, or a factor is blank.
    """
    if decision not in ("viable", "not_viable"):
        raise InputError(f"decision {decision!r}: viable and not_viable are the choices")
    factors = {
        "subject_factors": required_text("subject factors", subject_factors),
        "system_factors": required_text("system factors", system_factors),
        "environmental_factors": required_text("environmental factors", environmental_factors),
    }
    principal.require("alert.adjudicate", what=alert_id)
    person_id = principal.require_person()
    with store.database.write() as session:
        alert = locked_alert(session, principal, alert_id)
        _check_open(store, session, alert)
        made = decisions_of(session, alert_id)
        if any(one.person_id == person_id for one in standing(map(as_decision, made))):
            raise ConflictError(
                f"{alert_id}: {person_id} has called it viable already; the second must be another person"
            )
        return _keep(store, session, principal, alert, made, action="alert.adjudicate", decision=decision, **factors)


def retract(store: Store, principal: Principal, alert_id: str) -> AlertState:
    """Take back one's own adjudication within ten seconds; it is an entry of its own, nothing is erased.

    Returns
    -------
    The alert's state, ``new`` again.

    Raises
    ------
    ConflictError
        There is no adjudication to take back, ten seconds have passed, or the alert was acted on since.
    AccessDeniedError
        Another officer made it.
    """
    principal.require("alert.retract", what=alert_id)
    person_id = principal.require_person()
    with store.database.write() as session:
        alert = locked_alert(session, principal, alert_id)
        if alert.state not in ("new", "viable", "not_viable"):
            raise ConflictError(f"{alert_id} is {alert.state}; its adjudication cannot be retracted any more")
        made = decisions_of(session, alert_id)
        stand = standing(map(as_decision, made))
        if not stand:
            raise ConflictError(f"{alert_id} has no adjudication to retract")
        if all(one.person_id != person_id for one in stand):
            raise AccessDeniedError(
                f"{alert_id}: only the officer who adjudicated may retract it, and {person_id} did not"
            )
        own = next(one for one in reversed(made) if one.person_id == person_id)
        if store.now() > own.made_at + RETRACTION_WINDOW:
            raise ConflictError(
                f"{alert_id}: adjudicated at {utc_text(own.made_at)}; it can be retracted for "
                f"{RETRACTION_WINDOW.seconds} seconds only"
            )
        return _keep(store, session, principal, alert, made, action="alert.retract", decision="retracted")


def _check_open(store: Store, session: Session, alert: Alert) -> None:
    if alert.state != "new":
        since = f" since {utc_text(alert.decided_at)}" if alert.decided_at else ""
        raise ConflictError(f"{alert.id} is {alert.state}{since} and cannot be adjudicated again")
    if alert.image_expires_at <= store.now():
        raise ConflictError(
            f"{alert.id}: its image's clock ran out at {utc_text(alert.image_expires_at)}, unadjudicated; it is lapsed"
        )
    deployment = session.get_one(Deployment, alert.deployment_id)
    if deployment.state in _GONE:
        raise NotAuthorisedError(
            f"{alert.id}: deployment {deployment.id} is {deployment.state}; nothing may come of it"
        )


def _keep(
    store: Store,
    session: Session,
    principal: Principal,
    alert: Alert,
    made: tuple[Adjudication, ...],
    *,
    action: str,
    decision: str,
    subject_factors: str = "",
    system_factors: str = "",
    environmental_factors: str = "",
) -> AlertState:
    now, before, was = store.now(), alert_digest(alert), alert.state
    row = Adjudication(
        id=new_id("adjudication"),
        alert_id=alert.id,
        ordinal=len(made),
        person_id=principal.require_person(),
        decision=decision,
        subject_factors=subject_factors,
        system_factors=system_factors,
        environmental_factors=environmental_factors,
        made_at=now,
    )
    session.add(row)
    stand = standing(as_decision(one) for one in (*made, row))
    two_person_rule = policy_of(session, principal.force_id).two_person_rule
    state = decided(stand, two_person_rule=two_person_rule)
    alert.state = state
    alert.decided_at = None if state == "new" else now
    alert.counted_true = state == "viable"
    record(
        store,
        session,
        principal,
        action,
        alert.id,
        before=before,
        after=alert_digest(alert),
        details={
            "adjudication": row.id,
            "decision": decision,
            "from": was,
            "to": state,
            "standing": len(stand),
            "two_person_rule": two_person_rule,
        },
    )
    return state
