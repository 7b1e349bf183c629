"""The record as it is published, and the field trial behind its TPIR."""

from __future__ import annotations

import csv
import io
from datetime import timedelta

import pytest

from lfr.alerts import count_faces, hold, record_outcome, release_hold
from lfr.database import Store
from lfr.deployments import end, withdraw
from lfr.errors import AccessDeniedError, ConflictError, InputError, NotFoundError
from lfr.oversight import deployment_record, purge, record_pass
from lfr.oversight.record_files import record_text
from lfr.statistics import wilson
from tests.integration.conftest import Clock, add_force
from tests.integration.deployments_scene import Cast, cast_of, started
from tests.integration.test_oversight import alert, judge

PUBLISHED = (
    "date", "place", "start", "end", "watchlist_size", "categories", "threshold", "model", "faces_seen", "alerts",
    "true_alerts", "false_alerts", "confirmed_true", "confirmed_false", "engagements", "arrests", "other_outcomes",
)  # fmt: skip


@pytest.fixture
def cast(store: Store) -> Cast:
    return cast_of(store)


@pytest.fixture
def running(store: Store, cast: Cast) -> str:
    deployment_id = started(store, cast)
    count_faces(store, deployment_id, "north", faces_seen=2_000, frames=20_000)
    count_faces(store, deployment_id, "south", faces_seen=500, frames=5_000)
    return deployment_id


def test_r12_every_published_column_is_there_for_each_camera_and_for_all(
    store: Store, cast: Cast, running: str
) -> None:
    arrested, mistaken, refused, ignored = (alert(store, cast, running, camera="south") for _ in range(4))
    for one in (arrested, mistaken):
        judge(store, cast.operator, one, "viable")
        record_outcome(store, cast.operator, one, state="engaged")
    record_outcome(store, cast.operator, arrested, state="confirmed_true", kind="arrest")
    record_outcome(store, cast.operator, mistaken, state="confirmed_false", kind="no-further-action")
    judge(store, cast.operator, refused, "not_viable")
    assert ignored
    document = deployment_record(store, cast.operator, running).as_dict()
    assert set(PUBLISHED) <= document.keys()
    rows = {row["camera"]: row for row in csv.DictReader(io.StringIO(record_text_of(store, cast, running, "csv")))}
    assert list(rows) == ["north", "south", "all"]
    assert set(PUBLISHED) <= rows["all"].keys()
    south = {name: int(rows["south"][name]) for name in (*PUBLISHED[8:], "unadjudicated")}
    assert south == {
        "faces_seen": 500,
        "alerts": 4,
        "true_alerts": 2,
        "false_alerts": 1,
        "confirmed_true": 1,
        "confirmed_false": 1,
        "engagements": 2,
        "arrests": 1,
        "other_outcomes": 1,
        "unadjudicated": 1,
    }
    # Not viable and confirmed false, over faces and over alerts.
    for camera, faces in (("south", 500), ("all", 2_500)):
        row = rows[camera]
        assert (row["false_alerts_per_face_count"], row["false_alerts_per_face_of"]) == ("2", str(faces))
        assert (row["false_alerts_per_alert_count"], row["false_alerts_per_alert_of"]) == ("2", "4")
        assert float(row["false_alerts_per_face_low"]) < 2 / faces < float(row["false_alerts_per_face_high"])
    assert rows["north"]["false_alerts_per_alert_value"] == ""  # no alert is no share


def test_r12_no_false_alert_is_not_a_share_of_zero_without_an_upper_end(store: Store, cast: Cast, running: str) -> None:
    rate = deployment_record(store, cast.operator, running).total.counts.false_alerts_per_face
    assert (rate.value, rate.low, rate.of) == (0.0, 0.0, 2_500)
    assert rate.high == pytest.approx(1 - 0.025 ** (1 / 2_500))


