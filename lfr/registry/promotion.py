"""Promotion: two persons put a version under an alias, on evidence. The entry is the proof, the alias a pointer.

The entry is committed first, in one transaction with its line in the
installation's audit log and a signed checkpoint; then the aliases move. A
crash between leaves the old alias, which nobody accepts any more, until
`promote` is run again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from lfr.access import Permission, Principal, record
from lfr.audit import INSTALLATION_CHAIN, checkpoint
from lfr.database import Store
from lfr.database.log_tables import AuditChain, Promotion
from lfr.deployments import DEMO_NOTICE
from lfr.errors import ConflictError, RegistryError
from lfr.models import Model
from lfr.registry.bundle import load_bundle
from lfr.registry.documents import KINDS, Evidence
from lfr.registry.evaluators import check_approver
from lfr.registry.evidence import evidence_digests
from lfr.registry.gate import GateResult, gate
from lfr.registry.policy import Policy
from lfr.registry.tracking import MODEL_NAME, Tracking
from lfr.registry.versions import RegisteredVersion, bundle_folder, find_version, load_version

__all__ = ["Promoted", "promote", "resolve", "rollback"]


@dataclass(frozen=True)
class Promoted:
    """A version under an alias, as its latest entry has it.

    Attributes
    ----------
    number
        Of the promotion.
    alias
        Which alias.
    version
        The registered version.
    policy, field_use
        Policy it passed, and whether that allows use on people.
    folder
        Of its files, whose digests were checked.
    """

    number: int
    alias: str
    version: RegisteredVersion
    policy: str
    field_use: bool
    folder: Path

    @property
    def notice(self) -> str:
        """What must stand wherever it is used; empty for a version approved for the field."""
        return "" if self.field_use else DEMO_NOTICE

    def load(self, *, threads: int | None = None) -> Model:
        """Load the recogniser."""
        return load_bundle(self.folder, threads=threads)

    def as_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {
            "promotion": self.number,
            "alias": self.alias,
            "policy": self.policy,
            "notice": self.notice,
            **self.version.as_dict(),
        }


def promote(
    store: Store,
    tracking: Tracking,
    proposer: Principal,
    approver: Principal,
    version: RegisteredVersion,
    *,
    evidence: Evidence,
    policy: Policy,
) -> tuple[Promoted | None, GateResult]:
    """Run the gate and, where it passes, put the version under the policy's alias.

    Running it again after it broke off moves the aliases and adds no entry.

    Parameters
    ----------
    store, tracking
        lfr's own database, which holds the proof, and the registry.
    proposer, approver
        Two different persons.
    version
        Which version.
    evidence, policy
        What is known of it, and what must be.

    Returns
    -------
    The promotion, None where the gate did not pass; and the gate's result.

    Raises
    ------
    AccessDeniedError
        One of them may not promote.
    ConflictError
        They are one person, the approver made the evidence, or nobody is on record for evidence that a field policy
        takes.
    RegistryError
        The version's files were changed.
    """
    _two_persons(proposer, approver, "registry.promote", version.number)
    with _refusals_logged(store, proposer, "registry.promote", version):
        folder = bundle_folder(tracking, version)
        load_version(tracking, version)
    result = gate(evidence, policy, model_digest=version.model_digest, now=store.now())
    if not result.passed:
        _log_refusal(store, proposer, "registry.promote", version, {"policy": policy.name, "why": list(result.reasons)})
        return None, result
    with _refusals_logged(store, proposer, "registry.promote", version):
        check_approver(store, approver, version, evidence.digests, field_use=policy.field_use)
    row = {
        "version": version.number,
        "name": version.name,
        "model_digest": version.model_digest,
        "bundle_digest": _bundle_digest(folder),
        "policy": policy.name,
        "policy_digest": policy.digest,
        "field_use": policy.field_use,
        "evidence": dict(evidence.digests),
    }
    number = _entered(store, proposer, approver, policy.alias, row, permission="registry.promote", version=version)
    _point(store, tracking, policy.alias)
    return Promoted(number, policy.alias, version, policy.name, policy.field_use, folder), result


def rollback(
    store: Store,
    tracking: Tracking,
    proposer: Principal,
    approver: Principal,
    *,
    alias: str = "field",
    reason: str,
) -> Promoted:
    """Go back to the version that was under an alias before, on its own evidence, which is checked again.

    Raises
    ------
    AccessDeniedError, ConflictError
        As for `promote`; there is nothing to go back to.
    RegistryError
        The earlier version, or its evidence, is not what it was.
    """
    if not reason.strip():
        raise ConflictError("a rollback needs its reason")
    with store.database.read() as session:
        now, earlier = _latest(session, alias), None
        if now is not None:
            earlier = session.scalars(
                select(Promotion)
                .where(Promotion.alias == alias, Promotion.version != now.version, Promotion.returns_to.is_(None))
                .order_by(Promotion.number.desc())
            ).first()
    if now is None or earlier is None:
        raise ConflictError(f"alias '{alias}': there is no earlier version to go back to")
    version = find_version(tracking, str(earlier.version))
    _two_persons(proposer, approver, "registry.rollback", version.number)
    with _refusals_logged(store, proposer, "registry.rollback", version):
        folder = _checked(tracking, version, earlier)
        logged = evidence_digests(tracking, version)
        for kind in KINDS:
            if kind in earlier.evidence and earlier.evidence[kind] not in logged[kind]:
                raise RegistryError(
                    f"promotion {earlier.number}: its {kind} evidence is gone from the registry "
                    f"({earlier.evidence[kind]})"
                )
    kept = ("version", "name", "model_digest", "bundle_digest", "policy", "policy_digest", "field_use", "evidence")
    row = {name: getattr(earlier, name) for name in kept} | {"reason": reason, "returns_to": earlier.number}
    number = _entered(store, proposer, approver, alias, row, permission="registry.rollback", version=version)
    _point(store, tracking, alias)
    return Promoted(number, alias, version, earlier.policy, earlier.field_use, folder)


def resolve(store: Store, tracking: Tracking, alias: str) -> Promoted:
    """Return the version under an alias, if the latest promotion entry says that it belongs there.

    Raises
    ------
    RegistryError
        Nothing was promoted, the alias points elsewhere, or the version's files are of another digest: both are named.
    """
    with store.database.read() as session:
        entry = _latest(session, alias)
    if entry is None:
        raise RegistryError(f"alias '{alias}': no version was ever promoted to it")
    version = find_version(tracking, alias)
    if version.number != entry.version:
        raise RegistryError(
            f"alias '{alias}' points to version {version.number} (model {version.model_digest}), but promotion "
            f"{entry.number} is of version {entry.version} (model {entry.model_digest}); "
            "if a promotion broke off, run it again"
        )
    return Promoted(entry.number, alias, version, entry.policy, entry.field_use, _checked(tracking, version, entry))


def _checked(tracking: Tracking, version: RegisteredVersion, entry: Promotion) -> Path:
    """Folder of the version's files, whose digests are those of the entry."""
    folder = bundle_folder(tracking, version)
    for what, found, wanted in (
        ("model", version.model_digest, entry.model_digest),
        ("files", _bundle_digest(folder), entry.bundle_digest),
    ):
        if found != wanted:
            raise RegistryError(
                f"version {version.number}: its {what} have digest {found}, promotion {entry.number} is of {wanted}"
            )
    return folder


