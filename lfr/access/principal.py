"""Who is acting: a key's owner, checked at the door."""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from sqlalchemy import select
from sqlalchemy.orm import Session

from lfr.access.permissions import PERMISSIONS, Permission, Role
from lfr.access.rates import Rates
from lfr.audit import append, force_chain
from lfr.database import Store
from lfr.database.tables import AccessKey, AuditEntry, Force, Person
from lfr.errors import AccessDeniedError, NotFoundError

__all__ = ["KEY_PREFIX", "Principal", "SecretMemory", "authenticate", "hash_secret", "holder", "record"]

KEY_PREFIX = "lfr_"
_HASHER = PasswordHasher()


@dataclass(frozen=True)
class Principal:
    """Somebody, or a device, who acts.

    Attributes
    ----------
    id
        What the audit log calls them: ``person-…`` or ``device-…``.
    force_id
        The one force they act for.
    roles
        What their key allows.
    person_id, rank
        Of a person; None of a device. Two-person rules compare persons.
    """

    id: str
    force_id: str
    roles: frozenset[Role]
    person_id: str | None = None
    rank: str | None = None

    @classmethod
    def system(cls, force_id: str) -> Principal:
        """Return lfr itself acting for a force: retention, and nothing a person must do."""
        return cls("system", force_id, frozenset({"system"}))

    def as_system(self) -> Principal:
        """Return lfr acting in this one's name: what their deed brings with it, logged as theirs."""
        return Principal(self.id, self.force_id, frozenset({"system"}))

    def may(self, permission: Permission) -> bool:
        """Whether the permission table allows it."""
        return bool(self.roles & PERMISSIONS.get(permission, frozenset()))

    def role_for(self, permission: Permission) -> Role:
        """Return the role in which this is done.

        Raises
        ------
        AccessDeniedError
            No role of theirs allows it.
        """
        allowed = sorted(self.roles & PERMISSIONS.get(permission, frozenset()))
        if not allowed:
            needed = ", ".join(sorted(PERMISSIONS.get(permission, frozenset()) - {"system"})) or "nobody"
            raise AccessDeniedError(f"{self.id} may not do {permission}: it takes the role {needed}")
        return allowed[0]

    def require(self, permission: Permission, *, force_id: str | None = None, what: str = "it") -> Role:
        """Return the role in which this is done to something of a force.

        Raises
        ------
        AccessDeniedError
            No role of theirs allows it.
        NotFoundError
            It belongs to another force, whose things are as if they were not there.
        """
        role = self.role_for(permission)
        if force_id is not None and force_id != self.force_id:
            raise NotFoundError(f"{what}: there is none of that name")
        return role

    def require_person(self) -> str:
        """Return the person's id; raises AccessDeniedError for a device and for lfr itself."""
        if self.person_id is None:
            raise AccessDeniedError(f"{self.id} is no person, and a person must do this")
        return self.person_id


def record(
    store: Store,
    session: Session,
    principal: Principal,
    permission: Permission,
    object_id: str,
    *,
    before: str | None = None,
    after: str | None = None,
    details: Mapping[str, Any] | None = None,
    chain: str | None = None,
) -> AuditEntry:
    """Check that the principal may do this, and log that they did: in their force's chain unless another is named."""
    return append(
        store,
        session,
        chain=chain or force_chain(principal.force_id),
        actor=principal.id,
        role=principal.role_for(permission),
        action=permission,
        object_id=object_id,
        before=before,
        after=after,
        details=details,
    )


def hash_secret(secret: str) -> str:
    """Return the argon2id hash of a key's secret part."""
    return _HASHER.hash(secret)


