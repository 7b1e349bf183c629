"""What is sent to the HTTP interface in error or in malice: refused with its reason, and nothing is kept."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from lfr.access import PERMISSIONS, add_person, revoke
from lfr.database import Store
from lfr.deployments import LiveDeployment, live
from lfr.models import Model, load_model
from lfr.pipeline.stream import References
from lfr.serving.alive import HeldFaces
from lfr.serving.api import Service, create_app
from lfr.serving.api.stream import HEADER
from lfr.serving.camera import CameraPost
from lfr.serving.opening import ServedModel
from lfr.serving.order import Position
from lfr.serving.settings import Limits
from lfr.types import Embeddings, FloatArray
from lfr.watchlist import load_sealed
from tests.integration.test_api import GOOD, JPEG, frames_url
from tests.support.bombs import jpeg_of, png_of
from tests.support.hostile import HOSTILE
from tests.support.local_cameras import LocalCameras, LocalReader
from tests.support.routes import guarded_routes
from tests.support.served import LISTED, ROLES, STRANGER, Served, served, walk

LIMITS = Limits(requests_per_second=10_000, frame_bytes=1 << 20, body_bytes=1 << 14)


@pytest.fixture(scope="module")
def one_thread_model() -> Model:
    return load_model(threads=1)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, one_thread_model: Model) -> Served:
    return served(tmp_path_factory.mktemp("faults") / "home", one_thread_model)


@pytest.fixture(scope="module")
def cameras(made: Served, one_thread_model: Model) -> Iterator[LocalCameras]:
    store = made.open()
    yield LocalCameras(store, LocalReader(one_thread_model), limits=LIMITS)
    store.close()


@pytest.fixture(scope="module")
def app(made: Served, cameras: LocalCameras, one_thread_model: Model) -> Iterator[FastAPI]:
    store = made.open()
    model = ServedModel("openvino-f32", "openvino-f32", one_thread_model.digest)
    yield create_app(Service(store, cameras, model, LIMITS))
    store.close()


@pytest.fixture(scope="module")
def http(app: FastAPI) -> TestClient:
    return TestClient(app, raise_server_exceptions=False)


def granted_of(store: Store, made: Served) -> LiveDeployment:
    return live(store, made.principal(store, "field_unit"), made.deployment_id)


def test_an_expired_key_and_one_that_is_revoked_are_refused(http: TestClient, made: Served) -> None:
    store = made.open()
    try:
        admin = made.principal(store, "admin")
        year_ago = Store(store.database, store.keys, store.signing, lambda: datetime.now(UTC) - timedelta(days=366))
        expired = add_person(year_ago, admin, name="Made Up", rank="constable", roles=["operator"], days=365)
        revoked = add_person(store, admin, name="Made Up", rank="constable", roles=["operator"])
        keys = {key: {"Authorization": f"Bearer {key}"} for key in (expired.key, revoked.key)}
        assert http.get("/v1/models", headers=keys[revoked.key]).status_code == 200
        revoke(store, admin, revoked.key_id)
    finally:
        store.close()
    for headers in keys.values():
        answer = http.get("/v1/models", headers=headers)
        assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
        assert answer.json()["type"] == "urn:lfr:problem:unauthenticated"


@pytest.mark.parametrize("side", [60_000, 20_000, 0])
@pytest.mark.parametrize("kind", ["png", "jpeg"])
def test_a_picture_that_states_a_size_it_has_not_is_refused_at_once(
    http: TestClient, made: Served, kind: str, side: int
) -> None:
    content = png_of(side, side) if kind == "png" else jpeg_of(GOOD, side, side)
    began = time.perf_counter()
    answer = http.post(
        frames_url(made), content=content, headers={"Content-Type": f"image/{kind}", **made.bearer("field_unit")}
    )
    assert (answer.status_code, answer.json()["type"]) == (422, "urn:lfr:problem:image"), answer.text
    assert time.perf_counter() - began < 2.0  # a picture of 60,000 x 60,000 takes ten gigabytes and longer


@pytest.mark.parametrize("path", ["/frames", "/alerts/none/adjudication"])
def test_a_body_over_the_limit_is_cut_off_where_it_states_no_length(http: TestClient, made: Served, path: str) -> None:
    url, role = (frames_url(made), "field_unit") if path == "/frames" else (f"/v1{path}", "operator")
    sent = 0

    def pieces() -> Iterator[bytes]:
        nonlocal sent
        for _ in range(40):
            sent += 1 << 16
            yield b"\xff\xd8" + bytes((1 << 16) - 2)

    kind = "image/jpeg" if path == "/frames" else "application/json"
    answer = http.post(url, content=pieces(), headers={"Content-Type": kind, **made.bearer(role)})
    assert sent > LIMITS.frame_bytes
    assert (answer.status_code, answer.json()["type"]) == (413, "urn:lfr:problem:limit"), answer.text


@pytest.mark.parametrize("hostile", HOSTILE.values(), ids=HOSTILE)
def test_no_route_fails_or_lets_a_header_in_whatever_stands_where_an_id_should(
    app: FastAPI, http: TestClient, made: Served, hostile: str
) -> None:
    asked = 0
    for method, path, permission in guarded_routes(app):
        if "none-0" not in path:
            continue
        role = next(role for role in ROLES if role in PERMISSIONS[permission])
        headers = {**made.bearer(role), "Content-Type": "application/json"}
        answer = http.request(method, path.replace("none-0", hostile), headers=headers, content=b"{}")
        assert answer.status_code in (404, 405, 409, 422), (method, path, answer.text)
        assert answer.headers["content-type"] == "application/problem+json", (method, path)
        assert "x-injected" not in answer.headers, (method, path)
        asked += 1
    assert asked > 20


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"[]", "application/json"),
        (b'"text"', "application/json"),
        (b'{"reason": -1e999}', "application/json"),
        (b'{"reason": ' + b"9" * 5_000 + b"}", "application/json"),
        (b"reason=x", "application/x-www-form-urlencoded"),
        (b"--x\r\n\r\n--x--", "multipart/form-data; boundary=x"),
        (b"\x00\xff", "application/octet-stream"),
        (b"{}", "application/json; charset=utf-7"),
    ],
)
def test_no_route_that_takes_a_document_fails_on_one_that_is_none(
    app: FastAPI, http: TestClient, made: Served, content: bytes, kind: str
) -> None:
    document = app.openapi()
    takes = {
        (method.upper(), path)
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
        if "application/json" in operation.get("requestBody", {}).get("content", {})
    }
    assert len(takes) > 8
    for method, path in takes:
        permission = document["paths"][path][method.lower()].get("x-lfr-permission")
        role = next(role for role in ROLES if permission is None or role in PERMISSIONS[permission])
        url = path.format(**dict.fromkeys(_names(path), "none-0"))
        answer = http.request(method, url, headers={**made.bearer(role), "Content-Type": kind}, content=content)
        assert 400 <= answer.status_code < 500, (method, path, answer.status_code, answer.text)


def _names(path: str) -> list[str]:
    return [part[1:-1] for part in path.split("/") if part.startswith("{")]


def test_what_is_asked_of_something_in_the_wrong_state_is_refused_and_changes_nothing(
    http: TestClient, made: Served, one_thread_model: Model
) -> None:
    other = made.another(one_thread_model)
    base, watchlist = f"/v1/deployments/{other.deployment_id}", f"/v1/watchlists/{other.watchlist_id}"
    factors = dict.fromkeys(("subject_factors", "system_factors", "environmental_factors"), "as it should be")
    (alert,) = [
        alert
        for jpeg in walk(LISTED)
        for alert in http.post(frames_url(other), content=jpeg, headers={**JPEG, **made.bearer("field_unit")}).json()[
            "alerts"
        ]
    ]
    alert_url, viable = f"/v1/alerts/{alert['alert']}", {"decision": "viable", **factors}
    live_now: list[tuple[str, str, str, dict[str, Any] | None]] = [
        ("operator", "POST", f"{base}/start", None),
        ("authorising_officer", "POST", f"{base}/authorisation", {"reasons": "made up"}),
        ("authorising_officer", "POST", f"{base}/purge", None),
        ("watchlist_manager", "POST", f"{watchlist}/seal", None),
        ("authorising_officer", "POST", f"{watchlist}/approval", None),
        ("watchlist_manager", "DELETE", watchlist, None),
        ("operator", "POST", f"{alert_url}/retraction", None),
        ("operator", "POST", f"{alert_url}/outcome", {"state": "engaged"}),
        ("operator", "POST", f"{alert_url}/outcome", {"state": "confirmed_true"}),
        ("operator", "DELETE", f"{alert_url}/hold", {"reason": "made up"}),
    ]
    _all_refused(http, made, live_now)
    assert http.post(f"{alert_url}/adjudication", json=viable, headers=made.bearer("operator")).status_code == 200
    again = [("operator", "POST", f"{alert_url}/adjudication", viable)]
    _all_refused(http, made, again)
    assert http.post(f"{base}/end", headers=made.bearer("operator")).status_code == 200
    ended: list[tuple[str, str, str, dict[str, Any] | None]] = [
        ("operator", "POST", f"{base}/end", None),
        ("operator", "POST", f"{base}/start", None),
        ("authorising_officer", "POST", f"{base}/withdrawal", {"reason": "made up"}),
    ]
    _all_refused(http, made, ended)
    shown = http.get(base, headers=made.bearer("operator")).json()
    assert shown["state"] == "ended"


def _all_refused(http: TestClient, made: Served, asked: list[tuple[str, str, str, Any]]) -> None:
    for role, method, url, document in asked:
        answer = http.request(method, url, json=document, headers=made.bearer(role))
        assert answer.status_code == 409, (method, url, answer.status_code, answer.text)
        assert answer.json()["type"].startswith("urn:lfr:problem:")


def test_a_websocket_that_stalls_is_ended_and_nothing_of_who_was_in_its_picture_is_kept(
    cameras: LocalCameras, made: Served, one_thread_model: Model
) -> None:
    impatient = LIMITS.model_copy(update={"silent_s": 2.0})
    model = ServedModel("openvino-f32", "openvino-f32", one_thread_model.digest)
    http = TestClient(create_app(Service(made.open(), cameras, model, impatient)))
    other, began = made.another(one_thread_model), datetime.now(UTC)
    store = other.open()
    post = cameras.post(granted_of(store, other), "north")
    store.close()
    url = frames_url(other).replace("/frames", "/stream")
    with http.websocket_connect(url, headers=other.bearer("field_unit")) as socket:
        for index, jpeg in enumerate(walk(STRANGER, frames=5)):
            at = began + timedelta(seconds=index / 10)
            socket.send_bytes(HEADER.pack(int(at.timestamp() * 1_000_000)) + jpeg)
        assert [socket.receive_json()["faces"] for _ in range(5)] == [1] * 5
        assert post.held() == HeldFaces(crops=1)
        with pytest.raises(WebSocketDisconnect) as ended:
            socket.receive_json()
    assert ended.value.code == 1008
    assert "no frame came" in ended.value.reason
    until = time.monotonic() + 5
    while post.held() != HeldFaces():
        assert time.monotonic() < until
        time.sleep(0.02)


class Looking:
    """A list that notes what a camera holds while it is searched."""

    def __init__(self, references: References) -> None:
        self._references = references
        self.post: CameraPost | None = None
        self.held: list[HeldFaces] = []

    @property
    def subjects(self) -> tuple[str, ...]:
        """As the list's own."""
        return self._references.subjects

    def subject_scores(self, probes: Embeddings) -> FloatArray:
        """As the list's own."""
        assert self.post is not None
        self.held.append(self.post.held())
        return self._references.subject_scores(probes)


