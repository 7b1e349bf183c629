"""Persons, devices and their keys; forces. Every change is in the installation's chain."""

from __future__ import annotations

import hashlib
import re
import secrets
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from lfr.access.forces import ForcePolicy, policy_of
from lfr.access.permissions import ROLES, Role
from lfr.access.principal import KEY_PREFIX, Principal, hash_secret, record
from lfr.audit import INSTALLATION_CHAIN, append
from lfr.audit.chain import canonical, time_text
from lfr.database import Store
from lfr.database.store import new_id
from lfr.database.tables import AccessKey, Deployment, Force, Person, Watchlist
from lfr.errors import ConflictError, InputError, NotFoundError

__all__ = [
    "NewKey",
    "add_device",
    "add_force",
    "add_person",
    "init_access",
    "installation_health",
    "list_keys",
    "revoke",
    "set_policy",
]

_FORCE_ID = re.compile(r"[a-z][a-z0-9-]{1,31}")
_ADMIN_RANK = "administrator"
DAYS = 365


@dataclass(frozen=True)
class NewKey:
    """A key just made; it is shown once and kept nowhere."""

    key_id: str
    owner_id: str
    key: str = field(repr=False)


def init_access(store: Store, *, force_id: str, force_name: str, name: str, days: int = DAYS) -> NewKey:
    """Make the first force and its first admin, once, on an empty store.

    Raises
    ------
    ConflictError
        There are persons already.
    """
    _check_force(force_id, force_name)
    with store.database.write() as session:
        if session.scalar(select(func.count()).select_from(Person)):
            raise ConflictError("the store has its first admin already; an admin adds others")
        made = _force_with_admin(store, session, force_id, force_name, name, days)
        append(
            store,
            session,
            chain=INSTALLATION_CHAIN,
            actor=made.owner_id,
            role="admin",
            action="access.init",
            object_id=force_id,
            details={"key": made.key_id},
        )
        return made


def add_force(
    store: Store, principal: Principal, *, force_id: str, force_name: str, admin_name: str, days: int = DAYS
) -> NewKey:
    """Add a force with an admin of its own, who alone decides who acts for it.

    Raises
    ------
    ConflictError
        There is one of that id.
    InputError
        The id is no lower-case word, or a name is blank.
    """
    _check_force(force_id, force_name)
    with store.database.write() as session:
        principal.require("force.add")
        if session.get(Force, force_id) is not None:
            raise ConflictError(f"force {force_id}: there is one of that id")
        made = _force_with_admin(store, session, force_id, force_name, admin_name, days)
        record(
            store,
            session,
            principal,
            "force.add",
            force_id,
            details={"key": made.key_id},
            chain=INSTALLATION_CHAIN,
        )
        return made


def add_person(
    store: Store, principal: Principal, *, name: str, rank: str, roles: Sequence[Role], days: int = DAYS
) -> NewKey:
    """Add a person of the admin's own force, with a key.

    Raises
    ------
    InputError
        A name, rank or role is missing or unknown, or ``admin`` stands beside another role.
    """
    _check_roles(roles)
    if not name.strip() or not rank.strip():
        raise InputError("a person needs a name and a rank")
    with store.database.write() as session:
        principal.require("access.add")
        person_id = new_id("person")
        session.add(
            Person(
                id=person_id, force_id=principal.force_id, name=name.strip(), rank=rank.strip(), added_at=store.now()
            )
        )
        session.flush()
        made = _key(store, session, principal.force_id, roles, days, person_id=person_id)
        _recorded(store, session, principal, made, roles)
        return made


def add_device(
    store: Store, principal: Principal, *, device: str, roles: Sequence[Role] = ("field_unit",), days: int = DAYS
) -> NewKey:
    """Add a key of a device; a device sends frames and reads its own alerts, and decides nothing."""
    if set(roles) != {"field_unit"}:
        raise InputError("a device has the role field_unit and no other")
    if not device.strip():
        raise InputError("a device needs a name")
    with store.database.write() as session:
        principal.require("access.add")
        made = _key(store, session, principal.force_id, roles, days, device=device.strip())
        _recorded(store, session, principal, made, roles)
        return made


def revoke(store: Store, principal: Principal, key_id: str) -> None:
    """Revoke a key of the admin's own force, from now on.

    Raises
    ------
    NotFoundError
        There is no such key in the force.
    ConflictError
        It is revoked already, or is the only admin's own.
    """
    with store.database.write() as session:
        row = session.get(AccessKey, key_id, with_for_update=True)
        principal.require("access.revoke", force_id=row.force_id if row else None, what=f"key {key_id}")
        if row is None:
            raise NotFoundError(f"key {key_id}: there is none of that name")
        if row.revoked_at is not None:
            raise ConflictError(f"key {key_id} is revoked already")
        others = [
            key
            for key in session.scalars(select(AccessKey).where(AccessKey.force_id == row.force_id))
            if key.id != key_id and "admin" in key.roles and key.revoked_at is None and key.expires_at > store.now()
        ]
        if "admin" in row.roles and not others:
            raise ConflictError(f"key {key_id} is the last admin's of force {row.force_id}; add another first")
        row.revoked_at = store.now()
        record(store, session, principal, "access.revoke", key_id, chain=INSTALLATION_CHAIN)