class SecretMemory:
    """Secrets that matched not long ago, so that a service need not hash the same one for every frame.

    What is kept is a keyed digest that no other process can make; the key's row is read again every time, so that
    a revoked or expired key ends at once. For a key that wrong secrets come for, no other secret is looked at until
    there are fewer, not even the right one; where that was in use already, it goes on.
    """

    _MOST = 1_024
    _WRONG_PER_S = 5.0

    def __init__(self) -> None:
        self._salt = secrets.token_bytes(32)
        self._matched: dict[str, bytes] = {}
        self._wrong = Rates(self._WRONG_PER_S, what="wrong secrets")

    def matches(self, key_id: str, secret_hash: str, secret: str) -> bool:
        """Whether the secret is the hash's own; raises BusyError where too many were not."""
        seen = hmac.digest(self._salt, secret.encode(), "sha256")
        if hmac.compare_digest(self._matched.get(secret_hash, b""), seen):
            return True
        self._wrong.check(key_id)
        if not _matches(secret_hash, secret):
            self._wrong.take(key_id)
            return False
        if len(self._matched) >= self._MOST:
            self._matched.clear()
        self._matched[secret_hash] = seen
        return True


def authenticate(store: Store, key: str, *, memory: SecretMemory | None = None) -> Principal:
    """Return whose key this is.

    Parameters
    ----------
    store
        Where keys are.
    key
        ``lfr_<id>_<secret>`` as shown once when it was made.
    memory
        Of a service that is asked often.

    Raises
    ------
    AccessDeniedError
        It is none, unknown, expired or revoked, or its force is destroyed. The message does not say which of
        unknown and wrong it is.
    BusyError
        Too many wrong secrets of this key came lately.
    """
    key_id, _, secret = key.strip().removeprefix(KEY_PREFIX).partition("_")
    find = (  # one question, because a service asks it for every frame
        select(AccessKey, Force, Person)
        .join(Force, Force.id == AccessKey.force_id)
        .outerjoin(Person, Person.id == AccessKey.person_id)
        .where(AccessKey.id == f"key-{key_id}")
    )
    with store.database.read() as session:
        found = session.execute(find).one_or_none()
    if found is None:
        raise AccessDeniedError("the key is not known here")
    row, force, person = found
    if not (memory.matches(row.id, row.secret_hash, secret) if memory else _matches(row.secret_hash, secret)):
        raise AccessDeniedError("the key is not known here")
    if row.revoked_at is not None:
        raise AccessDeniedError(f"key {row.id} was revoked")
    if row.expires_at <= store.now():
        raise AccessDeniedError(f"key {row.id} expired")
    if force.destroyed_at is not None:
        raise AccessDeniedError(f"key {row.id}: the data of its force were destroyed")
    return _principal([row], person)


def holder(store: Store, principal_id: str) -> Principal:
    """Return a person by the id that the audit log has, with the roles that their valid keys give them now.

    It is for work that goes on after the request that began it, such as reading a camera: it ends with their keys.

    Raises
    ------
    AccessDeniedError
        No key of theirs is valid any more.
    """
    with store.database.read() as session:
        person = session.get(Person, principal_id)
        valid = (AccessKey.revoked_at.is_(None), AccessKey.expires_at > store.now(), Force.destroyed_at.is_(None))
        find = select(AccessKey).join(Force, Force.id == AccessKey.force_id).where(AccessKey.person_id == principal_id)
        keys = session.scalars(find.where(*valid)).all()
    if person is None or not keys:
        raise AccessDeniedError(f"{principal_id}: no key of theirs is valid any more")
    return _principal(keys, person)


def _principal(keys: Sequence[AccessKey], person: Person | None) -> Principal:
    return Principal(
        id=person.id if person else f"device-{keys[0].id.removeprefix('key-')}",
        force_id=keys[0].force_id,
        roles=frozenset(cast("Role", role) for key in keys for role in key.roles),
        person_id=person.id if person else None,
        rank=person.rank if person else None,
    )


def _matches(secret_hash: str, secret: str) -> bool:
    try:
        return _HASHER.verify(secret_hash, secret)
    except (VerificationError, InvalidHashError):
        return False
