"""The arguments of the app: typed, absolute, unknown keys refused."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from pydantic import ValidationError

from lfr.errors import RefusedError, SettingsError
from lfr.serving.node import (
    LONGEST_FOLDER,
    SYSTEM_CONFIG,
    NodeSettings,
    check_process,
    forbid_core_dumps,
    node_environment,
)
from lfr.serving.settings import AppArgs
from lfr.serving.tidy import keep_tidy


@pytest.mark.parametrize(
    "wrong",
    [
        {"modle": "openvino-f32"},
        {"limits": {"frame_bytes": 64 << 20}},
        {"limits": {"frames_per_second": 0}},
        {"api": {"replicas": 4, "max_replicas": 2}},
        {"detector": {"cpus": 0}},
    ],
)
def test_arguments_that_are_unknown_or_out_of_bounds_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        AppArgs.model_validate(wrong)


def test_what_is_not_given_comes_from_the_environment_and_is_absolute(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LFR_HOME", "kept")
    monkeypatch.setenv("LFR_MODEL", "torch-f32")
    args = AppArgs().resolved()
    assert args.home == tmp_path / "kept"
    assert args.model == "torch-f32"
    assert AppArgs(model="openvino-f32").resolved().model == "openvino-f32"


def test_a_database_password_stays_out_of_the_arguments_text() -> None:
    args = AppArgs.model_validate({"database_url": "postgresql://lfr:secret@db/lfr"})
    assert "secret" not in repr(args)


def test_a_node_is_started_so_that_nothing_spills_and_a_token_is_asked_for(tmp_path: Path) -> None:
    node = NodeSettings(tmp_path / "ray", port=7000)
    words = node.command()
    assert "--disable-usage-stats" in words
    assert words[words.index("--include-dashboard") + 1] == "false"
    assert SYSTEM_CONFIG["automatic_object_spilling_enabled"] is False
    environment = node_environment(node, {})
    assert environment["RAY_AUTH_MODE"] == "token"
    assert environment["RAY_USAGE_STATS_ENABLED"] == "0"
    assert environment["RAY_ADDRESS"] == "127.0.0.1:7000"
    assert node_environment(node, {"MALLOC_PERTURB_": "0"})["MALLOC_PERTURB_"] == "165"


def test_a_node_joins_a_head_with_its_token_and_has_no_settings_of_its_own(tmp_path: Path) -> None:
    head = NodeSettings(tmp_path / "head", host="192.0.2.1", port=7000)
    joined = NodeSettings(tmp_path / "ray", host="192.0.2.2", join=head.address, token=tmp_path / "copy")
    words = joined.command()
    assert words[words.index("--address") + 1] == "192.0.2.1:7000"
    assert words[words.index("--node-ip-address") + 1] == "192.0.2.2"
    assert {"--head", "--port", "--system-config", "--include-dashboard"}.isdisjoint(words)
    environment = node_environment(joined, {})
    assert environment["RAY_ADDRESS"] == head.address
    assert environment["RAY_AUTH_TOKEN_PATH"] == str(tmp_path / "copy")
    assert environment["MALLOC_PERTURB_"] == "165"


def test_a_node_does_not_make_up_the_token_of_the_head_that_it_joins() -> None:
    with tempfile.TemporaryDirectory(dir="/tmp") as short:
        node = NodeSettings(Path(short) / "ray", join="192.0.2.1:7000")
        with pytest.raises(SettingsError, match=r"copy the one of the node at 192\.0\.2\.1:7000"):
            node.prepare()
        assert not node.token_file.exists()


def test_the_token_is_the_owners_alone_and_stays_the_same() -> None:
    with tempfile.TemporaryDirectory(dir="/tmp") as short:  # a short path, as the node needs
        node = NodeSettings(Path(short) / "ray")
        node.prepare()
        token = node.token_file.read_text()
        assert len(token) == 64
        assert node.token_file.stat().st_mode & 0o777 == 0o600
        assert node.folder.stat().st_mode & 0o777 == 0o700
        node.prepare()
        assert node.token_file.read_text() == token


def test_a_folder_too_long_for_sockets_is_refused_by_its_length(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=str(LONGEST_FOLDER)):
        NodeSettings(tmp_path / ("long" * 20)).prepare()


def test_what_a_nodes_processes_free_is_overwritten_and_they_leave_no_core_dump(tmp_path: Path) -> None:
    # A block as large as a crop, freed and read again from where it lay.
    held = (
        "import ctypes, resource\n"
        "libc = ctypes.CDLL(None)\n"
        "libc.malloc.restype = ctypes.c_void_p\n"
        "block = libc.malloc(37_632)\n"
        "guard = libc.malloc(64)\n"
        "ctypes.memset(block, 7, 37_632)\n"
        "libc.free(ctypes.c_void_p(block))\n"
        "print(ctypes.string_at(block, 37_632).count(7), resource.getrlimit(resource.RLIMIT_CORE)[0])\n"
    )
    node = NodeSettings(tmp_path / "ray")
    forbid_core_dumps()
    for environment, kept in ((os.environ, True), (node_environment(node, os.environ), False)):
        ran = subprocess.run(
            [sys.executable, "-c", held], env=environment, capture_output=True, text=True, check=True, timeout=60
        )
        left, core = map(int, ran.stdout.split())
        assert (left > 30_000) is kept, left
        assert core == 0


def test_a_second_node_of_one_process_has_ports_of_its_own_and_a_given_range_is_kept(tmp_path: Path) -> None:
    name = "RAY_SERVE_DIRECT_INGRESS_MIN_HTTP_PORT"
    given = node_environment(NodeSettings(tmp_path, port=6381), {name: "1"})
    assert given[name] == "1"
    assert node_environment(NodeSettings(tmp_path, port=6381), given)[name] == "1"
    assert node_environment(NodeSettings(tmp_path, port=6382), given)[name] != "1"


@pytest.mark.parametrize("name", ["MALLOC_PERTURB_", "GLIBC_TUNABLES", "RAY_USE_UVLOOP"])
def test_a_part_on_a_node_that_keeps_what_it_frees_is_refused(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for given, value in node_environment(NodeSettings(tmp_path / "ray"), {}).items():
        monkeypatch.setenv(given, value)
    check_process()
    monkeypatch.setenv(name, "1")
    with pytest.raises(RefusedError, match="keep what they free"):
        check_process()
    with pytest.raises(RefusedError, match="keep what they free"):
        keep_tidy()
