"""From one version to another on a real Ray node, and on SIGHUP as an operator of the machine sends it."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import httpx
import pytest

from lfr.deployments import end
from lfr.models import load_model
from lfr.serving.node import free_port
from tests.support.served import served
from tests.support.service import requests, running_service

pytestmark = pytest.mark.long


def test_between_deployments_another_version_takes_over_and_no_request_is_dropped() -> None:
    with running_service(load_model(threads=1)) as service:
        made, supervisor = service.made, service.supervisor
        store = made.open()
        end(store, made.principal(store, "operator"), made.deployment_id)
        store.close()
        before = supervisor.runs["model"]["digest"]
        supervisor.args = supervisor.args.model_copy(update={"model": "torch-f32"})
        with requests(service.url) as statuses:
            assert supervisor.roll(), service.said
        assert set(statuses) == {200}
        assert len(statuses) > 100
        (model,) = httpx.get(f"{service.url}/v1/models", headers=made.bearer("mlops")).json()["models"]
        assert model["version"] == "torch-f32"
        assert service.said[-1] == f"rolled from openvino-f32 ({before[:12]}) to torch-f32 ({model['digest'][:12]})"
        assert supervisor.starts == 1


def test_sighup_rolls_what_lfr_serve_runs() -> None:
    folder = Path(tempfile.mkdtemp(prefix="lfr-"))
    served(folder / "home", load_model(threads=1))
    log = folder / "log"
    try:
        with log.open("w") as out:
            process = subprocess.Popen(
                [sys.executable, "-m", "lfr.cli", "serve", "--port", str(free_port()), "--shadow", "openvino-f32"],
                env={**os.environ, "LFR_HOME": str(folder / "home"), "COLUMNS": "250"},
                stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT,
            )  # fmt: skip
        try:
            _wait_for(log, "Ctrl-C ends all of it", process)
            digest = load_model(threads=1).digest
            assert log.read_text().count(f"openvino-f32: openvino-f32, digest {digest}") == 2  # model and shadow
            process.send_signal(signal.SIGHUP)
            _wait_for(log, "rolled from openvino-f32", process)
            assert "not rolled" not in log.read_text()
        finally:
            process.terminate()
            process.wait(60)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _wait_for(log: Path, words: str, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + 240
    while words not in log.read_text():
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < until, log.read_text()
        time.sleep(0.2)