def test_a_template_is_counted_while_it_is_searched_and_gone_before_the_answer(
    made: Served, one_thread_model: Model
) -> None:
    store = made.open()
    try:
        granted = granted_of(store, made.another(one_thread_model))
        sealed = load_sealed(
            store, granted.watchlist_id, digest=granted.watchlist_digest, model_digest=granted.model_digest
        )
        looking, unit = Looking(sealed.snapshot), made.principal(store, "field_unit")
        post = CameraPost(
            store, granted, "north", reader=LocalReader(one_thread_model), watchlist=looking, limits=LIMITS
        )
        looking.post = post
        began, after = datetime.now(UTC), []
        for index, jpeg in enumerate(walk(STRANGER, frames=6)):
            post.frame(unit, jpeg, Position(began + timedelta(seconds=index / 10), "a", index))
            after.append(post.held())
        assert {held.templates for held in looking.held} == {1}
        assert {held.templates for held in after} == {0}
        assert after[-1] == HeldFaces(crops=1)  # the picture for an alert that this track may still raise
        post.rest(silent_s=0.0)
        assert post.held() == HeldFaces()
        again = post.frame(unit, next(walk(STRANGER)), Position(began + timedelta(seconds=60), "a", 9))
        assert (again.faces, again.passed_over) == (1, 3)
        assert set(again.stages_s) == {"detect", "embed", "search", "decide"}
    finally:
        store.close()
