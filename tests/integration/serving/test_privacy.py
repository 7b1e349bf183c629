"""Nothing of a frame stays where it only passed, and of its faces nothing stays anywhere."""

from __future__ import annotations

import os
import secrets
from datetime import UTC, datetime

import httpx
import psutil

from lfr.client import FieldUnit
from lfr.models import Model
from tests.support.memory import MARK_BYTES, marked_jpeg, marks_in
from tests.support.served import STRANGER, walk
from tests.support.service import RunningService, held, seen, stream, until

PASSES = ("raylet/raylet", "gcs_server", "ServeController", "HAProxyManager", "ProxyActor")
MOST_IN_PROXY_BYTES = 1_024
"""HAProxy's stack and the scratch buffer in which it straightens a wrapped buffer are no freed memory and are not
cleared; they are written over by whatever comes next. Some 80 bytes were seen in them."""


def test_a_frame_leaves_nothing_in_the_engine_that_it_passed(service: RunningService) -> None:
    canary = secrets.token_bytes(16)
    marked = marked_jpeg(next(walk(STRANGER)), canary)
    assert len(marked) > 100_000
    made = service.made
    proxies: dict[str, list[psutil.Process]] = {}
    with FieldUnit(service.url, made.keys["field_unit"]) as unit, unit.frames(made.deployment_id, "south") as frames:
        results = list(frames.results([(marked, datetime.now(UTC))]))
        assert results[0].document["faces"] == 1
        # While the connection is still open, with nothing else sent through it.
        (proxy,) = service.processes("haproxy -dMintegrity")
        assert marks_in(proxy.pid, canary) * MARK_BYTES < MOST_IN_PROXY_BYTES
    proxies = {name: service.processes(name) for name in PASSES}
    assert [name for name, found in proxies.items() if not found] == []
    for name, processes in proxies.items():
        for process in processes:
            assert marks_in(process.pid, canary) == 0, name
    # Here it is still held, so what looks for it would find it in those above.
    assert marks_in(os.getpid(), canary) > 0
    logs = [path for path in service.supervisor.node.folder.rglob("*") if path.is_file()]
    assert logs
    for path in logs:
        content = path.read_bytes()
        assert canary not in content, path
        assert made.keys["field_unit"].encode() not in content, path


def test_the_metrics_show_a_face_while_it_is_in_the_picture_and_nothing_once_it_is_gone(
    service: RunningService, one_thread_model: Model
) -> None:
    made = service.made.another(one_thread_model)
    with (
        FieldUnit(service.url, made.keys["field_unit"]) as unit,
        unit.frames(made.deployment_id, "north") as frames,
    ):
        for jpeg, at in stream(STRANGER):
            frames.send(jpeg, captured_at=at)
        # Frames on their way, and what waits for the shadow, hold some too; then there is one, of whoever stands there.
        until(lambda: held(service).get("camera crops") == 1, timeout_s=30)
        frames.finish()
    everything = {
        f"{part} {what}" for part in ("camera", "matcher", "shadow", "embedder") for what in ("crops", "templates")
    }
    until(lambda: held(service) == dict.fromkeys(everything, 0.0), timeout_s=60)


def test_a_camera_whose_frames_stop_forgets_who_was_in_the_picture(
    service: RunningService, one_thread_model: Model
) -> None:
    made = service.made.another(one_thread_model)
    url = f"{service.url}/v1/deployments/{made.deployment_id}/cameras/north/frames"
    headers = {**made.bearer("field_unit"), "Content-Type": "image/jpeg"}
    for jpeg, at in stream(STRANGER, frames=4):
        sent = httpx.post(url, content=jpeg, headers={**headers, "X-Captured-At": at.isoformat()}, timeout=60)
        assert sent.json()["faces"] == 1
    until(lambda: held(service)["camera crops"] == 1, timeout_s=5)  # the last frame's own crop has gone
    until(lambda: held(service)["camera crops"] == 0, timeout_s=40)
    assert seen(service, made, STRANGER)[-1].faces_seen == 2
