"""What a force can take away, and the destruction of all of it but its audit log."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from lfr.access import Principal, record
from lfr.audit import INSTALLATION_CHAIN, export_chain, force_chain, seal_chain
from lfr.database import Store
from lfr.database.tables import (
    AccessKey,
    Adjudication,
    Alert,
    Base,
    Camera,
    Deployment,
    Entry,
    Force,
    HandOver,
    Hold,
    NominalReference,
    Outcome,
    Person,
    Reference,
    SeededPass,
    Watchlist,
)
from lfr.errors import AccessDeniedError, ConflictError, InputError
from lfr.watchlist import destroy_in

__all__ = ["destroy_force", "export_force"]

_SECRET_COLUMNS = {"secret_hash", "image", "template", "reference_image"}


def export_force(store: Store, principal: Principal, path: Path) -> dict[str, int]:
    """Write all rows of the principal's force and its audit chain to a new ZIP file.

    Templates, images and the hashes of keys are left out: a template is taken
    away by nobody, and images leave as evidence by a hand-over, one by one.

    Returns
    -------
    Rows of each table.

    Raises
    ------
    InputError
        The file is there already or cannot be written.
    """
    principal.require("force.export")
    if path.exists():
        raise InputError(f"{path}: there is such a file already")
    with store.database.write() as session:
        record(store, session, principal, "force.export", principal.force_id)
    part, chain_file = path.with_name(path.name + ".part"), path.with_name(path.name + ".audit")
    try:
        export_chain(store, force_chain(principal.force_id), chain_file)
        with zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED) as archive, store.database.read() as session:
            rows = _rows(session, principal.force_id)
            for name, found in rows.items():
                archive.writestr(f"{name}.jsonl", "".join(json.dumps(_plain(row)) + "\n" for row in found))
            archive.write(chain_file, "audit.jsonl")
            counted = {name: len(found) for name, found in rows.items()}
        part.replace(path)
    except OSError as error:
        raise InputError(f"{path}: cannot be written: {error.strerror}") from error
    finally:
        part.unlink(missing_ok=True)
        chain_file.unlink(missing_ok=True)
    return counted


def destroy_force(store: Store, principal: Principal, officer: Principal) -> dict[str, int]:
    """Destroy all that is a force's own but its audit log, which is sealed by a last signed checkpoint.

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
    force_id = principal.force_id
    with store.database.write() as session:
        deployments = session.scalars(select(Deployment).where(Deployment.force_id == force_id).with_for_update()).all()
        if open_ones := [d.id for d in deployments if d.state in {"authorised", "live"}]:
            raise ConflictError(f"force {force_id}: {open_ones[0]} is authorised or live; end or withdraw it first")
        alerts = session.scalars(select(Alert).where(Alert.force_id == force_id)).all()
        holds = select(Hold).where(Hold.alert_id.in_([alert.id for alert in alerts]), Hold.released_at.is_(None))
        if held := session.scalars(holds).first():
            raise ConflictError(f"force {force_id}: {held.alert_id} is held as evidence by {held.person_id}")
        for watchlist in session.scalars(select(Watchlist).where(Watchlist.force_id == force_id)).all():
            if watchlist.state != "destroyed":
                destroy_in(store, session, principal.as_system(), watchlist)
        keys = [name for d in deployments for name in (d.id, f"held-{d.id}") if store.keys.destroy(name)]
        counted = {"keys": len(keys), **_delete_rows(session, force_id)}
        session.execute(update(AccessKey).where(AccessKey.force_id == force_id).values(revoked_at=store.now()))
        session.execute(update(Person).where(Person.force_id == force_id).values(name="destroyed", rank="destroyed"))
        session.get_one(Force, force_id).destroyed_at = store.now()
        details = {"with": officer.id, **counted}
        record(store, session, principal, "force.destroy", force_id, details=details)
        record(store, session, principal, "force.destroy", force_id, details=details, chain=INSTALLATION_CHAIN)
        seal_chain(store, session, chain=force_chain(force_id))
    return counted


def _delete_rows(session: Session, force_id: str) -> dict[str, int]:
    """Delete what belongs to the force's deployments and lists, what refers to others first."""
    of_deployment = select(Deployment.id).where(Deployment.force_id == force_id)
    of_alert = select(Alert.id).where(Alert.force_id == force_id)
    of_list = select(Watchlist.id).where(Watchlist.force_id == force_id)
    counted = {}
    for table, condition in (
        (Adjudication, Adjudication.alert_id.in_(of_alert)),
        (Outcome, Outcome.alert_id.in_(of_alert)),
        (Hold, Hold.alert_id.in_(of_alert)),
        (HandOver, HandOver.alert_id.in_(of_alert)),
        (Alert, Alert.force_id == force_id),
        (SeededPass, SeededPass.deployment_id.in_(of_deployment)),
        (Camera, Camera.deployment_id.in_(of_deployment)),
        (Deployment, Deployment.force_id == force_id),
        (NominalReference, NominalReference.watchlist_id.in_(of_list)),
        (Watchlist, Watchlist.force_id == force_id),
    ):
        removed = session.execute(delete(table).where(condition).returning(*table.__table__.primary_key)).all()
        counted[table.__tablename__] = len(removed)
    return counted


def _rows(session: Session, force_id: str) -> dict[str, Sequence[Base]]:
    deployments = session.scalars(select(Deployment).where(Deployment.force_id == force_id)).all()
    lists = session.scalars(select(Watchlist).where(Watchlist.force_id == force_id)).all()
    alerts = session.scalars(select(Alert).where(Alert.force_id == force_id)).all()
    deployment_ids, list_ids, alert_ids = ([row.id for row in rows] for rows in (deployments, lists, alerts))
    found: dict[str, Sequence[Base]] = {
        "force": session.scalars(select(Force).where(Force.id == force_id)).all(),
        "person": session.scalars(select(Person).where(Person.force_id == force_id)).all(),
        "access_key": session.scalars(select(AccessKey).where(AccessKey.force_id == force_id)).all(),
        "watchlist": lists,
        "entry": session.scalars(select(Entry).where(Entry.watchlist_id.in_(list_ids))).all(),
        "reference": session.scalars(select(Reference).where(Reference.watchlist_id.in_(list_ids))).all(),
        "deployment": deployments,
        "alert": alerts,
    }
    found["nominal_reference"] = session.scalars(
        select(NominalReference).where(NominalReference.watchlist_id.in_(list_ids))
    ).all()
    found["camera"] = session.scalars(select(Camera).where(Camera.deployment_id.in_(deployment_ids))).all()
    found["seeded_pass"] = session.scalars(select(SeededPass).where(SeededPass.deployment_id.in_(deployment_ids))).all()
    for name, table in (("adjudication", Adjudication), ("outcome", Outcome), ("hold", Hold), ("hand_over", HandOver)):
        found[name] = session.scalars(select(table).where(table.alert_id.in_(alert_ids))).all()
    return found


def _plain(row: Base) -> dict[str, Any]:
    values = {column.name: getattr(row, column.name) for column in row.__table__.columns}
    return {
        name: value.isoformat() if isinstance(value, datetime | date) else value
        for name, value in values.items()
        if name not in _SECRET_COLUMNS
    }
