"""A store with a live demo deployment and keys to use it with, as users make them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import cv2
import numpy as np

from lfr.access import Principal, Role, add_device, add_person, authenticate, init_access
from lfr.database import Store, create_store, open_store
from lfr.deployments import authorise, create_deployment, request_from, start
from lfr.models import Model
from lfr.sources import demo_portraits, read_image
from lfr.watchlist import EntryRow, approve, create_watchlist, import_entries, seal

LISTED, STRANGER, FILLER = "s001", "s006", "s002"
CAMERAS = ("north", "south")
PERSONS: tuple[Role, ...] = ("operator", "watchlist_manager", "authorising_officer", "auditor", "mlops")
ROLES = (*PERSONS, "admin", "field_unit")


@dataclass(frozen=True)
class Served:
    """What a test of the service starts from.

    Attributes
    ----------
    home
        Folder of the store.
    keys
        A key for each role; each belongs to a person of their own, ``field_unit`` to a device.
    deployment_id, watchlist_id
        Live, of one hour; its list holds `LISTED` and a filler.
    """

    home: Path
    keys: dict[str, str]
    deployment_id: str
    watchlist_id: str

    def bearer(self, role: str) -> dict[str, str]:
        """The header that shows a role's key."""
        return {"Authorization": f"Bearer {self.keys[role]}"}

    def open(self) -> Store:
        """Open the store."""
        return open_store(self.home)

    def principal(self, store: Store, role: str) -> Principal:
        """Whoever has a role's key."""
        return authenticate(store, self.keys[role])

    def another(self, model: Model, *, minutes: float = 60, cameras: tuple[str, ...] = CAMERAS) -> Served:
        """Make another live deployment, with a list of its own."""
        store = self.open()
        try:
            who: dict[str, Principal] = {role: self.principal(store, role) for role in PERSONS[:3]}
            watchlist_id = sealed_list(store, who, model)
            return replace(
                self,
                watchlist_id=watchlist_id,
                deployment_id=started(store, who, watchlist_id, minutes=minutes, cameras=cameras),
            )
        finally:
            store.close()


def served(home: Path, model: Model, people: Mapping[str, Path] | None = None) -> Served:
    """Make a store, its people, and a live deployment."""
    store = create_store(home)
    try:
        keys: dict[str, str] = {"admin": init_access(store, force_id="essex", force_name="Essex", name="Made Up").key}
        admin = authenticate(store, keys["admin"])
        for role in PERSONS:
            rank = "superintendent" if role == "authorising_officer" else "constable"
            keys[role] = add_person(store, admin, name="Made Up", rank=rank, roles=[role]).key
        keys["field_unit"] = add_device(store, admin, device="van").key
        who: dict[str, Principal] = {role: authenticate(store, key) for role, key in keys.items()}
        watchlist_id = sealed_list(store, who, model, people)
        deployment_id = started(store, who, watchlist_id, minutes=60, cameras=CAMERAS)
        return Served(home, keys, deployment_id, watchlist_id)
    finally:
        store.close()


def walk(subject_id: str, *, frames: int = 12) -> Iterator[bytes]:
    """Somebody crosses the picture: JPEGs of 640x360."""
    face = read_image([p.path for p in demo_portraits() if p.subject_id == subject_id][1])
    for index in range(frames):
        picture = np.full((360, 640, 3), 90, np.uint8)
        picture[70:294, 40 + 4 * index : 264 + 4 * index] = face
        done, data = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 95])
        assert done
        yield data.tobytes()


def made_up_people() -> dict[str, Path]:
    """Reference of each subject on a list unless a test says otherwise."""
    return {name: next(p.path for p in demo_portraits() if p.subject_id == name) for name in (LISTED, FILLER)}


def sealed_list(
    store: Store, who: Mapping[str, Principal], model: Model, people: Mapping[str, Path] | None = None
) -> str:
    """A sealed list of two made-up people, or of those given."""
    watchlist_id = create_watchlist(store, who["watchlist_manager"], name="made up", model=model)
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
                "expires_at": "2030-12-31",
                "under_18": "no",
            },
            images=(path,),
        )
        for number, (subject_id, path) in enumerate((people or made_up_people()).items())
    ]
    report = import_entries(store, who["watchlist_manager"], watchlist_id, rows, model)
    assert report.kept, report
    approve(store, who["authorising_officer"], watchlist_id)
    seal(store, who["watchlist_manager"], watchlist_id)
    return watchlist_id


def started(
    store: Store, who: Mapping[str, Principal], watchlist_id: str, *, minutes: float, cameras: tuple[str, ...]
) -> str:
    """A live demo deployment."""
    now = store.now()
    said = dict.fromkeys(
        (
            "name", "purpose", "necessity", "proportionality", "place", "why_there", "signage", "dpia",
            "appropriate_policy_document", "equality_impact_assessment",
        ),
        "made up for a test",
    )  # fmt: skip
    asked = {
        **said,
        "controller_force": "essex",
        "starts_at": now,
        "ends_at": now + timedelta(minutes=minutes),
        "categories": ["wanted-on-warrant"],
        "cameras": list(cameras),
        "watchlist": watchlist_id,
        "calibration": "shipped",
        "demo": True,
    }
    made = create_deployment(store, who["operator"], request_from(asked, name="a test's", folder=Path()))
    authorise(store, who["authorising_officer"], made, reasons="a test on made-up people")
    start(store, who["operator"], made)
    return made
