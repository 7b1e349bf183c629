"""Nobody gets in: every route, every role, every state of a key, generated from the interface's own table of routes."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from argon2 import PasswordHasher
from starlette.websockets import WebSocketDisconnect

from lfr.access import PERMISSIONS, add_device, add_person, authenticate, revoke
from lfr.access import add_force as add_a_force
from lfr.access.principal import KEY_PREFIX
from lfr.database import Store
from lfr.database.tables import AccessKey, Force
from tests.drills.finding import Finding, Problems
from tests.drills.ground import Interface
from tests.support.routes import Asked, every_route
from tests.support.served import ROLES

__all__ = [
    "OPEN",
    "OWN",
    "PROMISE",
    "REFUSED",
    "another_force",
    "bad_keys",
    "matrix",
    "other_forces",
    "quick_key",
    "with_every_role",
    "without_a_key",
]

PROMISE = "Nobody gets in"

OPEN = {
    "/v1/healthz",
    "/v1/readyz",
    "/metrics",
    "/v1/session",
    "/console",
    "/console/",
    "/console/{name}",
    "/openapi.json",
    "/docs",
    "/docs/oauth2-redirect",
    "/redoc",
}
"""What needs no key, because it says nothing of anybody; a session begins, shows and ends itself."""

CHANGES = {
    "auditor": {"/v1/audit/check"},
    "mlops": set[str](),
    "admin": {"/v1/audit/check"},
    "field_unit": {
        "/v1/deployments/{deployment_id}/cameras/{camera_id}/frames",
        "/v1/deployments/{deployment_id}/cameras/{camera_id}/streams/{stream}",
    },
}
"""All that roles which decide nothing may do but read, whatever the permission table says; a check is logged."""

_QUICK = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
REFUSED = {401, 429}
OWN = {"Origin": "http://testserver"}
"""What a browser sends from the interface's own page."""

_STALE = timedelta(days=366)


def matrix(at: Interface) -> Iterator[Finding]:
    """Every route, as nobody, with every key that is not valid, in every role, and as another force."""
    yield without_a_key(at)
    yield with_every_role(at)
    yield other_forces(at)


def bad_keys(at: Interface) -> dict[str, dict[str, str]]:
    """Return headers with which nobody may be anybody, by what they are."""
    secret = quick_key(at)
    headers = {
        "nothing": {},
        "an empty key": {"Authorization": "Bearer "},
        "another scheme": {"Authorization": "Basic eDp5"},
        "a key without its scheme": {"Authorization": secret},
        "a key that there is not": {"Authorization": "Bearer lfr_0000000000000000_guessed"},
        "a wrong secret": {"Authorization": f"Bearer {secret[:-1]}{'A' if secret[-1] != 'A' else 'B'}"},
        "half a key": {"Authorization": f"Bearer {secret[:12]}"},
        "a key as the cookie": {"Cookie": f"lfr_session={secret}", **OWN},
        "a cookie of another's making": {"Cookie": "lfr_session=" + "Zm9v" * 40, **OWN},
    }
    return {**headers, **{state: {"Authorization": f"Bearer {key}"} for state, key in _spent(at).items()}}


def quick_key(at: Interface) -> str:
    """Make a key of an MLOps engineer whose hash takes no time to check, so that a drill's guesses come fast."""
    admin = at.made.principal(at.store, "admin")
    made = add_person(at.store, admin, name="Made Up", rank="constable", roles=["mlops"])
    secret = made.key.removeprefix(KEY_PREFIX).partition("_")[2]  # which may have a _ of its own
    with at.store.database.write() as session:
        session.get_one(AccessKey, made.key_id).secret_hash = _QUICK.hash(secret)
    return made.key


def _spent(at: Interface) -> dict[str, str]:
    """Make keys that were valid once: revoked, expired, and of a force that is gone; one of each role."""
    store, admin = at.store, at.made.principal(at.store, "admin")
    before = Store(store.database, store.keys, store.signing, lambda: datetime.now(UTC) - _STALE)
    gone, gone_id = another_force(at)
    with store.database.write() as session:
        session.get_one(Force, gone_id).destroyed_at = store.now()
    found = {f"{role} of a force that is gone": key for role, key in gone.items()}
    for role in ROLES:
        for state, where in (("revoked", store), ("expired", before)):
            if role == "field_unit":
                made = add_device(where, admin, device="van", days=365)
            else:
                made = add_person(where, admin, name="Made Up", rank="constable", roles=[role], days=365)
            found[f"{state} {role}"] = made.key
            if state == "revoked":
                revoke(store, admin, made.key_id)
    return found


