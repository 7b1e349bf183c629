"""A version in the shadow at a camera, without Ray: it counts, and neither alerts, delays nor keeps anything."""

from __future__ import annotations

import hashlib
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import cv2
import numpy as np
import pytest
from sqlalchemy import func, select, text

from lfr.access import Principal
from lfr.alerts.shadow_counts import ShadowCounts, ShadowVersion, shadow_records
from lfr.database import Store
from lfr.database.tables import AuditEntry, Base, Reference
from lfr.deployments import LiveDeployment, end, live, shipped_calibration
from lfr.errors import (
    AccessDeniedError,
    ModelMismatchError,
    NotAuthorisedError,
    RefusedError,
    SettingsError,
    WatchlistError,
)
from lfr.evaluation.demo_calibration import ScoredPass, calibration_from
from lfr.evaluation.made_up import made_up_entries
from lfr.models import Model, load_model
from lfr.oversight import deployment_record
from lfr.oversight.record_files import record_text
from lfr.pipeline import Recogniser
from lfr.pipeline.shadow import ShadowSight
from lfr.serving.alive import HeldFaces
from lfr.serving.camera import CameraPost, FrameAnswer
from lfr.serving.crossing import SentFrame
from lfr.serving.opening import resolve_shadow
from lfr.serving.order import Position
from lfr.serving.settings import AppArgs, Limits
from lfr.serving.shadow_feed import OpenedShadow, ShadowFeed
from lfr.serving.shadow_post import ShadowPost
from lfr.sources import demo_portraits, read_image
from lfr.types import Calibration, Embeddings, Faces, Pixels
from lfr.vision import SEARCH_POLICY, Quality
from lfr.watchlist import approve, create_watchlist, import_entries, load_sealed
from lfr.watchlist import seal as sealing
from lfr.watchlist.shadowing import enrol_sealed
from tests.support.local_cameras import LocalReader
from tests.support.served import LISTED, STRANGER, Served, served, walk

FRAMES = 12


@pytest.fixture(scope="module")
def field_model() -> Model:
    return load_model(threads=1)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, field_model: Model) -> Served:
    return served(tmp_path_factory.mktemp("shadow") / "home", field_model)


@pytest.fixture(scope="module")
def store(made: Served) -> Iterator[Store]:
    opened = made.open()
    yield opened
    opened.close()


@dataclass
class Scene:
    """A camera of a deployment of its own, with a shadow."""

    store: Store
    made: Served
    deployment: LiveDeployment
    post: CameraPost
    feed: ShadowFeed

    def walk(self, subject_id: str, *, patient: bool = True) -> list[FrameAnswer]:
        """Have somebody pass; ``patient``: once the shadow is opened, and each frame waits for it."""
        sender, answers = self.made.principal(self.store, "field_unit"), []
        if patient:
            self.open(sender)
        began, before = datetime.now(UTC), dealt_with(self.feed.counts)
        for index, jpeg in enumerate(walk(subject_id, frames=FRAMES)):
            position = Position(began + timedelta(seconds=index / 10), "a", index)
            answers.append(self.post.frame(sender, jpeg, position))
            until = time.monotonic() + 20
            while patient and dealt_with(self.feed.counts) - before <= index:
                assert time.monotonic() < until, self.feed.counts
                time.sleep(0.005)
        answers.append(self.post.end_stream(sender, "a"))
        return answers

    def open(self, sender: Principal) -> None:
        """Send a frame with nobody in it, which is skipped, and wait until the shadow is opened."""
        blank = cv2.imencode(".jpg", np.full((360, 640, 3), 90, np.uint8))[1].tobytes()
        self.post.frame(sender, blank, Position(datetime.now(UTC), "before", 0))
        soon(lambda: "shadow begins" in self.uses())

    def uses(self) -> dict[str, AuditEntry]:
        """Entries of the log about the use of this deployment's cameras."""
        find = select(AuditEntry).where(AuditEntry.object == self.deployment.id, AuditEntry.action == "deployment.run")
        with self.store.database.read() as session:
            return {str(entry.details.get("use")): entry for entry in session.scalars(find).all()}

    def kept(self) -> list[ShadowCounts]:
        """What is kept once the camera's use has ended."""
        self.post.close()
        found = shadow_records(self.store, self.made.principal(self.store, "mlops"), self.deployment.id)
        return [one.counts for one in found]


def soon(true: Callable[[], bool]) -> None:
    until = time.monotonic() + 20
    while not true():
        assert time.monotonic() < until, "it did not happen in time"
        time.sleep(0.005)


