"""Retention, purge and its proof, the record, the field trial, and what a force may take and destroy."""

from __future__ import annotations

import csv
import io
import json
import os
import time
from datetime import timedelta
from pathlib import Path
from typing import Any, get_args

import cv2
import numpy as np
import pytest
from sqlalchemy import func, select

from lfr.access import Principal
from lfr.alerts import Sighting, adjudicate, count_faces, hold, raise_alert, read_probe, release_hold
from lfr.audit.chain import canonical
from lfr.database import DataKey, KeyStore, Store
from lfr.database.keys import verify_signature
from lfr.database.tables import Alert, Deployment, Entry, NominalReference, Reference
from lfr.deployments import end, live, withdraw
from lfr.errors import AccessDeniedError, ConflictError, InputError, KeyFileError, NotAuthorisedError, NotFoundError
from lfr.oversight import (
    Sweeper,
    deployment_record,
    purge,
    record_pass,
    sweep,
    write_record,
)
from lfr.oversight.record_files import Format, record_text
from tests.integration.conftest import Clock
from tests.integration.deployments_scene import Cast, authorised, cast_of, started, too_few

PROBE = cv2.imencode(".jpg", np.full((32, 32, 3), 120, np.uint8))[1].tobytes()


@pytest.fixture
def cast(store: Store) -> Cast:
    return cast_of(store)


@pytest.fixture
def running(store: Store, cast: Cast) -> str:
    """A live deployment with two cameras and 1,000 faces counted."""
    deployment_id = started(store, cast)
    count_faces(store, deployment_id, "north", faces_seen=1_000, frames=9_000)
    return deployment_id


def alert(store: Store, cast: Cast, deployment_id: str, *, subject: str = "subject-0", camera: str = "north") -> str:
    current = live(store, cast.operator, deployment_id)
    with store.database.read() as session:
        entry_id = session.scalars(
            select(Entry.id).where(Entry.watchlist_id == current.watchlist_id, Entry.subject_id == subject)
        ).one()
    raised = raise_alert(
        store,
        cast.operator,
        Sighting(
            deployment_id=deployment_id,
            camera_id=camera,
            track_id=1,
            entry_id=entry_id,
            score=0.7,
            shots_used=1,
            model_digest=current.model_digest,
            watchlist_digest=current.watchlist_digest,
            calibration_id=current.calibration_id,
            captured_at=store.now(),
            probe_jpeg=PROBE,
        ),
    )
    assert raised is not None
    return raised.id


def judge(store: Store, officer: Principal, alert_id: str, decision: str) -> None:
    adjudicate(
        store,
        officer,
        alert_id,
        decision=decision,  # type: ignore[arg-type]
        subject_factors="none",
        system_factors="none",
        environmental_factors="none",
    )


def image_of(store: Store, alert_id: str) -> bytes | None:
    with store.database.read() as session:
        return session.get_one(Alert, alert_id).image


def state_of(store: Store, deployment_id: str) -> str:
    with store.database.read() as session:
        return session.get_one(Deployment, deployment_id).state


# R7: clocks


def test_r7_an_alerts_image_goes_after_24_hours_and_its_decision_stays(
    store: Store, cast: Cast, running: str, clock: Clock
) -> None:
    adjudicated, ignored = alert(store, cast, running), alert(store, cast, running, camera="south")
    judge(store, cast.operator, adjudicated, "not_viable")
    clock.advance(hours=23, minutes=59)
    system = Principal.system("essex")
    assert sweep(store, system).images_deleted == ()
    clock.advance(minutes=2)
    report = sweep(store, system)
    assert set(report.images_deleted) == {adjudicated, ignored}
    assert report.lapsed == (ignored,)
    assert image_of(store, adjudicated) is None
    with store.database.read() as session:
        assert session.get_one(Alert, adjudicated).state == "not_viable"
        assert session.get_one(Alert, ignored).state == "lapsed"


def test_r7_a_list_is_destroyed_within_24_hours_of_the_deployments_end(
    store: Store, cast: Cast, running: str, clock: Clock
) -> None:
    end(store, cast.operator, running)
    system = Principal.system("essex")
    clock.advance(hours=23)
    assert sweep(store, system).lists_destroyed == ()
    clock.advance(hours=2)
    (watchlist_id,) = sweep(store, system).lists_destroyed
    assert watchlist_id not in store.keys.names()
    with store.database.read() as session:
        assert session.scalar(select(func.count()).select_from(Reference)) == 0
        assert session.scalar(select(func.count()).select_from(NominalReference)) == 2


def test_r7_a_sweep_does_nothing_the_second_time(store: Store, cast: Cast, running: str, clock: Clock) -> None:
    alert(store, cast, running)
    clock.advance(hours=60)
    system = Principal.system("essex")
    first = sweep(store, system)
    assert first.ended == (running,)
    clock.advance(seconds=1)
    again = sweep(store, system)
    assert again.idle, again


def test_a_sweep_finishes_a_destruction_that_lost_only_its_key(store: Store, cast: Cast, running: str) -> None:
    end(store, cast.operator, running)
    with store.database.read() as session:
        watchlist_id = session.get_one(Deployment, running).watchlist_id
    store.keys.destroy(watchlist_id)
    assert sweep(store, Principal.system("essex")).lists_destroyed == (watchlist_id,)


