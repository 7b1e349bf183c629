"""The service on a real Ray node: the way of an alert, and what is killed under it."""

from __future__ import annotations

import contextlib
import json
import os
import re
import secrets
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import grpc
import httpx
import psutil
import pytest
from sqlalchemy import select

from lfr.alerts import list_alerts
from lfr.cli.service_benchmark import Footage, Sizes, frame_rows
from lfr.cli.service_benchmark.consumption import Consumption
from lfr.client import FieldUnit, FrameResult
from lfr.database.tables import AuditEntry
from lfr.deployments import end, live
from lfr.errors import AccessDeniedError, ImageError, NotAuthorisedError
from lfr.models import Model, load_model
from lfr.pipeline import Recogniser
from lfr.pipeline.watching import watch
from lfr.serving.node import NodeSettings, free_port
from tests.support.served import LISTED, STRANGER, Served, walk, write_walk
from tests.support.service import RunningService, running_service

BACK_S = 10.0
CLIP_FRAMES = 40


@pytest.fixture(scope="module")
def one_thread_model() -> Model:
    return load_model(threads=1)


@pytest.fixture(scope="module")
def service(one_thread_model: Model) -> Iterator[RunningService]:
    with tempfile.TemporaryDirectory() as folder:
        clip = write_walk(Path(folder) / "walk.avi", LISTED, frames=CLIP_FRAMES)
        # The made-up list holds two: each has a matcher, so that everything here is done with a list in parts.
        # The same version looks on as a shadow, so that everything here is done beside one.
        sources = {"walk": str(clip)}
        with running_service(one_thread_model, matcher_entries=1, shadow="openvino-f32", sources=sources) as running:
            yield running


def stream(subject_id: str, *, frames: int = 12) -> Iterator[tuple[bytes, datetime]]:
    began = datetime.now(UTC)
    for index, jpeg in enumerate(walk(subject_id, frames=frames)):
        yield jpeg, began + timedelta(seconds=index / 10)


def seen(service: RunningService, made: Served, subject_id: str, *, camera: str = "north") -> list[FrameResult]:
    with FieldUnit(service.url, made.keys["field_unit"]) as unit, unit.frames(made.deployment_id, camera) as frames:
        return list(frames.results(stream(subject_id)))


def alerts_of(made: Served) -> list[str]:
    store = made.open()
    try:
        found = list_alerts(store, made.principal(store, "operator"), deployment_id=made.deployment_id)
        return [alert.subject_id for alert in found]
    finally:
        store.close()


def test_somebody_who_is_listed_alerts_once_and_a_stranger_never(service: RunningService) -> None:
    results = seen(service, service.made, LISTED)
    assert [result.index for result in results] == [*range(12), -1]
    assert [alert.subject_id for result in results for alert in result.alerts] == [LISTED]
    assert results[-1].faces_seen == 1
    assert results[0].document["model"]["version"] == "openvino-f32"
    assert [result.alerts for result in seen(service, service.made, STRANGER, camera="south")] == [()] * 13
    assert alerts_of(service.made) == [LISTED]


def test_the_benchmark_sees_the_same_people_and_alerts_over_http_as_in_one_process(
    service: RunningService, one_thread_model: Model
) -> None:
    """A short form: that both sides do the same, and not how fast."""
    footage = Footage("somebody listed", 10.0, (640, 360), list(walk(LISTED)), service.made.people)
    used = Consumption(service.supervisor.node_pid)
    sizes = Sizes(frames=12, paced_frames=6, repeats=1, warm_up=0)
    rows = frame_rows(service.made, one_thread_model, service.url, footage, used, sizes, in_flight=4)
    assert [row["parity"] for row in rows] == [
        {"frames": True, "faces_seen": True, "alerts": True, "alerts_raised": 1, "people": 1},
        {"frames": True, "faces_seen": True, "alerts": True, "alerts_raised": 1, "people": 1},
    ]
    assert all({"aim", "reached", "ours_spread", "peer_spread", "repeats"} <= row.keys() for row in rows)
    served, here = rows[0]["core_ms_per_frame"]
    assert {"camera", "detector", "embedder", "interface"} <= served.keys()
    assert here.keys() == {"this process"}
    assert {"camera", "detector", "embedder", "interface", "steward", "matcher"} <= used.resident_mib().keys()