def dealt_with(counts: ShadowCounts) -> int:
    return counts.frames + counts.skipped + counts.failed


@pytest.fixture
def scene(made: Served, store: Store, field_model: Model) -> Callable[..., Scene]:
    """Make a camera with a shadow: a model and its calibration, or whatever opens one."""

    def make(
        reader: Recogniser | None = None,
        calibration: Calibration | None = None,
        *,
        open_shadow: Callable[[], OpenedShadow] | None = None,
    ) -> Scene:
        other = made.another(field_model)
        deployment = live(store, made.principal(store, "operator"), other.deployment_id)
        looking, its = reader or LocalReader(field_model), calibration or shipped_calibration()

        def opened() -> OpenedShadow:
            return opened_at(ShadowPost(store, deployment, reader=looking, calibration=its, limits=Limits()), "north")

        version = ShadowVersion("a candidate", looking.model.digest, its.digest, its.threshold)
        feed = ShadowFeed(store, deployment, "north", version, open_shadow=open_shadow or opened)
        sealed = load_sealed(
            store, other.watchlist_id, digest=deployment.watchlist_digest, model_digest=field_model.digest
        )
        post = CameraPost(
            store,
            deployment,
            "north",
            reader=LocalReader(field_model),
            watchlist=sealed.snapshot,
            limits=Limits(),
            shadow=feed,
        )
        return Scene(store, other, deployment, post, feed)

    return make


@dataclass
class Eye:
    """A shadow's post at one camera."""

    post: ShadowPost
    camera_id: str

    def look(self, picture: SentFrame, time_s: float) -> ShadowSight:
        return self.post.look(self.camera_id, picture, time_s)

    def end_stream(self) -> ShadowSight:
        return self.post.end_stream(self.camera_id)


def opened_at(post: ShadowPost, camera_id: str) -> OpenedShadow:
    return OpenedShadow(Eye(post, camera_id), *post.begin(camera_id))


def at_threshold(threshold: float, **changes: object) -> Calibration:
    content = {**shipped_calibration().model_dump(), "threshold": threshold, **changes}
    return Calibration.model_validate(content)


def calibrated(model: Model) -> Calibration:
    """A calibration of exactly this model, from single portraits of the demo faces: a list of ten, and strangers."""
    recogniser, pictures = Recogniser(model), dict[str, list[Embeddings]]()
    for portrait in demo_portraits()[:60]:
        face = recogniser.one_face(read_image(portrait.path), name=str(portrait.path))
        pictures.setdefault(portrait.subject_id, []).append(face.template)
    listed = {name: seen for name, seen in pictures.items() if len(seen) > 1}
    names, references = list(listed), np.concatenate([seen[0].vectors for seen in listed.values()])

    def passes(subject_id: str, template: Embeddings) -> ScoredPass:
        scores = dict(zip(names, (references @ template.vectors[0]).tolist(), strict=True))
        mate = scores.pop(subject_id, -1.0)
        return ScoredPass(subject_id, subject_id in listed, mate, max(scores.values()))

    return Calibration.model_validate(
        {
            **calibration_from(
                [passes(name, template) for name, seen in pictures.items() for template in seen[-1:]],
                model_version=model.version.name,
                model_digest=model.digest,
                dataset_digest=secrets.token_hex(32),
                protocol="single portraits of the demo faces",
                quality_policy=SEARCH_POLICY.name,
                created=datetime.now(UTC).replace(microsecond=0),
            ).model_dump(),
            "watchlist_size": len(names),
        }
    )


def test_a_version_on_another_runtime_agrees_on_the_same_walk(
    scene: Callable[..., Scene], reference_model: Model
) -> None:
    own = calibrated(reference_model)
    assert own.model_digest != shipped_calibration().model_digest
    camera = scene(LocalReader(reference_model), own)
    alerts = [alert for answer in camera.walk(LISTED) for alert in answer.alerts]
    assert [alert.subject_id for alert in alerts] == [LISTED]
    assert camera.kept() == [ShadowCounts(frames=FRAMES, skipped=1, passes=1, both=1)]


def test_a_threshold_that_finds_nobody_leaves_the_alert_to_the_field_version_only(scene: Callable[..., Scene]) -> None:
    camera = scene(calibration=at_threshold(1.0))
    camera.walk(LISTED)
    assert camera.kept() == [ShadowCounts(frames=FRAMES, skipped=1, passes=1, only_field=1)]


