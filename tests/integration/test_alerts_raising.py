"""An alert is raised inside a live authorisation and nowhere else, and committed before anybody is told."""

from __future__ import annotations

import random
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select, update

from lfr.access import Principal
from lfr.alerts import RaisedAlert, counts, raise_alert, raise_alerts
from lfr.audit import GENESIS, entry_hash, force_chain
from lfr.audit.chain import canonical, entry_document
from lfr.database import Database, Store
from lfr.database.tables import Alert, AuditChain, AuditEntry, Calibration, Deployment, Entry, Watchlist
from lfr.errors import (
    AccessDeniedError,
    ConflictError,
    ImageError,
    KeyFileError,
    LfrError,
    NotAuthorisedError,
    NotFoundError,
)
from tests.integration.alerts_scene import LIST, PROBE, THRESHOLD, Scene, live_scene
from tests.integration.conftest import Clock, add_force, add_person


@pytest.fixture
def scene(store: Store) -> Scene:
    return live_scene(store)


def raised(store: Store, scene: Scene, **changes: object) -> RaisedAlert:
    alert = raise_alert(store, scene.operator, scene.sighting(**changes))
    assert alert is not None
    return alert


def alerts_and_entries(store: Store) -> tuple[list[str], list[str]]:
    with store.database.read() as session:
        alerts = session.scalars(select(Alert.id).order_by(Alert.id)).all()
        logged = session.scalars(select(AuditEntry.object).where(AuditEntry.action == "alert.raise"))
        return list(alerts), sorted(logged)


def assert_chain_verifies(store: Store) -> None:
    with store.database.read() as session:
        entries = session.scalars(select(AuditEntry).order_by(AuditEntry.sequence)).all()
        head = session.get_one(AuditChain, force_chain("essex"))
    previous = GENESIS
    for number, entry in enumerate(entries, start=1):
        assert (entry.sequence, entry.previous_hash) == (number, previous)
        assert entry.hash == entry_hash(entry_document(entry))
        previous = entry.hash
    assert (head.sequence, head.head) == (len(entries), previous)


def test_an_alert_is_committed_when_its_raising_returns(store: Store, scene: Scene) -> None:
    alert = raised(store, scene)
    # What another process sees, over a connection of its own.
    other = Database(store.database.url.render_as_string(hide_password=False))
    with other.read() as session:
        row = session.get_one(Alert, alert.id)
        assert (row.state, row.score, row.threshold, row.category) == ("new", 0.75, THRESHOLD, "wanted-on-warrant")
        assert row.raised_by == scene.operator.id
        assert row.image is not None
        assert PROBE not in row.image
        entry = session.scalars(select(AuditEntry).where(AuditEntry.object == alert.id)).one()
        assert (entry.sequence, entry.action, entry.actor) == (alert.sequence, "alert.raise", scene.operator.id)
    other.dispose()


def test_r8_the_log_says_which_input_met_which_database_with_what(store: Store, scene: Scene) -> None:
    alert = raised(store, scene)
    with store.database.read() as session:
        entry = session.scalars(select(AuditEntry).where(AuditEntry.object == alert.id)).one()
    assert entry.details["deployment"] == scene.deployment_id
    assert entry.details["watchlist"] == LIST
    assert entry.details["calibration"] == scene.calibration_id
    assert (entry.details["score"], entry.details["threshold"]) == (0.75, THRESHOLD)
    assert entry.details["entry"] == scene.entry_ids[0]
    assert b"subject-1" not in canonical(entry_document(entry))
    assert_chain_verifies(store)


def test_2_8_what_fails_after_the_alert_leaves_neither_alert_nor_entry(store: Store, scene: Scene) -> None:
    raised(store, scene)
    # The next entry's place in the chain is taken, so that the audit entry of the next alert cannot be written.
    with store.database.write() as session:
        head = session.get_one(AuditChain, force_chain("essex"))
        head.sequence -= 1
    with pytest.raises(ConflictError):
        raise_alert(store, scene.operator, scene.sighting())
    alerts, logged = alerts_and_entries(store)
    assert len(alerts) == 1
    assert alerts == logged


