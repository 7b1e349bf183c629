"""Start, end and withdraw: what turns an authorisation into use, and use into none."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from lfr.access import Principal, policy_of, record
from lfr.audit import checkpoint, force_chain
from lfr.database import Store
from lfr.database.tables import Deployment
from lfr.deployments.creating import check_draft
from lfr.deployments.feeds import end_feeds
from lfr.deployments.rows import deployment_digest, due, held, require_state, utc_text
from lfr.errors import ConflictError, InputError, NotAuthorisedError
from lfr.watchlist import load_sealed

__all__ = ["end", "end_overdue", "start", "withdraw"]


def start(store: Store, principal: Principal, deployment_id: str) -> None:
    """Make an authorised deployment live, inside its window; once.

    Its data key is made, and the audit log's head is signed.

    Raises
    ------
    ConflictError
        It is not authorised, or was started already; its watchlist is not the one it was authorised with.
    NotAuthorisedError
        It is before or after its window.
    WatchlistError, KeyFileError
        The watchlist's content is not what was sealed, or cannot be opened.
    """
    principal.require("deployment.start", what=deployment_id)
    with store.database.read() as session:
        found = session.get(Deployment, deployment_id)
    if found is not None and found.force_id == principal.force_id and found.state == "authorised":
        # Every template is opened and counted into the digest, before the database is held.
        load_sealed(store, found.watchlist_id, digest=found.watchlist_digest, model_digest=found.model_digest)
    with store.database.write() as session:
        deployment = held(session, principal, deployment_id)
        require_state(deployment, "authorised", to="started")
        now = store.now()
        if not deployment.starts_at <= now < deployment.ends_at:
            raise NotAuthorisedError(
                f"deployment {deployment_id}: authorised from {utc_text(deployment.starts_at)} "
                f"to {utc_text(deployment.ends_at)}, and it is {utc_text(now)}"
            )
        check_draft(session, principal, deployment, policy=policy_of(session, principal.force_id), now=now)
        before = deployment_digest(deployment)
        _make_key(store, deployment_id)
        deployment.state, deployment.started_by, deployment.started_at = "live", principal.id, now
        session.flush()
        record(
            store,
            session,
            principal,
            "deployment.start",
            deployment_id,
            before=before,
            after=deployment_digest(deployment),
            details={
                "watchlist": deployment.watchlist_id,
                "watchlist_digest": deployment.watchlist_digest,
                "model": deployment.model_digest,
                "calibration": deployment.calibration_id,
                "demo": deployment.demo,
            },
        )
        checkpoint(store, session, chain=force_chain(principal.force_id), reason="start")


def end(store: Store, principal: Principal, deployment_id: str) -> None:
    """End a live deployment; the clock of its watchlist's destruction starts.

    Raises
    ------
    ConflictError
        It is not live.
    """
    principal.require("deployment.end", what=deployment_id)
    _end(store, principal, deployment_id, "live", reason="ended")


def end_overdue(store: Store, principal: Principal) -> tuple[str, ...]:
    """End what is past its window: live, and also drafts and authorisations that were never used.

    Without it the watchlist of an unused authorisation would be kept for ever.

    Returns
    -------
    Ids of the deployments that were ended now.
    """
    principal.require("deployment.end", what="deployments")
    open_states = ("draft", "authorised", "live")
    with store.database.read() as session:
        find = select(Deployment.id).where(
            Deployment.force_id == principal.force_id,
            Deployment.state.in_(open_states),
            Deployment.ends_at <= store.now(),
        )
        overdue = session.scalars(find.order_by(Deployment.id)).all()
    ended = []
    for deployment_id in overdue:
        try:
            _end(store, principal, deployment_id, *open_states, reason="window closed")
        except ConflictError:  # somebody else ended or withdrew it since
            continue
        ended.append(deployment_id)
    return tuple(ended)


def withdraw(store: Store, principal: Principal, deployment_id: str, *, reason: str) -> None:
    """Withdraw an authorisation: use ends at once, and all of it is due for purging (R13).

    Raises
    ------
    ConflictError
        It is neither authorised nor live.
    InputError
        There is no reason.
    AccessDeniedError
        The principal's role may not, or is no person's.
    """
    principal.require("deployment.withdraw", what=deployment_id)
    officer = principal.require_person()
    if not reason.strip():
        raise InputError(f"deployment {deployment_id}: a withdrawal needs its reason")
    with store.database.write() as session:
        deployment = held(session, principal, deployment_id)
        require_state(deployment, "authorised", "live", to="withdrawn")
        now, before, was = store.now(), deployment_digest(deployment), deployment.state
        deployment.state = "withdrawn"
        deployment.withdrawn_by, deployment.withdrawn_at = officer, now
        deployment.withdrawal_reason = reason.strip()
        due(session, principal, deployment, now)
        session.flush()
        _record_stop(store, session, principal, "deployment.withdraw", deployment, before=before, details={"was": was})


def _end(store: Store, principal: Principal, deployment_id: str, *states: str, reason: str) -> None:
    with store.database.write() as session:
        deployment = held(session, principal, deployment_id)
        require_state(deployment, *states, to="ended")
        now, before, was = store.now(), deployment_digest(deployment), deployment.state
        deployment.state, deployment.ended_by, deployment.ended_at = "ended", principal.id, now
        hours = policy_of(session, principal.force_id).watchlist_hours
        due(session, principal, deployment, min(now, deployment.ends_at) + timedelta(hours=hours))
        session.flush()
        details = {"was": was, "reason": reason}
        _record_stop(store, session, principal, "deployment.end", deployment, before=before, details=details)


def _record_stop(
    store: Store,
    session: Session,
    principal: Principal,
    permission: str,
    deployment: Deployment,
    *,
    before: str,
    details: dict[str, Any],
) -> None:
    end_feeds(store, session, deployment.id, reason=f"the deployment is {deployment.state}")
    after = deployment_digest(deployment)
    record(store, session, principal, permission, deployment.id, before=before, after=after, details=details)
    checkpoint(store, session, chain=force_chain(principal.force_id), reason=permission.removeprefix("deployment."))


def _make_key(store: Store, deployment_id: str) -> None:
    """Make the data key; one that a start left behind before it was committed is as good."""
    try:
        store.keys.create(deployment_id)
    except ConflictError:
        store.keys.load(deployment_id)