def test_r4_a_shadow_that_finds_everybody_adds_no_alert_no_event_no_image_and_no_template(
    scene: Callable[..., Scene], store: Store
) -> None:
    camera = scene(calibration=at_threshold(-1.0))
    before, keys = rows(store), store.keys.names()
    answers = camera.walk(STRANGER)
    assert [alert for answer in answers for alert in answer.alerts] == []
    assert camera.kept() == [ShadowCounts(frames=FRAMES, skipped=1, passes=1, only_shadow=2)]
    after = rows(store)
    assert {name for name in after if after[name] != before[name]} == {"shadow_count", "audit_entry"}
    assert store.keys.names() == keys
    with store.database.read() as session:
        made_by = session.scalars(select(Reference.model_digest)).all()
    assert set(made_by) == {camera.deployment.model_digest}


def test_what_is_kept_stands_in_the_log_and_in_the_record_apart_from_the_figures(
    scene: Callable[..., Scene], store: Store
) -> None:
    camera = scene()
    camera.walk(LISTED)
    camera.kept()
    said = {use: entry.details for use, entry in camera.uses().items()}
    assert [use for use in said if "shadow" in use] == ["shadow begins", "shadow ends"]
    assert (said["shadow begins"]["enrolled"], said["shadow begins"]["failures_to_enrol"]) == (2, 0)
    assert said["shadow ends"]["both"] == 1
    with store.database.read() as session:
        images = select(AuditEntry).where(
            AuditEntry.object == camera.made.watchlist_id, AuditEntry.action == "watchlist.image"
        )
        (read,) = session.scalars(images).all()  # R14
    assert (read.role, read.details["references"]) == ("system", 2)
    assert camera.deployment.id in read.details["purpose"]
    assert read.details["model"] == shipped_calibration().model_digest
    assert said["shadow ends"]["shadow"]["digest"] == shipped_calibration().model_digest
    record = deployment_record(store, camera.made.principal(store, "operator"), camera.deployment.id)
    (shadow,) = record.as_dict()["shadows"]
    assert (shadow["camera"], shadow["both"], shadow["skipped"]) == ("north", 1, 1)
    assert record.as_dict()["alerts"] == 1
    assert "In the shadow" in record_text(record, "html")
    as_json = record_text(record, "json")
    assert not any(entry_id in as_json for entry_id in store_entries(store))


class _Remembering(LocalReader):
    """A reader that remembers the arrays it handed out."""

    def __init__(self, model: Model) -> None:
        super().__init__(model)
        self.held: list[np.ndarray[tuple[int, ...], np.dtype[np.generic]]] = []

    def detect(self, pixels: Pixels) -> Faces:
        self.held.append(pixels)
        return super().detect(pixels)

    def crops(self, pixels: Pixels, faces: Faces) -> tuple[Pixels, Quality]:
        crops, quality = super().crops(pixels, faces)
        self.held.append(crops)
        return crops, quality

    def embed(self, crops: Pixels) -> Embeddings:
        self.held.append(crops)
        made = super().embed(crops)
        self.held.append(made.vectors)
        return made


class _Breaking(_Remembering):
    """One that breaks once it has the crops."""

    def embed(self, crops: Pixels) -> Embeddings:
        super().embed(crops)
        self.held[-1][:] = 0  # its own template; nobody got it
        raise RuntimeError("on purpose")


@pytest.mark.parametrize("kind", [_Remembering, _Breaking])
def test_r4_frames_crops_and_templates_of_the_shadow_are_overwritten_even_where_it_breaks(
    scene: Callable[..., Scene], field_model: Model, kind: type[_Remembering]
) -> None:
    reader = kind(field_model)
    camera = scene(reader)
    camera.walk(LISTED)
    camera.post.close()
    assert {array.ndim for array in reader.held} == {2, 3, 4}  # templates, frames, crops
    assert all(not array.any() for array in reader.held)


class _Sleeping:
    def look(self, picture: SentFrame, time_s: float) -> ShadowSight:
        time.sleep(2.0)
        return ShadowSight(1, ())

    def end_stream(self) -> ShadowSight:
        time.sleep(2.0)
        return ShadowSight(0, ())


class _Holding:
    """An eye that keeps what it is shown until it is let on, and then breaks."""

    def __init__(self) -> None:
        self.let_on = threading.Event()
        self.shown: list[SentFrame] = []

    def look(self, picture: SentFrame, time_s: float) -> ShadowSight:
        self.shown.append(picture)
        assert self.let_on.wait(20)
        raise RuntimeError("on purpose")

    def end_stream(self) -> ShadowSight:
        return ShadowSight(0, ())


