"""The HTTP interface without Ray: who may do what, what is refused and how, and the way of an alert."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from lfr import errors
from lfr.access import PERMISSIONS, SecretMemory, authenticate, revoke
from lfr.alerts import events_after
from lfr.deployments import end
from lfr.errors import AccessDeniedError, LfrError
from lfr.models import Model, load_model
from lfr.serving.api import Service, create_app
from lfr.serving.api.problems import problem_type, status_of
from lfr.serving.api.stream import HEADER
from lfr.serving.opening import ServedModel
from lfr.serving.settings import Limits
from tests.support.local_cameras import LocalCameras, LocalReader
from tests.support.routes import every_route, guarded_routes
from tests.support.served import LISTED, ROLES, STRANGER, Served, served, walk

JPEG = {"Content-Type": "image/jpeg"}


@pytest.fixture(scope="module")
def one_thread_model() -> Model:
    return load_model(threads=1)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, one_thread_model: Model) -> Served:
    return served(tmp_path_factory.mktemp("api") / "home", one_thread_model)


@pytest.fixture(scope="module")
def service(made: Served, one_thread_model: Model) -> Iterator[Service]:
    store = made.open()
    limits = Limits(requests_per_second=10_000, frame_bytes=1 << 20, body_bytes=1 << 14)
    model = ServedModel("openvino-f32", "openvino-f32", one_thread_model.digest)
    yield Service(store, LocalCameras(store, LocalReader(one_thread_model), limits=limits), model, limits)
    store.close()


@pytest.fixture(scope="module")
def app(service: Service) -> FastAPI:
    return create_app(service)


@pytest.fixture(scope="module")
def http(app: FastAPI) -> TestClient:
    return TestClient(app, raise_server_exceptions=False)


def frames_url(made: Served, camera: str = "north") -> str:
    return f"/v1/deployments/{made.deployment_id}/cameras/{camera}/frames"


def sent(http: TestClient, made: Served, subject: str, *, camera: str, stream: str) -> list[dict[str, Any]]:
    began = datetime.now(UTC)
    answers = []
    for index, jpeg in enumerate(walk(subject)):
        headers = {
            **made.bearer("field_unit"),
            **JPEG,
            "X-Stream": stream,
            "X-Index": str(index),
            "X-Captured-At": (began + timedelta(seconds=index / 10)).isoformat(),
        }
        response = http.post(frames_url(made, camera), content=jpeg, headers=headers)
        assert response.status_code == 200, response.text
        answers.append(response.json())
    return answers


def test_every_route_takes_a_permission_that_the_table_has_or_is_one_of_the_open_ones(app: FastAPI) -> None:
    unguarded = {one.template for one in every_route(app) if one.permission is None and one.method != "WEBSOCKET"}
    console = {"/console", "/console/", "/console/{name}"}
    described = {"/openapi.json", "/docs", "/docs/oauth2-redirect", "/redoc"}
    assert unguarded == {"/v1/healthz", "/v1/readyz", "/metrics", "/v1/session"} | console | described
    found = guarded_routes(app)
    assert len(found) > 25
    assert {permission for _, _, permission in found} <= set(PERMISSIONS)


def test_without_a_key_nothing_is_reached(app: FastAPI, http: TestClient) -> None:
    for method, path, _ in guarded_routes(app):
        for headers in ({}, {"Authorization": "Bearer lfr_none_none"}, {"Authorization": "Basic eDp5"}):
            if headers.get("Authorization", "").startswith("Bearer"):
                app.state.service.strangers = type(app.state.service.strangers)(1e6, what="wrong keys")
            response = http.request(method, path, headers=headers, content=b"{")
            assert response.status_code == 401, (method, path, response.text)
            assert response.json()["type"] == "urn:lfr:problem:unauthenticated"


@pytest.mark.parametrize("role", ROLES)
def test_a_role_reaches_exactly_what_the_table_allows_before_anything_is_parsed(
    app: FastAPI, http: TestClient, made: Served, role: str
) -> None:
    for method, path, permission in guarded_routes(app):
        response = http.request(method, path, headers=made.bearer(role), content=b"{ no json")
        if role in PERMISSIONS[permission]:
            assert response.status_code in (200, 404, 409, 422), (method, path, response.text)
        else:
            assert response.status_code == 403, (method, path, response.text)
            assert response.json()["type"] == "urn:lfr:problem:access-denied"


def test_somebody_who_is_listed_alerts_once_and_a_stranger_never(http: TestClient, made: Served) -> None:
    listed = sent(http, made, LISTED, camera="north", stream="a")
    alerts = [alert for answer in listed for alert in answer["alerts"]]
    assert [alert["subject_id"] for alert in alerts] == [LISTED]
    assert alerts[0]["demo"] is True
    assert listed[-1]["notice"] == "not approved for field use"
    assert listed[-1]["faces"] == 1
    assert listed[-1]["faces_seen"] == 1
    assert {"version", "digest"} <= set(listed[-1]["model"])
    strangers = sent(http, made, STRANGER, camera="south", stream="b")
    assert [alert for answer in strangers for alert in answer["alerts"]] == []
    assert strangers[-1]["faces_seen"] == 1


def _pages(http: TestClient, url: str, bearer: dict[str, str]) -> list[str]:
    """Every alert of a list, one a page."""
    found, before = list[str](), None
    while True:
        page = http.get(url, params={"limit": 1, **({"before": before} if before else {})}, headers=bearer).json()
        found += [alert["id"] for alert in page["alerts"]]
        before = page["next"]
        if before is None:
            return found


def test_an_alert_goes_its_way_from_list_to_outcome(http: TestClient, made: Served) -> None:
    operator, base = made.bearer("operator"), f"/v1/deployments/{made.deployment_id}"
    alerts = http.get(f"{base}/alerts", headers=operator).json()["alerts"]
    alert_id = alerts[0]["id"]
    assert _pages(http, f"{base}/alerts", operator) == [alert["id"] for alert in alerts]
    for which in ("probe", "reference"):
        image = http.get(f"/v1/alerts/{alert_id}/images/{which}", params={"purpose": "to decide"}, headers=operator)
        assert image.headers["content-type"] == "image/jpeg"
        assert image.content.startswith(b"\xff\xd8")
    factors = dict.fromkeys(("subject_factors", "system_factors", "environmental_factors"), "as it should be")
    decided = http.post(f"/v1/alerts/{alert_id}/adjudication", json={"decision": "viable", **factors}, headers=operator)
    assert decided.json() == {"alert": alert_id, "state": "viable"}
    assert http.post(f"/v1/alerts/{alert_id}/retraction", headers=operator).json()["state"] == "new"
    again = http.post(f"/v1/alerts/{alert_id}/adjudication", json={"decision": "viable", **factors}, headers=operator)
    assert again.status_code == 200
    engaged = http.post(f"/v1/alerts/{alert_id}/outcome", json={"state": "engaged"}, headers=operator)
    assert engaged.json()["state"] == "engaged"
    held = {"reason": "investigation 7", "review_on": (datetime.now(UTC) + timedelta(days=9)).date().isoformat()}
    assert http.post(f"/v1/alerts/{alert_id}/hold", json=held, headers=operator).status_code == 201
    release = {"reason": "closed"}
    assert http.request("DELETE", f"/v1/alerts/{alert_id}/hold", json=release, headers=operator).status_code == 200
    wanted = {"recipient": "crown prosecution, ref 1", "reason": "case 7", "passphrase": "made up and long enough"}
    officer = made.bearer("authorising_officer")
    file = http.post(f"/v1/alerts/{alert_id}/hand-over", json=wanted, headers=officer)
    assert file.status_code == 200
    assert len(file.content) > 1_000
    actions = [
        entry["decision"]
        for entry in http.get(f"/v1/alerts/{alert_id}", headers=operator).json()["history"]["adjudications"]
    ]
    assert actions == ["viable", "retracted", "viable"]
    record = http.get(f"{base}/record", headers=operator).json()
    assert record["alerts"] == 1


def test_events_after_one_that_was_seen_are_the_rest_without_loss_or_repeat(made: Served) -> None:
    store = made.open()
    operator = made.principal(store, "operator")
    everything = events_after(store, operator, made.deployment_id)
    assert [event.action for event in everything][:3] == ["deployment.start", "alert.raise", "alert.adjudicate"]
    for cut, event in enumerate(everything):
        assert events_after(store, operator, made.deployment_id, after=event.sequence) == everything[cut + 1 :]
    some = events_after(store, operator, made.deployment_id, limit=2)
    assert some == everything[:2]
    store.close()


GOOD = next(walk(LISTED, frames=1))


@pytest.mark.parametrize(
    ("status", "problem", "content", "headers"),
    [
        (422, "image", b"", JPEG),
        (422, "image", GOOD[: len(GOOD) // 2], JPEG),
        (422, "image", b"\xff\xd8\xff" + bytes(2_000), JPEG),
        (422, "image", b"GIF89a" + bytes(100), JPEG),
        (422, "input", GOOD, {"Content-Type": "text/plain"}),
        (422, "input", GOOD, {}),
        (413, "limit", bytes((1 << 20) + 1), JPEG),
        (422, "invalid-request", GOOD, {**JPEG, "X-Captured-At": "yesterday"}),
        (422, "input", GOOD, {**JPEG, "X-Captured-At": "2026-03-02T10:15:00"}),
        (422, "invalid-request", GOOD, {**JPEG, "X-Index": "-1"}),
        (422, "invalid-request", GOOD, {**JPEG, "X-Index": "9" * 40}),
        (422, "invalid-request", GOOD, {**JPEG, "X-Stream": "../../etc"}),
        (422, "input", GOOD, {**JPEG, "X-Captured-At": "1970-01-01T00:00:00Z"}),
        (422, "input", GOOD, {**JPEG, "X-Captured-At": "9999-12-31T23:59:59-14:00"}),
        (409, "conflict", GOOD, {**JPEG, "X-Captured-At": (datetime.now(UTC) - timedelta(hours=1)).isoformat()}),
    ],
)
def test_a_frame_that_cannot_be_used_is_refused_with_its_reason(
    http: TestClient, made: Served, status: int, problem: str, content: bytes, headers: dict[str, str]
) -> None:
    sure = http.post(frames_url(made), content=GOOD, headers={**JPEG, **made.bearer("field_unit")})
    assert sure.status_code == 200
    response = http.post(frames_url(made), content=content, headers={**headers, **made.bearer("field_unit")})
    assert (response.status_code, response.json()["type"]) == (status, f"urn:lfr:problem:{problem}"), response.text
    assert response.headers["content-type"] == "application/problem+json"
    assert response.headers["x-request-id"] == response.json()["request_id"]


@pytest.mark.parametrize(
    ("status", "path"),
    [
        (404, "/v1/deployments/none/cameras/north/frames"),
        (409, "/v1/deployments/{deployment}/cameras/elsewhere/frames"),
    ],
)
def test_a_place_that_is_not_there_is_refused(http: TestClient, made: Served, status: int, path: str) -> None:
    url = path.format(deployment=made.deployment_id)
    response = http.post(url, content=GOOD, headers={**JPEG, **made.bearer("field_unit")})
    assert response.status_code == status, response.text


def test_a_websocket_answers_every_frame_in_order_and_says_what_was_wrong_with_one(
    http: TestClient, made: Served, one_thread_model: Model
) -> None:
    other = made.another(one_thread_model)
    url = frames_url(other).replace("/frames", "/stream")
    began = datetime.now(UTC)
    with http.websocket_connect(url, headers=other.bearer("field_unit")) as socket:
        for index, jpeg in enumerate(walk(LISTED)):
            at = began + timedelta(seconds=index / 10)
            socket.send_bytes(HEADER.pack(int(at.timestamp() * 1_000_000)) + jpeg)
        socket.send_bytes(b"short")
        socket.send_bytes(HEADER.pack(2**62) + jpeg)
        answers = [socket.receive_json() for _ in range(14)]
    assert [answer["index"] for answer in answers] == list(range(14))
    assert [alert["subject_id"] for answer in answers[:12] for alert in answer["alerts"]] == [LISTED]
    assert [answer["type"] for answer in answers[12:]] == ["urn:lfr:problem:input"] * 2


def test_a_websocket_takes_no_more_frames_at_once_than_a_camera_does(
    made: Served, service: Service, one_thread_model: Model
) -> None:
    one = Limits(frames_waiting=1)
    cameras = LocalCameras(service.store, LocalReader(one_thread_model), limits=one)
    http = TestClient(create_app(Service(service.store, cameras, service.model, one)))
    other = made.another(one_thread_model)
    began = datetime.now(UTC)
    url = frames_url(other).replace("/frames", "/stream")
    with http.websocket_connect(url, headers=other.bearer("field_unit")) as socket:
        for index, jpeg in enumerate(walk(STRANGER, frames=5)):
            at = began + timedelta(seconds=index / 10)
            socket.send_bytes(HEADER.pack(int(at.timestamp() * 1_000_000)) + jpeg)
        answers = [socket.receive_json() for _ in range(5)]
    assert [answer.get("faces") for answer in answers] == [1] * 5, answers


@pytest.mark.parametrize("role", [None, "auditor"])
def test_a_websocket_without_a_key_that_may_send_frames_is_refused(
    http: TestClient, made: Served, role: str | None
) -> None:
    url = frames_url(made).replace("/frames", "/stream")
    headers = made.bearer(role) if role else {}
    with pytest.raises(WebSocketDisconnect) as refused, http.websocket_connect(url, headers=headers):
        pass
    assert refused.value.code == 1008


def test_more_frames_than_the_limit_are_told_to_slow_down(made: Served, service: Service) -> None:
    slow = Limits(frames_per_second=2)
    app = create_app(Service(service.store, service.cameras, service.model, slow))
    http = TestClient(app)
    codes = [
        http.post(frames_url(made, "south"), content=b"x", headers={**JPEG, **made.bearer("field_unit")})
        for _ in range(4)
    ]
    assert [code.status_code for code in codes] == [422, 422, 429, 429]
    assert codes[-1].headers["retry-after"] == "1"


def test_wrong_keys_from_one_address_are_slowed_down(service: Service) -> None:
    app = create_app(Service(service.store, service.cameras, service.model))
    http = TestClient(app)
    wrong = {"Authorization": "Bearer lfr_0000_guess"}
    assert {http.get("/v1/models", headers=wrong).status_code for _ in range(12)} == {401, 429}


def test_a_key_that_is_revoked_ends_at_once_although_it_was_remembered(made: Served) -> None:
    store = made.open()
    memory = SecretMemory()
    auditor = authenticate(store, made.keys["auditor"], memory=memory)
    began = time.perf_counter()
    assert authenticate(store, made.keys["auditor"], memory=memory) == auditor
    assert time.perf_counter() - began < 0.02
    with pytest.raises(AccessDeniedError):
        authenticate(store, made.keys["auditor"][:-1] + "!", memory=memory)
    key_id = "key-" + made.keys["auditor"].removeprefix("lfr_").partition("_")[0]
    revoke(store, made.principal(store, "admin"), key_id)
    with pytest.raises(AccessDeniedError, match="revoked"):
        authenticate(store, made.keys["auditor"], memory=memory)
    store.close()


def test_frames_are_refused_within_a_second_of_the_end(
    http: TestClient, made: Served, service: Service, one_thread_model: Model
) -> None:
    short = made.another(one_thread_model)
    url, headers = frames_url(short), {**JPEG, **made.bearer("field_unit")}
    assert http.post(url, content=GOOD, headers=headers).status_code == 200
    end(service.store, made.principal(service.store, "operator"), short.deployment_id)
    time.sleep(0.6)
    refused = http.post(url, content=GOOD, headers=headers)
    assert (refused.status_code, refused.json()["type"]) == (409, "urn:lfr:problem:not-authorised")


def test_a_database_that_is_gone_refuses_frames_and_they_come_back_by_themselves(
    http: TestClient, made: Served, service: Service
) -> None:
    database = made.home / "lfr.db"
    away = database.with_suffix(".away")
    service.store.close()
    database.rename(away)
    database.mkdir()  # SQLite would make an empty file
    try:
        response = http.post(frames_url(made), content=GOOD, headers={**JPEG, **made.bearer("field_unit")})
        assert response.status_code == 503, response.text
        assert http.get("/v1/readyz").status_code == 503
        assert http.get("/v1/healthz").status_code == 200
    finally:
        database.rmdir()
        away.rename(database)
    assert http.get("/v1/readyz").status_code == 200
    response = http.post(frames_url(made), content=GOOD, headers={**JPEG, **made.bearer("field_unit")})
    assert response.status_code == 200, response.text


@pytest.mark.parametrize("name", errors.__all__)
def test_every_error_of_the_tree_has_a_status_and_a_type_of_its_own(name: str) -> None:
    kind: type[LfrError] = getattr(errors, name)
    assert 400 <= status_of(kind) <= 503
    assert re.fullmatch(r"urn:lfr:problem:[a-z-]+", problem_type(kind))


def test_the_description_has_every_route_with_its_answers(http: TestClient, app: FastAPI) -> None:
    document = http.get("/openapi.json").json()
    for _, operation in ((path, op) for path in document["paths"].values() for op in path.values()):
        assert operation["summary"]
        assert operation["description"]
    frames = document["paths"]["/v1/deployments/{deployment_id}/cameras/{camera_id}/frames"]["post"]
    assert {"200", "401", "403", "404", "409", "413", "422", "429", "503"} <= set(frames["responses"])
    assert set(frames["requestBody"]["content"]) == {"image/jpeg", "image/png"}
    assert "Problem" in document["components"]["schemas"]
    json.dumps(document)


def test_metrics_count_frames_and_name_nobody(http: TestClient, made: Served) -> None:
    figures = http.get("/metrics").text
    assert re.search(rf'lfr_frames_total{{camera="north",deployment="{made.deployment_id}"}} [1-9]', figures)
    assert "lfr_alerts_total" in figures
    assert LISTED not in figures


def test_logs_say_what_was_asked_and_nothing_of_what_was_in_it(
    http: TestClient, made: Served, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("INFO", logger="lfr"):
        http.post(frames_url(made), content=GOOD, headers={**JPEG, **made.bearer("field_unit")})
    (line,) = [record for record in caplog.records if record.name == "lfr.serving.requests"]
    said = json.dumps(line.__dict__["lfr"])
    assert made.keys["field_unit"] not in said
    assert "/frames" in said
    assert "device-" in said