def test_the_supervisor_says_where_the_time_of_the_start_went(service: RunningService) -> None:
    started = service.supervisor.started
    assert started is not None
    assert all(seconds >= 0 for seconds in started.stages_s.values())
    assert sum(started.stages_s.values()) == pytest.approx(started.total_s)
    assert set(started.parts_s) == {"Detector", "Embedder", "Steward"}
    assert all(part["opening"] > 0 for part in started.parts_s.values())


def test_events_come_as_they_are_committed_and_go_on_after_the_last_one_that_was_seen(service: RunningService) -> None:
    made = service.made
    url = f"{service.url}/v1/deployments/{made.deployment_id}/events"
    operator = made.bearer("operator")
    first = _events(url, operator, count=2)
    assert [event["action"] for event in first] == ["deployment.start", "alert.raise"]
    alert_id = first[1]["alert"]["alert"]
    factors = dict.fromkeys(("subject_factors", "system_factors", "environmental_factors"), "as it should be")
    asked = {"decision": "not_viable", **factors}
    decided = httpx.post(f"{service.url}/v1/alerts/{alert_id}/adjudication", json=asked, headers=operator)
    assert decided.json()["state"] == "not_viable"
    (second,) = _events(url, {**operator, "Last-Event-ID": str(first[1]["sequence"])}, count=1)
    assert second["action"] == "alert.adjudicate"
    assert second["alert"]["state"] == "not_viable"


def test_the_console_signs_in_shows_an_alert_and_looks_at_a_camera(
    service: RunningService, one_thread_model: Model
) -> None:
    made, same = service.made.another(one_thread_model), {"Origin": service.url}
    with httpx.Client(base_url=service.url, headers=same, timeout=30) as browser:
        page = browser.get("/console")
        assert "default-src 'none'" in page.headers["content-security-policy"]
        assert browser.get("/console/app.js").headers["content-type"].startswith("text/javascript")
        assert browser.post("/v1/session", json={"key": made.keys["operator"]}).status_code == 201
        assert browser.get("/v1/session").json()["roles"] == ["operator"]
        path = f"/v1/deployments/{made.deployment_id}/cameras/north/preview"
        with browser.stream("GET", path) as pictures:
            assert pictures.status_code == 200
            (alert,) = [alert for result in seen(service, made, LISTED) for alert in result.alerts]
            received = b""
            for part in pictures.iter_bytes():
                received += part
                if b"\xff\xd9\r\n--" in received:
                    break
        assert received.startswith(b"--lfr-picture\r\nContent-Type: image/jpeg\r\n")
        image = f"/v1/alerts/{alert.id}/images/reference"
        shown = browser.get(image, params={"purpose": "to decide", "aligned": "true"})
        assert shown.headers["x-aligned"] == "yes"
        assert browser.delete("/v1/session").status_code == 204
        assert browser.get("/v1/session").status_code == 401


