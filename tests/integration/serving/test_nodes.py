"""A service over two Ray nodes: parts are on both, lists are searched across them, and one node may be lost."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import pytest

from lfr.errors import LfrError
from lfr.models import Model
from lfr.serving.node import NodeSettings, node_environment
from tests.support.served import LISTED
from tests.support.service import RunningService, alerts_of, running_service, seen, until

pytestmark = pytest.mark.long

ACTORS = ("ray::Matcher", "ray::Camera")


@contextmanager
def joined_node(service: RunningService) -> Iterator[int]:
    """Have a second node join the service's, and yield the session of its processes."""
    head = service.supervisor.node
    with tempfile.TemporaryDirectory(prefix="lfr-", dir="/tmp") as folder:
        node = NodeSettings(Path(folder) / "ray", join=head.address, token=head.token_file, cpus=2)
        node.prepare()
        log = Path(folder) / "log"
        with log.open("w") as out:
            process = subprocess.Popen(
                node.command(), env=node_environment(node, os.environ), stdout=out, stderr=out, start_new_session=True
            )
        try:
            until(lambda: "Ray runtime started" in log.read_text(), timeout_s=60)
            yield process.pid
        finally:
            lose(process.pid)
            process.wait(10)


def of_session(session: int, names: tuple[str, ...] = ("",)) -> list[str]:
    """Return the command lines of a session's processes that hold one of some names."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):
            line = " ".join(process.cmdline())
            if os.getsid(process.pid) == session and any(name in line for name in names):
                found.append(line)
    return found


def lose(session: int) -> None:
    """End every process of a node at once, as a machine that loses its power does."""
    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):
            if os.getsid(process.pid) == session:
                os.kill(process.pid, signal.SIGKILL)


def test_parts_are_on_two_nodes_and_when_one_is_lost_they_come_up_on_the_other(one_thread_model: Model) -> None:
    with running_service(one_thread_model, matcher_entries=1) as service:
        first = os.getsid(service.supervisor.node_pid)
        with joined_node(service) as second:
            assert service.supervisor.roll(), service.said  # new replicas may be on either node
            until(lambda: bool(of_session(second, ("ray::ServeReplica:lfr:",))), timeout_s=30)
            # Each has two matchers, which hold half of its list, and a camera.
            deployments = [service.made, *(service.made.another(one_thread_model) for _ in range(2))]
            for made in deployments:
                results = seen(service, made, LISTED)
                assert max(result.faces_seen for result in results) == 1
                assert alerts_of(made) == [LISTED]
            assert of_session(first, ACTORS)
            assert of_session(second, ACTORS)
            lose(second)
            until(lambda: _sees_again(service), timeout_s=max(60.0, 2 * service.started_in_s))
            assert not of_session(second)
            for made in deployments[1:]:
                seen(service, made, LISTED)
                assert alerts_of(made) == [LISTED] * 2
            assert service.supervisor.starts == 1


def _sees_again(service: RunningService) -> bool:
    """Whether somebody who is listed is alerted once more."""
    with suppress(LfrError):
        seen(service, service.made, LISTED)
    return alerts_of(service.made) == [LISTED] * 2
