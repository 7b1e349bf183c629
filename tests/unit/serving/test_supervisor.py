"""What the supervisor does where the application refuses or is too slow; Ray itself is not started."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

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


def test_a_roll_that_does_not_answer_in_time_is_not_said_to_be_refused(supervisor: Supervisor, said: list[str]) -> None:
    supervisor.deploy_within_s = 0.0
    supervisor.runs = {"model": {"version": "openvino-f32", "digest": "ab" * 32}, "shadow": None}
    assert not supervisor.roll()
    assert said[-1].startswith("not known whether it was rolled from openvino-f32 (abababababab)")
    assert supervisor.runs == {}
