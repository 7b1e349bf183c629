"""Those who follow events: one looks for all of them, and a key that is revoked ends it, however much happens."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from lfr.access import Principal, add_person, authenticate, init_access, record, revoke
from lfr.alerts import last_sequence
from lfr.database import Store, create_store
from lfr.errors import StoreUnavailableError
from lfr.models import load_model
from lfr.serving.api import Service, create_app, heads
from lfr.serving.opening import ServedModel
from lfr.serving.settings import Limits
from tests.support.local_cameras import LocalCameras, LocalReader
from tests.support.served import served

FOLLOWERS = 50


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = create_store(tmp_path / "home")
    yield store
    store.close()


@pytest.fixture
def admin(store: Store) -> Principal:
    made = init_access(store, force_id="made-up", force_name="Made Up", name="Made Up")
    return authenticate(store, made.key)


@pytest.fixture
def operator(store: Store, admin: Principal) -> Principal:
    made = add_person(store, admin, name="Made Up", rank="constable", roles=["operator"])
    return authenticate(store, made.key)


def happen(store: Store, admin: Principal) -> None:
    """Add an entry to the force's log."""
    with store.database.write() as session:
        record(store, session, admin, "force.export", admin.force_id)


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """When the log was looked at."""
    seen: list[float] = []

    def counted(store: Store, principal: Principal) -> int:
        seen.append(time.monotonic())
        return last_sequence(store, principal)

    monkeypatch.setattr(heads, "last_sequence", counted)
    return seen


def test_one_looks_for_all_who_wait_and_all_hear_of_it(
    store: Store, admin: Principal, operator: Principal, looks: list[float]
) -> None:
    async def follow() -> list[int]:
        found = heads.Heads()
        before = await found.past(store, operator, -1, within_s=5)
        waiting = [asyncio.create_task(found.past(store, operator, before, within_s=20)) for _ in range(FOLLOWERS)]
        await asyncio.sleep(0.5)
        assert not any(task.done() for task in waiting)
        happen(store, admin)
        after = await asyncio.gather(*waiting)
        assert await found.past(store, operator, before, within_s=5) == after[0]
        count = len(looks)
        await asyncio.sleep(0.5)  # nobody waits any more
        assert len(looks) <= count + 1
        return [head - before for head in after]

    assert asyncio.run(follow()) == [1] * FOLLOWERS
    spent_s = looks[-1] - looks[0]
    assert len(looks) <= spent_s / 0.1 + 3


def test_whoever_waits_in_vain_gets_what_was_known(store: Store, operator: Principal) -> None:
    async def follow() -> None:
        found = heads.Heads()
        head = await found.past(store, operator, -1, within_s=5)
        began = time.monotonic()
        assert await found.past(store, operator, head, within_s=0.3) == head
        assert time.monotonic() - began >= 0.3
        assert await found.past(store, operator, head, within_s=-1) == head

    asyncio.run(follow())


def test_all_hear_that_the_log_cannot_be_looked_at_and_the_next_one_looks_anew(
    store: Store, admin: Principal, operator: Principal, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(*_: object) -> int:
        raise StoreUnavailableError("away")

    async def follow() -> list[int | BaseException]:
        found = heads.Heads()
        happen(store, admin)
        with monkeypatch.context() as patch:
            patch.setattr(heads, "last_sequence", gone)
            waiting = [found.past(store, operator, -1, within_s=5) for _ in range(3)]
            errors = await asyncio.gather(*waiting, return_exceptions=True)
        assert await found.past(store, operator, -1, within_s=5) > 0
        return errors

    assert [type(error) for error in asyncio.run(follow())] == [StoreUnavailableError] * 3


@pytest.mark.parametrize("busy", [False, True], ids=["a quiet log", "a log that grows all the time"])
def test_a_key_that_is_revoked_ends_its_stream_of_events(tmp_path: Path, busy: bool) -> None:
    model = load_model(threads=1)
    made = served(tmp_path / "home", model)
    store, limits = made.open(), Limits(requests_per_second=10_000)
    service = Service(
        store,
        LocalCameras(store, LocalReader(model), limits=limits),
        ServedModel("openvino-f32", "openvino-f32", model.digest),
        limits,
    )
    admin, done, revoked_at = made.principal(store, "admin"), threading.Event(), list[float]()

    def go_on() -> None:
        for number in range(200):
            if done.wait(0.2):
                return
            if number == 4:
                revoke(store, admin, "key-" + made.keys["operator"].removeprefix("lfr_").partition("_")[0])
                revoked_at.append(time.monotonic())
            elif busy:
                happen(store, admin)

    happening = threading.Thread(target=go_on)
    happening.start()
    try:
        answer = TestClient(create_app(service)).get(
            f"/v1/deployments/{made.deployment_id}/events", headers=made.bearer("operator")
        )
        ended_at = time.monotonic()
    finally:
        done.set()
        happening.join()
        store.close()
    assert answer.text.endswith(": UnauthenticatedError\n\n")
    assert 0 < ended_at - revoked_at[0] < 10  # it is asked every two seconds
