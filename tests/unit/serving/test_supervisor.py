"""What the supervisor does where the application refuses or is too slow; Ray itself is not started."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from lfr.errors import ServiceError
from lfr.serving.node import NodeSettings
from lfr.serving.settings import AppArgs
from lfr.serving.supervisor import Supervisor


class AtOnce(NodeSettings):
    """A process that says at once what a node says, and then does nothing: the application asks the store first."""

    def command(self, *, block: bool = True) -> list[str]:
        """Return its command."""
        assert block
        return [sys.executable, "-c", "import time; print('Ray runtime started', flush=True); time.sleep(300)"]


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def supervisor(tmp_path: Path, said: list[str]) -> Iterator[Supervisor]:
    """A supervisor of a service whose store is not there."""
    made = Supervisor(AppArgs(home=tmp_path / "home"), AtOnce(tmp_path), say=said.append)
    yield made
    made.close()
    made.stop()


def test_a_start_that_is_refused_is_tried_again_by_the_watch(supervisor: Supervisor, said: list[str]) -> None:
    watch = threading.Thread(target=supervisor.watch)
    watch.start()
    until = time.monotonic() + 60
    while not any("trying again" in one for one in said) and watch.is_alive():
        assert time.monotonic() < until, said
        time.sleep(0.05)
    supervisor.close()
    watch.join(60)
    assert any(one.endswith("trying again") and "lfr access init" in one for one in said), said


@pytest.mark.parametrize("broken", ["_begin_to_deploy", "answers", "roll"])
def test_the_watch_outlives_an_error_that_nobody_expected(
    supervisor: Supervisor, said: list[str], monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    def breaks(*_: object) -> None:
        raise RuntimeError("nobody expected this")

    monkeypatch.setattr(supervisor, broken, breaks)
    if broken == "answers":
        words = [sys.executable, "-c", "import time; time.sleep(300)"]
        supervisor._process = subprocess.Popen(words, start_new_session=True, text=True)
    watch = threading.Thread(target=supervisor.watch, daemon=True)
    watch.start()
    until = time.monotonic() + 60
    while sum("RuntimeError" in one and one.endswith("trying again") for one in said) < (1 if broken == "roll" else 2):
        supervisor.ask_to_roll()
        assert time.monotonic() < until, said
        assert watch.is_alive()
        time.sleep(0.05)
    assert watch.is_alive()
    assert "nobody expected this" in (supervisor.node.folder / "watch.log").read_text(encoding="utf-8")
    supervisor.close()
    watch.join(60)


class SoonGone(AtOnce):
    """One that ends a moment later."""

    def command(self, *, block: bool = True) -> list[str]:
        """Return its command."""
        assert block
        return [sys.executable, "-c", "import time; print('Ray runtime started', flush=True); time.sleep(1)"]


def test_a_node_that_ends_while_the_application_is_started_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    supervisor = Supervisor(AppArgs(home=tmp_path / "home"), SoonGone(tmp_path))

    def waits(_: dict[str, str]) -> None:
        words = [sys.executable, "-c", "import time; time.sleep(300)"]
        supervisor._deploying = subprocess.Popen(words, text=True, stdin=-1, stdout=-1, stderr=-1)

    monkeypatch.setattr(supervisor, "_begin_to_deploy", waits)
    began = time.monotonic()
    with pytest.raises(ServiceError, match="the Ray node ended while the application was started"):
        supervisor.start()
    assert time.monotonic() - began < 30


class LosesPart(NodeSettings):
    """One that waits for a part of its own which ends a moment after it was started."""

    def command(self, *, block: bool = True) -> list[str]:
        """Return its command."""
        assert block
        with (self.folder / "starts").open("a", encoding="utf-8") as starts:
            starts.write("one\n")
        part = self.folder / "gcs_server"
        if not part.exists():
            part.symlink_to("/bin/sleep")
        waits = f"import subprocess, time; subprocess.Popen([{str(part)!r}, '1']); time.sleep(300)"
        return [sys.executable, "-c", waits]


def test_a_node_that_loses_a_part_while_it_starts_is_started_again_at_once(tmp_path: Path) -> None:
    supervisor = Supervisor(AppArgs(home=tmp_path / "home"), LosesPart(tmp_path))
    began = time.monotonic()
    with pytest.raises(ServiceError, match="the Ray node did not start"):
        supervisor.start()
    assert time.monotonic() - began < 30
    assert (tmp_path / "starts").read_text() == "one\n" * 3


def test_what_a_library_prints_does_not_stand_in_the_answer_of_the_deploying_process() -> None:
    code = (
        "import os, sys; from lfr.serving.deploy import answer_alone; answer = answer_alone();"
        "os.write(1, b'a library\\n'); print('another', flush=True); answer.write('{}'); answer.flush();"
        "os.write(1, b'at the end\\n')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=100)
    assert done.stdout == "{}"
    assert done.stderr.splitlines()[-3:] == ["a library", "another", "at the end"]


def test_a_roll_that_does_not_answer_in_time_is_not_said_to_be_refused(supervisor: Supervisor, said: list[str]) -> None:
    supervisor.deploy_within_s = 0.0
    supervisor.runs = {"model": {"version": "openvino-f32", "digest": "ab" * 32}, "shadow": None}
    assert not supervisor.roll()
    assert said[-1].startswith("not known whether it was rolled from openvino-f32 (abababababab)")
    assert supervisor.runs == {}
