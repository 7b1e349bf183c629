"""Retention when something goes wrong in the middle: every step of a purge and a sweep can break off."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from typing import TypeVar

import pytest
from sqlalchemy import func, select

from lfr.access import Principal
from lfr.alerts import hold, read_probe, read_reference_image, release_hold
from lfr.alerts.rows import locked_alert
from lfr.audit.chain import canonical
from lfr.database import DataKey, KeyStore, Store
from lfr.database.keys import verify_signature
from lfr.database.store import new_id
from lfr.database.tables import Alert, AuditCheckpoint, AuditEntry, Hold, NominalReference, Reference
from lfr.deployments import end, withdraw
from lfr.errors import KeyFileError
from lfr.oversight import Sweeper, purge, sweep
from tests.integration.conftest import Clock
from tests.integration.deployments_scene import Cast, cast_of, started
from tests.integration.test_oversight import PROBE, alert, image_of, judge, state_of

T = TypeVar("T")
SYSTEM = Principal.system("essex")


@pytest.fixture
def cast(store: Store) -> Cast:
    return cast_of(store)


@pytest.fixture
def running(store: Store, cast: Cast) -> str:
    return started(store, cast)


class BreakingKeys:
    """A key store whose n-th change breaks off, before it is made or just after."""

    def __init__(self, keys: KeyStore, *, break_at: int, after: bool) -> None:
        self._keys, self._left, self._after = keys, break_at, after

    @property
    def broke(self) -> bool:
        return self._left <= 0

    def create(self, name: str) -> DataKey:
        return self._break(lambda: self._keys.create(name))

    def destroy(self, name: str) -> bool:
        return self._break(lambda: self._keys.destroy(name))

    def load(self, name: str) -> DataKey:
        return self._keys.load(name)

    def names(self) -> tuple[str, ...]:
        return self._keys.names()

    def age_s(self, name: str) -> float:
        return self._keys.age_s(name)

    def _break(self, change: Callable[[], T]) -> T:
        self._left -= 1
        if self._left == 0:
            if self._after:
                change()
            raise KeyFileError("the disk went away")
        return change()


def breaking(store: Store, *, break_at: int, after: bool) -> tuple[Store, BreakingKeys]:
    keys = BreakingKeys(store.keys, break_at=break_at, after=after)
    return Store(store.database, keys, store.signing, store.now), keys


def held_alert(store: Store, cast: Cast, deployment_id: str) -> str:
    made = alert(store, cast, deployment_id)
    hold(store, cast.operator, made, reason="case 26/17", review_on=(store.now() + timedelta(days=30)).date())
    return made


@pytest.mark.parametrize("after", [False, True])
def test_r13_a_purge_that_breaks_off_at_any_step_loses_no_evidence_and_is_finished_by_a_sweep(
    after: bool, store: Store, cast: Cast
) -> None:
    for step in range(1, 20):
        deployment_id = started(store, cast)
        kept, other = held_alert(store, cast, deployment_id), alert(store, cast, deployment_id, camera="south")
        end(store, cast.operator, deployment_id)
        failing, keys = breaking(store, break_at=step, after=after)
        with suppress(KeyFileError):
            purge(failing, cast.officer, deployment_id)
        if state_of(store, deployment_id) == "ended" and image_of(store, other) is not None:
            purge(store, cast.officer, deployment_id)  # nothing was begun that a sweep could find
        sweep(store, SYSTEM)
        proof = purge(store, cast.officer, deployment_id)
        assert (proof["before"]["alert_images"], proof["before"]["templates"]) == (2, 2)
        assert (proof["after"]["templates"], proof["after"]["keys"]) == (0, [])
        assert image_of(store, other) is None
        assert read_probe(store, cast.operator, kept, purpose="case 26/17") == PROBE
        assert read_reference_image(store, cast.operator, kept, purpose="case 26/17") == b"image"
        assert [name for name in store.keys.names() if deployment_id in name] == [f"held-{deployment_id}"]
        if not keys.broke:
            assert step > 3, "the key of what is held, the deployment's and the list's"
            return
    pytest.fail("a purge has fewer steps than that")


def test_r13_the_proof_is_signed_and_the_audit_chain_has_a_checkpoint(store: Store, cast: Cast, running: str) -> None:
    alert(store, cast, running)
    withdraw(store, cast.officer, running, reason="refused")
    proof = purge(store, cast.officer, running)
    signed = {key: value for key, value in proof.items() if key != "signature"}
    assert verify_signature(store.signing.public_hex, proof["signature"], canonical(signed))
    assert not verify_signature(store.signing.public_hex, proof["signature"], canonical({**signed, "held": [1]}))
    with store.database.read() as session:
        entry = session.scalars(select(AuditEntry).where(AuditEntry.action == "deployment.purge")).one()
        assert session.get(AuditCheckpoint, (entry.chain, entry.sequence)) is not None
    assert purge(store, cast.officer, running) == proof


@pytest.mark.parametrize("after", [False, True])
def test_r7_a_sweep_that_breaks_off_at_any_key_is_finished_by_the_next(
    after: bool, store: Store, cast: Cast, clock: Clock
) -> None:
    for step in range(1, 20):
        deployment_id = started(store, cast)
        made = alert(store, cast, deployment_id)
        clock.advance(hours=60)
        failing, keys = breaking(store, break_at=step, after=after)
        report = sweep(failing, SYSTEM)
        assert bool(report.failed) is keys.broke
        sweep(store, SYSTEM)
        assert sweep(store, SYSTEM).idle
        assert image_of(store, made) is None
        assert state_of(store, deployment_id) == "purged"
        assert store.keys.names() == ()
        with store.database.read() as session:
            assert session.scalar(select(func.count()).select_from(Reference)) == 0
            assert session.scalar(select(func.count()).select_from(NominalReference)) == 2 * step
        if not keys.broke:
            assert step > 2, "the list's key and the deployment's"
            return
    pytest.fail("a sweep has fewer steps than that")


def test_r7_one_thing_that_cannot_be_destroyed_does_not_keep_the_others(store: Store, cast: Cast, clock: Clock) -> None:
    stuck, other = started(store, cast), started(store, cast)
    held_alert(store, cast, stuck)
    withdraw(store, cast.officer, stuck, reason="refused")
    withdraw(store, cast.officer, other, reason="refused")
    store.keys.destroy(stuck)  # lost: what is held cannot be moved
    report = sweep(store, SYSTEM)
    assert other in report.purged
    assert [line.split(":")[0] for line in report.failed] == [stuck]


def test_r7_an_officers_sweep_destroys_lists_in_the_officers_name(
    store: Store, cast: Cast, running: str, clock: Clock
) -> None:
    end(store, cast.operator, running)
    clock.advance(hours=25)
    report = sweep(store, cast.officer)
    assert (len(report.lists_destroyed), report.failed) == (1, ())
    with store.database.read() as session:
        entry = session.scalars(select(AuditEntry).where(AuditEntry.action == "watchlist.destroy")).one()
    assert (entry.actor, entry.role) == (cast.officer.id, "system")


def test_r7_the_deployments_key_goes_with_its_last_image_so_that_no_copy_of_the_database_opens(
    store: Store, cast: Cast, running: str, clock: Clock
) -> None:
    made = alert(store, cast, running)
    copy = image_of(store, made)
    end(store, cast.operator, running)
    clock.advance(hours=25)
    report = sweep(store, SYSTEM)
    assert (report.images_deleted, report.closed) == ((made,), (running,))
    assert copy is not None
    with pytest.raises(KeyFileError, match="is gone"):
        store.keys.load(running).decrypt(copy, row=made)


def test_r15_of_two_held_images_the_released_one_goes_at_once_after_a_purge(
    store: Store, cast: Cast, running: str
) -> None:
    released, kept = held_alert(store, cast, running), held_alert(store, cast, running)
    end(store, cast.operator, running)
    purge(store, cast.officer, running)
    release_hold(store, cast.operator, released, reason="case closed")
    assert sweep(store, SYSTEM).images_deleted == (released,)
    assert read_probe(store, cast.operator, kept, purpose="case 26/17") == PROBE
    release_hold(store, cast.operator, kept, reason="case closed")
    assert sweep(store, SYSTEM).images_deleted == (kept,)
    assert store.keys.names() == ()


def test_r15_a_hold_whose_review_is_due_is_named(store: Store, cast: Cast, running: str, clock: Clock) -> None:
    made = held_alert(store, cast, running)
    assert sweep(store, SYSTEM).reviews_due == ()
    clock.advance(days=31)
    assert sweep(store, SYSTEM).reviews_due == (made,)
    assert image_of(store, made) is not None


@pytest.mark.parametrize("act", ["sweep", "purge"])
def test_r15_a_hold_that_commits_while_retention_waits_for_it_is_honoured(
    act: str, store: Store, cast: Cast, running: str, clock: Clock
) -> None:
    made = alert(store, cast, running)
    judge(store, cast.operator, made, "viable")  # so that it does not lapse, which would take its row
    end(store, cast.operator, running)
    locked, done = threading.Event(), threading.Event()

    def held_slowly() -> None:
        with store.database.write() as session:
            found = locked_alert(session, cast.operator, made)
            locked.set()
            time.sleep(0.3)  # retention comes now, and waits for this row
            session.add(_hold(store, cast, found))
        done.set()

    holder = threading.Thread(target=held_slowly)
    holder.start()
    assert locked.wait(10)
    if act == "sweep":
        clock.advance(hours=24, minutes=1)
        sweep(store, SYSTEM)
    else:
        purge(store, cast.officer, running)
    holder.join()
    assert done.is_set()
    assert read_probe(store, cast.operator, made, purpose="case 26/17") == PROBE


def test_a_key_that_belongs_to_nothing_is_logged_when_it_goes(store: Store, cast: Cast) -> None:
    keys = _Aged(store.keys)
    keys.create("watchlist-stray")
    keys.create("held-deployment-stray")
    aged = Store(store.database, keys, store.signing, store.now)
    assert sweep(aged, SYSTEM).keys_removed == ("held-deployment-stray", "watchlist-stray")
    with store.database.read() as session:
        entry = session.scalars(select(AuditEntry).where(AuditEntry.chain == "installation")).one()
    assert entry.details == {"keys_removed": ["held-deployment-stray", "watchlist-stray"]}


def test_a_sweeper_goes_on_after_a_sweep_that_failed(store: Store, cast: Cast, running: str, clock: Clock) -> None:
    calls = 0

    def unsteady() -> object:
        nonlocal calls
        calls += 1
        if calls == 1:
            raise OSError("the clock is not there")
        return clock()

    clock.advance(hours=5)
    with Sweeper(Store(store.database, store.keys, store.signing, unsteady), every_s=0.05):  # type: ignore[arg-type]
        deadline = time.monotonic() + 10.0
        while state_of(store, running) == "live" and time.monotonic() < deadline:
            time.sleep(0.02)
    assert state_of(store, running) == "ended"


class _Aged:
    """A key store all of whose keys are old."""

    def __init__(self, keys: KeyStore) -> None:
        self._keys = keys
        self.create, self.load, self.destroy, self.names = keys.create, keys.load, keys.destroy, keys.names

    def age_s(self, name: str) -> float:
        return self._keys.age_s(name) + 86_400.0


def _hold(store: Store, cast: Cast, found: Alert) -> Hold:
    return Hold(
        id=new_id("hold"),
        alert_id=found.id,
        person_id=cast.operator.id,
        reason="case 26/17",
        review_on=(store.now() + timedelta(days=30)).date(),
        made_at=store.now(),
    )