def test_r4_no_picture_is_kept_while_the_shadow_opens_or_opens_again(scene: Callable[..., Scene]) -> None:
    eye, may_open = _Holding(), threading.Semaphore(0)

    def opened() -> OpenedShadow:
        assert may_open.acquire(timeout=20)
        return OpenedShadow(eye, 2, 0)

    camera = scene(open_shadow=opened)
    feed, sender = camera.feed, camera.made.principal(camera.store, "field_unit")
    pixels = np.full((36, 64, 3), 90, np.uint8)
    for second in range(7):
        feed.see(sender, pixels, float(second), ())
    assert (feed.held(), feed.counts.skipped) == (HeldFaces(), 7)
    may_open.release()
    soon(lambda: "shadow begins" in camera.uses())
    for second in range(7, 14):
        feed.see(sender, pixels, float(second), ())
        soon(lambda: bool(eye.shown))
    assert camera.post.held() == HeldFaces(crops=5)  # one that it looks at, and four that wait
    eye.let_on.set()
    soon(lambda: feed.held() == HeldFaces())  # it opens again, which nobody lets it
    assert (feed.counts.failed, feed.counts.skipped) == (1, 7 + 2 + 4)
    may_open.release(100)
    feed.close()


def test_r4_what_a_shadow_still_looks_at_is_overwritten_when_the_camera_ends(scene: Callable[..., Scene]) -> None:
    eye = _Holding()
    camera = scene(open_shadow=lambda: OpenedShadow(eye, 2, 0))
    sender = camera.made.principal(camera.store, "field_unit")
    camera.open(sender)
    pixels = np.full((36, 64, 3), 90, np.uint8)
    camera.feed.see(sender, pixels, time.time(), ())
    soon(lambda: bool(eye.shown))
    camera.post.close()
    (shown,) = eye.shown
    assert isinstance(shown, np.ndarray)
    assert not shown.any()
    assert pixels.all()  # the camera's own, which it overwrites itself
    assert camera.feed.held() == HeldFaces()
    eye.let_on.set()


def test_counts_that_cannot_be_kept_do_not_take_the_entry_in_the_log_with_them(
    made: Served, field_model: Model, scene: Callable[..., Scene], store: Store
) -> None:
    camera = scene(open_shadow=lambda: OpenedShadow(_Sleeping(), 2, 0))
    camera.open(camera.made.principal(store, "field_unit"))
    refuse = "CREATE TRIGGER refuse BEFORE INSERT ON shadow_count BEGIN SELECT RAISE(ABORT, 'on purpose'); END"
    with store.database.write() as session:
        session.execute(text(refuse))
    try:
        assert camera.kept() == []
    finally:
        with store.database.write() as session:
            session.execute(text("DROP TRIGGER refuse"))
    assert camera.uses()["shadow ends"].details["skipped"] == 1


def test_a_shadow_that_sleeps_delays_nothing_and_its_frames_count_as_skipped(scene: Callable[..., Scene]) -> None:
    camera = scene(open_shadow=lambda: OpenedShadow(_Sleeping(), 2, 0))
    began = time.monotonic()
    answers = camera.walk(LISTED, patient=False)
    (counts,) = camera.kept()
    assert time.monotonic() - began < FRAMES * 2.0  # what waiting for it at each frame would take
    assert [alert.subject_id for answer in answers for alert in answer.alerts] == [LISTED]
    assert counts.skipped + counts.frames == FRAMES
    assert counts.skipped >= FRAMES - 2
    assert (counts.only_field, counts.failed) == (1, 0)


def test_a_shadow_that_breaks_is_counted_and_the_field_version_alerts_as_ever(
    scene: Callable[..., Scene], field_model: Model, store: Store
) -> None:
    camera = scene(_Breaking(field_model))
    answers = camera.walk(LISTED)
    assert [alert.subject_id for answer in answers for alert in answer.alerts] == [LISTED]
    (counts,) = camera.kept()
    assert counts.failed > 0
    assert counts.failed + counts.frames + counts.skipped == FRAMES + 1
    assert counts.only_field == 1
    with store.database.read() as session:
        last = session.scalars(select(AuditEntry).order_by(AuditEntry.sequence.desc())).first()
    assert last is not None
    assert last.details["failure"] == "RuntimeError"  # never what it said, which may hold what it was given


def test_a_shadow_calibrated_for_a_smaller_list_looks_at_nothing_and_the_log_says_why(
    scene: Callable[..., Scene], store: Store
) -> None:
    camera = scene(calibration=at_threshold(0.4, watchlist_size=1))
    answers = camera.walk(LISTED, patient=False)
    assert [alert.subject_id for answer in answers for alert in answer.alerts] == [LISTED]
    (counts,) = camera.kept()
    assert (counts.frames, counts.failed, counts.skipped, counts.only_field) == (0, 0, FRAMES, 1)
    with store.database.read() as session:
        last = session.scalars(select(AuditEntry).order_by(AuditEntry.sequence.desc())).first()
    assert last is not None
    assert "2 entries, but calibration" in last.details["failure"]