def test_2_8_every_alert_has_one_entry_and_every_entry_an_alert_under_many_writers(store: Store, scene: Scene) -> None:
    told: list[RaisedAlert | None] = []

    def work(track: int) -> None:
        told.extend(raise_alert(store, scene.operator, scene.sighting(track_id=track + shot)) for shot in range(5))
        told.extend(raise_alerts(store, scene.operator, [scene.sighting(track_id=track, camera_id="south")] * 3))

    workers = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    alerts, logged = alerts_and_entries(store)
    assert alerts == logged == sorted(alert.id for alert in told if alert)
    assert len(alerts) == 32
    assert sorted(alert.sequence for alert in told if alert) == list(range(1, 33))
    assert_chain_verifies(store)


TELLER = """
import sys
from pathlib import Path
from lfr.access import Principal
from lfr.alerts import Sighting, raise_alerts
from lfr.database import open_store
from lfr.database.tables import Deployment, Entry
home, url, deployment_id, operator = sys.argv[1:]
store = open_store(Path(home), url=url)
with store.database.read() as session:
    deployment = session.get_one(Deployment, deployment_id)
    entry = session.query(Entry).filter_by(watchlist_id=deployment.watchlist_id).first()
sighting = Sighting(
    deployment_id, "north", 1, entry.id, 0.75, 3, deployment.model_digest, deployment.watchlist_digest,
    deployment.calibration_id, store.now(), b"\\xff\\xd8\\xff probe",
)
who = Principal(operator, "essex", frozenset({"operator"}), operator)
while True:
    for alert in raise_alerts(store, who, [sighting] * 3):
        print(alert.id, flush=True)
"""


def test_2_8_a_kill_at_any_moment_loses_no_alert_that_was_told(store: Store, clock: Clock, tmp_path: Path) -> None:
    clock.time = datetime.now(UTC) - timedelta(seconds=1)
    scene = live_scene(store)
    url = store.database.url.render_as_string(hide_password=False)
    moment = random.Random(7)
    told: list[str] = []
    for _ in range(2):
        words = [sys.executable, "-c", TELLER, str(tmp_path / "home"), url, scene.deployment_id, scene.operator.id]
        with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as teller:
            assert teller.stdout is not None
            told += [teller.stdout.readline().strip() for _ in range(20)]
            time.sleep(moment.uniform(0, 0.05))
            teller.kill()
            told += teller.stdout.read().split()
    time.sleep(0.3)  # PostgreSQL may still be committing for the one it lost
    alerts, logged = alerts_and_entries(store)
    assert set(told) <= set(alerts)
    assert len(told) >= 40
    assert alerts == logged
    assert_chain_verifies(store)
    with store.database.read() as session:
        assert counts(session, scene.deployment_id).alerts == len(alerts)


@pytest.mark.parametrize("state", ["draft", "authorised", "ended", "withdrawn", "purged"])
def test_nothing_is_raised_unless_the_deployment_is_live(store: Store, scene: Scene, state: str) -> None:
    with store.database.write() as session:
        session.get_one(Deployment, scene.deployment_id).state = state
    with pytest.raises(NotAuthorisedError, match=f"is {state}, not live"):
        raise_alert(store, scene.operator, scene.sighting())
    assert alerts_and_entries(store) == ([], [])


@pytest.mark.parametrize("by", [timedelta(hours=4), timedelta(days=3), timedelta(seconds=-1)])
def test_nothing_is_raised_outside_the_window(store: Store, scene: Scene, clock: Clock, by: timedelta) -> None:
    clock.time += by
    with pytest.raises(NotAuthorisedError, match="its window is 2026-03-02T09:00"):
        raise_alert(store, scene.operator, scene.sighting())
    clock.time += -by + timedelta(hours=3, minutes=59, seconds=59)
    raised(store, scene)


