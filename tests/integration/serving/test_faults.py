"""What is killed under the service, and what stalls: it comes back, and no alert is lost or doubled."""

from __future__ import annotations

import secrets
import socket
import time
from contextlib import ExitStack, suppress
from datetime import UTC, datetime, timedelta
from statistics import median

import httpx
import psutil
import pytest

from lfr.client import FieldUnit, FrameResult
from lfr.evaluation.benchmarks.postgres import Postgres
from lfr.models import Model
from tests.support.served import LISTED, STRANGER, Served, walk
from tests.support.service import RunningService, alerts_of, running_service, seen, stream, until

BACK_S = 10.0
STREAMS = 50


@pytest.mark.parametrize(
    "victim",
    [
        "ray::Camera",
        "ray::Matcher",
        pytest.param("ray::Shadow", marks=pytest.mark.long),
        pytest.param("ServeReplica:lfr:Detector", marks=pytest.mark.long),
        "ServeReplica:lfr:Embedder",
        "ServeReplica:lfr:Api",
        "haproxy -dMintegrity",
    ],
)
def test_a_part_that_is_killed_comes_back_and_no_alert_is_lost_or_doubled(
    service: RunningService, one_thread_model: Model, victim: str
) -> None:
    made = service.made.another(one_thread_model)
    seen(service, made, STRANGER)  # every part is up
    said: list[str] = []
    results: list[FrameResult] = []
    with (
        FieldUnit(service.url, made.keys["field_unit"]) as unit,
        unit.frames(made.deployment_id, "north", on_event=said.append) as camera,
    ):
        for index, (jpeg, at) in enumerate(stream(LISTED, frames=30)):
            if index == 2:
                # the newest of its name: this deployment's camera or matcher
                max(service.processes(victim), key=psutil.Process.create_time).kill()
                killed_at = time.monotonic()
            results += camera.send(jpeg, captured_at=at)
        results += camera.finish()
    assert time.monotonic() - killed_at < max(BACK_S + 5, service.started_in_s)
    assert [result.index for result in results] == [*range(30), -1]
    told = [alert.subject_id for result in results for alert in result.alerts]
    assert told.count(LISTED) == len(told) >= 1
    assert len(alerts_of(made)) == len({alert.id for result in results for alert in result.alerts})
    broken = [line for line in said if "sending it again" in line]
    assert len(broken) == len([line for line in said if "the service is back" in line])
    if victim in ("ray::Camera", "haproxy -dMintegrity"):  # the proxy may find another replica before a client notices
        assert broken


def test_a_steward_that_is_killed_is_started_again_and_goes_on_with_its_work(
    service: RunningService, one_thread_model: Model
) -> None:
    # Those of earlier tests' deployments go first.
    until(lambda: len(service.processes("ray::Matcher")) == 2, timeout_s=max(20.0, service.started_in_s))
    (steward,) = service.processes("ServeReplica:lfr:Steward")
    steward.kill()
    before = len(service.processes("ray::Matcher"))
    service.made.another(one_thread_model)  # live now, so there must be matchers for it before any frame comes
    until(lambda: len(service.processes("ray::Matcher")) >= before + 2, timeout_s=max(40.0, service.started_in_s))
    assert [process.pid for process in service.processes("ServeReplica:lfr:Steward")] != [steward.pid]


def test_a_body_that_stops_coming_holds_up_nobody_else(service: RunningService, one_thread_model: Model) -> None:
    made = service.made.another(one_thread_model)
    host, port = service.url.removeprefix("http://").split(":")
    head = (
        f"POST /v1/deployments/{made.deployment_id}/cameras/north/frames HTTP/1.1\r\nHost: {host}\r\n"
        f"Authorization: {made.bearer('field_unit')['Authorization']}\r\n"
        "Content-Type: image/jpeg\r\nContent-Length: 50000\r\n\r\n"
    )
    with ExitStack() as stack:
        for _ in range(20):
            stalled = stack.enter_context(socket.create_connection((host, int(port)), timeout=10))
            stalled.sendall(head.encode() + b"\xff\xd8 the rest does not come")
        assert [alert.subject_id for result in seen(service, made, LISTED) for alert in result.alerts] == [LISTED]


