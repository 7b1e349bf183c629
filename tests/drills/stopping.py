"""Stop and purge under load: the last alert within a second, the last byte within a minute."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import httpx
from sqlalchemy import select

from lfr.audit.chain import canonical
from lfr.client import FieldUnit
from lfr.database.keys import verify_signature
from lfr.database.tables import Alert, Deployment, Reference
from lfr.errors import LfrError
from lfr.models import Model
from tests.drills.finding import Finding, Length, Problems
from tests.support.served import LISTED, Served, walk
from tests.support.service import RunningService, until

__all__ = ["PROMISE", "drills", "judge"]

PROMISE = "Stopped is stopped"
_LAST_ALERT_S, _LAST_BYTE_S = 1.0, 60.0
_CAMERAS = ("north", "south")


class Crowd:
    """Field units that have somebody who is listed walk past, again and again, until they are refused."""

    def __init__(self, service: RunningService, one: Served) -> None:
        self.alerts: list[tuple[str, datetime]] = []
        self._done = threading.Event()
        self._threads = [threading.Thread(target=self._walk, args=(service, one, camera)) for camera in _CAMERAS]
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        """Have them go home."""
        self._done.set()
        for thread in self._threads:
            thread.join(60)

    def _walk(self, service: RunningService, one: Served, camera: str) -> None:
        # Each pass is an hour after the last, for the cool-down.
        with suppress(LfrError), FieldUnit(service.url, one.keys["field_unit"]) as unit:
            for number in range(1_000):
                if self._done.is_set():
                    return
                began = datetime.now(UTC) - timedelta(hours=20) + timedelta(minutes=10 * number)
                with unit.frames(one.deployment_id, camera, give_up_s=2.0) as frames:
                    timed = ((jpeg, began + timedelta(seconds=i / 10)) for i, jpeg in enumerate(walk(LISTED, frames=8)))
                    for result in frames.results(timed):
                        self.alerts += [(alert.id, datetime.now(UTC)) for alert in result.alerts]


def drills(service: RunningService, model: Model, length: Length) -> Iterator[Finding]:
    """End, and withdraw, deployments while several cameras alert; then purge them."""
    last, gone = (
        Problems(PROMISE, "ended and withdrawn while several cameras alert: the last alert"),
        Problems(PROMISE, "purged under load: the last image, template, key and process"),
    )
    took_s, byte_s = list[float](), list[float]()
    for number in range({"short": 1, "normal": 4, "long": 40}[length]):
        one = service.made.another(model)
        how = ("end", "withdrawal")[(number + 1) % 2]
        after_s, alerts = _stop(service, one, how, last)
        took_s.append(after_s)
        byte_s.append(_purge(service, one, alerts, gone))
    yield last.finding(f"at most {max(took_s):.2f} s after the stop")
    yield gone.finding(f"at most {max(byte_s):.1f} s after the purge was asked for")


def _stop(service: RunningService, one: Served, how: str, problems: Problems) -> tuple[float, int]:
    """Stop a deployment under load; returns by how many seconds the last alert was later, and how many there were."""
    crowd = Crowd(service, one)
    try:
        until(lambda: len(crowd.alerts) >= len(_CAMERAS), timeout_s=90)
        role = "authorising_officer" if how == "withdrawal" else "operator"
        body = {"reason": "a drill"} if how == "withdrawal" else None
        url = f"{service.url}/v1/deployments/{one.deployment_id}/{how}"
        answer = httpx.post(url, json=body, headers=one.bearer(role), timeout=60)
        problems.expect(answer.status_code == 200, f"{how}: {answer.status_code} {answer.text}")
        answered_at = datetime.now(UTC)
        time.sleep(2 * _LAST_ALERT_S)
    finally:
        crowd.close()
    store = one.open()
    try:
        with store.database.read() as session:
            deployment = session.get_one(Deployment, one.deployment_id)
            stopped_at = deployment.withdrawn_at or deployment.ended_at or answered_at
            raised = session.scalars(select(Alert.created_at).where(Alert.deployment_id == one.deployment_id)).all()
    finally:
        store.close()
    told = [at for _, at in crowd.alerts]
    return judge(how, stopped_at, answered_at, raised, told, problems), len(raised)


def judge(
    how: str,
    stopped_at: datetime,
    answered_at: datetime,
    raised: Sequence[datetime],
    told: Sequence[datetime],
    problems: Problems,
) -> float:
    """See that no alert came too long after a stop; returns by how many seconds the last committed one was later.

    Parameters
    ----------
    how
        It was stopped.
    stopped_at, answered_at
        When that was committed, and when whoever asked for it had the answer.
    raised, told
        When each alert was committed, and told to a field unit.
    problems
        Where what is wrong goes.
    """
    problems.expect(raised, "nobody alerted, so nothing was stopped")
    latest = max(((at - stopped_at).total_seconds() for at in raised), default=0.0)
    last_told = max(((at - answered_at).total_seconds() for at in told), default=0.0)
    problems.expect(latest <= _LAST_ALERT_S, f"{how}: an alert was committed {latest:.2f} s later")
    problems.expect(last_told <= _LAST_ALERT_S, f"{how}: an alert was told {last_told:.2f} s after the answer")
    return max(0.0, latest)


def _purge(service: RunningService, one: Served, alerts: int, problems: Problems) -> float:
    """Purge a deployment, and see everything of it go; returns after how many seconds the last was gone."""
    began = time.monotonic()
    url = f"{service.url}/v1/deployments/{one.deployment_id}"
    answer = httpx.post(f"{url}/purge", headers=one.bearer("authorising_officer"), timeout=60)
    problems.expect(answer.status_code in {200, 409}, f"purge: {answer.status_code} {answer.text}")  # or a sweep did
    store = one.open()

    def left() -> list[str]:
        with store.database.read() as session:
            deployment = session.get_one(Deployment, one.deployment_id)
            images = select(Alert.id).where(Alert.deployment_id == one.deployment_id, Alert.image.is_not(None))
            templates = select(Reference.id).where(Reference.watchlist_id == one.watchlist_id)
            found = [f"is {deployment.state}"] if deployment.state != "purged" else []
            found += [
                f"{len(session.scalars(find).all())} rows" for find in (images, templates) if session.scalar(find)
            ]
        found += [f"key {name}" for name in store.keys.names() if name in {one.deployment_id, one.watchlist_id}]
        running = service.processes(one.deployment_id)
        return found + [f"process {process.pid}" for process in running]

    try:
        with suppress(AssertionError):
            until(lambda: not left(), timeout_s=_LAST_BYTE_S)
        problems.expect(not left(), f"a minute later there are: {', '.join(left())}")
        with store.database.read() as session:
            proof = dict(session.get_one(Deployment, one.deployment_id).purge_proof or {})
        signature = proof.pop("signature", "")
        public = store.signing.public_hex
        problems.expect(verify_signature(public, signature, canonical(proof)), "the proof's signature is wrong")
        problems.expect(
            proof.get("before", {}).get("alert_images") == alerts, f"the proof counts {proof.get('before')}"
        )
    finally:
        store.close()
    return time.monotonic() - began
