"""Nothing is lost: people walk past several cameras while parts of the service are killed at random."""

from __future__ import annotations

import json
import random
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import psutil
from sqlalchemy import select

from lfr.client import FieldUnit
from lfr.database.tables import Alert
from lfr.errors import ServiceError
from lfr.evaluation.benchmarks.postgres import Postgres
from lfr.models import Model
from tests.drills import history
from tests.drills.finding import Finding, Length, Problems
from tests.support.served import LISTED, Served, walk
from tests.support.service import RunningService, until

__all__ = ["PROMISE", "Follower", "compare", "drills", "drills_with_database"]

PROMISE = "Nothing is lost"
_CAMERAS = ("north", "south")
_PARTS = ("ray::Camera", "ray::Matcher", "ServeReplica:lfr:Detector", "ServeReplica:lfr:Embedder",
          "ServeReplica:lfr:Api", "ServeReplica:lfr:Steward", "haproxy -dMintegrity")  # fmt: skip
_NODE = ("raylet/raylet", "gcs_server")
_DATABASE = "database"
_DATABASE_AWAY_S = (0.5, 4.0)
_BETWEEN_S = (3.0, 9.0)
_BACK_S = 60.0


@dataclass
class Passes:
    """People who walked past, each with the alerts that were told of them."""

    told: list[list[str]] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)

    @property
    def alerts(self) -> set[str]:
        """Every alert that was told."""
        return {alert for some in self.told for alert in some}


