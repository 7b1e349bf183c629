"""List alerts, and show one with everything that was decided about it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, cast

from sqlalchemy import select
from sqlalchemy.orm import Session

from lfr.access import Principal
from lfr.alerts.rows import alert_document, decisions_of, found_alert, standing_hold, utc_text
from lfr.alerts.states import ALERT_STATES, OUTCOME_STATES, AlertState, OutcomeState
from lfr.database import Store
from lfr.database.tables import Alert, Base, Deployment, HandOver, Hold, Outcome
from lfr.deployments.rows import owned
from lfr.errors import InputError, NotFoundError

__all__ = ["AlertHistory", "AlertSummary", "dismissed", "history_of", "list_alerts", "sees_own_only", "show_alert"]

MAX_LISTED = 1_000
_CAME_TO_NOTHING: tuple[AlertState, ...] = ("not_viable", "lapsed", "not_engaged", "confirmed_false")
_NOT_SHOWN = frozenset({"alert_id", "ordinal", "reference_image"})


@dataclass(frozen=True)
class AlertSummary:
    """An alert as a list shows it; its images are read one by one, each with its purpose.

    Attributes
    ----------
    id, deployment_id, camera_id, entry_id, subject_id, category, score, threshold, captured_at, created_at, state
        Of the alert.
    demo
        Whether its deployment is "not approved for field use".
    image_until
        When its image's clock runs out; None where it is held or gone.
    held
        Whether somebody holds its image.
    """

    id: str
    deployment_id: str
    camera_id: str
    entry_id: str
    subject_id: str
    category: str
    score: float
    threshold: float
    captured_at: datetime
    created_at: datetime
    state: AlertState
    demo: bool
    image_until: datetime | None
    held: bool

    def as_dict(self) -> dict[str, Any]:
        """The summary as JSON documents show it."""
        row = vars(self)
        return {name: utc_text(value) if isinstance(value, datetime) else value for name, value in row.items()}


@dataclass(frozen=True)
class AlertHistory:
    """An alert and everything that was decided about it, as JSON rows in the order they were made.

    Attributes
    ----------
    alert
        Its content but its image.
    adjudications, outcomes, holds, hand_overs
        What followed.
    """

    alert: dict[str, Any]
    adjudications: tuple[dict[str, Any], ...]
    outcomes: tuple[dict[str, Any], ...]
    holds: tuple[dict[str, Any], ...]
    hand_overs: tuple[dict[str, Any], ...]

    def as_dict(self) -> dict[str, Any]:
        """The history as JSON documents show it."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in vars(self).items()}


def list_alerts(
    store: Store,
    principal: Principal,
    *,
    deployment_id: str | None = None,
    state: str | None = None,
    before: str | None = None,
    limit: int = 100,
) -> tuple[AlertSummary, ...]:
    """Return the force's alerts, newest first; a device sees those it raised and no others.

    Parameters
    ----------
    store, principal
        Whose alerts.
    deployment_id, state
        Only of this deployment, only in this state.
    before
        An alert: only those that follow it in the list. The last one of a page gives the next page.
    limit
        Most that are returned.

    Raises
    ------
    InputError
        There is no such state, or the limit is not in 1..1,000.
    NotFoundError
        There is no such deployment or no such alert in the principal's force.
    """
    if state is not None and state not in ALERT_STATES:
        raise InputError(f"state {state!r}: {', '.join(ALERT_STATES)} are the choices")
    if not 1 <= limit <= MAX_LISTED:
        raise InputError(f"limit {limit}: 1 to {MAX_LISTED}")
    principal.require("alert.list")
    find = (
        select(Alert, Deployment.demo, Hold.id)
        .join(Deployment, Deployment.id == Alert.deployment_id)
        .outerjoin(Hold, (Hold.alert_id == Alert.id) & Hold.released_at.is_(None))
        .where(Alert.force_id == principal.force_id)
        .order_by(Alert.created_at.desc(), Alert.id)
        .limit(limit)
    )
    if sees_own_only(principal):
        find = find.where(Alert.raised_by == principal.id)
    if deployment_id is not None:
        find = find.where(Alert.deployment_id == deployment_id)
    if state is not None:
        find = find.where(Alert.state == state)
    with store.database.read() as session:
        if deployment_id is not None:
            owned(session, principal, deployment_id)
        if before is not None:
            last = found_alert(session, principal, before)
            at_once = (Alert.created_at == last.created_at) & (Alert.id > last.id)
            find = find.where((Alert.created_at < last.created_at) | at_once)
        return tuple(
            _summary(alert, demo=demo, held=hold_id is not None) for alert, demo, hold_id in session.execute(find)
        )


def dismissed(store: Store, alert_ids: Collection[str]) -> frozenset[str]:
    """Return those of some alerts that came to nothing, so that nobody need be seen because of them any more."""
    find = select(Alert.id).where(Alert.id.in_(alert_ids), Alert.state.in_(_CAME_TO_NOTHING))
    with store.database.read() as session:
        return frozenset(session.scalars(find))


def show_alert(store: Store, principal: Principal, alert_id: str) -> tuple[AlertSummary, AlertHistory]:
    """Return one alert and its history; raises NotFoundError where there is none for this principal."""
    principal.require("alert.list", what=alert_id)
    with store.database.read() as session:
        alert = found_alert(session, principal, alert_id)
        if sees_own_only(principal) and alert.raised_by != principal.id:
            raise NotFoundError(f"{alert_id}: there is none of that name")
        demo = session.get_one(Deployment, alert.deployment_id).demo
        held = standing_hold(session, alert_id) is not None
        return _summary(alert, demo=demo, held=held), history_of(session, alert)


def history_of(session: Session, alert: Alert) -> AlertHistory:
    """Return an alert's history from its rows."""
    outcomes = session.scalars(select(Outcome).where(Outcome.alert_id == alert.id)).all()
    holds = select(Hold).where(Hold.alert_id == alert.id).order_by(Hold.made_at, Hold.id)
    hand_overs = select(HandOver).where(HandOver.alert_id == alert.id).order_by(HandOver.made_at, HandOver.id)
    return AlertHistory(
        alert_document(alert),
        tuple(_row(made) for made in decisions_of(session, alert.id)),
        # An alert passes each state once, in this order.
        tuple(
            _row(made)
            for made in sorted(outcomes, key=lambda made: OUTCOME_STATES.index(cast("OutcomeState", made.state)))
        ),
        tuple(_row(made) for made in session.scalars(holds)),
        tuple(_row(made) for made in session.scalars(hand_overs)),
    )


def sees_own_only(principal: Principal) -> bool:
    """Whether the principal is a device, which sees the alerts it raised and no others."""
    return not Principal(principal.id, principal.force_id, principal.roles - {"field_unit"}).may("alert.list")


def _summary(alert: Alert, *, demo: bool, held: bool) -> AlertSummary:
    return AlertSummary(
        id=alert.id,
        deployment_id=alert.deployment_id,
        camera_id=alert.camera_id,
        entry_id=alert.entry_id,
        subject_id=alert.subject_id,
        category=alert.category,
        score=alert.score,
        threshold=alert.threshold,
        captured_at=alert.captured_at,
        created_at=alert.created_at,
        state=cast("AlertState", alert.state),
        demo=demo,
        image_until=None if held or alert.image is None else alert.image_expires_at,
        held=held,
    )


def _row(made: Base) -> dict[str, Any]:
    names = [column.name for column in made.__table__.columns if column.name not in _NOT_SHOWN]
    return {name: _plain(getattr(made, name)) for name in names}


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return utc_text(value)
    return value.isoformat() if isinstance(value, date) else value
