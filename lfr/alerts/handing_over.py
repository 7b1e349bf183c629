"""Hand an alert over as evidence, before its clock runs out (R15)."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field

from sqlalchemy import select
from sqlalchemy.orm import Session

from lfr.access import Principal, record
from lfr.alerts.envelope import Envelope
from lfr.alerts.evidence import sealed_evidence
from lfr.alerts.history import history_of
from lfr.alerts.images import probe_image, reference_image
from lfr.alerts.rows import alert_digest, locked_alert, required_text, utc_text
from lfr.audit import force_chain
from lfr.audit.chain import canonical, entry_document
from lfr.database import Store
from lfr.database.store import new_id
from lfr.database.tables import Alert, AuditEntry, Deployment, HandOver

__all__ = ["HandedOver", "hand_over"]

_README = """\
This is evidence of one alert of a live facial recognition deployment.

probe.jpg        the face that the camera saw
reference.*      the image on the watchlist that it resembled
alert.json       the alert, who decided what about it and when, and what came of it
audit.jsonl      the entries of the audit log about it, each with its hash and the hash before it
manifest.json    who handed this over, to whom, why, and the SHA-256 of each file
manifest.sig     Ed25519 signature of manifest.json (preceded by the line "lfr-evidence-1") by the key it names

An alert is advice: a score over a threshold. Who decided is in alert.json.
The digest of the encrypted file stands in the force's audit log under the hand-over named in the manifest.
"""
_SUFFIXES = {b"\xff\xd8\xff": "jpg", b"\x89PN": "png", b"RIF": "webp", b"BM": "bmp", b"II*": "tiff", b"MM\x00": "tiff"}


@dataclass(frozen=True)
class HandedOver:
    """A hand-over that is committed with its audit entry; the content is for its recipient only.

    Attributes
    ----------
    id
        Of the hand-over.
    digest
        SHA-256 of the content, as the audit log has it.
    content
        The evidence file.
    """

    id: str
    digest: str
    content: bytes = field(repr=False)


def hand_over(
    store: Store, principal: Principal, alert_id: str, *, recipient: str, reason: str, envelope: Envelope
) -> HandedOver:
    """Return an alert as a signed, encrypted evidence file, and log who gave it to whom and why.

    Parameters
    ----------
    store, principal
        Where, and the officer.
    alert_id
        Whose image has not been deleted.
    recipient
        To whom: an office and its reference, not a person's name, because the audit log keeps it.
    reason
        Why; likewise.
    envelope
        From `envelope_for_key` or `envelope_for_passphrase`.

    Raises
    ------
    ConflictError
        The image's clock ran out.
    KeyFileError
        A key was destroyed.
    InputError
        Recipient or reason is blank.
    """
    recipient, reason = required_text("recipient", recipient), required_text("reason", reason)
    principal.require("alert.hand-over", what=alert_id)
    person_id = principal.require_person()
    with store.database.write() as session:
        alert = locked_alert(session, principal, alert_id)
        now, hand_over_id = store.now(), new_id("hand-over")
        content = sealed_evidence(
            _files(store, session, alert),
            details={
                "hand_over": hand_over_id,
                "alert": alert_id,
                "alert_digest": alert_digest(alert),
                "force": alert.force_id,
                "demo": session.get_one(Deployment, alert.deployment_id).demo,
                "by": person_id,
                "recipient": recipient,
                "reason": reason,
                "made_at": utc_text(now),
            },
            envelope=envelope,
            signing=store.signing,
        )
        digest = hashlib.sha256(content).hexdigest()
        session.add(
            HandOver(
                id=hand_over_id,
                alert_id=alert_id,
                person_id=person_id,
                recipient=recipient,
                reason=reason,
                export_digest=digest,
                made_at=now,
            )
        )
        record(
            store,
            session,
            principal,
            "alert.hand-over",
            alert_id,
            after=digest,
            details={
                "hand_over": hand_over_id,
                "recipient": recipient,
                "purpose": reason,
                "encryption": envelope.parameters["method"],
            },
        )
    return HandedOver(hand_over_id, digest, content)


def _files(store: Store, session: Session, alert: Alert) -> dict[str, bytes]:
    reference = reference_image(store, session, alert)
    suffix = next((suffix for magic, suffix in _SUFFIXES.items() if reference.startswith(magic)), "bin")
    return {
        "readme.txt": _README.encode(),
        "probe.jpg": probe_image(store, session, alert),
        f"reference.{suffix}": reference,
        "alert.json": json.dumps(history_of(session, alert).as_dict(), indent=2, ensure_ascii=False).encode(),
        "audit.jsonl": b"".join(_audit_line(entry) for entry in _entries(session, alert)),
    }


def _entries(session: Session, alert: Alert) -> tuple[AuditEntry, ...]:
    find = select(AuditEntry).where(AuditEntry.chain == force_chain(alert.force_id), AuditEntry.object == alert.id)
    return tuple(session.scalars(find.order_by(AuditEntry.sequence)))


def _audit_line(entry: AuditEntry) -> bytes:
    return canonical({**entry_document(entry), "hash": entry.hash}) + b"\n"
