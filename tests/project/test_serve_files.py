"""The files in serve/ say what the code asks of a node, and arguments that it takes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from lfr.serving.node import SYSTEM_CONFIG, NodeSettings, node_environment
from lfr.serving.settings import AppArgs

SERVE = Path(__file__).parents[2] / "serve"
OWN = (
    *("RAY_SERVE_DIRECT_INGRESS", "RAY_SERVE_FALLBACK_PROXY", "RAY_SERVE_HAPROXY"),
    *("RAY_ADDRESS", "RAY_AUTH_TOKEN_PATH", "PYTHONPATH"),
)
"""What depends on where a node keeps its files, and on what else runs on the machine."""


def documents(name: str) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all((SERVE / name).read_text(encoding="utf-8")))


@pytest.fixture(scope="module")
def cluster() -> dict[str, Any]:
    (found,) = (one for one in documents("kuberay.yaml") if one["kind"] == "RayService")
    spec: dict[str, Any] = found["spec"]
    return spec


def test_kuberay_starts_nodes_with_the_configuration_that_is_asked_for(cluster: dict[str, Any]) -> None:
    given = cluster["rayClusterConfig"]["headGroupSpec"]["rayStartParams"]["system-config"]
    assert json.loads(given.strip("'")) == SYSTEM_CONFIG


def test_kuberay_gives_processes_the_environment_that_is_asked_for(cluster: dict[str, Any], tmp_path: Path) -> None:
    (container,) = cluster["rayClusterConfig"]["headGroupSpec"]["template"]["spec"]["containers"]
    given = {one["name"]: one.get("value") for one in container["env"]}
    wanted = node_environment(NodeSettings(tmp_path), {})
    assert {name: given.get(name) for name in wanted if not name.startswith(OWN)} == {
        name: value for name, value in wanted.items() if not name.startswith(OWN)
    }


@pytest.mark.parametrize("name", ["dev.yaml", "prod.yaml", "kuberay.yaml"])
def test_the_arguments_are_ones_that_the_application_takes(name: str, cluster: dict[str, Any]) -> None:
    config = yaml.safe_load(cluster["serveConfigV2"]) if name == "kuberay.yaml" else documents(name)[0]
    (application,) = config["applications"]
    assert application["import_path"] == "lfr.serving.app:build"
    AppArgs.model_validate(application.get("args", {}))