def list_keys(store: Store, principal: Principal) -> list[dict[str, Any]]:
    """Return the force's keys with their owners; never a secret."""
    principal.require("access.list")
    with store.database.read() as session:
        people = {p.id: p for p in session.scalars(select(Person).where(Person.force_id == principal.force_id))}
        keys = session.scalars(
            select(AccessKey).where(AccessKey.force_id == principal.force_id).order_by(AccessKey.created_at)
        ).all()
    now = store.now()
    return [
        {
            "key_id": key.id,
            "owner": key.person_id or key.device,
            "name": people[key.person_id].name if key.person_id else key.device,
            "rank": people[key.person_id].rank if key.person_id else None,
            "roles": key.roles,
            "expires_at": time_text(key.expires_at),
            "state": "revoked" if key.revoked_at else "expired" if key.expires_at <= now else "valid",
        }
        for key in keys
    ]


def set_policy(store: Store, principal: Principal, policy: ForcePolicy) -> None:
    """Set the policy of the admin's own force; its content before and after is logged by digest."""
    with store.database.write() as session:
        principal.require("force.policy")
        before = policy_of(session, principal.force_id)
        session.get_one(Force, principal.force_id).policy = policy.model_dump(mode="json")
        record(
            store,
            session,
            principal,
            "force.policy",
            principal.force_id,
            before=_digest(before),
            after=_digest(policy),
            details=policy.model_dump(mode="json"),
        )


def installation_health(store: Store, principal: Principal) -> dict[str, Any]:
    """Return how many things there are for each force, and nothing of what they are: what a provider may see."""
    principal.require("health.read")
    with store.database.read() as session:
        forces = session.scalars(select(Force).order_by(Force.id)).all()
        counts = {
            name: Counter(session.scalars(select(table.force_id)))
            for name, table in (("keys", AccessKey), ("watchlists", Watchlist), ("deployments", Deployment))
        }
    return {
        "database": store.database.name,
        "forces": [
            {
                "force_id": force.id,
                "destroyed": force.destroyed_at is not None,
                **{name: found[force.id] for name, found in counts.items()},
            }
            for force in forces
        ],
    }


def _force_with_admin(
    store: Store, session: Session, force_id: str, force_name: str, admin_name: str, days: int
) -> NewKey:
    if not admin_name.strip():
        raise InputError("the first admin needs a name")
    session.add(
        Force(
            id=force_id,
            name=force_name.strip(),
            policy=ForcePolicy().model_dump(mode="json"),
            created_at=store.now(),
        )
    )
    session.flush()
    person_id = new_id("person")
    session.add(
        Person(id=person_id, force_id=force_id, name=admin_name.strip(), rank=_ADMIN_RANK, added_at=store.now())
    )
    session.flush()
    return _key(store, session, force_id, ("admin",), days, person_id=person_id)


def _key(
    store: Store,
    session: Session,
    force_id: str,
    roles: Sequence[Role],
    days: int,
    *,
    person_id: str | None = None,
    device: str | None = None,
) -> NewKey:
    if not 1 <= days <= 10 * 366:
        raise InputError(f"a key is valid for 1 to 3660 days, not {days}")
    number, secret = secrets.token_hex(8), secrets.token_urlsafe(32)
    session.add(
        AccessKey(
            id=f"key-{number}",
            force_id=force_id,
            person_id=person_id,
            device=device,
            roles=list(roles),
            secret_hash=hash_secret(secret),
            created_at=store.now(),
            expires_at=store.now() + timedelta(days=days),
        )
    )
    session.flush()
    return NewKey(f"key-{number}", person_id or f"device-{number}", f"{KEY_PREFIX}{number}_{secret}")


def _recorded(store: Store, session: Session, principal: Principal, made: NewKey, roles: Sequence[Role]) -> None:
    record(
        store,
        session,
        principal,
        "access.add",
        made.owner_id,
        details={"key": made.key_id, "roles": list(roles), "force": principal.force_id},
        chain=INSTALLATION_CHAIN,
    )


def _check_roles(roles: Sequence[Role]) -> None:
    unknown = sorted(set(roles) - set(ROLES))
    if unknown or not roles:
        raise InputError(f"unknown role {', '.join(unknown) or '(none)'}; there are {', '.join(ROLES)}")
    if "admin" in roles and len(set(roles)) > 1:
        raise InputError("an admin holds no other role")


def _check_force(force_id: str, force_name: str) -> None:
    if not _FORCE_ID.fullmatch(force_id) or not force_name.strip():
        raise InputError(f"force {force_id!r}: an id is 2 to 32 lower-case letters, digits or '-', and it needs a name")


def _digest(policy: ForcePolicy) -> str:
    return hashlib.sha256(canonical(policy.model_dump(mode="json"))).hexdigest()
