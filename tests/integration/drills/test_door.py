"""The drills of the door hold, and each finds what is put there for it to find."""

from __future__ import annotations

from pathlib import Path

import pytest
from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import PlainTextResponse
from fastapi.testclient import TestClient
from starlette.websockets import WebSocket

from lfr.serving.api import create_app
from lfr.serving.api.guard import BEARER, Guarded, may
from tests.drills import door, intruders
from tests.drills.catalogue import DRILLS
from tests.drills.ground import Ground, Interface
from tests.support.findings import Findings


def test_nobody_gets_in(ground: Ground, findings: Findings) -> None:
    findings.all_held(DRILLS["door"](ground, "short"))


@pytest.fixture
def changed(interface: Interface) -> Interface:
    """An interface of its own over the same store, to change."""
    app = create_app(interface.service)
    at = interface
    return Interface(
        app, TestClient(app, raise_server_exceptions=False), at.service, at.store, at.made, at.model, said=[]
    )


def open_the_door(app: FastAPI) -> None:
    @app.get("/v1/back-door/{deployment_id}")
    def back_door(deployment_id: str) -> dict[str, str]:
        return {"deployment": deployment_id}


def open_a_websocket(app: FastAPI) -> None:
    @app.websocket("/v1/back-door")
    async def back_door(websocket: WebSocket) -> None:
        await websocket.accept()


def mount_a_folder(app: FastAPI) -> None:
    app.mount("/v1/files", PlainTextResponse("everything"))


@pytest.mark.parametrize("change", [open_the_door, open_a_websocket, mount_a_folder])
def test_a_route_without_a_door_is_found(changed: Interface, change: object) -> None:
    assert callable(change)
    change(changed.app)
    found = door.without_a_key(changed, {"nothing": {}})
    assert found.held is False
    assert "/v1/" in found.detail


def test_a_route_that_takes_the_wrong_permission_is_found(changed: Interface) -> None:
    router = APIRouter(route_class=Guarded, dependencies=[BEARER])

    @router.post("/deployments/{deployment_id}/forget", openapi_extra=may("audit.read"))
    def forget(deployment_id: str) -> dict[str, str]:
        return {"forgotten": deployment_id}

    changed.app.include_router(router, prefix="/v1")
    found = door.with_every_role(changed)
    assert found.held is False
    assert "auditor: POST /v1/deployments/{deployment_id}/forget: a role that decides nothing may do it" in found.detail


def test_a_route_that_shows_another_forces_things_is_found(changed: Interface) -> None:
    router = APIRouter(route_class=Guarded, dependencies=[BEARER])

    @router.get("/deployments/{deployment_id}/shown", openapi_extra=may("deployment.list"))
    def shown(deployment_id: str) -> dict[str, str]:
        return {"deployment": deployment_id}

    changed.app.include_router(router, prefix="/v1")
    found = door.other_forces(changed)
    assert found.held is False
    assert "/shown: 200" in found.detail


def test_a_service_that_looks_at_every_guess_is_found(changed: Interface) -> None:
    class Forgetful(type(changed.service.memory)):  # type: ignore[misc] # whatever it is
        def matches(self, key_id: str, secret_hash: str, secret: str) -> bool:
            self._wrong._left.clear()
            return bool(super().matches(key_id, secret_hash, secret))

    remembers, changed.service.memory = changed.service.memory, Forgetful()
    try:
        found = intruders.guessing(changed, "short")
    finally:
        changed.service.memory = remembers
    assert found.held is False
    assert "the right one was looked at" in found.detail


def test_a_route_that_another_site_may_use_is_found(changed: Interface) -> None:
    @changed.app.post("/v1/back-door/{deployment_id}")
    def back_door(deployment_id: str, request: Request) -> None:
        changed.service.sessions.key_of(request.cookies["lfr_session"])

    unguarded = intruders.other_sites(changed)
    assert unguarded.held is False
    assert "POST /v1/back-door" in unguarded.detail


def test_a_header_that_is_let_in_is_found(changed: Interface) -> None:
    @changed.app.get("/v1/back-door/{name}")
    def back_door(name: str) -> PlainTextResponse:
        return PlainTextResponse("root:x:0", headers={"X-Injected": "yes"})

    found = intruders.hostile_ids(changed)
    assert found.held is False
    assert "a header was let in" in found.detail


@pytest.mark.parametrize(
    "statement",
    [
        'session.execute(text(f"SELECT * FROM alert WHERE id = {name}"))',
        'session.execute(text("SELECT * FROM alert WHERE id = " + name))',
        'connection.exec_driver_sql("DELETE FROM alert WHERE id = %s" % name)',
        'connection.exec_driver_sql("DELETE FROM alert WHERE id = {}".format(name))',
    ],
)
def test_sql_that_is_put_together_is_found(tmp_path: Path, statement: str) -> None:
    (tmp_path / "module.py").write_text(f"def f(session, connection, text, name):\n    {statement}\n")
    found = intruders.statements(tmp_path)
    assert found.held is False
    assert "module.py, line 2" in found.detail


def test_a_key_in_the_log_is_found(interface: Interface) -> None:
    key = interface.made.keys["operator"]
    interface.said.append(f"GET /v1/models?key={key}")
    try:
        assert intruders.secrets_in_logs(interface).held is False
    finally:
        interface.said.pop()
