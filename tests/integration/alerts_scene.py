"""A live deployment with its list, calibration, cameras and keys, written straight into the tables."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta

from lfr.access import Principal
from lfr.alerts import Sighting
from lfr.database import Store
from lfr.database.store import new_id
from lfr.database.tables import Calibration, Camera, Deployment, Entry, Reference, Watchlist
from tests.integration.conftest import add_person

PROBE = b"\xff\xd8\xff\xe0 a made-up probe " + bytes(range(256)) * 8
REFERENCE = b"\xff\xd8\xff\xe0 a made-up reference"
MODEL, LIST = "model-digest", "list-digest"
THRESHOLD = 0.5


@dataclass(frozen=True)
class Scene:
    """A live deployment of one force and the officer who operates it."""

    deployment_id: str
    watchlist_id: str
    calibration_id: str
    entry_ids: tuple[str, ...]
    operator: Principal

    def sighting(self, **changes: object) -> Sighting:
        """A sighting that gives an alert, with some of it changed."""
        made = Sighting(
            deployment_id=self.deployment_id,
            camera_id="north",
            track_id=1,
            entry_id=self.entry_ids[0],
            score=0.75,
            shots_used=3,
            model_digest=MODEL,
            watchlist_digest=LIST,
            calibration_id=self.calibration_id,
            captured_at=datetime(2026, 3, 2, 9, 0, tzinfo=UTC),
            probe_jpeg=PROBE,
        )
        return replace(made, **changes)  # type: ignore[arg-type]


def live_scene(store: Store, *, force: str = "essex", demo: bool = False, verdict: str = "sufficient") -> Scene:
    """Make a live deployment from now for four hours: two entries, cameras north and south."""
    now = store.now()
    watchlist_id, deployment_id, calibration_id = new_id("watchlist"), new_id("deployment"), new_id("calibration")
    operator = add_person(store, "operator", force=force)
    list_key = store.keys.create(watchlist_id)
    store.keys.create(deployment_id)
    entries, references = [], []
    for subject in ("subject-1", "subject-2"):
        entry = _entry(watchlist_id, subject, now)
        entries.append(entry)
        reference_id = new_id("reference")
        references.append(
            Reference(
                id=reference_id,
                entry_id=entry.id,
                watchlist_id=watchlist_id,
                ordinal=0,
                image_digest="d",
                image=list_key.encrypt(REFERENCE, row=f"{reference_id}:image"),
                template=b"t",
                model_digest=MODEL,
                quality={},
            )
        )
    with store.database.write() as session:
        session.add(_watchlist(watchlist_id, force, now))
        session.add(Calibration(id=calibration_id, document={"threshold": THRESHOLD, "verdict": verdict}, added_at=now))
        session.flush()
        session.add_all(entries)
        session.add(_deployment(deployment_id, force, watchlist_id, calibration_id, now, demo=demo))
        session.flush()
        session.add_all(references)
        session.add_all(
            Camera(deployment_id=deployment_id, camera_id=camera, faces_seen=0, frames=0, last_frame_at=None)
            for camera in ("north", "south")
        )
    return Scene(deployment_id, watchlist_id, calibration_id, tuple(entry.id for entry in entries), operator)


def _watchlist(watchlist_id: str, force: str, now: datetime) -> Watchlist:
    return Watchlist(
        id=watchlist_id,
        force_id=force,
        name="made up",
        state="sealed",
        model_version="openvino-f32",
        model_digest=MODEL,
        created_by="person-x",
        created_at=now,
        sealed_by="person-x",
        sealed_at=now,
        digest=LIST,
    )


def _entry(watchlist_id: str, subject_id: str, now: datetime) -> Entry:
    return Entry(
        id=new_id("entry"),
        watchlist_id=watchlist_id,
        subject_id=subject_id,
        category="wanted-on-warrant",
        reason="warrant",
        legal_basis="warrant 1",
        image_source="custody",
        lawfully_held=True,
        image_date=date(2025, 1, 1),
        expires_at=now + timedelta(days=1),
        under_18=False,
        added_by="person-x",
        added_at=now,
    )


def _deployment(
    deployment_id: str, force: str, watchlist_id: str, calibration_id: str, now: datetime, *, demo: bool
) -> Deployment:
    return Deployment(
        id=deployment_id,
        force_id=force,
        name="made up",
        state="live",
        demo=demo,
        request={},
        starts_at=now,
        ends_at=now + timedelta(hours=4),
        watchlist_id=watchlist_id,
        watchlist_digest=LIST,
        watchlist_size=2,
        model_version="openvino-f32",
        model_digest=MODEL,
        calibration_id=calibration_id,
        created_by="person-x",
        created_at=now,
    )