def test_r12_the_page_shows_each_camera_and_says_that_a_live_deployments_figures_may_grow(
    store: Store, cast: Cast, running: str
) -> None:
    page = record_text_of(store, cast, running, "html")
    assert "Provisional: the deployment is live" in page
    assert all(f">{name}</th>" in page for name in ("all cameras", "north", "south"))
    assert "0 of 2,500" in page
    assert "0 of 500" in page
    assert "No field trial was part of this deployment" in page
    end(store, cast.operator, running)
    assert "Provisional" not in record_text_of(store, cast, running, "html")


def test_r12_a_withdrawal_stays_in_the_record_after_the_purge(store: Store, cast: Cast, running: str) -> None:
    withdraw(store, cast.officer, running, reason="authority refused")
    purge(store, cast.officer, running)
    document = deployment_record(store, cast.operator, running).as_dict()
    assert (document["state"], document["withdrawn_at"]) == ("purged", document["used_to"])
    assert "authorisation withdrawn on 2 March 2026" in record_text_of(store, cast, running, "html")


def test_r12_what_is_held_is_counted_as_it_is_now(store: Store, cast: Cast, running: str) -> None:
    made = alert(store, cast, running)
    hold(store, cast.operator, made, reason="case 26/17", review_on=(store.now() + timedelta(days=30)).date())
    end(store, cast.operator, running)
    purge(store, cast.officer, running)
    assert "1 alert held as evidence" in record_text_of(store, cast, running, "html")
    release_hold(store, cast.operator, made, reason="case closed")
    assert deployment_record(store, cast.operator, running).held == 0


def test_a_record_is_of_ones_own_force_only(store: Store, cast: Cast, running: str) -> None:
    add_force(store, "kent")
    with pytest.raises(NotFoundError, match="none of that name"):
        deployment_record(store, cast_of(store, "kent").operator, running)
    with pytest.raises(AccessDeniedError, match=r"deployment\.record"):
        deployment_record(store, cast.manager, running)


def test_an_alert_belongs_to_the_last_pass_that_had_begun(store: Store, cast: Cast, running: str, clock: Clock) -> None:
    first = store.now()
    clock.advance(seconds=20)
    second = store.now()
    clock.advance(seconds=1)
    alert(store, cast, running)
    clock.advance(seconds=20)
    for began, ended in ((first, second - timedelta(seconds=2)), (second, store.now())):
        record_pass(store, cast.operator, running, "north", subject_id="subject-0", began_at=began, ended_at=ended)
    tpir = deployment_record(store, cast.operator, running).total.tpir
    assert tpir is not None
    assert (tpir.count, tpir.of) == (1, 2)


def test_passes_of_one_walker_tell_less_than_passes_of_many(
    store: Store, cast: Cast, running: str, clock: Clock
) -> None:
    for _ in range(4):
        began = store.now()
        clock.advance(seconds=30)
        record_pass(
            store, cast.operator, running, "north", subject_id="subject-0", began_at=began, ended_at=store.now()
        )
        clock.advance(seconds=30)
    tpir = deployment_record(store, cast.operator, running).total.tpir
    assert tpir is not None
    assert (tpir.count, tpir.of) == (0, 4)
    assert tpir.high == pytest.approx(wilson(0, 1).high)


def test_one_walk_is_not_logged_twice_nor_before_it_is_over(
    store: Store, cast: Cast, running: str, clock: Clock
) -> None:
    began = store.now()
    clock.advance(seconds=30)

    def walked(camera: str, *, ends_in: float = 0.0) -> None:
        ended = store.now() + timedelta(seconds=ends_in)
        record_pass(store, cast.operator, running, camera, subject_id="subject-0", began_at=began, ended_at=ended)

    walked("north")
    with pytest.raises(ConflictError, match="is logged for that time already"):
        walked("north")
    walked("south")
    with pytest.raises(InputError, match="in the future"):
        walked("north", ends_in=60.0)


def record_text_of(store: Store, cast: Cast, deployment_id: str, kind: str) -> str:
    return record_text(deployment_record(store, cast.operator, deployment_id), kind)  # type: ignore[arg-type]
