"""Who evaluated a version: logged in lfr's own database, since nobody approves a version on evidence of their own."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import select

from lfr.access import Principal, record
from lfr.audit import INSTALLATION_CHAIN
from lfr.database import Store
from lfr.database.log_tables import AuditEntry
from lfr.errors import ConflictError
from lfr.registry.versions import RegisteredVersion

__all__ = ["check_approver", "record_evaluation"]

_ACTION = "registry.evaluate"


def record_evaluation(
    store: Store, principal: Principal, version: RegisteredVersion, digests: Mapping[str, str]
) -> None:
    """Log who made a version's evidence.

    Parameters
    ----------
    store, principal
        Where, and who.
    version
        What was evaluated.
    digests
        SHA-256 of each document, by kind.

    Raises
    ------
    AccessDeniedError
        The principal may not, or is no person.
    """
    principal.require(_ACTION, what=f"version {version.number}")
    principal.require_person()
    with store.database.write() as session:
        record(
            store,
            session,
            principal,
            _ACTION,
            f"version-{version.number}",
            after=version.model_digest,
            details={"version": version.number, "evidence": dict(digests)},
            chain=INSTALLATION_CHAIN,
        )


def check_approver(
    store: Store, approver: Principal, version: RegisteredVersion, digests: Mapping[str, str], *, field_use: bool
) -> None:
    """Refuse an approver who made any of the evidence and, for the field, evidence that nobody is on record for.

    Raises
    ------
    ConflictError
        Either is so; the message says which, and of what evidence.
    """
    with store.database.read() as session:
        entries = session.scalars(
            select(AuditEntry).where(
                AuditEntry.chain == INSTALLATION_CHAIN,
                AuditEntry.action == _ACTION,
                AuditEntry.object == f"version-{version.number}",
            )
        ).all()
    made = {(kind, digest): entry.actor for entry in entries for kind, digest in entry.details["evidence"].items()}
    own = [kind for kind, digest in digests.items() if made.get((kind, digest)) == approver.id]
    if own:
        raise ConflictError(
            f"version {version.number}: {approver.id} made its {', '.join(own)} evidence; somebody else approves it"
        )
    nobodys = [kind for kind, digest in digests.items() if (kind, digest) not in made]
    if field_use and nobodys:
        raise ConflictError(
            f"version {version.number}: nobody is on record for its {', '.join(nobodys)} evidence; "
            "`lfr registry evaluate VERSION --key-file FILE` puts its evaluator there"
        )
