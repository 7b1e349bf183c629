"""Record what came of an alert on the street."""

from __future__ import annotations

from lfr.access import Principal, record
from lfr.alerts.rows import alert_digest, limited_text, locked_alert
from lfr.alerts.states import OUTCOME_KINDS, OUTCOME_STATES, OutcomeKind, OutcomeState, after_outcome
from lfr.database import Store
from lfr.database.store import new_id
from lfr.database.tables import Outcome
from lfr.errors import InputError

__all__ = ["record_outcome"]


def record_outcome(
    store: Store,
    principal: Principal,
    alert_id: str,
    *,
    state: OutcomeState,
    kind: OutcomeKind | None = None,
    note: str = "",
) -> OutcomeState:
    """Record that a person was engaged or not, and whether the alert proved true.

    Parameters
    ----------
    store, principal
        Where, and the officer.
    alert_id
        Of an alert called viable.
    state
        ``engaged`` or ``not_engaged`` after ``viable``; ``confirmed_true`` or ``confirmed_false`` after ``engaged``.
    kind
        What it led to, from `OUTCOME_KINDS`; the last one recorded is the one that counts.
    note
        Anything else; it stays in the database and out of the audit log.

    Returns
    -------
    The alert's state.

    Raises
    ------
    ConflictError
        The alert's state does not lead there.
    InputError
        State or kind is unknown, a kind is given where nobody was engaged, or the note is too long.
    """
    if state not in OUTCOME_STATES:
        raise InputError(f"outcome {state!r}: {', '.join(OUTCOME_STATES)} are the choices")
    if kind is not None and kind not in OUTCOME_KINDS:
        raise InputError(f"kind {kind!r}: {', '.join(OUTCOME_KINDS)} are the choices")
    note = limited_text("note", note)
    principal.require("alert.outcome", what=alert_id)
    person_id = principal.require_person()
    with store.database.write() as session:
        alert = locked_alert(session, principal, alert_id)
        was, before = alert.state, alert_digest(alert)
        alert.state = after_outcome(alert_id, was, state, kind)
        row = Outcome(
            id=new_id("outcome"),
            alert_id=alert_id,
            person_id=person_id,
            state=state,
            kind=kind,
            note=note,
            made_at=store.now(),
        )
        session.add(row)
        record(
            store,
            session,
            principal,
            "alert.outcome",
            alert_id,
            before=before,
            after=alert_digest(alert),
            details={"outcome": row.id, "from": was, "to": state, "kind": kind},
        )
        return state
