"""The service on a real Ray node: the way of an alert, and what it refuses."""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import grpc
import httpx
import psutil
import pytest

from lfr.cli.service_benchmark import Footage, Sizes, frame_rows
from lfr.cli.service_benchmark.consumption import Consumption
from lfr.client import FieldUnit
from lfr.deployments import end, live
from lfr.errors import AccessDeniedError, ImageError, NotAuthorisedError
from lfr.models import Model
from lfr.pipeline import Recogniser
from lfr.pipeline.watching import watch
from lfr.serving.node import NodeSettings, free_port
from tests.support.served import LISTED, STRANGER, walk
from tests.support.service import RunningService, alerts_of, seen, stream, until


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
        {"same_frames": True, "same_people": True, "same_alerts": True, "alerts_raised": 1, "people": 1},
        {"same_frames": True, "same_people": True, "same_alerts": True, "alerts_raised": 1, "people": 1},
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
    readme = (Path(__file__).parents[3] / "serve" / "README.md").read_text(encoding="utf-8")
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

    until(lambda: north()["feed"]["state"] == "ended", timeout_s=max(30.0, service.started_in_s))
    until(lambda: north()["frames"] == 40, timeout_s=5)
    assert (north()["faces_seen"], north()["dropped"]) == (1, 0)
    assert alerts_of(made) == [LISTED]


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
    until(lambda: len(service.processes("ray::Matcher")) < before, timeout_s=5)
    assert alerts_of(made) == []


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
            until(lambda: "Ray runtime started" in log.read_text(), timeout_s=40)
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


@pytest.mark.parametrize("victim", ["raylet/raylet", pytest.param("gcs/gcs_server", marks=pytest.mark.long)])
def test_a_node_that_loses_a_part_is_started_again_with_all_of_it(service: RunningService, victim: str) -> None:
    starts = service.supervisor.starts
    (part,) = service.processes(victim)
    part.kill()
    # 60 seconds where a start takes half of that; a machine that others keep busy takes as long as its first start did.
    limit_s = max(60.0, 2 * service.started_in_s)
    until(lambda: service.supervisor.starts > starts and service.supervisor.answers(), timeout_s=limit_s)
    assert any("ended" in line or "no answer" in line for line in service.said)
    results = seen(service, service.made, STRANGER)
    assert len(results) == 13


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
