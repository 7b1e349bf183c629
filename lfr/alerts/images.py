"""Read the two images of an alert; every reading is an entry in the audit log with its purpose (R14)."""

from __future__ import annotations

from contextlib import suppress
from typing import Literal

from sqlalchemy import select
from sqlalchemy.orm import Session

from lfr.access import Principal, record
from lfr.alerts.rows import found_alert, locked_alert, required_text, standing_hold, with_image
from lfr.database import Store
from lfr.database.tables import Alert, Reference
from lfr.errors import ConflictError, KeyFileError, NotFoundError

__all__ = [
    "count_other_references",
    "held_key_name",
    "open_with_any",
    "probe_image",
    "read_probe",
    "read_reference_image",
    "reference_image",
]


def read_probe(store: Store, principal: Principal, alert_id: str, *, purpose: str) -> bytes:
    """Return an alert's probe image, a JPEG.

    Parameters
    ----------
    store, principal
        Where, and who looks.
    alert_id
        Of the alert.
    purpose
        Why; it is kept in the audit log, so it names no person.

    Raises
    ------
    ConflictError
        Its clock ran out.
    KeyFileError
        Its key was destroyed.
    InputError
        The purpose is blank.
    """
    return _read(store, principal, alert_id, which="probe", purpose=purpose)


def read_reference_image(store: Store, principal: Principal, alert_id: str, *, purpose: str, number: int = 0) -> bytes:
    """Return an image of the person on the list, as it was enrolled; otherwise as `read_probe`.

    Parameters
    ----------
    number
        0: the one that the alert resembles; from 1: the person's other ones, in the order they were enrolled.

    Raises
    ------
    NotFoundError
        There are fewer; and none but the first once the watchlist is destroyed.
    """
    return _read(store, principal, alert_id, which="reference", purpose=purpose, number=number)


def count_other_references(store: Store, principal: Principal, alert_id: str) -> int:
    """Return how many other images of the person on the list there are; raises NotFoundError as `show_alert`."""
    principal.require("alert.list", what=alert_id)
    with store.database.read() as session:
        return len(_others(session, found_alert(session, principal, alert_id)))


def _read(
    store: Store,
    principal: Principal,
    alert_id: str,
    *,
    which: Literal["probe", "reference"],
    purpose: str,
    number: int = 0,
) -> bytes:
    purpose = required_text("purpose", purpose)
    principal.require("alert.image", what=alert_id)
    with store.database.write() as session:
        alert = locked_alert(session, principal, alert_id)
        details = {"image": which, "purpose": purpose}
        if which == "probe":
            image = probe_image(store, session, alert)
        elif number == 0:
            image = reference_image(store, session, alert)
            details["reference"] = alert.reference_id
        else:
            image, details["reference"] = _other_image(store, session, alert, number)
        record(store, session, principal, "alert.image", alert_id, details=details)
    return image


def probe_image(store: Store, session: Session, alert: Alert) -> bytes:
    """Return an alert's probe image; whoever calls this logs it."""
    sealed = with_image(session, alert, now=store.now())
    return open_with_any(store, alert.deployment_id, sealed, row=alert.id)


def reference_image(store: Store, session: Session, alert: Alert) -> bytes:
    """Return the image of an alert's reference, from its hold or its watchlist; whoever calls this logs it."""
    with_image(session, alert, now=store.now())  # the reference is shown beside the probe, or not at all
    held = standing_hold(session, alert.id)
    if held is not None and held.reference_image is not None:
        return open_with_any(store, alert.deployment_id, held.reference_image, row=held.id)
    reference = session.get(Reference, alert.reference_id)
    if reference is None:
        raise ConflictError(f"{alert.id}: its reference image went with the watchlist")
    return store.keys.load(reference.watchlist_id).decrypt(reference.image, row=f"{reference.id}:image")


def held_key_name(deployment_id: str) -> str:
    """Return the name of the key under which a purge keeps what is held of a deployment (R15)."""
    return f"held-{deployment_id}"


def _others(session: Session, alert: Alert) -> tuple[Reference, ...]:
    find = select(Reference).where(Reference.entry_id == alert.entry_id, Reference.id != alert.reference_id)
    return tuple(session.scalars(find.order_by(Reference.ordinal)))


def _other_image(store: Store, session: Session, alert: Alert, number: int) -> tuple[bytes, str]:
    """Return another image of the person on the list, and its id."""
    with_image(session, alert, now=store.now())
    others = _others(session, alert)
    if not 1 <= number <= len(others):
        raise NotFoundError(f"{alert.id}: has other images 1 to {len(others)}, not {number}")
    found = others[number - 1]
    return store.keys.load(found.watchlist_id).decrypt(found.image, row=f"{found.id}:image"), found.id


def open_with_any(store: Store, deployment_id: str, sealed: bytes, *, row: str) -> bytes:
    """Decrypt with the deployment's key, or with the one that a purge moved held images under.

    Raises
    ------
    KeyFileError
        Neither is there, or neither opens it.
    """
    names = store.keys.names()
    here = [name for name in (held_key_name(deployment_id), deployment_id) if name in names]
    for name in here[:-1]:
        with suppress(KeyFileError):
            return store.keys.load(name).decrypt(sealed, row=row)
    return store.keys.load(here[-1] if here else deployment_id).decrypt(sealed, row=row)