def test_a_stray_key_is_removed_once_it_is_old_and_a_young_one_is_left(store: Store, tmp_path: Path) -> None:
    store.keys.create("watchlist-young")
    store.keys.create("watchlist-old")
    path = tmp_path / "home" / "keys" / "watchlist-old.key"
    os.utime(path, (0, 0))
    assert sweep(store, Principal.system("essex")).keys_removed == ("watchlist-old",)
    assert store.keys.names() == ("watchlist-young",)


def test_a_sweeper_sweeps_from_its_thread_until_it_is_closed(
    store: Store, cast: Cast, running: str, clock: Clock
) -> None:
    clock.advance(hours=5)
    with Sweeper(store, every_s=0.05):
        deadline = time.monotonic() + 10.0
        while state_of(store, running) == "live" and time.monotonic() < deadline:
            time.sleep(0.02)
    assert state_of(store, running) == "ended"


# R13: withdrawal and purge


def test_r13_a_withdrawn_deployment_alerts_no_more_and_is_purged_with_proof(
    store: Store, cast: Cast, running: str
) -> None:
    alert(store, cast, running)
    current = live(store, cast.operator, running)
    withdraw(store, cast.officer, running, reason="authority refused")
    with pytest.raises(NotAuthorisedError, match="withdrawn"):
        live(store, cast.operator, running)
    assert sweep(store, Principal.system("essex")).purged == (running,)
    proof = purge(store, cast.officer, running)
    assert proof["before"] == {
        "entries": 2,
        "templates": 2,
        "reference_images": 2,
        "alert_images": 1,
        "keys": [running, current.watchlist_id],
    }
    assert proof["after"] == {"entries": 0, "templates": 0, "reference_images": 0, "alert_images": 0, "keys": []}
    assert proof["keys_destroyed"] == [running, current.watchlist_id]
    assert proof["nominal_references"] == 2
    assert (proof["why"], proof["held"]) == ("authority refused", [])
    signed = {key: value for key, value in proof.items() if key != "signature"}
    assert verify_signature(store.signing.public_hex, proof["signature"], canonical(signed))
    assert store.keys.names() == ()
    assert state_of(store, running) == "purged"


def test_r13_what_is_live_or_may_start_is_not_purged(store: Store, cast: Cast, running: str) -> None:
    with pytest.raises(ConflictError, match="is live; end or withdraw it"):
        purge(store, cast.officer, running)
    with pytest.raises(ConflictError, match="is authorised; end or withdraw it"):
        purge(store, cast.officer, authorised(store, cast))
    with pytest.raises(AccessDeniedError, match=r"deployment\.purge"):
        purge(store, cast.operator, running)
    with pytest.raises(NotFoundError):
        purge(store, cast.officer, "deployment-nothing")


class FailingKeys:
    """A key store that works until it is told to fail at its n-th destruction."""

    def __init__(self, keys: KeyStore, *, fail_at: int, after: bool) -> None:
        self._keys, self._left, self._after = keys, fail_at, after

    def create(self, name: str) -> DataKey:
        return self._keys.create(name)

    def load(self, name: str) -> DataKey:
        return self._keys.load(name)

    def names(self) -> tuple[str, ...]:
        return self._keys.names()

    def age_s(self, name: str) -> float:
        return self._keys.age_s(name)

    def destroy(self, name: str) -> bool:
        self._left -= 1
        if self._left == 0:
            if self._after:
                self._keys.destroy(name)
            raise KeyFileError("the disk went away")
        return self._keys.destroy(name)


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("fail_at", [1, 2])
def test_r13_a_purge_that_breaks_off_is_finished_by_a_sweep(
    fail_at: int, after: bool, store: Store, cast: Cast, running: str
) -> None:
    alert(store, cast, running)
    end(store, cast.operator, running)
    failing = Store(store.database, FailingKeys(store.keys, fail_at=fail_at, after=after), store.signing, store.now)
    with pytest.raises(KeyFileError, match="the disk went away"):
        purge(failing, cast.officer, running)
    assert sweep(store, Principal.system("essex")).purged == (running,)
    proof = purge(store, cast.officer, running)
    assert proof["before"]["alert_images"] == 1
    assert proof["after"]["keys"] == []
    assert store.keys.names() == ()


def test_r15_what_is_held_survives_a_purge_under_its_own_key_until_it_is_released(
    store: Store, cast: Cast, running: str, clock: Clock
) -> None:
    held, other = alert(store, cast, running), alert(store, cast, running, camera="south")
    review = (store.now() + timedelta(days=30)).date()
    hold(store, cast.operator, held, reason="case 26/17", review_on=review)
    end(store, cast.operator, running)
    proof = purge(store, cast.officer, running)
    assert [(row["alert_id"], row["reason"]) for row in proof["held"]] == [(held, "case 26/17")]
    assert image_of(store, other) is None
    assert store.keys.names() == (f"held-{running}",)
    assert read_probe(store, cast.operator, held, purpose="case 26/17") == PROBE
    clock.advance(hours=30)
    assert sweep(store, Principal.system("essex")).images_deleted == ()
    release_hold(store, cast.operator, held, reason="case closed")
    assert sweep(store, Principal.system("essex")).images_deleted == (held,)
    assert store.keys.names() == ()


