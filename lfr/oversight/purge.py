"""Purge a deployment: destroy every template, image and key of it, and prove that nothing is left (R13).

What a named person holds as evidence (R15) is not destroyed: it moves under
a key of its own before the deployment's key goes, and the proof lists it.
Every step can be repeated, so a purge that breaks off is finished by calling
it again, or by a sweep.
"""

from __future__ import annotations

import hashlib
from typing import Any

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from lfr.access import Principal, record
from lfr.alerts import lapse_all, standing_holds
from lfr.alerts.images import held_key_name, open_with_any
from lfr.audit import checkpoint, force_chain
from lfr.audit.chain import canonical, time_text
from lfr.database import DataKey, Store
from lfr.database.tables import Alert, Deployment, Entry, Hold, NominalReference, Reference, Watchlist
from lfr.errors import ConflictError, KeyFileError, NotFoundError
from lfr.watchlist import destroy_in

__all__ = ["finish_hold_key", "purge"]


def purge(store: Store, principal: Principal, deployment_id: str) -> dict[str, Any]:
    """Destroy all of a deployment that has ended or was withdrawn, and return the signed proof.

    Returns
    -------
    What was there, what is left (read again from database and key store
    afterwards), which keys are gone, what is held and by whom. Of a
    deployment that is purged already, the proof as it was made.

    Raises
    ------
    NotFoundError
        There is no such deployment in the principal's force.
    ConflictError
        It is live, or may still start: end or withdraw it first.
    """
    principal.require("deployment.purge", what=deployment_id)
    with store.database.write() as session:
        deployment = _held(session, principal, deployment_id)
        if deployment.state == "purged":
            return dict(deployment.purge_proof or {})
        if deployment.state not in {"ended", "withdrawn"}:
            raise ConflictError(f"deployment {deployment_id}: is {deployment.state}; end or withdraw it before a purge")
        before = deployment.purge_proof or {"before": _inventory(store, session, deployment)}
        deployment.purge_proof = before  # what was there, for whoever finishes this
        _lock_alerts(session, deployment_id)
        lapse_all(store, session, principal, deployment_id)
        _keep_held(store, session, principal, deployment)
        _delete_images(store, session, deployment_id)
    # Committed: what is held opens with its own key. Now the deployment's key can go, and the list with its own.
    store.keys.destroy(deployment_id)
    with store.database.write() as session:
        deployment = _held(session, principal, deployment_id)
        if deployment.state == "purged":
            return dict(deployment.purge_proof or {})
        _lock_alerts(session, deployment_id)
        _delete_images(store, session, deployment_id)  # of what was released since
        watchlist = session.get_one(Watchlist, deployment.watchlist_id, with_for_update=True)
        if watchlist.state != "destroyed":
            destroy_in(store, session, principal.as_system(), watchlist)
        session.flush()
        proof = _proof(store, session, principal, deployment, before["before"])
        deployment.state, deployment.purged_at, deployment.purge_proof = "purged", store.now(), proof
        record(
            store,
            session,
            principal,
            "deployment.purge",
            deployment_id,
            after=hashlib.sha256(canonical(proof)).hexdigest(),
            details={"before": proof["before"], "after": proof["after"], "held": len(proof["held"])},
        )
        checkpoint(store, session, chain=force_chain(principal.force_id), reason="purge")
        finish_hold_key(store, session, deployment)
    return proof


def finish_hold_key(store: Store, session: Session, deployment: Deployment) -> bool:
    """Destroy the key of what was held of a purged deployment, once nothing is; whether it did."""
    if standing_holds(session, force_id=deployment.force_id, deployment_id=deployment.id):
        return False
    return store.keys.destroy(held_key_name(deployment.id))