def test_a_window_that_closes_while_a_lock_is_waited_for_is_closed(store: Store, scene: Scene, clock: Clock) -> None:
    moments = iter([clock(), clock() + timedelta(hours=4)])
    waiting = replace(store, now=lambda: next(moments))
    with pytest.raises(NotAuthorisedError, match="its window closed at 2026-03-02T13:00"):
        raise_alert(waiting, scene.operator, scene.sighting())
    assert alerts_and_entries(store) == ([], [])


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"camera_id": "west"}, "camera west is not one of its cameras"),
        ({"model_digest": "another"}, "authorised with model model-digest, not with another"),
        ({"watchlist_digest": "another"}, "authorised with watchlist list-digest, not with another"),
        ({"calibration_id": "another"}, "authorised with calibration calibration-[0-9a-f]+, not with another"),
        ({"score": THRESHOLD - 1e-9}, "under the calibrated threshold"),
        ({"entry_id": "entry-of-another-list"}, "is not on watchlist"),
        ({"reference_id": "reference-of-another-entry"}, "not one of its own"),
    ],
)
def test_a_sighting_made_with_anything_else_raises_nothing(
    store: Store, scene: Scene, changes: dict[str, Any], said: str
) -> None:
    good, bad = scene.sighting(), scene.sighting(**changes)
    with pytest.raises(NotAuthorisedError, match=said):
        raise_alerts(store, scene.operator, [good, bad])
    assert alerts_and_entries(store) == ([], [])


def test_a_score_of_just_the_threshold_is_an_alert(store: Store, scene: Scene) -> None:
    assert raised(store, scene, score=THRESHOLD).score == THRESHOLD


def test_a_list_that_is_not_the_sealed_one_any_more_raises_nothing(store: Store, scene: Scene) -> None:
    with store.database.write() as session:
        session.get_one(Watchlist, scene.watchlist_id).state = "destroyed"
    with pytest.raises(NotAuthorisedError, match="is destroyed"):
        raise_alert(store, scene.operator, scene.sighting())


def test_too_few_data_in_a_calibration_are_enough_for_a_demo_only(store: Store) -> None:
    strict = live_scene(store, verdict="insufficient_data")
    with pytest.raises(NotAuthorisedError, match="says insufficient_data"):
        raise_alert(store, strict.operator, strict.sighting())
    demo = live_scene(store, verdict="insufficient_data", demo=True)
    assert raised(store, demo).demo


def test_a_suspended_or_expired_entry_gives_no_alert_and_the_others_do(
    store: Store, scene: Scene, clock: Clock
) -> None:
    first, second = scene.entry_ids
    with store.database.write() as session:
        session.get_one(Entry, first).suspended_at = clock()
    both = [scene.sighting(), scene.sighting(entry_id=second)]
    of_first, of_second = raise_alerts(store, scene.operator, both)
    assert of_first is None
    assert of_second is not None
    assert of_second.subject_id == "subject-2"
    with store.database.write() as session:
        session.get_one(Entry, second).expires_at = clock()
    assert raise_alerts(store, scene.operator, both) == (None, None)
    assert len(alerts_and_entries(store)[0]) == 1


def test_a_withdrawal_and_alerts_at_once_leave_no_alert_after_the_withdrawal(store: Store, scene: Scene) -> None:
    refused = threading.Event()
    began = threading.Barrier(4)

    def work() -> None:
        began.wait()
        try:
            while True:
                raise_alert(store, scene.operator, scene.sighting())
        except NotAuthorisedError:
            refused.set()

    workers = [threading.Thread(target=work) for _ in range(3)]
    for worker in workers:
        worker.start()
    began.wait()
    time.sleep(0.2)
    asked = time.monotonic()
    with store.database.write() as session:
        session.execute(update(Deployment).values(state="withdrawn"))
    assert time.monotonic() - asked < 5  # a lock that alerts share kept it out for as long as they came
    with store.database.read() as session:
        at_commit = session.scalar(select(func.count()).select_from(Alert))
    for worker in workers:
        worker.join(timeout=20)
    assert refused.is_set()
    with store.database.read() as session:
        assert session.scalar(select(func.count()).select_from(Alert)) == at_commit
    alerts, logged = alerts_and_entries(store)
    assert alerts == logged


