"""Write a chain to a file that verifies without the database.

One JSON document a line: a header, the entries in order with the
checkpoints that were signed between them, and a signed trailer with the
chain's head at the moment of the export.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from lfr.audit.chain import canonical, entry_document, signed_head, time_text
from lfr.database import Store
from lfr.database.tables import AuditChain, AuditCheckpoint, AuditEntry
from lfr.errors import InputError, NotFoundError

__all__ = ["FORMAT", "checkpoint_line", "entry_line", "export_chain", "header_line", "trailer_line"]

FORMAT = "lfr-audit-1"
_ROWS_AT_ONCE = 2_000


def export_chain(
    store: Store, chain: str, path: Path, *, progress: Callable[[Iterable[Any]], Iterable[Any]] = iter
) -> int:
    """Write a chain, as it stands in one moment of the database, to a new file of JSON lines.

    Parameters
    ----------
    store
        Where it is; its key signs the trailer.
    chain
        Which one.
    path
        The file; nothing is left of it if writing breaks off.
    progress
        Wraps the entries.

    Returns
    -------
    Number of entries.

    Raises
    ------
    NotFoundError
        There is no such chain.
    InputError
        The file cannot be written.
    """
    with store.database.read() as session:
        head = session.get(AuditChain, chain)
        if head is None:
            raise NotFoundError(f"audit chain {chain}: there is none of that name")
        part = path.with_name(path.name + ".part")
        try:
            with part.open("wb") as file:
                file.writelines(line + b"\n" for line in _lines(store, session, head, progress))
            part.replace(path)
        except OSError as error:
            raise InputError(f"{path}: cannot be written: {error.strerror}") from error
        finally:
            part.unlink(missing_ok=True)
        return head.sequence


def _lines(
    store: Store, session: Session, head: AuditChain, progress: Callable[[Iterable[Any]], Iterable[Any]]
) -> Iterator[bytes]:
    time = store.now()
    yield header_line(head.id)
    checkpoints = {
        row.sequence: row for row in session.scalars(select(AuditCheckpoint).where(AuditCheckpoint.chain == head.id))
    }
    count = session.scalar(select(func.count()).select_from(AuditEntry).where(AuditEntry.chain == head.id))
    find = select(AuditEntry).where(AuditEntry.chain == head.id).order_by(AuditEntry.sequence)
    for entry in progress(session.scalars(find.execution_options(yield_per=_ROWS_AT_ONCE))):
        yield entry_line(entry)
        signed = checkpoints.get(entry.sequence)
        session.expunge(entry)
        if signed is not None:
            yield checkpoint_line(signed)
    yield trailer_line(signed_head(store.signing, head.id, head.sequence, head.head, time, "export"), count=count or 0)


def header_line(chain: str) -> bytes:
    """Return the first line of an export."""
    return canonical({"type": "header", "format": FORMAT, "chain": chain})


def entry_line(entry: AuditEntry) -> bytes:
    """Return an entry's line."""
    return canonical({"type": "entry", **entry_document(entry), "hash": entry.hash})


def checkpoint_line(signed: AuditCheckpoint) -> bytes:
    """Return a checkpoint's line, which follows that of the entry it signs."""
    return canonical({"type": "checkpoint", **_signed(signed)})


def trailer_line(signed: AuditCheckpoint, *, count: int) -> bytes:
    """Return the last line: the head as signed for the export, and how many entries there are."""
    return canonical({"type": "trailer", **_signed(signed), "count": count})


def _signed(signed: AuditCheckpoint) -> dict[str, Any]:
    return {
        "chain": signed.chain,
        "sequence": signed.sequence,
        "head": signed.head,
        "time": time_text(signed.time),
        "reason": signed.reason,
        "signing_key": signed.signing_key,
        "signature": signed.signature,
    }
