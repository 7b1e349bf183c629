"""The destruction of all that is a force's own but its audit log."""

from __future__ import annotations

from sqlalchemy import delete, select, update

from lfr.access import Principal, record
from lfr.alerts import standing_holds
from lfr.alerts.images import held_key_name
from lfr.audit import INSTALLATION_CHAIN, force_chain, seal_chain
from lfr.database import Store
from lfr.database.tables import AccessKey, Alert, Deployment, Force, Person, Watchlist
from lfr.errors import AccessDeniedError, ConflictError
from lfr.oversight.force_rows import rows_of_force
from lfr.watchlist import destroy_in

__all__ = ["destroy_force"]

_KEPT = (Force, Person, AccessKey)
"""Without names: the audit log refers to them."""


def destroy_force(store: Store, principal: Principal, officer: Principal) -> dict[str, int]:
    """Destroy all that is a force's own but its audit log, which is sealed by a last signed checkpoint.

    One that breaks off has destroyed keys at most, and is finished by calling
    it again.

    Parameters
    ----------
    store
        Where.
    principal, officer
        Two persons of the force: an admin, and an authorising officer.

    Returns
    -------
    Keys of lists and deployments destroyed, and rows of each kind.

    Raises
    ------
    AccessDeniedError
        They are not two persons of one force with these roles.
    ConflictError
        A deployment is authorised or live, or evidence is held.
    """
    principal.require("force.destroy")
    if "authorising_officer" not in officer.roles or officer.force_id != principal.force_id:
        raise AccessDeniedError("destroying a force's data takes an authorising officer of the same force besides")
    if principal.require_person() == officer.require_person():
        raise AccessDeniedError("destroying a force's data takes two persons")
    force_id, before = principal.force_id, set(store.keys.names())
    with store.database.write() as session:
        deployments = session.scalars(
            select(Deployment).where(Deployment.force_id == force_id).order_by(Deployment.id).with_for_update()
        ).all()
        if open_ones := [d.id for d in deployments if d.state in {"authorised", "live"}]:
            raise ConflictError(f"force {force_id}: {open_ones[0]} is authorised or live; end or withdraw it first")
        # Under the alerts' locks, so that none is held as evidence while its key is destroyed.
        session.execute(select(Alert.id).where(Alert.force_id == force_id).order_by(Alert.id).with_for_update())
        if held := standing_holds(session, force_id=force_id):
            raise ConflictError(f"force {force_id}: {held[0].alert_id} is held as evidence by {held[0].person_id}")
        lists = session.scalars(select(Watchlist).where(Watchlist.force_id == force_id).with_for_update()).all()
        for watchlist in lists:
            if watchlist.state != "destroyed":
                destroy_in(store, session, principal.as_system(), watchlist)
        for deployment in deployments:
            store.keys.destroy(deployment.id)
            store.keys.destroy(held_key_name(deployment.id))
        counted = {"keys": len(before - set(store.keys.names()))}
        for table, own in rows_of_force(force_id):
            if table not in _KEPT:
                removed = session.execute(delete(table).where(own).returning(*table.__table__.primary_key)).all()
                counted[table.__tablename__] = len(removed)
        session.execute(
            update(AccessKey)
            .where(AccessKey.force_id == force_id)
            .values(revoked_at=store.now(), secret_hash="", device=None)
        )
        session.execute(update(Person).where(Person.force_id == force_id).values(name="destroyed", rank="destroyed"))
        session.get_one(Force, force_id).destroyed_at = store.now()
        details = {"with": officer.id, **counted}
        record(store, session, principal, "force.destroy", force_id, details=details)
        record(store, session, principal, "force.destroy", force_id, details=details, chain=INSTALLATION_CHAIN)
        seal_chain(store, session, chain=force_chain(force_id))
    return counted