def test_a_shadow_ends_with_its_deployment(scene: Callable[..., Scene], field_model: Model, store: Store) -> None:
    camera = scene()
    calibration, reader = shipped_calibration(), Recogniser(field_model)
    post = ShadowPost(store, camera.deployment, reader=reader, calibration=calibration, limits=Limits())
    post.begin("north")
    end(store, camera.made.principal(store, "operator"), camera.deployment.id)
    time.sleep(0.3)
    with pytest.raises(NotAuthorisedError, match="ended"):
        post.look("north", next(walk(LISTED)), 0.0)
    with pytest.raises(NotAuthorisedError, match="ended"):
        ShadowPost(store, camera.deployment, reader=reader, calibration=calibration, limits=Limits())


def test_on_people_a_shadow_takes_no_calibration_that_the_field_version_could_not(
    scene: Callable[..., Scene], field_model: Model, store: Store
) -> None:
    on_people = LiveDeployment(**{**vars(scene().deployment), "demo": False})
    with pytest.raises(RefusedError, match="insufficient_data"):
        ShadowPost(
            store,
            on_people,
            reader=Recogniser(field_model),
            calibration=shipped_calibration(),
            limits=Limits(),
        )


def test_a_version_without_a_calibration_of_its_own_is_refused_and_both_digests_are_named(
    store: Store, made: Served, reference_model: Model, tmp_path: Path
) -> None:
    own = calibrated(reference_model)
    own.write(tmp_path / "own.json")
    args = AppArgs(home=made.home, shadow="torch-f32")
    with pytest.raises(ModelMismatchError) as refused:
        resolve_shadow(args, store)
    assert own.model_digest in str(refused.value)
    assert shipped_calibration().model_digest in str(refused.value)
    found = resolve_shadow(args.model_copy(update={"shadow_calibration": tmp_path / "own.json"}), store)
    assert found is not None
    assert (found.version.digest, found.version.threshold) == (own.model_digest, own.threshold)
    assert resolve_shadow(AppArgs(home=made.home), store) is None
    with pytest.raises(SettingsError, match="no shadow"):
        resolve_shadow(AppArgs(home=made.home, shadow_calibration=tmp_path / "own.json"), store)


def test_an_image_that_does_not_pass_is_counted_and_one_that_was_changed_is_refused(
    made: Served, store: Store, field_model: Model
) -> None:
    manager, officer = (made.principal(store, role) for role in ("watchlist_manager", "authorising_officer"))
    list_id = create_watchlist(store, manager, name="made up", model=field_model)
    import_entries(store, manager, list_id, made_up_entries(made.people), field_model)
    blank = cv2.imencode(".png", np.full((224, 224, 3), 90, np.uint8))[1].tobytes()

    def put(digest: str | None) -> None:
        """Put a blank picture in the place of one entry's, with the digest that the seal will cover."""
        with store.database.write() as session:
            row = session.scalars(select(Reference).where(Reference.watchlist_id == list_id).limit(1)).one()
            row.image = store.keys.load(list_id).encrypt(blank, row=f"{row.id}:image")
            row.image_digest = digest or row.image_digest

    put(hashlib.sha256(blank).hexdigest())
    approve(store, officer, list_id)
    seal = {"digest": sealing(store, manager, list_id), "sealed_model_digest": field_model.digest}
    lfr, said = Principal.system(manager.force_id), {"purpose": "a test", **seal}
    with pytest.raises(AccessDeniedError):
        enrol_sealed(store, made.principal(store, "operator"), list_id, field_model, **said)
    found = enrol_sealed(store, lfr, list_id, field_model, **said)
    assert (found.enrolled, found.failures, len(found.snapshot)) == (1, 1, 1)
    blank += b"changed"
    put(None)
    with pytest.raises(WatchlistError, match="not the one that was enrolled"):
        enrol_sealed(store, lfr, list_id, field_model, **said)


def rows(store: Store) -> dict[str, int]:
    with store.database.read() as session:
        return {
            table.name: int(session.scalar(select(func.count()).select_from(table)) or 0)
            for table in Base.metadata.sorted_tables
        }


def store_entries(store: Store) -> list[str]:
    with store.database.read() as session:
        return [str(entry_id) for entry_id in session.scalars(select(Reference.entry_id))]
