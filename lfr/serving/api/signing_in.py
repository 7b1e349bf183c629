"""Sign in from a browser: a key becomes a cookie that scripts cannot read."""

from __future__ import annotations

import ipaddress
from datetime import datetime
from typing import Any

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field, SecretStr

from lfr.access import PERMISSIONS, Principal, policy_of
from lfr.database import Store
from lfr.serving.api.guard import Serving
from lfr.serving.api.problems import PROBLEMS
from lfr.serving.api.sessions import COOKIE, LASTS, check_same_site

__all__ = ["router"]

router = APIRouter(tags=["session"], responses={code: PROBLEMS[code] for code in (401, 403, 413, 422, 429, 503)})


class SignIn(BaseModel):
    """A key, to be kept in a cookie."""

    model_config = ConfigDict(extra="forbid")

    key: SecretStr = Field(min_length=1, max_length=200, examples=["lfr_0f9c41d07ab35e18_…"])


@router.post("/session", status_code=201, summary="Sign in")
def sign_in(asked: SignIn, request: Request, response: Response, service: Serving) -> dict[str, Any]:
    """Check a key and set a cookie that stands for it: HttpOnly, SameSite=Strict, for twelve hours at most."""
    check_same_site(request)
    key = asked.key.get_secret_value().strip()
    principal = request.state.principal = service.principal_of(key, request)
    cookie, expires_at = service.sessions.begin(key)
    response.set_cookie(
        COOKIE,
        cookie,
        max_age=int(LASTS.total_seconds()),
        path="/v1",
        httponly=True,
        samesite="strict",
        secure=not _loopback(request.url.hostname),
    )
    response.headers["Cache-Control"] = "no-store"
    return _session(service.store, principal, expires_at)


@router.get("/session", summary="Who is signed in")
def session(request: Request, response: Response, service: Serving) -> dict[str, Any]:
    """Return whose session the cookie is, and what their key allows."""
    principal = request.state.principal = service.authenticate(request)
    cookie = request.cookies.get(COOKIE)
    response.headers["Cache-Control"] = "no-store"
    return _session(service.store, principal, service.sessions.expires_at(cookie) if cookie else None)


@router.delete("/session", status_code=204, summary="Sign out")
def sign_out(request: Request, response: Response, service: Serving) -> None:
    """End the session and have the browser drop its cookie."""
    check_same_site(request)
    response.delete_cookie(
        COOKIE, path="/v1", httponly=True, samesite="strict", secure=not _loopback(request.url.hostname)
    )
    cookie = request.cookies.get(COOKIE)
    if cookie:
        service.sessions.end(cookie)


def _session(store: Store, principal: Principal, expires_at: datetime | None) -> dict[str, Any]:
    with store.database.read() as reading:
        policy = policy_of(reading, principal.force_id)
    return {
        "id": principal.id,
        "force": principal.force_id,
        "rank": principal.rank,
        "roles": sorted(principal.roles),
        "permissions": sorted(permission for permission in PERMISSIONS if principal.may(permission)),
        "two_person_rule": policy.two_person_rule,
        "categories": list(policy.categories),
        "expires_at": expires_at.isoformat() if expires_at else None,
        "now": store.now().isoformat(),
    }


def _loopback(host: str | None) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host or "").is_loopback
    except ValueError:
        return False
