"""Tables of what is only ever added to: the audit log and the promotions."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from lfr.database.base import Base

__all__ = ["AuditChain", "AuditCheckpoint", "AuditEntry", "Promotion"]


class AuditChain(Base):
    """Head of one chain; whoever appends holds this row, so that the sequence has no gap and one order."""

    __tablename__ = "audit_chain"

    id: Mapped[str] = mapped_column(primary_key=True)
    sequence: Mapped[int] = mapped_column(BigInteger)
    head: Mapped[str]
    # Nothing is appended any more: the force's data were destroyed.
    sealed: Mapped[bool] = mapped_column(default=False)


class AuditEntry(Base):
    """One line of the log; the hash is over all of it and over the hash before."""

    __tablename__ = "audit_entry"

    chain: Mapped[str] = mapped_column(ForeignKey("audit_chain.id"), primary_key=True)
    sequence: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    time: Mapped[datetime]
    actor: Mapped[str]
    role: Mapped[str]
    action: Mapped[str]
    object: Mapped[str] = mapped_column(index=True)
    before: Mapped[str | None]
    after: Mapped[str | None]
    details: Mapped[dict[str, Any]]
    previous_hash: Mapped[str]
    hash: Mapped[str]


class AuditCheckpoint(Base):
    """A chain's head at one moment, signed with the key outside the database."""

    __tablename__ = "audit_checkpoint"

    chain: Mapped[str] = mapped_column(ForeignKey("audit_chain.id"), primary_key=True)
    sequence: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    head: Mapped[str]
    time: Mapped[datetime]
    reason: Mapped[str]
    signing_key: Mapped[str]
    signature: Mapped[str]


class Promotion(Base):
    """A version that two persons put under an alias, on evidence; the registry's alias only points there."""

    __tablename__ = "promotion"

    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    alias: Mapped[str] = mapped_column(index=True)
    version: Mapped[int]
    name: Mapped[str]
    model_digest: Mapped[str]
    bundle_digest: Mapped[str]
    policy: Mapped[str]
    policy_digest: Mapped[str]
    field_use: Mapped[bool]
    evidence: Mapped[dict[str, Any]]
    promoted_by: Mapped[str]
    approved_by: Mapped[str]
    promoted_at: Mapped[datetime]
    reason: Mapped[str]
    # A rollback: the earlier promotion that it goes back to.
    returns_to: Mapped[int | None]