@pytest.mark.parametrize(
    ("headers", "body", "statuses"),
    [
        ("Transfer-Encoding: chunked", (b"100000\r\n" + bytes(1 << 20) + b"\r\n") * 9 + b"0\r\n\r\n", {413}),
        ("Content-Length: -5", b"", {400}),
        ("Content-Length: five", b"", {400}),
        ("Content-Length: 99999999999999999999999", b"", {400}),
        ("Content-Length: 5\r\nContent-Length: 6", b"", {400}),
        ("Content-Length: 5\r\nTransfer-Encoding: chunked", b"0\r\n\r\n", {400, 422}),
        ("Content-Length: 0\r\nX-Stream: a\x00b", b"", {400}),
        ("Content-Length: 0\r\nX-Stream: a\r\n X-Injected: b", b"", {400, 422}),
        ("Content-Length: 0\r\nX-Stream: " + "a" * 70_000, b"", {400, 431}),
        ("Content-Length: 0\r\nX-Request-Id: <b>x</b>", b"", {400, 422}),
    ],
    ids=lambda given: given[:40].replace("\r\n", " ") if isinstance(given, str) else "",
)
def test_what_http_does_not_allow_is_refused_and_takes_nothing_down(
    service: RunningService, headers: str, body: bytes, statuses: set[int]
) -> None:
    host, port = service.url.removeprefix("http://").split(":")
    head = (
        f"POST /v1/deployments/{service.made.deployment_id}/cameras/north/frames HTTP/1.1\r\nHost: {host}\r\n"
        f"Authorization: {service.made.bearer('field_unit')['Authorization']}\r\n"
        f"Content-Type: image/jpeg\r\nConnection: close\r\n{headers}\r\n\r\n"
    )
    received = b""
    with socket.create_connection((host, int(port)), timeout=30) as client:
        with suppress(ConnectionError):  # it may be refused before all of it is sent
            client.sendall(head.encode("latin-1") + body)
        with suppress(ConnectionError):
            while part := client.recv(1 << 16):
                received += part
    status, answer = int(received[9:12]), received.partition(b"\r\n\r\n")[0].lower()
    assert status in statuses, received[:500]
    assert b"\r\nx-injected:" not in answer
    assert httpx.get(f"{service.url}/v1/readyz", timeout=30).status_code == 200


def frame_to_answer_s(service: RunningService, made: Served, *, frames: int, camera: str) -> list[float]:
    """Seconds from sending a frame to its answer, ten frames a second from one field unit."""
    url = f"{service.url}/v1/deployments/{made.deployment_id}/cameras/{camera}/frames"
    headers = {**made.bearer("field_unit"), "Content-Type": "image/jpeg"}
    took: list[float] = []
    with httpx.Client(timeout=60) as client:
        for jpeg in walk(STRANGER, frames=frames):
            began = time.perf_counter()
            headers["X-Captured-At"] = datetime.now(UTC).isoformat()
            assert client.post(url, content=jpeg, headers=headers).status_code == 200
            took.append(time.perf_counter() - began)
            time.sleep(max(0.0, 0.1 - took[-1]))
    return took


@pytest.mark.parametrize("frames", [20, pytest.param(150, marks=pytest.mark.long)])
def test_fifty_idle_consoles_change_no_latency(service: RunningService, one_thread_model: Model, frames: int) -> None:
    made = service.made.another(one_thread_model)
    url = f"{service.url}/v1/deployments/{made.deployment_id}"
    frame_to_answer_s(service, made, frames=5, camera="north")  # every part is up
    without, with_them = [], []
    for _ in range(2):  # in turn, because a machine that others use is not the same from minute to minute
        without += frame_to_answer_s(service, made, frames=frames // 2, camera="north")
        with ExitStack() as stack, httpx.Client(timeout=60, headers=made.bearer("operator")) as client:
            pool = httpx.Limits(max_connections=STREAMS)
            consoles = stack.enter_context(httpx.Client(timeout=60, headers=made.bearer("operator"), limits=pool))
            for _ in range(STREAMS):
                opened = stack.enter_context(consoles.stream("GET", f"{url}/events"))
                assert opened.status_code == 200
            assert f"lfr_event_streams {STREAMS}.0" in client.get(f"{service.url}/metrics").text
            with_them += frame_to_answer_s(service, made, frames=frames // 2, camera="north")
        until(lambda: "lfr_event_streams 0.0" in httpx.get(f"{service.url}/metrics").text, timeout_s=20)
    assert median(with_them) < 1.5 * median(without) + 0.02, (without, with_them)


@pytest.mark.long
@pytest.mark.timeout(600)
def test_a_database_that_goes_down_under_the_service_refuses_frames_and_they_go_on_by_themselves(
    one_thread_model: Model, postgres: Postgres
) -> None:
    url = postgres.create(f"served_{secrets.token_hex(6)}", template="template1")
    with running_service(one_thread_model, database_url=url) as service:
        made = service.made
        seen(service, made, STRANGER, camera="south")
        headers = {**made.bearer("field_unit"), "Content-Type": "image/jpeg"}
        frames = f"{service.url}/v1/deployments/{made.deployment_id}/cameras/south/frames"
        said: list[str] = []
        results: list[FrameResult] = []
        with (
            FieldUnit(service.url, made.keys["field_unit"]) as unit,
            unit.frames(made.deployment_id, "north", on_event=said.append) as camera,
        ):
            postgres.stop()
            try:
                time.sleep(1)
                for jpeg, at in list(stream(LISTED))[:2]:
                    results += camera.send(jpeg, captured_at=at)
                refused = httpx.post(frames, content=next(walk(STRANGER)), headers=headers, timeout=60)
                assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
                assert httpx.get(f"{service.url}/v1/readyz", timeout=60).status_code == 503
                assert httpx.get(f"{service.url}/v1/healthz", timeout=60).status_code == 200
            finally:
                postgres.start()
            later = datetime.now(UTC) + timedelta(seconds=1)
            for index, jpeg in enumerate(walk(LISTED)):
                results += camera.send(jpeg, captured_at=later + timedelta(seconds=index / 10))
            results += camera.finish()
        assert [result.index for result in results] == [*range(14), -1]
        assert any("sending it again" in line for line in said)
        assert [alert.subject_id for result in results for alert in result.alerts] == [LISTED]
        assert alerts_of(made) == [LISTED]