class Follower:
    """Follows a deployment's events, and goes on where it was whenever the way breaks.

    Parameters
    ----------
    service, one
        Which deployment.
    """

    def __init__(self, service: RunningService, one: Served) -> None:
        self.raised: list[str] = []
        self.broke = 0
        self._url = f"{service.url}/v1/deployments/{one.deployment_id}/events"
        self._headers, self._last, self._done = one.bearer("operator"), "0", threading.Event()
        self._thread = threading.Thread(target=self._follow, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Follow no more."""
        self._done.set()
        self._thread.join(30)

    def _follow(self) -> None:
        while not self._done.is_set():
            with suppress(httpx.HTTPError):
                headers = {**self._headers, "Last-Event-ID": self._last}
                with httpx.stream("GET", self._url, headers=headers, timeout=10) as answer:
                    if answer.status_code == 200:
                        self._read(answer)
            self.broke += not self._done.is_set()
            self._done.wait(0.2)

    def _read(self, answer: httpx.Response) -> None:
        number = ""
        for line in answer.iter_lines():
            name, _, value = line.partition(": ")
            if name == "id":
                number = value
            elif name == "data":
                event = json.loads(value)
                if event["action"] == "alert.raise":
                    self.raised.append(event["alert"]["alert"])
                self._last = number  # only now has it been seen
            if self._done.is_set():
                return


def drills(service: RunningService, model: Model, length: Length, folder: Path) -> Iterator[Finding]:
    """Let people walk past two cameras undisturbed, then while parts are killed, and compare."""
    seconds = {"short": 25.0, "normal": 120.0, "long": 600.0}[length]
    victims = _PARTS if length == "short" else (*_PARTS, *_NODE)
    calm = Problems(PROMISE, "people who are listed walk past, nothing is killed")
    _run(service, model, min(30.0, seconds / 2), (), calm, folder)
    yield calm.finding()
    killed = Problems(PROMISE, f"the same for {seconds:.0f} s while parts are killed at random")
    said = _run(service, model, seconds, victims, killed, folder)
    yield killed.finding(said)


def drills_with_database(
    service: RunningService, database: Postgres, model: Model, length: Length, folder: Path
) -> Iterator[Finding]:
    """Kill the database as well, of a service that keeps its store in PostgreSQL."""
    seconds = {"short": 25.0, "normal": 60.0, "long": 600.0}[length]
    killed = Problems(PROMISE, f"the same for {seconds:.0f} s on PostgreSQL, which is killed as often as any part")
    said = _run(service, model, seconds, (*_PARTS, *(_DATABASE,) * 3), killed, folder, database)
    yield killed.finding(said)


def _run(
    service: RunningService,
    model: Model,
    seconds: float,
    victims: tuple[str, ...],
    problems: Problems,
    folder: Path,
    database: Postgres | None = None,
) -> str:
    one, passes, done = service.made.another(model), Passes(), threading.Event()
    follower = Follower(service, one)
    # Whoever sends waits for as long as parts are killed, however seldom the service is up between two kills.
    patience_s = seconds + _BACK_S
    cameras = [
        threading.Thread(target=_walk, args=(service, one, name, passes, done, patience_s), name=name, daemon=True)
        for name in _CAMERAS
    ]
    for camera in cameras:
        camera.start()
    try:
        kills = _kill(service, victims, seconds, database)
    finally:
        done.set()
        for camera in cameras:
            camera.join(_BACK_S)
            problems.expect(not camera.is_alive(), f"{camera.name}: no answer {_BACK_S:.0f} s after the last kill")
    store = one.open()
    try:
        with store.database.read() as session:  # all of them: a list of alerts has a thousand at most
            committed = list(session.scalars(select(Alert.id).where(Alert.deployment_id == one.deployment_id)))
        with suppress(AssertionError):
            until(lambda: set(committed) <= set(follower.raised), timeout_s=_BACK_S)
        follower.close()
        compare(passes, committed, follower.raised, problems, killed=bool(victims))
        log = history.uses(store, folder, "made-up", alerts=set(committed))
        problems.expect(log.held, log.detail)
    finally:
        store.close()
    again = len(committed) - len(passes.told)
    return (
        f"{kills.total()} killed{_of_them(kills)}, {len(passes.told)} passes, "
        f"{len(committed)} alerts ({again} of them a second of one pass), "
        f"events followed anew {follower.broke} times"
    )


def _of_them(kills: Counter[str]) -> str:
    return f" ({kills[_DATABASE]} times the database)" if kills[_DATABASE] else ""


def compare(passes: Passes, committed: list[str], delivered: list[str], problems: Problems, *, killed: bool) -> None:
    """See that every pass alerted, and that every alert was committed once and delivered."""
    problems.expect(passes.told, "nobody walked past")
    for failure in passes.failed:
        problems.expect(False, failure)
    for number, told in enumerate(passes.told):
        # Whoever stood before a camera that was killed is seen anew, and may alert again.
        problems.expect(told if killed else len(told) == 1, f"pass {number}: {len(told)} alerts")
    problems.expect(len(committed) == len(set(committed)), "an alert was committed twice")
    for alert in passes.alerts:
        problems.expect(alert in committed, f"{alert} was told and is not committed")
    for alert in committed:
        problems.expect(alert in delivered, f"{alert} was never delivered")


def _walk(
    service: RunningService, one: Served, camera: str, passes: Passes, done: threading.Event, patience_s: float
) -> None:
    began = datetime.now(UTC) - timedelta(hours=20)
    with FieldUnit(service.url, one.keys["field_unit"]) as unit:
        while not done.is_set():
            began += timedelta(minutes=1)  # past the cool-down, by the frames' own time
            timed = [(jpeg, began + timedelta(seconds=i / 10)) for i, jpeg in enumerate(walk(LISTED, frames=10))]
            try:
                with unit.frames(one.deployment_id, camera, give_up_s=patience_s) as frames:
                    told = [alert.id for result in frames.results(timed) for alert in result.alerts]
            except Exception as error:  # noqa: BLE001 # whatever it is, a pass was lost
                passes.failed.append(f"a pass broke off: {error!r}")
            else:
                passes.told.append(told)


def _kill(service: RunningService, victims: tuple[str, ...], seconds: float, database: Postgres | None) -> Counter[str]:
    moments, until_s, kills = random.Random(20260302), time.monotonic() + seconds, Counter[str]()
    while (left := until_s - time.monotonic()) > 0:
        time.sleep(min(left, moments.uniform(*_BETWEEN_S)))
        if not victims or time.monotonic() >= until_s:
            continue
        victim = moments.choice(victims)
        if victim == _DATABASE and database is not None:
            database.stop()
            time.sleep(moments.uniform(*_DATABASE_AWAY_S))
            database.start()
            kills[victim] += 1
        else:
            with suppress(psutil.Error, ServiceError):  # the whole node may be away just then
                if running := service.processes(victim):
                    moments.choice(running).kill()
                    kills[victim] += 1
    return kills
