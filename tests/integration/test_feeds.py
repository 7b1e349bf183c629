"""What the service reads itself for a camera: only what its configuration names, for as long as somebody may."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select

from lfr.access import add_person, revoke
from lfr.alerts import list_alerts
from lfr.database import Store
from lfr.database.tables import AuditEntry, Camera
from lfr.deployments import end
from lfr.errors import StoreUnavailableError
from lfr.models import Model, load_model
from lfr.serving.api import Service, create_app
from lfr.serving.feeding import Feeder
from lfr.serving.opening import ServedModel
from lfr.serving.order import Position
from lfr.serving.settings import Limits, SourceUse
from lfr.sources import decode_image
from lfr.types import Faces, Pixels
from tests.support.local_cameras import LocalCameras, LocalReader
from tests.support.rtsp import RtspCamera
from tests.support.served import LISTED, ROLES, STRANGER, Served, served, walk, write_walk

FRAMES = 16
PASSWORD = "made-up-password"


@pytest.fixture(scope="module")
def one_thread_model() -> Model:
    return load_model(threads=1)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, one_thread_model: Model) -> Served:
    return served(tmp_path_factory.mktemp("feeds") / "home", one_thread_model)


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("clips")
    return {subject: write_walk(folder / f"{subject}.avi", subject, frames=FRAMES) for subject in (LISTED, STRANGER)}


@pytest.fixture
def camera() -> Iterator[RtspCamera]:
    frames = [tall(jpeg) for jpeg in walk(LISTED, frames=60)]
    with RtspCamera(fps=10, film=lambda number: frames[min(number, len(frames) - 1)]) as filming:
        yield filming


@pytest.fixture
def service(made: Served, one_thread_model: Model, clips: dict[str, Path], camera: RtspCamera) -> Iterator[Service]:
    store = made.open()
    sources = {
        **{subject: str(path) for subject, path in clips.items()},
        "gate": camera.url.replace("rtsp://", f"rtsp://officer:{PASSWORD}@"),
        "gone": str(clips[LISTED].with_name("gone.avi")),
    }
    limits = Limits(requests_per_second=10_000)
    cameras = LocalCameras(store, LocalReader(one_thread_model), limits=limits, sources=sources)
    model = ServedModel("openvino-f32", "openvino-f32", one_thread_model.digest)
    yield Service(store, cameras, model, limits, sources=dict.fromkeys(sources, SourceUse()))
    cameras.close()
    store.close()


@pytest.fixture
def http(service: Service) -> TestClient:
    return TestClient(create_app(service), raise_server_exceptions=False)


def tall(jpeg: bytes) -> Pixels:
    """A frame of a walk, 640x368, as RTSP carries it."""
    picture = np.full((368, 640, 3), 90, np.uint8)
    picture[:360] = decode_image(jpeg, name="a frame")
    return picture


def begin(http: TestClient, made: Served, source: str, *, camera: str = "north", role: str = "operator") -> Any:
    url = f"/v1/deployments/{made.deployment_id}/cameras"
    return http.post(url, json={"camera": camera, "source": source}, headers=made.bearer(role))


def stop(http: TestClient, made: Served, *, camera: str = "north") -> Any:
    return http.delete(f"/v1/deployments/{made.deployment_id}/cameras/{camera}", headers=made.bearer("operator"))


def health(http: TestClient, made: Served, camera: str = "north") -> dict[str, Any]:
    url = f"/v1/deployments/{made.deployment_id}/camera-health"
    found: list[dict[str, Any]] = http.get(url, headers=made.bearer("operator")).json()["cameras"]
    (one,) = (one for one in found if one["camera"] == camera)
    return one


def until(true: Callable[[], bool], *, timeout_s: float = 10.0) -> None:
    limit = time.monotonic() + timeout_s
    while not true():
        assert time.monotonic() < limit, "it did not happen in time"
        time.sleep(0.05)


def stands(http: TestClient, made: Served, state: str, camera: str = "north") -> Callable[[], bool]:
    return lambda: bool((feed := health(http, made, camera)["feed"]) and feed["state"] == state)


def alerted(store: Store, made: Served) -> list[str]:
    operator = made.principal(store, "operator")
    return [alert.subject_id for alert in list_alerts(store, operator, deployment_id=made.deployment_id)]


def test_a_file_is_read_to_its_end_every_frame_once_and_who_is_listed_alerts(
    http: TestClient, made: Served, service: Service, one_thread_model: Model
) -> None:
    one = made.another(one_thread_model)
    begun = begin(http, one, LISTED)
    assert begun.status_code == 201, begun.text
    assert begun.json()["state"] == "asked"
    assert begin(http, one, STRANGER, camera="south").status_code == 201
    for camera in ("north", "south"):
        until(stands(http, one, "ended", camera))
        until(lambda camera=camera: health(http, one, camera)["frames"] == FRAMES)  # type: ignore[misc]
    north, south = health(http, one), health(http, one, "south")
    assert (north["faces_seen"], south["faces_seen"]) == (1, 1)
    assert (north["dropped"], north["feed"]["reason"]) == (0, "source ended")
    assert alerted(service.store, one) == [LISTED]
    service.metrics, figures = type(service.metrics)(), {}
    text = http.get("/metrics").text
    for name in ("lfr_frames_total", "lfr_alerts_total", "lfr_faces_seen"):
        about = rf'{name}{{camera="north",deployment="{one.deployment_id}"}} (\S+)'
        (figures[name],) = re.findall(about, text)
    assert figures == {"lfr_frames_total": f"{FRAMES}.0", "lfr_alerts_total": "1.0", "lfr_faces_seen": "1.0"}
    assert re.search(r'lfr_frame_seconds_count{stage="search"} [1-9]', text)
    assert (stop(http, one).status_code, stop(http, one).json()["state"]) == (200, "ended"), "it changes nothing"
    again = begin(http, one, STRANGER)
    assert again.status_code == 201, "one that has ended can be followed by another"


class Counting(LocalReader):
    """Counts the frames that faces are looked for in."""

    looked = 0

    def detect(self, pixels: Pixels) -> Faces:
        self.looked += 1
        return super().detect(pixels)


@pytest.mark.parametrize(("detect_every", "looked"), [(1, FRAMES), (2, 8), (3, 6)])
def test_faces_are_looked_for_in_one_of_so_many_frames_and_who_is_listed_alerts(
    detect_every: int, looked: int, made: Served, service: Service, one_thread_model: Model, clips: dict[str, Path]
) -> None:
    one, reader = made.another(one_thread_model), Counting(one_thread_model)
    cameras = LocalCameras(service.store, reader, sources={LISTED: str(clips[LISTED])}, detect_every=detect_every)
    http = TestClient(create_app(Service(service.store, cameras, service.model, sources={LISTED: SourceUse()})))
    assert begin(http, one, LISTED).status_code == 201
    until(stands(http, one, "ended"))
    until(lambda: health(http, one)["frames"] == FRAMES)
    assert reader.looked == looked
    assert alerted(service.store, one) == [LISTED]
    assert health(http, one)["faces_seen"] == 1


def test_a_stream_alerts_and_is_tried_again_when_it_breaks_off(
    http: TestClient, made: Served, service: Service, one_thread_model: Model, camera: RtspCamera
) -> None:
    one = made.another(one_thread_model)
    assert begin(http, one, "gate").status_code == 201
    until(lambda: alerted(service.store, one) == [LISTED])
    assert stands(http, one, "reading")()
    camera.stop()
    until(stands(http, one, "lost"))
    camera.start()
    until(stands(http, one, "reading"))
    ended = stop(http, one)
    assert (ended.status_code, ended.json()["state"]) == (200, "ended")
    frames = [-1]

    def still() -> bool:
        frames.append(health(http, one)["frames"])
        time.sleep(0.3)
        return frames[-1] == frames[-2]

    until(still)
    assert alerted(service.store, one) == [LISTED], "the same person does not alert again in the cool-down"
    text = str(health(http, one)) + http.get("/v1/sources", headers=one.bearer("operator")).text
    assert PASSWORD not in text
    assert camera.url.partition("//")[2] not in text


def test_a_folder_of_pictures_can_be_ended_before_its_end(
    made: Served, service: Service, one_thread_model: Model, tmp_path: Path
) -> None:
    one = made.another(one_thread_model)
    for number in range(200):
        (tmp_path / f"{number}.jpg").write_bytes(next(walk(STRANGER)))
    cameras = LocalCameras(service.store, LocalReader(one_thread_model), sources={"folder": str(tmp_path)})
    http = TestClient(create_app(Service(service.store, cameras, service.model, sources={"folder": SourceUse()})))
    assert begin(http, one, "folder").status_code == 201
    until(stands(http, one, "reading"))
    assert stop(http, one).status_code == 200
    granted = service.live(made.principal(service.store, "operator"), one.deployment_id)
    until(lambda: cameras.feeder(granted, "north").reads is None, timeout_s=3)


def test_what_a_stream_sends_faster_than_it_can_be_looked_at_is_dropped_and_counted(
    made: Served, service: Service, one_thread_model: Model
) -> None:
    one, picture = made.another(one_thread_model), tall(next(walk(STRANGER)))
    with RtspCamera(fps=200, film=lambda _: picture) as fast:
        cameras = LocalCameras(service.store, LocalReader(one_thread_model), sources={"fast": fast.url})
        http = TestClient(create_app(Service(service.store, cameras, service.model, sources={"fast": SourceUse()})))
        assert begin(http, one, "fast").status_code == 201
        until(lambda: health(http, one)["dropped"] > 0 and health(http, one)["frames"] > 0)
        cameras.close()


@pytest.mark.parametrize(
    "asked",
    [
        "rtsp://127.0.0.1:1/camera",
        f"rtsp://officer:{PASSWORD}@10.0.0.1/camera",
        "http://169.254.169.254/latest/meta-data",
        "file:///etc/passwd",
        "/etc/passwd",
        "../../etc/passwd",
        "0",
        "/dev/video0",
        "nowhere",
    ],
)
def test_no_address_that_a_request_gives_is_opened(http: TestClient, made: Served, asked: str) -> None:
    refused = begin(http, made, asked)
    assert (refused.status_code, refused.json()["type"]) == (409, "urn:lfr:problem:refused"), refused.text
    assert PASSWORD not in refused.text
    assert "gate" in refused.json()["detail"], "it says which there are"
    assert health(http, made)["feed"] is None


def test_who_may_not_and_what_is_not_there_is_refused(http: TestClient, made: Served) -> None:
    for role in ROLES:
        if role != "operator":
            assert begin(http, made, "gate", role=role).status_code == 403, role
    assert begin(http, made, "gate", camera="elsewhere").status_code == 409
    assert stop(http, made).status_code == 404
    assert stop(http, made, camera="elsewhere").status_code == 404
    other = http.post(
        "/v1/deployments/none/cameras", json={"camera": "north", "source": "gate"}, headers=made.bearer("operator")
    )
    assert other.status_code == 404
    for body in ({"camera": "north"}, {"camera": "", "source": "gate"}, {"camera": "north", "source": "x" * 3_000}):
        url = f"/v1/deployments/{made.deployment_id}/cameras"
        assert http.post(url, json=body, headers=made.bearer("operator")).status_code == 422


def test_a_source_is_read_for_its_force_and_its_cameras_and_no_others(
    http: TestClient, made: Served, service: Service
) -> None:
    headers = made.bearer("operator")
    service.sources = {"gate": SourceUse(force="made-up", cameras=("south",)), LISTED: SourceUse(force="kent")}
    assert http.get("/v1/sources", headers=headers).json()["sources"] == ["gate"]
    for source in ("gate", LISTED):
        refused = begin(http, made, source, camera="north")
        assert (refused.status_code, refused.json()["type"]) == (409, "urn:lfr:problem:refused")
    assert begin(http, made, "gate", camera="south").status_code == 201
    assert stop(http, made, camera="south").status_code == 200


def test_the_log_says_that_a_recording_is_none_of_now_and_how_a_feed_ended(
    http: TestClient, made: Served, service: Service, one_thread_model: Model
) -> None:
    one = made.another(one_thread_model)
    assert begin(http, one, LISTED).status_code == 201
    until(stands(http, one, "ended"))
    with service.store.database.read() as session:
        found = session.execute(
            select(AuditEntry.action, AuditEntry.details)
            .where(AuditEntry.object == one.deployment_id)
            .order_by(AuditEntry.sequence)
        ).all()
    uses = [details for action, details in found if action == "deployment.run"]
    feeds = [details["feed"] for action, details in found if action == "deployment.feed"]
    assert [details["live_source"] for details in uses if details["use"] == "begins"] == [False]
    assert feeds == ["begins", "ended"]
    (alert,) = list_alerts(service.store, one.principal(service.store, "operator"), deployment_id=one.deployment_id)
    assert alert.captured_at <= alert.created_at, "a recording's alert states when it was looked at"


def test_what_the_end_of_a_stream_decides_is_committed_once_the_database_is_back(
    made: Served, service: Service, one_thread_model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, store = made.another(one_thread_model), service.store
    operator, cameras = made.principal(store, "operator"), service.cameras
    assert isinstance(cameras, LocalCameras)
    granted = service.live(operator, one.deployment_id)
    # A mean is decided once all its shots are there, or at the end.
    patient = replace(granted, rule=granted.rule.model_copy(update={"shots": 5, "fusion": "mean"}))
    post = cameras.post(patient, "north")
    began, few = datetime.now(UTC), 4
    for index, jpeg in enumerate(walk(LISTED, frames=few)):
        answer = post.frame(operator, jpeg, Position(began + timedelta(seconds=index / 10), "a", index))
        assert answer.alerts == ()
    monkeypatch.setattr("lfr.serving.liveness.LIVE_FOR_S", 60.0)
    database = made.home / "lfr.db"
    away = database.with_suffix(".away")
    store.close()
    database.rename(away)
    database.mkdir()  # SQLite would make an empty file
    try:
        with pytest.raises(StoreUnavailableError):
            post.end_stream(operator, "a")
        assert post.held().crops == 1, "the picture of who is to alert, and of nobody else"
    finally:
        database.rmdir()
        away.rename(database)
    post.rest()
    assert alerted(store, one) == [LISTED]
    assert post.held().crops == 0
    post.rest()
    assert post.end_stream(operator, "a").alerts == ()
    assert alerted(store, one) == [LISTED]


def test_a_camera_is_fed_once_at_a_time(http: TestClient, made: Served, one_thread_model: Model) -> None:
    one = made.another(one_thread_model)
    assert begin(http, one, "gate").status_code == 201
    until(stands(http, one, "reading"))
    again = begin(http, one, LISTED)
    assert (again.status_code, again.json()["type"]) == (409, "urn:lfr:problem:conflict")
    assert stop(http, one).status_code == 200


def test_a_file_that_is_not_there_fails_with_its_reason(
    http: TestClient, made: Served, one_thread_model: Model
) -> None:
    one = made.another(one_thread_model)
    assert begin(http, one, "gone").status_code == 201
    until(stands(http, one, "failed"))
    assert health(http, one)["feed"]["reason"] == "gone: no such file or folder", "its name, and never its address"


def test_it_ends_with_the_deployment_and_with_the_keys_of_who_began_it(
    http: TestClient, made: Served, service: Service, one_thread_model: Model
) -> None:
    one, store = made.another(one_thread_model), service.store
    made_key = add_person(store, made.principal(store, "admin"), name="Made Up", rank="constable", roles=["operator"])
    for camera, key in (("north", made.keys["operator"]), ("south", made_key.key)):
        answer = http.post(
            f"/v1/deployments/{one.deployment_id}/cameras",
            json={"camera": camera, "source": "gate"},
            headers={"Authorization": f"Bearer {key}"},
        )
        assert answer.status_code == 201, answer.text
        until(stands(http, one, "reading", camera))
    revoke(store, made.principal(store, "admin"), made_key.key_id)
    until(stands(http, one, "failed", "south"), timeout_s=2)
    assert "no key of theirs is valid" in health(http, one, "south")["feed"]["reason"]
    assert stands(http, one, "reading")()
    end(store, made.principal(store, "operator"), one.deployment_id)
    until(stands(http, one, "ended"), timeout_s=2)
    assert health(http, one)["feed"]["reason"] == "the deployment is ended"


def test_a_stream_goes_on_after_the_cameras_process_was_killed(
    http: TestClient, made: Served, service: Service, one_thread_model: Model
) -> None:
    one = made.another(one_thread_model)
    assert begin(http, one, "gate").status_code == 201
    until(stands(http, one, "reading"))
    feeder = new_process(service, one)
    before = health(http, one)["frames"]
    feeder.look(addresses_of(service))  # as a process that begins does
    until(lambda: health(http, one)["frames"] > before)


def test_a_file_that_broke_off_with_its_process_is_not_played_a_second_time_by_itself(
    http: TestClient, made: Served, service: Service, one_thread_model: Model
) -> None:
    one = made.another(one_thread_model)
    assert begin(http, one, LISTED).status_code == 201
    until(stands(http, one, "ended"))
    feeder = new_process(service, one)
    with service.store.database.write() as session:  # a process that is killed leaves the row as it was
        session.get_one(Camera, (one.deployment_id, "north")).feed_state = "reading"
    feeder.look(addresses_of(service))
    assert (health(http, one)["feed"]["state"], health(http, one)["frames"]) == ("failed", FRAMES)
    assert "broke off" in health(http, one)["feed"]["reason"]


def addresses_of(service: Service) -> Mapping[str, str]:
    assert isinstance(service.cameras, LocalCameras)
    return service.cameras.addresses


def new_process(service: Service, made: Served) -> Feeder:
    """What a new process of the north camera has, after the one before was killed."""
    cameras, operator = service.cameras, made.principal(service.store, "operator")
    assert isinstance(cameras, LocalCameras)
    cameras.forget(made.deployment_id)
    return cameras.feeder(service.live(operator, made.deployment_id), "north")