# R12: the record


def test_r12_the_record_has_both_denominators_with_intervals_also_after_the_purge(
    store: Store, cast: Cast, running: str, tmp_path: Path
) -> None:
    true, false = alert(store, cast, running), alert(store, cast, running, subject="subject-1")
    judge(store, cast.operator, true, "viable")
    judge(store, cast.operator, false, "not_viable")
    end(store, cast.operator, running)
    before = deployment_record(store, cast.operator, running).as_dict()
    purge(store, cast.officer, running)
    document = deployment_record(store, cast.operator, running).as_dict()
    changed = {key for key in document if document[key] != before[key]}
    assert changed == {"state", "purged_at"}
    assert {
        key: document[key] for key in ("faces_seen", "alerts", "true_alerts", "false_alerts", "watchlist_size")
    } == {
        "faces_seen": 1_000,
        "alerts": 2,
        "true_alerts": 1,
        "false_alerts": 1,
        "watchlist_size": 2,
    }
    per_face, per_alert = document["false_alerts_per_face"], document["false_alerts_per_alert"]
    assert (per_face["count"], per_face["of"], per_face["method"]) == (1, 1_000, "clopper-pearson")
    assert (per_alert["count"], per_alert["of"]) == (1, 2)
    assert per_face["low"] < 0.001 < per_face["high"]
    for kind in get_args(Format):
        write_record(
            deployment_record(store, cast.operator, running),
            tmp_path / f"record.{kind}",
            file_format=kind,
        )
    assert json.loads((tmp_path / "record.json").read_text())["alerts"] == 2
    rows = list(csv.DictReader(io.StringIO((tmp_path / "record.csv").read_text())))
    assert [row["camera"] for row in rows] == ["north", "south", "all"]
    assert rows[-1]["false_alerts_per_face_of"] == "1000"
    page = (tmp_path / "record.html").read_text()
    assert "<span>1 of 1,000</span><span>0.10%</span>" in page
    assert "http" not in page


def test_r12_a_demo_is_marked_in_every_form(store: Store, cast: Cast) -> None:
    deployment_id = started(store, cast, demo=True, calibration=too_few(), ends_at=store.now() + timedelta(minutes=50))
    found = deployment_record(store, cast.operator, deployment_id)
    for kind in get_args(Format):
        assert "not approved for field use" in record_text(found, kind)


def test_what_people_wrote_cannot_run_in_a_page_or_a_spreadsheet(store: Store, cast: Cast) -> None:
    deployment_id = started(store, cast, place="=cmd|' /C calc'!A0", name="<script>alert(1)</script>")
    found = deployment_record(store, cast.operator, deployment_id)
    assert "<script>" not in record_text(found, "html")
    (first, *_) = csv.DictReader(io.StringIO(record_text(found, "csv")))
    assert first["place"].startswith("'=")


def test_a_field_trial_gives_tpir_in_place_for_each_camera(
    store: Store, cast: Cast, running: str, clock: Clock
) -> None:
    began = store.now()
    clock.advance(seconds=20)
    alert(store, cast, running)
    clock.advance(seconds=20)

    def walked(camera: str, subject: str) -> None:
        record_pass(store, cast.operator, running, camera, subject_id=subject, began_at=began, ended_at=store.now())

    walked("north", "subject-0")
    walked("north", "subject-1")
    walked("south", "subject-0")
    found = deployment_record(store, cast.operator, running)
    by_camera = {camera.camera: camera.tpir for camera in found.cameras}
    assert by_camera["north"] is not None
    assert by_camera["south"] is not None
    assert (by_camera["north"].count, by_camera["north"].of, by_camera["north"].method) == (1, 2, "wilson-by-subject")
    assert (by_camera["south"].count, by_camera["south"].of) == (0, 1)
    assert found.total.tpir is not None
    assert (found.total.tpir.count, found.total.tpir.of) == (1, 3)


def test_a_pass_of_nobody_on_the_list_or_outside_the_use_is_refused(store: Store, cast: Cast, running: str) -> None:
    now = store.now()

    def walked(**changed: Any) -> None:
        values: dict[str, Any] = {"subject_id": "subject-0", "began_at": now, "ended_at": now} | changed
        record_pass(store, cast.operator, running, values.pop("camera", "north"), **values)

    with pytest.raises(NotFoundError, match="is not on its list"):
        walked(subject_id="somebody")
    with pytest.raises(NotFoundError, match="camera west"):
        walked(camera="west")
    with pytest.raises(InputError, match="was not in use"):
        walked(began_at=now - timedelta(hours=1))
    with pytest.raises(InputError, match="before it begins"):
        walked(ended_at=now - timedelta(seconds=1))
    with pytest.raises(InputError, match="zone"):
        walked(began_at=now.replace(tzinfo=None))
