"""A withdrawal purges at once (R13), whatever comes between, and keeps what is held as evidence (R15)."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta

import pytest

from lfr.access import Principal
from lfr.alerts import count_faces, hold, read_probe, release_hold
from lfr.database import KeyStore, Store
from lfr.errors import ConflictError, KeyFileError
from lfr.oversight import purge, sweep, withdraw_and_purge
from tests.integration.conftest import Clock
from tests.integration.deployments_scene import Cast, authorised, cast_of, started
from tests.integration.test_oversight import PROBE, alert, image_of, state_of

SYSTEM = Principal.system("essex")


@pytest.fixture
def cast(store: Store) -> Cast:
    return cast_of(store)


@pytest.fixture
def running(store: Store, cast: Cast) -> str:
    return started(store, cast)


class BetweenKeys:
    """The store's keys; just before a key is destroyed, and so between a purge's transactions, something happens."""

    def __init__(self, keys: KeyStore, name: str, happens: Callable[[], object]) -> None:
        self._keys, self._name, self._happens = keys, name, happens
        self.create, self.load, self.names, self.age_s = keys.create, keys.load, keys.names, keys.age_s

    def destroy(self, name: str) -> bool:
        """Let it happen, once, and destroy."""
        if name == self._name:
            self._name = ""
            self._happens()
        return self._keys.destroy(name)


def with_keys(store: Store, keys: KeyStore) -> Store:
    return Store(store.database, keys, store.signing, store.now)


def held(store: Store, cast: Cast, deployment_id: str) -> str:
    made = alert(store, cast, deployment_id)
    hold(store, cast.operator, made, reason="case 26/17", review_on=(store.now() + timedelta(days=30)).date())
    return made


def test_r13_a_withdrawal_leaves_no_image_template_or_key(store: Store, cast: Cast, running: str) -> None:
    made = alert(store, cast, running)
    done = withdraw_and_purge(store, cast.officer, running, reason="authority refused")
    assert (done.state, done.problem) == ("purged", None)
    assert done.proof is not None
    assert done.proof["why"] == "authority refused"
    assert done.proof["after"] == {
        "entries": 0, "templates": 0, "reference_images": 0, "alert_images": 0, "keys": [],
    }  # fmt: skip
    assert (image_of(store, made), store.keys.names(), state_of(store, running)) == (None, (), "purged")


def test_r13_an_authorisation_that_was_never_used_is_purged_too(store: Store, cast: Cast) -> None:
    deployment_id = authorised(store, cast)
    done = withdraw_and_purge(store, cast.officer, deployment_id, reason="authority refused")
    assert done.proof is not None
    assert (done.proof["before"]["templates"], done.proof["after"]["templates"]) == (2, 0)
    assert store.keys.names() == ()


def test_r13_a_purge_that_breaks_off_leaves_the_withdrawal_standing_for_a_sweep_to_finish(
    store: Store, cast: Cast, running: str
) -> None:
    def disk_goes_away() -> None:
        raise KeyFileError("the disk went away")

    made = alert(store, cast, running)
    failing = with_keys(store, BetweenKeys(store.keys, running, disk_goes_away))
    done = withdraw_and_purge(failing, cast.officer, running, reason="authority refused")
    assert (done.state, done.proof, done.problem) == ("withdrawn", None, "the disk went away")
    assert state_of(store, running) == "withdrawn"
    assert sweep(store, SYSTEM).purged == (running,)
    assert (image_of(store, made), store.keys.names(), state_of(store, running)) == (None, (), "purged")


def test_r13_what_may_not_be_withdrawn_is_not_purged_either(store: Store, cast: Cast, running: str) -> None:
    withdraw_and_purge(store, cast.officer, running, reason="authority refused")
    with pytest.raises(ConflictError, match="is purged"):
        withdraw_and_purge(store, cast.officer, running, reason="again")


def test_r15_what_is_held_survives_a_withdrawal(store: Store, cast: Cast, running: str) -> None:
    kept = held(store, cast, running)
    done = withdraw_and_purge(store, cast.officer, running, reason="authority refused")
    assert done.proof is not None
    assert [row["alert_id"] for row in done.proof["held"]] == [kept]
    assert store.keys.names() == (f"held-{running}",)
    assert read_probe(store, cast.operator, kept, purpose="case 26/17") == PROBE


def test_r15_a_hold_that_is_released_in_the_middle_of_a_purge_keeps_nothing(
    store: Store, cast: Cast, running: str
) -> None:
    kept = held(store, cast, running)
    keys = BetweenKeys(store.keys, running, lambda: release_hold(store, cast.operator, kept, reason="closed"))
    done = withdraw_and_purge(with_keys(store, keys), cast.officer, running, reason="authority refused")
    assert (done.state, done.problem) == ("purged", None)
    assert (image_of(store, kept), store.keys.names()) == (None, ())


def test_r15_nothing_is_held_anew_once_a_purge_has_begun_because_its_key_goes(
    store: Store, cast: Cast, running: str
) -> None:
    kept = held(store, cast, running)
    refused: list[str] = []

    def release_and_hold() -> None:
        release_hold(store, cast.operator, kept, reason="closed")
        with pytest.raises(ConflictError, match="is being purged") as raised:
            hold(store, cast.operator, kept, reason="again", review_on=(store.now() + timedelta(days=9)).date())
        refused.append(str(raised.value))

    keys = BetweenKeys(store.keys, running, release_and_hold)
    done = withdraw_and_purge(with_keys(store, keys), cast.officer, running, reason="authority refused")
    assert (done.state, len(refused)) == ("purged", 1)
    assert (image_of(store, kept), store.keys.names()) == (None, ())


def test_r13_two_purges_at_once_give_one_proof(store: Store, cast: Cast, running: str) -> None:
    alert(store, cast, running)
    proofs: list[object] = []
    swept = threading.Thread(target=lambda: sweep(store, SYSTEM))
    keys = BetweenKeys(store.keys, running, swept.start)
    done = withdraw_and_purge(with_keys(store, keys), cast.officer, running, reason="authority refused")
    swept.join()
    proofs += [done.proof, purge(store, cast.officer, running)]
    assert done.proof is not None
    assert proofs[0] == proofs[1]


def test_r13_a_camera_that_stops_just_after_the_purge_still_counts_whom_it_saw(
    store: Store, cast: Cast, running: str, clock: Clock
) -> None:
    withdraw_and_purge(store, cast.officer, running, reason="authority refused")
    count_faces(store, running, "north", faces_seen=2, frames=20)
    clock.advance(minutes=2)
    with pytest.raises(ConflictError, match="until it is purged"):
        count_faces(store, running, "north", faces_seen=1, frames=1)
