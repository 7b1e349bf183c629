"""What drills work on: the interface in this process, the service on a node of its own; made when first asked for."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any, Self

from fastapi import FastAPI
from fastapi.testclient import TestClient

from lfr.access import Rates
from lfr.database import Store
from lfr.evaluation.benchmarks.postgres import Postgres, postgres_binaries, postgres_cluster
from lfr.models import Model, load_model
from lfr.serving.api import Service, create_app
from lfr.serving.opening import ServedModel
from lfr.serving.settings import Limits
from tests.support.local_cameras import LocalCameras, LocalReader
from tests.support.served import LISTED, Served, served, walk
from tests.support.service import RunningService, running_service

__all__ = ["Ground", "Interface", "interface"]

LIMITS = Limits(requests_per_second=10_000, frames_per_second=1_000, frame_bytes=1 << 20, body_bytes=1 << 14)


@dataclass
class Interface:
    """The HTTP interface in this process, over a store with a live deployment and a key of each role.

    Attributes
    ----------
    app, http
        The interface, and a client of it.
    service, store
        What its routes work on.
    made
        Who there is.
    model
        That the list is enrolled with.
    said
        Every line that was logged in this process, with its arguments: lfr's own at any level.
    """

    app: FastAPI
    http: TestClient
    service: Service
    store: Store
    made: Served
    model: Model
    said: list[str] = field(default_factory=list)

    def alert(self) -> dict[str, Any]:
        """Have somebody who is listed walk past a new deployment's camera; returns the alert as the answer had it."""
        other, began, found = self.made.another(self.model), datetime.now(UTC), list[dict[str, Any]]()
        url = f"/v1/deployments/{other.deployment_id}/cameras/north/frames"
        headers = {**self.made.bearer("field_unit"), "Content-Type": "image/jpeg"}
        for index, jpeg in enumerate(walk(LISTED)):
            at = (began + timedelta(seconds=index / 10)).isoformat()
            answer = self.http.post(url, content=jpeg, headers={**headers, "X-Captured-At": at})
            found += [{**alert, "watchlist": other.watchlist_id} for alert in answer.json()["alerts"]]
        (alert,) = found
        return {**alert, "deployment": other.deployment_id}


class _Said(logging.Handler):
    """Keeps what is logged, arguments and all, for whoever looks for a secret in it."""

    def __init__(self, said: list[str]) -> None:
        super().__init__(logging.DEBUG)
        self._said = said

    def emit(self, record: logging.LogRecord) -> None:
        self._said.append(f"{record.getMessage()} {record.__dict__}")


@contextmanager
def interface(folder: Path, model: Model) -> Iterator[Interface]:
    """Make an interface over a new store in a folder, with all that is logged kept."""
    made = served(folder / "home", model)
    store, said = made.open(), list[str]()
    service = Service(
        store,
        LocalCameras(store, LocalReader(model), limits=LIMITS),
        ServedModel("openvino-f32", "openvino-f32", model.digest),
        LIMITS,
    )
    service.strangers = Rates(1e6, what="wrong keys")  # what is slowed down is a drill of its own
    app = create_app(service)
    listening, root, own = _Said(said), logging.getLogger(), logging.getLogger("lfr")
    levels = root.level, own.level
    root.addHandler(listening)
    root.setLevel(logging.INFO)
    own.setLevel(logging.DEBUG)
    try:
        with TestClient(app, raise_server_exceptions=False) as http:  # one loop for all requests, and not one for each
            yield Interface(app, http, service, store, made, model, said)
    finally:
        root.removeHandler(listening)
        root.setLevel(levels[0])
        own.setLevel(levels[1])
        store.close()


class Ground:
    """What drills work on; a context manager.

    Parameters
    ----------
    model
        Of the service and its lists; None: what lfr uses unless told, on one thread.
    """

    def __init__(self, model: Model | None = None) -> None:
        self._given = model
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        self._stack.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @cached_property
    def model(self) -> Model:
        """Of the service and its lists."""
        return self._given or load_model(threads=1)

    @cached_property
    def interface(self) -> Interface:
        """The interface in this process."""
        return self._stack.enter_context(interface(self.folder("interface"), self.model))

    @cached_property
    def service(self) -> RunningService:
        """The service on a Ray node of its own."""
        return self._stack.enter_context(running_service(self.model))

    @cached_property
    def postgres(self) -> Postgres:
        """A PostgreSQL of its own; raises RuntimeError where no server is installed."""
        binaries = postgres_binaries()
        if binaries is None:
            raise RuntimeError("PostgreSQL's server is not installed, and the database is one of those that are killed")
        return self._stack.enter_context(postgres_cluster(binaries))

    @cached_property
    def service_on_postgres(self) -> RunningService:
        """Another service, which keeps its store in that."""
        return self._stack.enter_context(running_service(self.model, database_url=self.postgres.create("lfr")))

    def folder(self, name: str) -> Path:
        """Make a folder that goes when the ground does."""
        return Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix=f"lfr-{name}-")))
