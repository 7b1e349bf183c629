"""The service as `lfr serve` runs it, on a Ray node of its own."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import psutil

from lfr.alerts import list_alerts
from lfr.client import FieldUnit, FrameResult
from lfr.models import Model
from lfr.serving.node import NodeSettings, free_port
from lfr.serving.settings import AppArgs
from lfr.serving.supervisor import Supervisor
from tests.support.served import Served, served, walk

__all__ = ["RunningService", "alerts_of", "held", "requests", "running_service", "seen", "stream", "until"]


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
    model: Model,
    *,
    matcher_entries: int = 50_000,
    shadow: str | None = None,
    sources: Mapping[str, str] | None = None,
    database_url: str = "",
) -> Iterator[RunningService]:
    """Run a service on a store of its own until this ends, its lists spread over matchers of so many entries.

    The store is in the database, which is empty; blank: SQLite.
    """
    # Not pytest's folder: Ray puts sockets below it, and their paths must be short.
    folder = Path(tempfile.mkdtemp(prefix="lfr-"))
    said: list[str] = []
    try:
        made = served(folder / "home", model, database_url=database_url)
        node = NodeSettings(folder / "ray", port=free_port())
        given = {"matcher_entries": matcher_entries, "shadow": shadow, "sources": sources or {}}
        given |= {"database_url": database_url} if database_url else {}
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


def stream(subject_id: str, *, frames: int = 12) -> Iterator[tuple[bytes, datetime]]:
    """Somebody crosses the picture, ten frames a second from now on."""
    began = datetime.now(UTC)
    for index, jpeg in enumerate(walk(subject_id, frames=frames)):
        yield jpeg, began + timedelta(seconds=index / 10)


def seen(service: RunningService, made: Served, subject_id: str, *, camera: str = "north") -> list[FrameResult]:
    """Have somebody cross a camera's picture, and return what the service said of each frame and of the end."""
    with FieldUnit(service.url, made.keys["field_unit"]) as unit, unit.frames(made.deployment_id, camera) as frames:
        return list(frames.results(stream(subject_id)))


def held(service: RunningService) -> dict[str, float]:
    """Return how many crops and templates each kind of part holds now, as the metrics say."""
    text = httpx.get(f"{service.url}/metrics", timeout=30).text
    figures = re.findall(r'^lfr_(templates|crops)_alive\{part="(\w+)"\} (\S+)$', text, re.MULTILINE)
    return {f"{part} {what}": float(value) for what, part, value in figures}


def alerts_of(made: Served) -> list[str]:
    """Return who the committed alerts of a deployment are about."""
    store = made.open()
    try:
        found = list_alerts(store, made.principal(store, "operator"), deployment_id=made.deployment_id)
        return [alert.subject_id for alert in found]
    finally:
        store.close()


def until(true: Callable[[], bool], *, timeout_s: float) -> None:
    """Wait until something is so."""
    end = time.monotonic() + timeout_s
    while not true():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.1)


@contextmanager
def requests(url: str) -> Iterator[list[int | str]]:
    """Ask for pages all the time, on connections that stay and on new ones; yields every status, or what went wrong."""
    statuses: list[int | str] = []
    done = threading.Event()

    def ask(path: str, *, stay: bool) -> None:
        client = httpx.Client(base_url=url, timeout=60)
        while not done.wait(0.02):
            try:
                statuses.append((client.get(path) if stay else httpx.get(url + path, timeout=60)).status_code)
            except httpx.HTTPError as error:
                statuses.append(repr(error))
        client.close()

    asking = [
        threading.Thread(target=ask, args=(path,), kwargs={"stay": stay})
        for path, stay in (("/v1/healthz", True), ("/v1/healthz", False), ("/console", True))
    ]
    for one in asking:
        one.start()
    try:
        yield statuses
    finally:
        done.set()
        for one in asking:
            one.join()