def another_force(at: Interface) -> tuple[dict[str, str], str]:
    """Add a force; returns a valid key of each role, and its id."""
    store, force_id = at.store, f"other-{secrets.token_hex(4)}"
    first = add_a_force(
        store, at.made.principal(store, "admin"), force_id=force_id, force_name=force_id, admin_name="Made Up"
    )
    admin = authenticate(store, first.key)
    keys = {"admin": first.key, "field_unit": add_device(store, admin, device="van").key}
    for role in ROLES:
        if role not in keys:
            keys[role] = add_person(store, admin, name="Made Up", rank="superintendent", roles=[role]).key
    return keys, force_id


def without_a_key(at: Interface, keys: Mapping[str, Mapping[str, str]] | None = None) -> Finding:
    """Ask every route that is not one of the open ones with headers that are no valid key; None: `bad_keys`."""
    problems = Problems(PROMISE, "every route without a key, and with every kind that is not valid")
    for what, headers in (bad_keys(at) if keys is None else keys).items():
        for route in every_route(at.app):
            if route.template in OPEN:
                continue
            status = _status(at, route, headers)
            problems.expect(status in REFUSED, f"{route.method} {route.template} with {what}: {status}")
    return problems.finding(f"{len(every_route(at.app))} routes, {len(OPEN)} of them open")


def with_every_role(at: Interface) -> Finding:
    """Ask every guarded route in every role, of what is not there, is live and has ended; bodies are no JSON."""
    problems = Problems(PROMISE, "every route, every role, of what is unknown, live and ended")
    there = [{}, *_there(at)]
    for role in ROLES:
        for route in every_route(at.app):
            if route.permission is None:
                continue
            allowed = role in PERMISSIONS[route.permission]
            where = f"{role}: {route.method} {route.template}"
            if allowed:
                status = _status(at, route, at.made.bearer(role))
                problems.expect(status in {200, 404, 409, 422}, f"{where}: {status}")
                changes = route.method != "GET" and route.template not in CHANGES.get(role, {route.template})
                problems.expect(not changes, f"{where}: a role that decides nothing may do it")
                continue
            for ids in there:
                status = _status(at, route, at.made.bearer(role), ids)
                problems.expect(status == 403, f"{where}: {status}")
    return problems.finding(f"{len(ROLES)} roles, {len(PERMISSIONS)} permissions")


def other_forces(at: Interface) -> Finding:
    """Ask every guarded route of another force's things, in every role of one's own."""
    problems = Problems(PROMISE, "another force's deployment, list and alert, in every role")
    ids, (keys, _) = _there(at)[0], another_force(at)
    for role in ROLES:
        for route in every_route(at.app):
            if route.permission is None or role not in PERMISSIONS[route.permission]:
                continue
            answer = _asked(at, route, {"Authorization": f"Bearer {keys[role]}"}, ids)
            where = f"{role}: {route.method} {route.template}: {answer.status_code}"
            takes_id = any(f"{{{name}}}" in route.template for name in ids)
            problems.expect(answer.status_code in ({404, 422} if takes_id else {200, 404, 409, 422}), where)
            # What it says of its own errand may name what it was asked for, and nothing else.
            shown = [value for name, value in ids.items() if value in answer.text and name != "camera_id"]
            problems.expect(answer.status_code != 200 or not shown, f"{where}: shows {shown}")
    return problems.finding()


def _there(at: Interface) -> list[dict[str, str]]:
    """Ids of things that are there: of a live deployment with an alert, and of one that has ended."""
    found = []
    for ends in (False, True):
        alert = at.alert()
        ids = {
            "deployment_id": alert["deployment"],
            "watchlist_id": alert["watchlist"],
            "alert_id": alert["alert"],
            "entry_id": alert["entry"],
            "camera_id": "north",
        }
        if ends:
            answer = at.http.post(f"/v1/deployments/{ids['deployment_id']}/end", headers=at.made.bearer("operator"))
            assert answer.status_code == 200, answer.text
        found.append(ids)
    return found


def _status(at: Interface, route: Asked, headers: Mapping[str, str], ids: dict[str, str] | None = None) -> int:
    if route.method != "WEBSOCKET":
        return int(_asked(at, route, headers, ids).status_code)
    try:
        with at.http.websocket_connect(route.path_with(ids or {}), headers=dict(headers)):
            return 101
    except WebSocketDisconnect as refused:
        return 401 if refused.code == 1008 else refused.code


def _asked(at: Interface, route: Asked, headers: Mapping[str, str], ids: dict[str, str] | None = None) -> Any:
    at.http.cookies.clear()
    return at.http.request(route.method, route.path_with(ids or {}), headers=dict(headers), content=b"{ no json")
