"""Read a force's audit log a page at a time, and check the whole of it, for those who oversee its use."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import func, select

from lfr.access import Principal, record
from lfr.audit import GENESIS, Verdict, export_chain, force_chain, verify_export
from lfr.audit.chain import entry_document
from lfr.database import Store
from lfr.database.tables import AuditChain, AuditCheckpoint, AuditEntry
from lfr.errors import InputError

__all__ = ["LogPage", "check_log", "read_log"]

_MOST = 500


@dataclass(frozen=True)
class LogPage:
    """Some entries of a force's chain, newest first, and where the chain stands.

    Attributes
    ----------
    chain, sequence, head, sealed
        The chain, its last entry's number and hash, and whether it has ended.
    checkpoint
        The last entry that was signed; None where none was.
    entries
        As they are hashed and exported, each with its hash.
    """

    chain: str
    sequence: int
    head: str
    sealed: bool
    checkpoint: int | None
    entries: tuple[dict[str, Any], ...]

    def as_dict(self) -> dict[str, Any]:
        """The page as JSON documents show it."""
        return {**vars(self), "entries": list(self.entries)}


def read_log(
    store: Store,
    principal: Principal,
    *,
    action: str | None = None,
    actor: str | None = None,
    object_id: str | None = None,
    before: int | None = None,
    limit: int = 100,
) -> LogPage:
    """Return entries of the principal's own force, newest first; it holds no names, so that it was read is not logged.

    Parameters
    ----------
    store, principal
        Where, and who reads.
    action
        Begins with this, such as ``alert.`` or ``alert.adjudicate``.
    actor, object_id
        Exactly this one.
    before
        Only entries with a lower number: the page after one that was read.
    limit
        At most so many, 1 to 500.

    Raises
    ------
    InputError
        The limit is out of its range.
    """
    principal.require("audit.read")
    if not 1 <= limit <= _MOST:
        raise InputError(f"limit {limit}: 1 to {_MOST}")
    chain = force_chain(principal.force_id)
    find = select(AuditEntry).where(AuditEntry.chain == chain).order_by(AuditEntry.sequence.desc()).limit(limit)
    if action:
        find = find.where(AuditEntry.action.startswith(action, autoescape=True))
    if actor:
        find = find.where(AuditEntry.actor == actor)
    if object_id:
        find = find.where(AuditEntry.object == object_id)
    if before is not None:
        find = find.where(AuditEntry.sequence < before)
    with store.database.read() as session:
        head = session.get(AuditChain, chain)
        signed = session.scalar(select(func.max(AuditCheckpoint.sequence)).where(AuditCheckpoint.chain == chain))
        entries = tuple({**entry_document(entry), "hash": entry.hash} for entry in session.scalars(find))
    return LogPage(
        chain,
        head.sequence if head is not None else 0,
        head.head if head is not None else GENESIS,
        sealed=head is not None and head.sealed,
        checkpoint=signed,
        entries=entries,
    )


def check_log(store: Store, principal: Principal) -> Verdict:
    """Export the force's chain and check the export against this installation's own key; that it was done is logged.

    Whoever does not trust this installation takes an export and checks it elsewhere (`lfr audit verify`).
    """
    chain = force_chain(principal.force_id)
    with store.database.write() as session:
        record(store, session, principal, "audit.export", chain, details={"for": "check"})
    with tempfile.TemporaryDirectory(prefix="lfr-check-") as folder:
        path = Path(folder) / "log.jsonl"
        export_chain(store, chain, path)
        return verify_export(path, public_key=store.signing.public_hex)
