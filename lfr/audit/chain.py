"""Append to a hash chain, inside the transaction of what is logged.

There is one chain for each force and one for the installation (keys, models,
promotions). The sequence is given under the lock on the chain's row, so its
order is the order of commits, has no gap, and serves as the id of events.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import bindparam, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from lfr.database import SigningKey, Store
from lfr.database.tables import AuditChain, AuditCheckpoint, AuditEntry
from lfr.errors import ConflictError

__all__ = [
    "CHECKPOINT_EVERY",
    "GENESIS",
    "INSTALLATION_CHAIN",
    "append",
    "canonical",
    "checkpoint",
    "checkpoint_message",
    "entry_document",
    "entry_hash",
    "force_chain",
    "seal_chain",
    "signed_head",
    "time_text",
]

INSTALLATION_CHAIN = "installation"
GENESIS = "0" * 64
CHECKPOINT_EVERY = 1_000
_FIND_LOCKED = (
    select(AuditChain)
    .where(AuditChain.id == bindparam("id"))
    .with_for_update()
    .execution_options(populate_existing=True)
)


def force_chain(force_id: str) -> str:
    """Return the name of a force's chain."""
    return f"force:{force_id}"


def append(
    store: Store,
    session: Session,
    *,
    chain: str,
    actor: str,
    role: str,
    action: str,
    object_id: str,
    before: str | None = None,
    after: str | None = None,
    details: Mapping[str, Any] | None = None,
) -> AuditEntry:
    """Add an entry to a chain; it is kept or lost with the rest of the transaction.

    Parameters
    ----------
    store, session
        The transaction of what is logged, from ``store.database.write()``.
    chain
        `INSTALLATION_CHAIN` or `force_chain`.
    actor, role
        Who (a person's, device's or key's reference, never a name), and in which role.
    action
        What was done, such as ``watchlist.seal``.
    object_id
        What it was done to.
    before, after
        Digests of the object's content.
    details
        More of it, JSON only: references and counts; no biometrics, no names.

    Returns
    -------
    The entry with its sequence and hash. Every `CHECKPOINT_EVERY` entries the head is signed too.

    Raises
    ------
    ConflictError
        The chain is sealed.
    """
    head = _locked(session, chain)
    if head.sealed:
        raise ConflictError(f"audit chain {chain} is sealed: what it logged was destroyed")
    entry = AuditEntry(
        chain=chain,
        sequence=head.sequence + 1,
        time=store.now(),
        actor=actor,
        role=role,
        action=action,
        object=object_id,
        before=before,
        after=after,
        details=dict(details or {}),
        previous_hash=head.head,
        hash="",
    )
    entry.hash = entry_hash(entry_document(entry))
    head.sequence, head.head = entry.sequence, entry.hash
    session.add(entry)
    session.flush()
    if entry.sequence % CHECKPOINT_EVERY == 0:
        checkpoint(store, session, chain=chain, reason="count")
    return entry


def checkpoint(store: Store, session: Session, *, chain: str, reason: str) -> AuditCheckpoint:
    """Sign a chain's head, so that a cut tail or a chain computed anew shows against it."""
    head = _locked(session, chain)
    found = session.get(AuditCheckpoint, (chain, head.sequence))
    if found is not None:
        return found
    signed = signed_head(store.signing, chain, head.sequence, head.head, store.now(), reason)
    session.add(signed)
    session.flush()
    return signed


def seal_chain(store: Store, session: Session, *, chain: str) -> AuditCheckpoint:
    """End a chain with a last signed checkpoint; nothing is appended to it any more."""
    signed = checkpoint(store, session, chain=chain, reason="sealed")
    _locked(session, chain).sealed = True
    return signed


def entry_document(entry: AuditEntry) -> dict[str, Any]:
    """Return an entry as what is hashed and exported, without its own hash."""
    return {
        "chain": entry.chain,
        "sequence": entry.sequence,
        "time": time_text(entry.time),
        "actor": entry.actor,
        "role": entry.role,
        "action": entry.action,
        "object": entry.object,
        "before": entry.before,
        "after": entry.after,
        "details": entry.details,
        "previous_hash": entry.previous_hash,
    }


def entry_hash(document: Mapping[str, Any]) -> str:
    """Return the SHA-256 over an entry's canonical JSON, which holds the hash before it."""
    return hashlib.sha256(canonical(document)).hexdigest()


def canonical(document: Mapping[str, Any]) -> bytes:
    """Return JSON with sorted keys, no spaces, UTF-8, and no NaN: one text for one content."""
    return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def checkpoint_message(chain: str, sequence: int, head: str, time: str, reason: str) -> bytes:
    """Return the bytes that a checkpoint signs."""
    return canonical({"chain": chain, "sequence": sequence, "head": head, "time": time, "reason": reason})


def signed_head(key: SigningKey, chain: str, sequence: int, head: str, time: datetime, reason: str) -> AuditCheckpoint:
    """Return a checkpoint of a head, signed and in no session."""
    return AuditCheckpoint(
        chain=chain,
        sequence=sequence,
        head=head,
        time=time,
        reason=reason,
        signing_key=key.public_hex,
        signature=key.sign(checkpoint_message(chain, sequence, head, time_text(time), reason)),
    )


def _locked(session: Session, chain: str) -> AuditChain:
    # Once locked, it stays so for the transaction, which is the session's life.
    held: AuditChain | None = session.info.get(("audit chain", chain))
    if held is not None:
        return held
    found = session.scalars(_FIND_LOCKED, {"id": chain}).one_or_none()
    if found is None:
        # Two writers may both begin a chain: one row is kept, and both then wait for it.
        insert = postgresql.insert if session.get_bind().dialect.name == "postgresql" else sqlite.insert
        row = insert(AuditChain).values(id=chain, sequence=0, head=GENESIS, sealed=False)
        session.execute(row.on_conflict_do_nothing())
        found = session.scalars(_FIND_LOCKED, {"id": chain}).one()
    session.info["audit chain", chain] = found
    return found


def time_text(time: datetime) -> str:
    """Return a time as entries and checkpoints write it: UTC, to the microsecond."""
    return time.astimezone(UTC).isoformat(timespec="microseconds")
