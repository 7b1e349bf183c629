"""The proxy is one that clears its memory, and no other is served through."""

from __future__ import annotations

import os
import secrets
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from lfr.errors import RefusedError
from lfr.serving.node import NodeSettings, node_environment
from lfr.serving.proxy import CLEARS, check_proxy, write_proxy


def test_the_nodes_proxy_is_haproxy_with_the_option_that_clears_its_memory(tmp_path: Path) -> None:
    program = write_proxy(tmp_path / "proxy")
    assert program.stat().st_mode & 0o777 == 0o700
    shown = subprocess.run([program, "-vv"], capture_output=True, text=True, check=True, timeout=30).stdout
    assert shown.startswith("HAProxy version")
    offered = subprocess.run([program, f"{CLEARS},help"], capture_output=True, text=True, check=False, timeout=30)
    assert "* integrity" in offered.stdout + offered.stderr


def test_a_node_with_another_proxy_is_refused(tmp_path: Path) -> None:
    node = NodeSettings(tmp_path / "ray")
    write_proxy(node.proxy_folder)
    environment = node_environment(node, {})
    check_proxy(environment)
    plain = tmp_path / "haproxy"
    plain.write_text("#!/bin/sh\nexec haproxy $@\n")
    others = [{"RAY_SERVE_ENABLE_HA_PROXY": "0"}, {"RAY_SERVE_HAPROXY_BINARY_PATH": str(plain)}]
    for other in others:
        with pytest.raises(RefusedError, match="make ray"):
            check_proxy({**environment, **other})
    with pytest.raises(RefusedError, match="stay in its memory"):
        check_proxy({})


def test_a_node_has_ports_of_its_own_so_that_a_second_service_runs_on_the_machine(tmp_path: Path) -> None:
    node = NodeSettings(tmp_path / "ray")
    environment = node_environment(node, {})
    assert environment["RAY_SERVE_HAPROXY_STATS_PORT"] != environment["RAY_SERVE_HAPROXY_METRICS_PORT"]
    first, last = (int(environment[f"RAY_SERVE_DIRECT_INGRESS_{name}_HTTP_PORT"]) for name in ("MIN", "MAX"))
    assert 20_000 <= first < last < 30_000
    others = [node_environment(node, {}) for _ in range(20)]
    assert len({other["RAY_SERVE_DIRECT_INGRESS_MIN_HTTP_PORT"] for other in others}) > 10
    # Ray gives replicas the ports before the last one.
    assert environment["RAY_SERVE_FALLBACK_PROXY_HTTP_PORT"] == str(last)
    assert node_environment(node, {"RAY_SERVE_HAPROXY_STATS_PORT": "8404"})["RAY_SERVE_HAPROXY_STATS_PORT"] == "8404"


def test_ports_on_which_somebody_listens_are_not_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = iter([3, 4])
    monkeypatch.setattr(secrets, "randbelow", lambda _: next(drawn))
    with socket.create_server(("127.0.0.1", 20_000 + 3 * 50 + 49)):
        environment = node_environment(NodeSettings(tmp_path / "ray"), {})
    assert environment["RAY_SERVE_DIRECT_INGRESS_MIN_HTTP_PORT"] == str(20_000 + 4 * 50)


def test_ray_takes_every_port_that_it_is_given(tmp_path: Path) -> None:
    environment = node_environment(NodeSettings(tmp_path / "ray"), dict(os.environ))
    given = sorted(name for name in environment if name.startswith("RAY_SERVE_") and name.endswith("_PORT"))
    assert len(given) == 5
    asked = f"from ray.serve._private import constants; print(*(getattr(constants, n) for n in {given}))"
    ran = subprocess.run(
        [sys.executable, "-c", asked], env=environment, capture_output=True, text=True, check=True, timeout=100
    )
    assert ran.stdout.split() == [environment[name] for name in given]
