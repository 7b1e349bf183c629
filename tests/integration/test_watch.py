"""A camera inside a live deployment: what alerts, what does not, and what ends it."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from sqlalchemy import select, text

from lfr.alerts import RaisedAlert, read_probe
from lfr.database import Store
from lfr.database.tables import Alert, AuditEntry, Camera, Deployment, Entry
from lfr.deployments import (
    LiveDeployment,
    authorise,
    create_deployment,
    end,
    live,
    shipped_calibration,
    start,
)
from lfr.errors import NotAuthorisedError, StoreUnavailableError
from lfr.models import load_model
from lfr.oversight import withdraw_and_purge
from lfr.pipeline import Recogniser
from lfr.pipeline.probes import Probes
from lfr.pipeline.watching import WatchSummary, watch
from lfr.sources import Portrait, Source, decode_image, demo_portraits, read_image
from lfr.types import Frame, Pixels
from lfr.watchlist import EntryRow, approve, create_watchlist, import_entries, seal, suspend
from tests.integration.conftest import Clock, add_person
from tests.integration.deployments_scene import Cast, CommandLine, cast_of, request

LISTED, STRANGER = "s001", "s006"


def portraits_of(subject_id: str) -> list[Portrait]:
    return [portrait for portrait in demo_portraits() if portrait.subject_id == subject_id]


class Walk(Source):
    """Somebody crosses the picture; a live one then waits for frames that never come, until it is closed."""

    name = "a walk"
    fps = 10.0
    frame_count = None
    resolution_wh = (640, 360)

    def __init__(self, subject_id: str, *, frames: int = 12, live: bool = False, pace_s: float = 0.0) -> None:
        self.live = live
        self._face = read_image(portraits_of(subject_id)[1].path)
        self._frames, self._pace_s, self._closed = frames, pace_s, threading.Event()
        self.closed_at: float | None = None

    def __iter__(self) -> Iterator[Frame]:
        for index in range(self._frames):
            if self._closed.wait(self._pace_s):
                return
            at = time.time() if self.live else index / 10
            yield Frame(index, at, self._picture(index))
        if self.live:
            self._closed.wait(20)

    def _picture(self, index: int) -> Pixels:
        picture = np.full((360, 640, 3), 90, np.uint8)
        left = 40 + 4 * (index % 80)
        picture[70:294, left : left + 224] = self._face
        return picture

    def close(self) -> None:
        self.closed_at = self.closed_at or time.monotonic()
        self._closed.set()


@pytest.fixture(scope="module")
def recogniser() -> Recogniser:
    return Recogniser(load_model(threads=1))


@pytest.fixture
def cast(store: Store) -> Cast:
    return cast_of(store)


@pytest.fixture
def deployment_id(store: Store, cast: Cast, recogniser: Recogniser) -> str:
    """A live demo deployment of an hour from now, with one made-up subject and a filler on its list."""
    watchlist_id = create_watchlist(store, cast.manager, name="made up", model=recogniser.model)
    rows = [
        EntryRow(
            where=f"line {number}",
            values={
                "subject_id": subject_id,
                "category": "wanted-on-warrant",
                "reason": "made up",
                "legal_basis": "warrant 1",
                "image_source": "the demo faces",
                "lawfully_held": "yes",
                "image_date": "2026-01-01",
                "expires_at": "2027-12-31",
                "under_18": "no",
            },
            images=(portraits_of(subject_id)[0].path,),
        )
        for number, subject_id in enumerate((LISTED, "s002"))
    ]
    report = import_entries(store, cast.manager, watchlist_id, rows, recogniser.model)
    assert report.kept, report
    approve(store, add_person(store, "authorising_officer", "watchlist_manager"), watchlist_id)
    seal(store, cast.manager, watchlist_id)
    asked = request(store, watchlist_id, calibration="shipped", demo=True, ends_at=store.now() + timedelta(minutes=60))
    made = create_deployment(store, cast.author, asked)
    authorise(store, cast.officer, made, reasons="a test on made-up people")
    start(store, cast.operator, made)
    return made


@pytest.fixture
def granted(store: Store, cast: Cast, deployment_id: str) -> LiveDeployment:
    return live(store, cast.operator, deployment_id)


Watch = Callable[..., WatchSummary]


@pytest.fixture
def run(store: Store, cast: Cast, granted: LiveDeployment, recogniser: Recogniser) -> Watch:
    def watch_(source: Source, **changes: Any) -> WatchSummary:
        with source:
            given: dict[str, Any] = {"camera_id": "north", "recogniser": recogniser, **changes}
            return watch(store, cast.operator, given.pop("deployment", granted), source=source, **given)

    return watch_


def alerts_of(store: Store) -> list[Alert]:
    with store.database.read() as session:
        return list(session.scalars(select(Alert).order_by(Alert.created_at)))


def camera_of(store: Store, name: str = "north") -> Camera:
    with store.database.read() as session:
        return session.scalars(select(Camera).where(Camera.camera_id == name)).one()


def uses(store: Store) -> list[dict[str, Any]]:
    with store.database.read() as session:
        find = select(AuditEntry.details).where(AuditEntry.action == "deployment.run").order_by(AuditEntry.sequence)
        return list(session.scalars(find))


def test_a_listed_person_raises_one_alert_that_is_committed_before_anybody_is_told(
    store: Store, cast: Cast, run: Watch, granted: LiveDeployment
) -> None:
    told: list[RaisedAlert] = []

    def on_alert(alert: RaisedAlert) -> None:
        assert [row.id for row in alerts_of(store)] == [alert.id]
        told.append(alert)

    summary = run(Walk(LISTED), on_alert=on_alert)
    assert (summary.stopped, summary.frames, summary.faces_seen, summary.held_back) == ("source ended", 12, 1, 0)
    assert [alert.subject_id for alert in told] == [LISTED]
    assert tuple(told) == summary.alerts
    row = alerts_of(store)[0]
    assert row.score >= row.threshold == shipped_calibration().threshold
    assert (row.camera_id, row.watchlist_digest) == ("north", granted.watchlist_digest)
    assert told[0].demo
    probe = decode_image(read_probe(store, cast.operator, row.id, purpose="adjudication"), name="probe")
    assert 200 < max(probe.shape) <= 512
    assert (camera_of(store).faces_seen, camera_of(store).frames) == (1, 12)
    assert camera_of(store, "south").frames == 0
    assert uses(store) == [
        {"camera": "north", "watchlist": granted.watchlist_digest, "use": "begins", "live_source": False},
        {
            "camera": "north",
            "watchlist": granted.watchlist_digest,
            "use": "ends",
            "frames": 12,
            "faces_seen": 1,
            "alerts": 1,
        },
    ]


def test_r4_of_a_person_who_is_not_listed_nothing_is_kept_but_a_count(
    store: Store, run: Watch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    held: list[Pixels] = []
    update = Probes.update

    def seen(probes: Probes, *given: Any) -> None:
        update(probes, *given)
        held.extend(probes._crops.values())

    monkeypatch.setattr(Probes, "update", seen)
    before = {path for path in tmp_path.rglob("*") if path.is_file()}
    summary = run(Walk(STRANGER))
    assert (summary.alerts, summary.faces_seen) == ((), 1)
    assert alerts_of(store) == []
    assert camera_of(store).faces_seen == 1
    assert held
    assert not any(crop.any() for crop in held)
    new = {path for path in tmp_path.rglob("*") if path.is_file()} - before
    assert {path.name for path in new} <= {"lfr.db-wal", "lfr.db-shm"}


def test_design_2_1_no_camera_model_or_list_but_the_authorised_ones_can_be_watched_with(
    store: Store, cast: Cast, run: Watch, granted: LiveDeployment, recogniser: Recogniser
) -> None:
    with pytest.raises(NotAuthorisedError, match=r"camera east is not one of its cameras \(north, south\)"):
        run(Walk(LISTED), camera_id="east")
    other = replace(recogniser.model, digest="00" * 32)
    with pytest.raises(NotAuthorisedError, match=f"authorised with model {granted.model_digest}, not with {'00' * 32}"):
        run(Walk(LISTED), recogniser=Recogniser(other))
    with store.database.write() as session:
        session.execute(text("UPDATE entry SET category = 'missing-at-risk'"))
    with pytest.raises(NotAuthorisedError, match=f"authorised was {granted.watchlist_digest}"):
        run(Walk(LISTED))
    assert alerts_of(store) == []
    assert camera_of(store).frames == 0


def test_design_2_1_a_deployment_that_ended_since_it_was_read_raises_no_alert(
    store: Store, cast: Cast, run: Watch, deployment_id: str
) -> None:
    end(store, cast.operator, deployment_id)
    summary = run(Walk(LISTED))
    assert (summary.alerts, summary.stopped) == ((), "ended")
    assert alerts_of(store) == []


def test_a_recording_looked_at_ahead_raises_what_it_raises_frame_by_frame(run: Watch, store: Store) -> None:
    summary = run(Walk(LISTED), workers=3)
    assert (summary.stopped, summary.frames, summary.faces_seen) == ("source ended", 12, 1)
    assert [alert.subject_id for alert in summary.alerts] == [LISTED]
    assert camera_of(store).frames == 12


@pytest.mark.parametrize(("live_source", "workers"), [(True, 1), (False, 1), (False, 2)])
def test_r13_a_withdrawn_authorisation_stops_the_camera_within_a_second(
    live_source: bool, workers: int, store: Store, cast: Cast, run: Watch, deployment_id: str
) -> None:
    withdrawn_at: list[float] = []

    def withdraw_soon() -> None:
        time.sleep(0.8)
        withdraw_and_purge(store, cast.officer, deployment_id, reason="refused by the court")
        withdrawn_at.append(time.monotonic())

    # The live one stands still by then, waiting for a frame; the recorded one goes on and on.
    source = Walk(STRANGER, live=live_source, frames=4 if live_source else 10_000, pace_s=0.05)
    officer = threading.Thread(target=withdraw_soon)
    officer.start()
    summary = run(source, workers=workers)
    stopped_at = time.monotonic()
    officer.join()
    assert summary.stopped == "withdrawn"
    assert stopped_at - withdrawn_at[0] < 1.0
    assert camera_of(store).frames == summary.frames > 0


def test_r1_a_window_that_closes_stops_the_camera_within_a_second(store: Store, run: Watch, clock: Clock) -> None:
    closed_at: list[float] = []

    def close() -> None:
        clock.advance(hours=1)
        closed_at.append(time.monotonic())

    timer = threading.Timer(0.8, close)
    timer.start()
    summary = run(Walk(STRANGER, live=True, frames=10_000, pace_s=0.05))
    assert summary.stopped == "window closed"
    assert time.monotonic() - closed_at[0] < 1.0
    assert camera_of(store).frames == summary.frames > 0


def test_a_suspended_entry_raises_no_alert_also_while_it_is_being_watched(
    store: Store, cast: Cast, run: Watch, granted: LiveDeployment
) -> None:
    with store.database.read() as session:
        find = select(Entry.id).where(Entry.watchlist_id == granted.watchlist_id, Entry.subject_id == LISTED)
        entry_id = session.scalars(find).one()

    def suspend_first(*_: object) -> None:
        with store.database.read() as session:
            entry = session.get(Entry, entry_id)
        if entry is not None and entry.suspended_at is None:
            suspend(store, cast.operator, granted.watchlist_id, entry_id, reason="found")

    summary = run(Walk(LISTED), on_frame=suspend_first)
    assert (summary.alerts, summary.held_back, summary.faces_seen) == ((), 1, 1)
    assert alerts_of(store) == []


def test_an_expired_entry_raises_no_alert(store: Store, run: Watch, clock: Clock) -> None:
    def expire(*_: object) -> None:
        # What is sealed cannot be changed by lfr, and expiry is part of the digest: after the list was opened only.
        with store.database.write() as session:
            session.execute(text("UPDATE entry SET expires_at = '2026-03-02 08:00:00+00'"))

    summary = run(Walk(LISTED), on_frame=expire)
    assert (summary.alerts, summary.held_back) == ((), 1)


def test_interrupting_ends_in_order_and_counts_what_was_seen(store: Store, run: Watch) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    summary = run(Walk(LISTED), on_frame=interrupt)
    assert (summary.stopped, summary.frames) == ("interrupted", 1)
    assert camera_of(store).frames == 1
    assert uses(store)[-1]["use"] == "ends"


@pytest.mark.parametrize(("live_source", "workers"), [(True, 1), (False, 2)])
def test_nothing_goes_on_without_the_database(live_source: bool, workers: int, store: Store, run: Watch) -> None:
    def break_off() -> None:
        time.sleep(0.5)
        with store.database.write() as session:
            session.execute(text("ALTER TABLE deployment RENAME TO away"))

    breaking = threading.Thread(target=break_off)
    breaking.start()
    began = time.monotonic()
    with pytest.raises(StoreUnavailableError):
        run(
            Walk(STRANGER, live=live_source, frames=4 if live_source else 10_000, pace_s=0.05),
            workers=workers,
        )
    breaking.join()
    assert time.monotonic() - began < 5
    with store.database.write() as session:
        session.execute(text("ALTER TABLE away RENAME TO deployment"))


@pytest.fixture
def lfr(
    store: Store,
    cast: Cast,
    clock: Clock,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> CommandLine:
    return CommandLine(store, cast, clock, tmp_path, monkeypatch, capfd)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two pictures of the listed person's pass."""
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    for frame in Walk(LISTED, frames=2):
        cv2.imwrite(str(pictures / f"{frame.index}.png"), frame.pixels)
    return pictures