def _held(session: Session, principal: Principal, deployment_id: str) -> Deployment:
    found = session.scalars(
        select(Deployment)
        .where(Deployment.id == deployment_id, Deployment.force_id == principal.force_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).one_or_none()
    if found is None:
        raise NotFoundError(f"deployment {deployment_id}: there is none of that name")
    return found


def _lock_alerts(session: Session, deployment_id: str) -> None:
    """Take them all at once and before the audit chain, as an officer's decision or hold takes them."""
    session.execute(select(Alert.id).where(Alert.deployment_id == deployment_id).order_by(Alert.id).with_for_update())


def _delete_images(store: Store, session: Session, deployment_id: str) -> None:
    """Delete the alert images that nobody holds now."""
    standing = select(Hold.alert_id).where(Hold.released_at.is_(None))
    session.execute(
        update(Alert)
        .where(Alert.deployment_id == deployment_id, Alert.image.is_not(None), Alert.id.not_in(standing))
        .values(image=None, image_deleted_at=store.now())
        .execution_options(synchronize_session=False)
    )


def _keep_held(store: Store, session: Session, principal: Principal, deployment: Deployment) -> None:
    """Encrypt what is held under a key of its own, unless an earlier try did."""
    holds = standing_holds(session, force_id=principal.force_id, deployment_id=deployment.id)
    if not holds:
        return
    key = _own_key(store, held_key_name(deployment.id))
    for hold in holds:
        alert = session.get_one(Alert, hold.alert_id, with_for_update=True)
        if alert.image is not None:
            alert.image = key.encrypt(open_with_any(store, deployment.id, alert.image, row=alert.id), row=alert.id)
        if hold.reference_image is not None:
            plain = open_with_any(store, deployment.id, hold.reference_image, row=hold.id)
            hold.reference_image = key.encrypt(plain, row=hold.id)


def _own_key(store: Store, name: str) -> DataKey:
    try:
        return store.keys.load(name)
    except KeyFileError:
        return store.keys.create(name)


def _inventory(store: Store, session: Session, deployment: Deployment) -> dict[str, Any]:
    """Count what there is of a deployment, and name its keys."""

    def count(table: type[Entry | Reference], watchlist_id: str) -> int:
        found = session.scalar(select(func.count()).select_from(table).where(table.watchlist_id == watchlist_id))
        return int(found or 0)

    images = session.scalar(
        select(func.count()).select_from(Alert).where(Alert.deployment_id == deployment.id, Alert.image.is_not(None))
    )
    references = count(Reference, deployment.watchlist_id)
    names = store.keys.names()
    return {
        "entries": count(Entry, deployment.watchlist_id),
        "templates": references,
        "reference_images": references,
        "alert_images": int(images or 0),
        "keys": [name for name in (deployment.id, deployment.watchlist_id) if name in names],
    }


def _proof(
    store: Store, session: Session, principal: Principal, deployment: Deployment, before: dict[str, Any]
) -> dict[str, Any]:
    holds = standing_holds(session, force_id=principal.force_id, deployment_id=deployment.id)
    after = _inventory(store, session, deployment)
    held_images = sum(session.get_one(Alert, hold.alert_id).image is not None for hold in holds)
    if after | {"alert_images": after["alert_images"] - held_images} != {
        "entries": 0, "templates": 0, "reference_images": 0, "alert_images": 0, "keys": [],
    }:  # fmt: skip
        raise ConflictError(f"deployment {deployment.id}: something is left after the purge: {after}")
    nominal = session.scalar(
        select(func.count())
        .select_from(NominalReference)
        .where(NominalReference.watchlist_id == deployment.watchlist_id)
    )
    proof = {
        "deployment_id": deployment.id,
        "watchlist_id": deployment.watchlist_id,
        "purged_at": time_text(store.now()),
        "purged_by": principal.id,
        "why": deployment.withdrawal_reason or "ended",
        "before": before,
        "after": after,
        "keys_destroyed": [name for name in before["keys"] if name not in after["keys"]],
        "nominal_references": int(nominal or 0),
        "held": [
            {
                "alert_id": hold.alert_id,
                "by": hold.person_id,
                "reason": hold.reason,
                "review_on": hold.review_on.isoformat(),
            }
            for hold in holds
        ],
        "signing_key": store.signing.public_hex,
    }
    return proof | {"signature": store.signing.sign(canonical(proof))}
