"""What the console stands on, without a browser: its files, sessions in cookies, other sites refused, previews."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from importlib.resources import files

import cv2
import numpy as np
import pytest
from fastapi.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from lfr.access import add_person, revoke
from lfr.alerts import RaisedAlert
from lfr.models import Model, load_model
from lfr.pipeline import Recogniser
from lfr.serving.api import Service, create_app
from lfr.serving.api.sessions import COOKIE, LASTS
from lfr.serving.liveness import LIVE_FOR_S
from lfr.serving.opening import ServedModel
from lfr.serving.order import Position
from lfr.serving.settings import Limits
from lfr.sources import decode_image
from lfr.types import Embeddings
from tests.support.local_cameras import LocalCameras, LocalReader
from tests.support.served import LISTED, STRANGER, Served, served, walk

SAME = {"Sec-Fetch-Site": "same-origin", "Origin": "http://testserver"}


@pytest.fixture(scope="module")
def one_thread_model() -> Model:
    return load_model(threads=1)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, one_thread_model: Model) -> Served:
    return served(tmp_path_factory.mktemp("console") / "home", one_thread_model)


@pytest.fixture(scope="module")
def service(made: Served, one_thread_model: Model) -> Iterator[Service]:
    store = made.open()
    limits = Limits(requests_per_second=10_000)
    model = ServedModel("openvino-f32", "openvino-f32", one_thread_model.digest)
    yield Service(store, LocalCameras(store, LocalReader(one_thread_model), limits=limits), model, limits)
    store.close()


@pytest.fixture
def http(service: Service) -> TestClient:
    return TestClient(create_app(service), raise_server_exceptions=False)


def sign_in(http: TestClient, key: str) -> None:
    assert http.post("/v1/session", json={"key": key}, headers=SAME).status_code == 201


def test_every_file_of_the_page_is_served_with_a_policy_that_allows_nothing_inline(http: TestClient) -> None:
    page = http.get("/console")
    assert page.headers["content-type"].startswith("text/html")
    names = {part.split('"')[0] for part in page.text.split('="/console/')[1:]}
    assert {"app.js", "base.css", "pages.css", "icon.svg"} <= names
    assert "<style" not in page.text
    assert "style=" not in page.text
    for name in ("", *(f"/{name}" for name in names)):
        answer = http.get("/console" + name)
        policy = answer.headers["content-security-policy"]
        assert answer.status_code == 200, name
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert "http" not in policy, "nothing from elsewhere"
        assert answer.headers["x-content-type-options"] == "nosniff"
        again = http.get("/console" + name, headers={"If-None-Match": answer.headers["etag"]})
        assert again.status_code == 304


@pytest.mark.parametrize("name", ["__init__.py", "..%2f__init__.py", "nothing.js"])
def test_nothing_else_is_served(http: TestClient, name: str) -> None:
    assert http.get(f"/console/{name}").status_code == 404


def test_no_script_makes_markup_of_text_or_asks_another_address() -> None:
    scripts = [one for one in files("lfr.serving.console").joinpath("static").iterdir() if one.name.endswith(".js")]
    assert len(scripts) > 10
    for script in scripts:
        text = script.read_text(encoding="utf-8").replace("http://www.w3.org/2000/svg", "")
        assert not re.search(
            r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|\.style\b|https?:", text
        ), script.name


def test_a_key_becomes_a_cookie_that_no_script_reads_and_the_key_is_not_in_it(http: TestClient, made: Served) -> None:
    answer = http.post("/v1/session", json={"key": made.keys["operator"]}, headers=SAME)
    cookie = answer.headers["set-cookie"]
    assert {"HttpOnly", "SameSite=strict", "Path=/v1", "Secure"} <= set(cookie.split("; "))
    assert made.keys["operator"] not in cookie
    assert made.keys["operator"] not in answer.text
    assert answer.json()["roles"] == ["operator"]
    local = TestClient(http.app, base_url="http://127.0.0.1:8000")
    same = {**SAME, "Origin": "http://127.0.0.1:8000"}
    plain = local.post("/v1/session", json={"key": made.keys["operator"]}, headers=same)
    assert "Secure" not in plain.headers["set-cookie"]
    assert local.get("/v1/session").json()["id"] == answer.json()["id"]
    assert local.get("/v1/deployments").status_code == 200
    assert local.delete("/v1/session", headers=same).status_code == 204
    local.cookies.set(COOKIE, cookie.partition("=")[2].partition(";")[0])
    assert local.get("/v1/deployments").status_code == 200, "another session of the same key goes on"


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site", "Origin": "https://testserver:8443"},
        {"Sec-Fetch-Site": "none"},
        {"Origin": "http://elsewhere.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "same-origin", "Origin": "http://elsewhere.example"},
    ],
)
def test_another_site_changes_nothing_with_a_session(
    http: TestClient, made: Served, service: Service, headers: dict[str, str]
) -> None:
    cookie, _ = service.sessions.begin(made.keys["operator"])
    end = f"/v1/deployments/{made.deployment_id}/end"
    refused = http.post(end, headers={**headers, "Cookie": f"{COOKIE}={cookie}"})
    assert (refused.status_code, refused.json()["type"]) == (403, "urn:lfr:problem:access-denied")
    signing_in = http.post("/v1/session", json={"key": made.keys["operator"]}, headers=headers)
    assert signing_in.status_code == 403, "nor is anybody signed in from there"
    assert http.get("/v1/deployments", headers=made.bearer("operator")).json()["deployments"][0]["state"] == "live"


@pytest.mark.parametrize("headers", [{}, {"Origin": "http://elsewhere.example"}])
def test_another_site_opens_no_websocket_with_a_session(
    http: TestClient, made: Served, service: Service, headers: dict[str, str]
) -> None:
    cookie, _ = service.sessions.begin(made.keys["operator"])
    url = f"/v1/deployments/{made.deployment_id}/cameras/north/stream"
    with (
        pytest.raises(WebSocketDisconnect) as refused,
        http.websocket_connect(url, headers={**headers, "Cookie": f"{COOKIE}={cookie}"}),
    ):
        pass
    assert refused.value.code == 1008


def test_another_site_reads_nothing_with_a_session(http: TestClient, made: Served, service: Service) -> None:
    cookie, _ = service.sessions.begin(made.keys["operator"])
    headers = {"Cookie": f"{COOKIE}={cookie}", "Sec-Fetch-Site": "cross-site"}
    assert http.get("/v1/deployments", headers=headers).status_code == 403


@pytest.mark.parametrize("cookie", ["x", "AAAA", "ä", "Zm9v" * 40])
def test_a_cookie_that_was_not_made_here_is_no_session(http: TestClient, cookie: str) -> None:
    answer = http.get("/v1/session", headers=[(b"Cookie", f"{COOKIE}={cookie}".encode())])
    assert answer.status_code == 401


def test_a_session_ends_by_its_time_by_signing_out_and_with_its_key(
    made: Served, service: Service, http: TestClient
) -> None:
    admin = made.principal(service.store, "admin")
    new = add_person(service.store, admin, name="Made Up", rank="constable", roles=["operator"])
    cookie, expires_at = service.sessions.begin(new.key)
    headers = {"Cookie": f"{COOKIE}={cookie}"}
    assert http.get("/v1/session", headers=headers).status_code == 200
    later = replace(service.store, now=lambda: datetime.now(UTC) + LASTS + timedelta(seconds=1))
    late = TestClient(create_app(Service(later, service.cameras, service.model, service.limits)))
    assert late.get("/v1/session", headers=headers).status_code == 401
    assert expires_at - datetime.now(UTC) <= LASTS
    other, _ = service.sessions.begin(new.key)
    assert http.delete("/v1/session", headers={**headers, **SAME}).status_code == 204
    assert http.get("/v1/session", headers=headers).status_code == 401
    revoke(service.store, admin, new.key_id)
    refused = http.get("/v1/deployments", headers={"Cookie": f"{COOKIE}={other}"})
    assert refused.status_code == 401
    assert "revoked" in refused.json()["detail"]


def test_a_session_opens_in_another_process_of_the_same_store(made: Served, service: Service) -> None:
    cookie, _ = service.sessions.begin(made.keys["auditor"])
    store = made.open()
    other = TestClient(create_app(Service(store, service.cameras, service.model, service.limits)))
    assert other.get("/v1/session", headers={"Cookie": f"{COOKIE}={cookie}"}).json()["roles"] == ["auditor"]
    store.close()


def test_the_log_is_read_a_page_at_a_time_and_checked(http: TestClient, made: Served) -> None:
    auditor = made.bearer("auditor")
    newest = http.get("/v1/audit/entries", params={"limit": 2}, headers=auditor).json()
    assert [entry["sequence"] for entry in newest["entries"]] == [newest["sequence"], newest["sequence"] - 1]
    assert newest["entries"][0]["hash"] == newest["head"]
    older = {"limit": 2, "before": newest["entries"][-1]["sequence"]}
    assert http.get("/v1/audit/entries", params=older, headers=auditor).json()["entries"][0]["sequence"] == (
        newest["sequence"] - 2
    )
    some = http.get("/v1/audit/entries", params={"action": "deployment."}, headers=auditor).json()["entries"]
    assert {entry["action"].partition(".")[0] for entry in some} == {"deployment"}
    assert http.get("/v1/audit/entries", params={"actor": "%"}, headers=auditor).json()["entries"] == []
    verdict = http.post("/v1/audit/check", headers=auditor).json()
    assert (verdict["intact"], verdict["complete"]) == (True, True)
    assert verdict["entries"] == newest["sequence"] + 1, "that it was checked is logged"
    assert http.get("/v1/audit/entries", headers=made.bearer("operator")).status_code == 403


def test_a_list_is_looked_over_over_http(http: TestClient, made: Served) -> None:
    path = f"/v1/watchlists/{made.watchlist_id}/lint"
    report = http.post(path, headers=made.bearer("watchlist_manager")).json()
    assert (report["entries"], report["passed"]) == (2, True)


def template(model: Model, picture: bytes) -> Embeddings | None:
    recogniser = Recogniser(model)
    pixels = decode_image(picture, name="picture")
    faces = recogniser.detect(pixels)
    if not len(faces):
        return None
    return recogniser.embed(recogniser.crops(pixels, faces[:1])[0])


@pytest.mark.parametrize(("subject", "visible"), [(LISTED, True), (STRANGER, False)])
def test_a_preview_shows_a_person_in_an_alert_and_nobody_else(
    service: Service, made: Served, one_thread_model: Model, subject: str, visible: bool
) -> None:
    one = made.another(one_thread_model)
    operator = one.principal(service.store, "operator")
    granted = service.live(operator, one.deployment_id)
    assert isinstance(service.cameras, LocalCameras)
    post = service.cameras.post(granted, "north")
    assert post.preview(operator, 0) is None, "no frame came yet"
    began, frames = datetime.now(UTC), list(walk(subject))
    for index, jpeg in enumerate(frames):
        if index == len(frames) - 1:  # by now somebody who is listed is in an alert
            time.sleep(0.25)
        post.frame(operator, jpeg, Position(began + timedelta(seconds=index / 10), "a", index))
    found = post.preview(operator, 0)
    assert found is not None
    picture, picture_frame = found.jpeg, frames[-1]
    before, after = template(one_thread_model, picture_frame), template(one_thread_model, picture)
    assert before is not None
    alike = float((before.vectors @ after.vectors.T)[0, 0]) if after is not None else 0.0
    if visible:
        assert alike > 0.8
    else:
        assert alike < 0.25, "far under any threshold"
        # Whatever somebody does with what is left: the blurred place itself, cut out where the face was.
        recogniser = Recogniser(one_thread_model)
        faces = recogniser.detect(decode_image(picture_frame, name="frame"))
        crops, _ = recogniser.crops(decode_image(picture, name="picture"), faces)
        rest = recogniser.embed(np.asarray([cv2.resize(crops[0], (112, 112))], np.uint8))
        assert float((before.vectors @ rest.vectors.T)[0, 0]) < 0.25


def test_whoever_an_officer_does_not_call_viable_is_blurred_again(
    http: TestClient, service: Service, made: Served, one_thread_model: Model
) -> None:
    one, recogniser = made.another(one_thread_model), Recogniser(one_thread_model)
    operator = one.principal(service.store, "operator")
    assert isinstance(service.cameras, LocalCameras)
    post = service.cameras.post(service.live(operator, one.deployment_id), "north")
    began, frames, faces = datetime.now(UTC), list(walk(LISTED, frames=14)), []
    alerts: list[RaisedAlert] = []
    for index, jpeg in enumerate(frames):
        if index == 13:
            factors = dict.fromkeys(("subject_factors", "system_factors", "environmental_factors"), "another person")
            path = f"/v1/alerts/{alerts[0].id}/adjudication"
            decided = http.post(path, json={"decision": "not_viable", **factors}, headers=one.bearer("operator"))
            assert decided.json()["state"] == "not_viable"
            time.sleep(LIVE_FOR_S + 0.1)
        if index >= 12:
            post.preview(operator, 0)
            time.sleep(0.25)
        position = Position(began + timedelta(seconds=index / 10), "a", index)
        alerts += post.frame(operator, jpeg, position).alerts
        if index >= 12:
            shown = post.preview(operator, 0)
            assert shown is not None
            faces.append(len(recogniser.detect(decode_image(shown.jpeg, name="picture"))))
    assert faces == [1, 0]


def test_a_preview_ends_with_the_deployment_and_looking_is_logged(
    http: TestClient, service: Service, made: Served, one_thread_model: Model
) -> None:
    one = made.another(one_thread_model)
    path = f"/v1/deployments/{one.deployment_id}/cameras/north/preview"
    assert http.get(path, headers=one.bearer("auditor")).status_code == 403
    assert http.get(path.replace("north", "elsewhere"), headers=one.bearer("operator")).status_code == 409
    ended = http.post(f"/v1/deployments/{one.deployment_id}/end", headers=one.bearer("operator"))
    assert ended.status_code == 200
    # What the service remembers of a live deployment is half a second old at most.
    began = datetime.now(UTC)
    while (answer := http.get(path, headers=one.bearer("operator"))).status_code == 200:
        assert datetime.now(UTC) - began < timedelta(seconds=5)
    assert answer.json()["type"] == "urn:lfr:problem:not-authorised"
    log = {"action": "deployment.preview", "object": one.deployment_id}
    looked = http.get("/v1/audit/entries", params=log, headers=one.bearer("auditor")).json()["entries"]
    assert all(entry["details"] == {"camera": "north"} for entry in looked)


def test_both_images_of_an_alert_are_shown_at_the_same_place_and_scale(
    http: TestClient, made: Served, one_thread_model: Model
) -> None:
    one, recogniser, began = made.another(one_thread_model), Recogniser(one_thread_model), datetime.now(UTC)
    url = f"/v1/deployments/{one.deployment_id}"
    alerts = []
    for index, jpeg in enumerate(walk(LISTED)):
        at = (began + timedelta(seconds=index / 10)).isoformat()
        headers = {**one.bearer("field_unit"), "Content-Type": "image/jpeg", "X-Captured-At": at}
        alerts += http.post(f"{url}/cameras/north/frames", content=jpeg, headers=headers).json()["alerts"]
    places = []
    for which in ("probe", "reference"):
        path = f"/v1/alerts/{alerts[0]['alert']}/images/{which}"
        asked = {"purpose": "to decide", "aligned": "true"}
        answer = http.get(path, params=asked, headers=one.bearer("operator"))
        assert answer.headers["x-aligned"] == "yes"
        pixels = decode_image(answer.content, name=which)
        assert pixels.shape == (384, 384, 3)
        places.append(recogniser.detect(pixels).landmarks[0])
        kept = http.get(path, params={"purpose": "to decide"}, headers=one.bearer("operator"))
        assert kept.content != answer.content
    assert np.abs(places[0] - places[1]).max() < 20, "of 384 pixels"


def test_how_cameras_do_is_told(http: TestClient, made: Served) -> None:
    url = f"/v1/deployments/{made.deployment_id}"
    jpeg = {**made.bearer("field_unit"), "Content-Type": "image/jpeg"}
    assert http.post(f"{url}/cameras/south/frames", content=b"no picture", headers=jpeg).status_code == 422
    frame = next(walk(LISTED, frames=1))
    assert http.post(f"{url}/cameras/south/frames", content=frame, headers=jpeg).status_code == 200
    found = http.get(f"{url}/camera-health", headers=made.bearer("operator")).json()["cameras"]
    south = next(one for one in found if one["camera"] == "south")
    assert (south["refused"], south["waiting"]) == (1, 0)


def test_a_stranger_cannot_sign_in(http: TestClient) -> None:
    assert http.post("/v1/session", json={"key": "lfr_0000_wrong"}, headers=SAME).status_code == 401