def test_the_command_watches_a_folder_of_pictures(
    lfr: CommandLine, folder: Path, deployment_id: str, store: Store
) -> None:
    words = ("watch", folder, "--deployment", deployment_id, "--camera", "north", "--threads", 1)
    code, out, err = lfr("operator", *words, "--json")
    assert code == 0, err
    document = json.loads(out)
    assert (document["faces_seen"], document["frames"], document["stopped"]) == (1, 2, "source ended")
    assert [alert["subject_id"] for alert in document["alerts"]] == [LISTED]
    assert document["notice"] == "not approved for field use"
    if not store.database.is_sqlite:  # what is printed does not depend on the database
        return
    code, out, err = lfr("operator", *words, "--jsonl")
    assert code == 0, err
    events = [json.loads(line) for line in out.splitlines()]
    assert [event["event"] for event in events] == ["started", "alert", "summary"]
    assert {event["notice"] for event in events} == {"not approved for field use"}
    code, out, err = lfr("operator", *words)
    assert code == 0, err
    assert "NOT APPROVED FOR FIELD USE" in out
    assert "1 alerts, 1 faces seen in 2 frames" in out
    assert len(alerts_of(store)) == 3


def test_the_command_is_refused_in_one_line(lfr: CommandLine, folder: Path, deployment_id: str, store: Store) -> None:
    words = ("watch", folder, "--deployment", deployment_id)
    code, out, err = lfr("operator", *words, "--camera", "east")
    assert (code, out) == (2, "")
    assert err.strip() == f"lfr: deployment {deployment_id}: camera east is not one of its cameras (north, south)"
    assert lfr("officer", *words, "--camera", "north")[0] == 2
    assert lfr("operator", "deployment", "end", deployment_id)[0] == 0
    code, out, err = lfr("operator", *words, "--camera", "north")
    assert (code, out) == (2, "")
    assert err.strip() == f"lfr: deployment {deployment_id}: is ended, not live"
    with store.database.read() as session:
        assert session.scalars(select(Deployment.state)).one() == "ended"