def test_the_curl_lines_of_the_readme_work_as_they_are_printed(service: RunningService, tmp_path: Path) -> None:
    readme = (Path(__file__).parents[2] / "serve" / "README.md").read_text(encoding="utf-8")
    script = "".join(re.findall(r"^```sh\n(.*?)^```$", readme, re.DOTALL | re.MULTILINE))
    (tmp_path / "frame.jpg").write_bytes(next(walk(STRANGER)))
    names = {
        "URL": service.url,
        "DEPLOYMENT": service.made.deployment_id,
        "LFR_KEY": service.made.keys["field_unit"],
        "OPERATOR_KEY": service.made.keys["operator"],
        "SOURCE": "walk",
    }
    done = subprocess.run(
        ["bash", "-euc", script],
        cwd=tmp_path,
        env={**os.environ, **names},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    for part in (
        '"status":"ready"',
        '"faces":1',
        "event: alert.raise",
        '"alerts":1',
        "lfr_frames_total",
        '"state":"ended"',
    ):
        assert part in done.stdout


def test_what_the_service_says_no_to_is_lfrs_own_error_in_the_client(service: RunningService) -> None:
    made = service.made
    with FieldUnit(service.url, made.keys["auditor"]) as unit, pytest.raises(AccessDeniedError, match="field_unit"):
        list(unit.frames(made.deployment_id, "north").results(stream(LISTED)))
    with FieldUnit(service.url, made.keys["field_unit"]) as unit, pytest.raises(ImageError, match="not a picture"):
        list(unit.frames(made.deployment_id, "north").results([(b"no picture", datetime.now(UTC))]))


def test_the_same_walk_gives_the_same_as_in_one_process(service: RunningService, one_thread_model: Model) -> None:
    from lfr.sources import decode_image  # noqa: PLC0415
    from tests.integration.test_watch import Walk  # noqa: PLC0415

    made = service.made.another(one_thread_model)
    served = seen(service, made, LISTED)
    store = made.open()
    try:
        operator = made.principal(store, "operator")
        with Walk(LISTED) as source:
            own = watch(
                store,
                operator,
                live(store, operator, made.deployment_id),
                camera_id="south",
                source=source,
                recogniser=Recogniser(one_thread_model),
            )
    finally:
        store.close()
    remote = [alert for result in served for alert in result.alerts]
    assert [alert.subject_id for alert in remote] == [alert.subject_id for alert in own.alerts] == [LISTED]
    assert served[-1].faces_seen == own.faces_seen
    assert remote[0].score == pytest.approx(own.alerts[0].score, abs=0.02)
    assert decode_image(next(walk(LISTED)), name="a frame").shape == (360, 640, 3)


def test_a_camera_that_the_service_reads_sees_and_alerts_as_one_process_does(
    service: RunningService, one_thread_model: Model
) -> None:
    made = service.made.another(one_thread_model)
    url, headers = f"{service.url}/v1/deployments/{made.deployment_id}", made.bearer("operator")
    begun = httpx.post(f"{url}/cameras", json={"camera": "north", "source": "walk"}, headers=headers)
    assert (begun.status_code, begun.json()["state"]) == (201, "asked")

    def north() -> dict[str, Any]:
        found: list[dict[str, Any]] = httpx.get(f"{url}/camera-health", headers=headers).json()["cameras"]
        return next(one for one in found if one["camera"] == "north")

    _until(lambda: north()["feed"]["state"] == "ended", timeout_s=max(30.0, service.started_in_s))
    _until(lambda: north()["frames"] == CLIP_FRAMES, timeout_s=5)
    assert (north()["faces_seen"], north()["dropped"]) == (1, 0)
    assert alerts_of(made) == [LISTED]


@pytest.mark.parametrize(
    "victim", ["ray::Camera", "ray::Matcher", "ray::Shadow", "ServeReplica:lfr:Detector", "ServeReplica:lfr:Api"]
)
def test_a_part_that_is_killed_comes_back_and_no_alert_is_lost_or_doubled(
    service: RunningService, one_thread_model: Model, victim: str
) -> None:
    made = service.made.another(one_thread_model)
    seen(service, made, STRANGER)  # every part is up
    said: list[str] = []
    frames = list(stream(LISTED, frames=30))
    killed_at = 0.0
    results: list[FrameResult] = []
    with (
        FieldUnit(service.url, made.keys["field_unit"]) as unit,
        unit.frames(made.deployment_id, "north", on_event=said.append) as camera,
    ):
        for index, (jpeg, at) in enumerate(frames):
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


def test_a_shadow_counts_what_it_would_have_alerted_and_ends_with_its_deployment(
    service: RunningService, one_thread_model: Model
) -> None:
    made = service.made.another(one_thread_model)
    url = f"{service.url}/v1/deployments/{made.deployment_id}/shadow"

    def counts(name: str) -> int:
        shadows = httpx.get(url, headers=made.bearer("mlops"), timeout=30).json()["shadows"]
        return sum(shadow[name] for shadow in shadows)

    seen(service, made, STRANGER)
    patience_s = max(60.0, 2 * service.started_in_s)
    _until(lambda: counts("frames") + counts("skipped") == 12, timeout_s=patience_s)
    walks = 0
    for pace_s in (0.1, 0.5, 2.0):  # a shadow skips what it has no time for, which depends on the machine
        with (
            FieldUnit(service.url, made.keys["field_unit"]) as unit,
            unit.frames(made.deployment_id, "north") as camera,
        ):
            for jpeg, at in stream(LISTED):
                camera.send(jpeg, captured_at=at)
                time.sleep(pace_s)
            camera.finish()
        walks += 1
        _until(lambda walks=walks: counts("both") + counts("only_field") == walks, timeout_s=patience_s)
        if counts("both"):
            break
    assert counts("both") == 1
    assert (counts("only_shadow"), counts("failed")) == (0, 0)
    assert alerts_of(made) == [LISTED] * walks
    shadow = httpx.get(f"{service.url}/v1/models", headers=made.bearer("mlops")).json()["shadow"]
    assert shadow["digest"] == one_thread_model.digest
    before = len(service.processes("ray::Shadow"))
    store = made.open()
    end(store, made.principal(store, "operator"), made.deployment_id)
    _until(lambda: len(service.processes("ray::Shadow")) < before, timeout_s=patience_s)
    with store.database.read() as session:
        said = session.scalars(select(AuditEntry.details).where(AuditEntry.object == made.deployment_id)).all()
    store.close()
    (ends,) = [details for details in said if details.get("use") == "shadow ends"]
    assert (ends["both"], ends["only_field"], ends["frames"] + ends["skipped"]) == (1, walks - 1, 12 + 12 * walks)


def test_a_roll_drops_no_request_and_one_to_another_model_is_refused_while_a_deployment_is_live(
    service: RunningService,
) -> None:
    supervisor, said, digest = service.supervisor, service.said, service.supervisor.runs["model"]["digest"]
    before = {process.pid for process in service.processes("ServeReplica:lfr:")}
    with requests(service.url) as statuses:
        supervisor.ask_to_roll()
        _until(lambda: said[-1].startswith(("rolled", "not rolled")), timeout_s=max(120.0, 4 * service.started_in_s))
    assert said[-1].startswith(f"rolled from openvino-f32 ({digest[:12]})")
    assert before.isdisjoint(process.pid for process in service.processes("ServeReplica:lfr:"))
    assert len(statuses) > 100
    assert set(statuses) == {200}
    own = supervisor.args
    supervisor.args = own.model_copy(update={"model": "torch-f32", "shadow": None})
    try:
        assert not supervisor.roll()
    finally:
        supervisor.args = own
    assert f"is live with model {digest}" in said[-1]
    assert "not rolled, openvino-f32" in said[-1]
    models = httpx.get(f"{service.url}/v1/models", headers=service.made.bearer("mlops")).json()["models"]
    assert [model["digest"] for model in models] == [digest]
    assert supervisor.starts == 1


def test_frames_are_refused_within_a_second_of_the_end_and_the_actors_go(
    service: RunningService, one_thread_model: Model
) -> None:
    made = service.made.another(one_thread_model)
    seen(service, made, STRANGER)
    before = len(service.processes("ray::Matcher"))
    store = made.open()
    end(store, made.principal(store, "operator"), made.deployment_id)
    store.close()
    time.sleep(0.9)
    with pytest.raises(NotAuthorisedError, match="ended"):
        seen(service, made, LISTED)
    _until(lambda: len(service.processes("ray::Matcher")) < before, timeout_s=5)
    assert alerts_of(made) == []


def test_a_frame_leaves_nothing_in_rays_store_or_in_the_memory_of_what_it_did_not_pass(
    service: RunningService,
) -> None:
    canary = secrets.token_bytes(48)
    jpeg = next(walk(STRANGER))
    comment = canary * 100
    marked = jpeg[:2] + b"\xff\xfe" + (len(comment) + 2).to_bytes(2, "big") + comment + jpeg[2:]
    made = service.made
    with FieldUnit(service.url, made.keys["field_unit"]) as unit, unit.frames(made.deployment_id, "south") as frames:
        list(frames.results([(marked, datetime.now(UTC))]))
    api = service.processes("ServeReplica:lfr:Api")
    looked = {name: service.processes(name) for name in ("raylet/raylet", "gcs_server", "ServeController")}
    assert api
    assert all(looked.values())
    for name, processes in looked.items():
        for process in processes:
            assert not _holds(process.pid, canary), name
    logs = [path for path in service.supervisor.node.folder.rglob("*") if path.is_file()]
    assert logs
    for path in logs:
        content = path.read_bytes()
        assert canary not in content, path
        assert service.made.keys["field_unit"].encode() not in content, path


def test_the_node_answers_nobody_without_its_token(service: RunningService) -> None:
    port = service.supervisor.node.port
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        for method in ("NodeInfoGcsService/GetAllNodeInfo", "InternalKVGcsService/InternalKVKeys"):
            with pytest.raises(grpc.RpcError) as refused:
                channel.unary_unary(f"/ray.rpc.{method}")(b"", timeout=10)
            assert refused.value.code() == grpc.StatusCode.UNAUTHENTICATED


def test_a_node_that_was_started_otherwise_is_refused_with_the_reason(service: RunningService) -> None:
    with tempfile.TemporaryDirectory(prefix="lfr-", dir="/tmp") as folder:
        node = NodeSettings(Path(folder) / "ray", port=free_port())
        node.prepare()
        environment = {
            **os.environ,
            "RAY_AUTH_MODE": "token",
            "RAY_AUTH_TOKEN_PATH": str(node.token_file),
            "RAY_USAGE_STATS_ENABLED": "0",
        }
        words = node.command()
        words[words.index("--system-config") + 1] = '{"automatic_object_spilling_enabled": true}'
        log = Path(folder) / "log"
        with log.open("w") as out:
            process = subprocess.Popen(words, env=environment, stdout=out, stderr=out, start_new_session=True)
        try:
            _until(lambda: "Ray runtime started" in log.read_text(), timeout_s=40)
            asked = {
                "args": {"home": str(service.made.home)},
                "address": node.address,
                "host": "127.0.0.1",
                "port": free_port(),
            }
            done = subprocess.run(
                [sys.executable, "-m", "lfr.serving.deploy"],
                input=json.dumps(asked),
                env=environment,
                capture_output=True,
                text=True,
                timeout=90,
                check=False,
            )
        finally:
            for found in psutil.process_iter():
                with contextlib.suppress(psutil.Error, OSError):
                    if os.getsid(found.pid) == process.pid:
                        found.kill()
            process.wait(10)
    assert done.returncode == 2
    assert "automatic_object_spilling_enabled=True" in done.stderr
    assert "make ray" in done.stderr


def test_a_raylet_that_is_killed_is_started_again_with_all_of_it(service: RunningService) -> None:
    (raylet,) = service.processes("raylet/raylet")
    raylet.kill()
    # 60 seconds where a start takes half of that; a machine that others keep busy takes as long as its first start did.
    limit_s = max(60.0, 2 * service.started_in_s)
    _until(lambda: service.supervisor.starts == 2 and service.supervisor.answers(), timeout_s=limit_s)
    assert any("ended" in line or "no answer" in line for line in service.said)
    results = seen(service, service.made, STRANGER)
    assert len(results) == 13


@contextlib.contextmanager
def requests(url: str) -> Iterator[list[int | str]]:
    """Ask for pages all the time, on connections that stay and on new ones; yields every status, or what went wrong."""
    statuses: list[int | str] = []
    done = threading.Event()

    def ask(path: str, *, stay: bool) -> None:
        client = httpx.Client(base_url=url, timeout=60)
        while not done.wait(0.02):
            try:
                statuses.append((client.get(path) if stay else httpx.get(url + path, timeout=60)).status_code)
            except httpx.HTTPError as error:
                statuses.append(repr(error))
        client.close()

    asking = [
        threading.Thread(target=ask, args=(path,), kwargs={"stay": stay})
        for path, stay in (("/v1/healthz", True), ("/v1/healthz", False), ("/console", True))
    ]
    for one in asking:
        one.start()
    try:
        yield statuses
    finally:
        done.set()
        for one in asking:
            one.join()


def _events(url: str, headers: dict[str, str], *, count: int) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    with httpx.stream("GET", url, headers=headers, timeout=10) as response:
        assert response.status_code == 200
        for line in response.iter_lines():
            if line.startswith("data: "):
                found.append(json.loads(line.removeprefix("data: ")))
                if len(found) == count:
                    return found
    raise AssertionError("the stream ended")


def _holds(pid: int, canary: bytes) -> bool:
    """Whether the canary lies in memory of a process that can be read."""
    with Path(f"/proc/{pid}/mem").open("rb", buffering=0) as memory:
        for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
            span, access = line.split()[:2]
            if "r" not in access:
                continue
            start, stop = (int(part, 16) for part in span.split("-"))
            rest = b""
            while start < stop:
                try:
                    memory.seek(start)
                    block = memory.read(min(stop - start, 8 << 20))
                except (OSError, ValueError, OverflowError):
                    break
                if not block:
                    break
                if canary in rest + block:
                    return True
                rest, start = block[-len(canary) :], start + len(block)
    return False


def _until(true: object, *, timeout_s: float) -> None:
    assert callable(true)
    until = time.monotonic() + timeout_s
    while not true():
        assert time.monotonic() < until, "it did not happen in time"
        time.sleep(0.1)