@contextmanager
def _refusals_logged(
    store: Store, principal: Principal, permission: Permission, version: RegisteredVersion
) -> Iterator[None]:
    """Log a refusal before it is raised on."""
    try:
        yield
    except (RegistryError, ConflictError) as error:
        _log_refusal(store, principal, permission, version, {"why": [str(error)]})
        raise


def _log_refusal(
    store: Store, principal: Principal, permission: Permission, version: RegisteredVersion, details: Mapping[str, Any]
) -> None:
    with store.database.write() as session:
        said = {"version": version.number, "passed": False, **details}
        _log(store, session, principal, permission, version, after=None, details=said)


def _two_persons(proposer: Principal, approver: Principal, permission: Permission, version: int) -> None:
    what = f"version {version}"
    for person in (proposer, approver):
        person.require(permission, what=what)
    if proposer.require_person() == approver.require_person():
        raise ConflictError(f"{what}: it takes two persons, and {proposer.id} is one")


def _latest(session: Session, alias: str) -> Promotion | None:
    return session.scalars(
        select(Promotion).where(Promotion.alias == alias).order_by(Promotion.number.desc()).limit(1)
    ).one_or_none()


def _entered(
    store: Store,
    proposer: Principal,
    approver: Principal,
    alias: str,
    row: Mapping[str, Any],
    *,
    permission: Permission,
    version: RegisteredVersion,
) -> int:
    """Add the entry, unless the latest is the same and only its aliases did not move."""
    with store.database.write() as session:
        # Held to the end, so that two promotions come one after the other.
        session.get(AuditChain, INSTALLATION_CHAIN, with_for_update=True)
        latest = _latest(session, alias)
        if latest is not None and all(getattr(latest, name) == value for name, value in row.items()):
            return latest.number
        number = int(session.scalar(select(func.max(Promotion.number))) or 0) + 1
        session.add(
            Promotion(
                number=number,
                alias=alias,
                promoted_by=proposer.id,
                approved_by=approver.id,
                promoted_at=store.now(),
                **{"reason": "", "returns_to": None, **row},
            )
        )
        details = {
            "promotion": number,
            "alias": alias,
            "version": version.number,
            "policy": row["policy"],
            "policy_digest": row["policy_digest"],
            "evidence": row["evidence"],
            "bundle": row["bundle_digest"],
            "approved_by": approver.id,
            "returns_to": row.get("returns_to"),
            "passed": True,
        }
        before = None if latest is None else latest.model_digest
        _log(store, session, proposer, permission, version, before=before, after=version.model_digest, details=details)
        checkpoint(store, session, chain=INSTALLATION_CHAIN, reason="promotion")
    return number


def _log(
    store: Store,
    session: Session,
    principal: Principal,
    permission: Permission,
    version: RegisteredVersion,
    *,
    after: str | None,
    details: Mapping[str, Any],
    before: str | None = None,
) -> None:
    record(
        store,
        session,
        principal,
        permission,
        f"version-{version.number}",
        before=before,
        after=after,
        details=details,
        chain=INSTALLATION_CHAIN,
    )


def _point(store: Store, tracking: Tracking, alias: str) -> None:
    """Move ``previous`` and then the alias to where the entries say, while nobody can add one."""
    with store.database.write() as session:
        session.get(AuditChain, INSTALLATION_CHAIN, with_for_update=True)
        entry = _latest(session, alias)
        assert entry is not None
        before = session.scalars(
            select(Promotion.version)
            .where(Promotion.alias == alias, Promotion.number < entry.number, Promotion.version != entry.version)
            .order_by(Promotion.number.desc())
        ).first()
        with tracking.asking(f"moving alias '{alias}' to version {entry.version}"):
            if alias == "field" and before is not None:
                tracking.client.set_registered_model_alias(MODEL_NAME, "previous", str(before))
            tracking.client.set_registered_model_alias(MODEL_NAME, alias, str(entry.version))


def _bundle_digest(folder: Path) -> str:
    """SHA-256 of the description, which holds that of every file; `bundle_folder` has checked those."""
    return hashlib.sha256((folder / "bundle.json").read_bytes()).hexdigest()
