"""Who may do what: keys, roles, forces."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from lfr.access import (
    PERMISSIONS,
    ROLES,
    ForcePolicy,
    Principal,
    Role,
    add_device,
    add_force,
    add_person,
    authenticate,
    init_access,
    installation_health,
    list_keys,
    policy_of,
    revoke,
    set_policy,
)
from lfr.database import Store
from lfr.database.tables import AccessKey, AuditEntry
from lfr.errors import AccessDeniedError, ConflictError, InputError, NotFoundError
from tests.integration.conftest import Clock


@pytest.fixture
def admin(store: Store) -> Principal:
    made = init_access(store, force_id="met", force_name="Met", name="First Admin")
    return authenticate(store, made.key)


def test_the_first_admin_is_made_once_and_logged_without_the_key(store: Store) -> None:
    made = init_access(store, force_id="met", force_name="Met", name="First Admin")
    admin = authenticate(store, made.key)
    assert (admin.force_id, admin.roles, admin.person_id) == ("met", frozenset({"admin"}), made.owner_id)
    with pytest.raises(ConflictError, match="first admin already"):
        init_access(store, force_id="other", force_name="Other", name="Second")
    with store.database.read() as session:
        (entry,) = session.scalars(select(AuditEntry)).all()
        row = session.scalars(select(AccessKey)).one()
    assert (entry.chain, entry.action) == ("installation", "access.init")
    secret = made.key.split("_", 2)[2]
    assert secret not in str(entry.details)
    assert row.secret_hash.startswith("$argon2id$")
    assert secret not in row.secret_hash
    assert secret not in repr(made)


def test_a_person_acts_with_their_key_until_it_is_revoked_or_expires(
    store: Store, admin: Principal, clock: Clock
) -> None:
    made = add_person(store, admin, name="Op", rank="constable", roles=["operator"], days=10)
    acting = authenticate(store, f" {made.key}\n")
    assert (acting.id, acting.rank, acting.roles) == (made.owner_id, "constable", frozenset({"operator"}))
    other = add_person(store, admin, name="Op 2", rank="constable", roles=["operator"], days=10)
    revoke(store, admin, made.key_id)
    with pytest.raises(AccessDeniedError, match="was revoked"):
        authenticate(store, made.key)
    with pytest.raises(ConflictError, match="revoked already"):
        revoke(store, admin, made.key_id)
    clock.advance(days=11)
    with pytest.raises(AccessDeniedError, match="expired"):
        authenticate(store, other.key)


@pytest.mark.parametrize("key", ["", "lfr_", "nonsense", "lfr_0000000000000000_secret", "lfr__", "lfr_%_' OR 1=1"])
def test_a_key_that_is_none_is_not_known(key: str, store: Store, admin: Principal) -> None:
    with pytest.raises(AccessDeniedError, match=r"^the key is not known here$"):
        authenticate(store, key)


def test_a_right_id_with_a_wrong_secret_says_the_same(store: Store, admin: Principal) -> None:
    made = add_device(store, admin, device="van-2")
    assert authenticate(store, made.key).person_id is None
    with pytest.raises(AccessDeniedError, match=r"^the key is not known here$"):
        authenticate(store, made.key[:-1] + ("a" if made.key[-1] != "a" else "b"))


@pytest.mark.parametrize(
    ("roles", "problem"),
    [
        (["admin", "operator"], "holds no other role"),
        (["boss"], "unknown role boss"),
        ([], "none"),
        (["system"], "unknown role system"),
    ],
)
def test_roles_that_do_not_go_are_refused(roles: list[Role], problem: str, store: Store, admin: Principal) -> None:
    with pytest.raises(InputError, match=problem):
        add_person(store, admin, name="x", rank="x", roles=roles)


def test_the_last_admin_of_a_force_stays(store: Store, admin: Principal) -> None:
    (own,) = list_keys(store, admin)
    with pytest.raises(ConflictError, match="last admin"):
        revoke(store, admin, own["key_id"])
    add_person(store, admin, name="Second", rank="x", roles=["admin"])
    revoke(store, admin, own["key_id"])


def test_only_an_admin_gives_keys_and_a_device_decides_nothing(store: Store, admin: Principal) -> None:
    operator = authenticate(store, add_person(store, admin, name="Op", rank="pc", roles=["operator"]).key)
    with pytest.raises(AccessDeniedError, match="takes the role admin"):
        add_person(store, operator, name="x", rank="x", roles=["operator"])
    with pytest.raises(InputError, match="field_unit and no other"):
        add_device(store, admin, device="van", roles=["operator"])
    with pytest.raises(AccessDeniedError, match="is no person"):
        authenticate(store, add_device(store, admin, device="van").key).require_person()


def test_what_the_table_does_not_name_is_denied() -> None:
    for role in ROLES:
        principal = Principal("person-1", "essex", frozenset({role}), person_id="person-1")
        assert not principal.may("no.such-permission")
        with pytest.raises(AccessDeniedError):
            principal.require("no.such-permission")
        for permission, allowed in PERMISSIONS.items():
            assert principal.may(permission) is (role in allowed)


def test_no_key_has_the_role_of_the_system_and_an_admin_reads_no_face() -> None:
    assert "system" not in ROLES
    faces = ("watchlist.image", "watchlist.show", "alert.list", "alert.image", "alert.adjudicate", "deployment.run")
    assert [permission for permission in faces if "admin" in PERMISSIONS[permission]] == []


def test_another_force_has_its_own_admin_and_the_provider_sees_its_counts_only(store: Store, admin: Principal) -> None:
    theirs = authenticate(
        store, add_force(store, admin, force_id="kent", force_name="Kent", admin_name="Kent Admin").key
    )
    made = add_person(store, theirs, name="Kent Op", rank="pc", roles=["operator"])
    assert {row["name"] for row in list_keys(store, admin)} == {"First Admin"}
    assert {row["name"] for row in list_keys(store, theirs)} == {"Kent Admin", "Kent Op"}
    with pytest.raises(NotFoundError, match="there is none of that name"):
        revoke(store, admin, made.key_id)
    with pytest.raises(NotFoundError, match="there is none of that name"):
        revoke(store, admin, "key-nothing")
    health = {row["force_id"]: row for row in installation_health(store, admin)["forces"]}
    assert health["kent"] == {"force_id": "kent", "destroyed": False, "keys": 2, "watchlists": 0, "deployments": 0}
    with pytest.raises(ConflictError, match="there is one of that id"):
        add_force(store, admin, force_id="kent", force_name="Kent", admin_name="x")
    with pytest.raises(InputError, match="lower-case"):
        add_force(store, admin, force_id="Kent Police", force_name="Kent", admin_name="x")


def test_a_policy_is_the_forces_own_and_its_change_is_logged_by_digest(store: Store, admin: Principal) -> None:
    set_policy(store, admin, ForcePolicy(max_watchlist=500, two_person_rule=True))
    with store.database.read() as session:
        assert policy_of(session, "met").max_watchlist == 500
        assert policy_of(session, "essex").max_watchlist == 2_000
        entry = session.scalars(select(AuditEntry).where(AuditEntry.action == "force.policy")).one()
    assert entry.before != entry.after
    assert entry.details["max_watchlist"] == 500