def test_another_forces_deployment_is_as_if_it_were_not_there(store: Store, scene: Scene) -> None:
    add_force(store, "kent")
    stranger = add_person(store, "operator", force="kent")
    with pytest.raises(NotFoundError, match="none of that name") as theirs:
        raise_alert(store, stranger, scene.sighting())
    with pytest.raises(NotFoundError) as missing:
        raise_alert(store, stranger, scene.sighting(deployment_id="deployment-none"))
    assert str(missing.value) == str(theirs.value).replace(scene.deployment_id, "deployment-none")


def test_who_may_not_run_a_deployment_raises_nothing(
    store: Store, scene: Scene, person: Callable[..., Principal]
) -> None:
    for role in ("auditor", "admin", "watchlist_manager", "authorising_officer", "mlops"):
        with pytest.raises(AccessDeniedError, match=r"alert\.raise"):
            raise_alert(store, person(role), scene.sighting())


def test_without_the_deployments_key_nothing_is_raised(store: Store, scene: Scene) -> None:
    store.keys.destroy(scene.deployment_id)
    with pytest.raises(KeyFileError, match="is gone"):
        raise_alert(store, scene.operator, scene.sighting())
    assert alerts_and_entries(store) == ([], [])


def test_the_images_clock_is_the_forces(store: Store, scene: Scene, clock: Clock) -> None:
    alert = raised(store, scene)
    with store.database.read() as session:
        assert session.get_one(Alert, alert.id).image_expires_at == clock() + timedelta(hours=24)


def test_what_is_no_sighting_is_refused(store: Store, scene: Scene) -> None:
    with pytest.raises(ImageError, match="not a JPEG"):
        scene.sighting(probe_jpeg=b"\x89PNG")
    with pytest.raises(ImageError, match="are the most"):
        scene.sighting(probe_jpeg=PROBE + bytes(1 << 20))
    with pytest.raises(ValueError, match="score is nan"):
        scene.sighting(score=float("nan"))
    with pytest.raises(ValueError, match="no zone"):
        scene.sighting(captured_at=datetime(2026, 3, 2))  # noqa: DTZ001
    with pytest.raises(ValueError, match="0 shots"):
        scene.sighting(shots_used=0)
    assert raise_alerts(store, scene.operator, []) == ()
    with pytest.raises(ValueError, match="several deployments"):
        raise_alerts(store, scene.operator, [scene.sighting(), live_scene(store).sighting()])


def test_the_calibrations_threshold_is_the_only_one(store: Store, scene: Scene) -> None:
    with store.database.write() as session:
        session.get_one(Calibration, scene.calibration_id).document = {"threshold": 0.9, "verdict": "sufficient"}
    with pytest.raises(LfrError, match=r"0\.7500 is under the calibrated threshold 0\.9000"):
        raise_alert(store, scene.operator, scene.sighting())
    with store.database.read() as session:
        assert counts(session, scene.deployment_id).alerts == 0


def test_nothing_of_the_probe_is_in_the_database_in_the_clear(store: Store, scene: Scene, tmp_path: Path) -> None:
    raised(store, scene)
    if store.database.is_sqlite:
        files = [file.read_bytes() for file in tmp_path.glob("lfr.db*")]
        assert files
        assert not any(b"made-up probe" in content for content in files)
    with store.database.read() as session:
        alert = session.scalars(select(Alert)).one()
    assert alert.image is not None
    assert store.keys.load(scene.deployment_id).decrypt(alert.image, row=alert.id) == PROBE
