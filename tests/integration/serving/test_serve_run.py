"""`make ray && serve run serve/dev.yaml`, as serve/README.md prints it."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import httpx
import psutil
import pytest
import yaml

from lfr.models import Model
from lfr.serving.node import free_port
from tests.support.served import STRANGER, served, walk
from tests.support.service import until

DEV = Path(__file__).parents[3] / "serve" / "dev.yaml"


@pytest.mark.long
@pytest.mark.timeout(600)
def test_a_node_made_by_make_ray_serves_what_dev_yaml_says(one_thread_model: Model) -> None:
    serve = str(Path(sys.executable).with_name("serve"))
    with tempfile.TemporaryDirectory(prefix="lfr-", dir="/tmp") as folder:
        made = served(Path(folder) / "home", one_thread_model)
        config = yaml.safe_load(DEV.read_text())
        config["http_options"]["port"] = port = free_port()
        Path(folder, "dev.yaml").write_text(yaml.safe_dump(config))
        # A folder and a token of its own, so that no other node of this machine is found or ended.
        environment = {
            **os.environ,
            "HOME": folder,
            "TMPDIR": folder,
            "LFR_HOME": str(made.home),
        }
        running: subprocess.Popen[bytes] | None = None
        try:
            node = subprocess.run(
                [sys.executable, "-m", "lfr.serving.node", "--port", str(free_port())],
                env=environment, capture_output=True, text=True, check=False,
            )  # fmt: skip
            assert node.returncode == 0, node.stderr
            assert "next: serve run serve/dev.yaml" in node.stdout
            log = Path(folder, "log")
            with log.open("w") as out:
                words = [serve, "run", str(Path(folder, "dev.yaml"))]
                running = subprocess.Popen(words, env=environment, stdout=out, stderr=out)
            url = f"http://127.0.0.1:{port}"
            until(lambda: _answers(url), timeout_s=240)
            answer = httpx.post(
                f"{url}/v1/deployments/{made.deployment_id}/cameras/north/frames",
                content=next(walk(STRANGER)),
                headers={**made.bearer("field_unit"), "Content-Type": "image/jpeg"},
                timeout=60,
            )
            assert answer.json()["faces"] == 1, answer.text
        finally:
            for process in psutil.process_iter():
                if _of(process, folder):
                    process.kill()
            if running is not None:
                running.wait(30)


def _answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/v1/readyz", timeout=2).status_code == 200
    except httpx.TransportError:
        return False


def _of(process: psutil.Process, folder: str) -> bool:
    try:
        return process.pid != os.getpid() and process.environ().get("TMPDIR") == folder
    except psutil.Error:
        return False
