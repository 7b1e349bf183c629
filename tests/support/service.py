"""The service as `lfr serve` runs it, on a Ray node of its own."""

from __future__ import annotations

import os
import shutil
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from lfr.models import Model
from lfr.serving.node import NodeSettings, free_port
from lfr.serving.settings import AppArgs
from lfr.serving.supervisor import Supervisor
from tests.support.served import Served, served

__all__ = ["RunningService", "running_service"]


@dataclass(frozen=True)
class RunningService:
    """A service that answers.

    Attributes
    ----------
    supervisor
        Runs it.
    made
        Its store, keys and a live deployment.
    said
        What the supervisor said.
    started_in_s
        Seconds that its first start took: how fast this machine is now.
    """

    supervisor: Supervisor
    made: Served
    said: list[str]
    started_in_s: float

    @property
    def url(self) -> str:
        """Of the interface."""
        return self.supervisor.url

    def processes(self, name: str) -> list[psutil.Process]:
        """Return the node's processes whose command line holds a name."""
        session = os.getsid(self.supervisor.node_pid)
        found = []
        for process in psutil.process_iter():
            try:
                if os.getsid(process.pid) == session and name in " ".join(process.cmdline()):
                    found.append(process)
            except (psutil.Error, OSError):
                continue
        return found


@contextmanager
def running_service(
    model: Model, *, matcher_entries: int = 50_000, sources: Mapping[str, str] | None = None
) -> Iterator[RunningService]:
    """Run a service on a store of its own until this ends, its lists spread over matchers of so many entries."""
    # Not pytest's folder: Ray puts sockets below it, and their paths must be short.
    folder = Path(tempfile.mkdtemp(prefix="lfr-"))
    said: list[str] = []
    try:
        made = served(folder / "home", model)
        node = NodeSettings(folder / "ray", port=free_port())
        given = {"matcher_entries": matcher_entries, "sources": sources or {}}
        args = AppArgs.model_validate({"home": made.home, "model": "openvino-f32", "sweep_every_s": 5, **given})
        began = time.monotonic()
        with Supervisor(args, node, port=free_port(), say=said.append) as supervisor:
            started_in_s = time.monotonic() - began
            watcher = threading.Thread(target=supervisor.watch, daemon=True)
            watcher.start()
            try:
                yield RunningService(supervisor, made, said, started_in_s)
            finally:
                supervisor.close()
                watcher.join(60)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
