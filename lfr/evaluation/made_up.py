"""A made-up force with a live demonstration, for notebooks, benchmarks and tests: its own store, people and list.

Everything is done by the governed operations, as users do it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path

from lfr.access import Principal, Role, add_device, add_person, authenticate, init_access
from lfr.database import Store, create_store, open_store
from lfr.deployments import SHIPPED, DeploymentRequest, authorise, create_deployment, request_from, start
from lfr.models import Model
from lfr.watchlist import EntryRow, approve, create_watchlist, import_entries, seal

__all__ = ["MadeUpForce", "found_force", "made_up_entries", "made_up_request", "make_up_force"]

_PERSONS: tuple[Role, ...] = ("operator", "watchlist_manager", "authorising_officer", "auditor", "mlops")
_SAID = (
    "name", "purpose", "necessity", "proportionality", "place", "why_there", "signage", "dpia",
    "appropriate_policy_document", "equality_impact_assessment",
)  # fmt: skip


@dataclass(frozen=True)
class MadeUpForce:
    """A force of made-up people with a live deployment, marked demo.

    Attributes
    ----------
    home
        Folder of the store.
    keys
        A key for each role; each belongs to a person of their own, ``field_unit`` to a device.
    people
        Subjects on the list, each with the path of a reference.
    deployment_id, watchlist_id
        Live for an hour.
    database_url
        Of the store; blank: SQLite in its folder.
    calibration
        File whose threshold deployments use; `SHIPPED`: the one that comes with lfr.
    """

    home: Path
    keys: Mapping[str, str] = field(repr=False)
    people: Mapping[str, Path] = field(repr=False)
    deployment_id: str = ""
    watchlist_id: str = ""
    database_url: str = field(default="", repr=False)
    calibration: str = SHIPPED

    def bearer(self, role: str) -> dict[str, str]:
        """The header that shows a role's key."""
        return {"Authorization": f"Bearer {self.keys[role]}"}

    def open(self) -> Store:
        """Open the store."""
        return open_store(self.home, url=self.database_url or None)

    def principal(self, store: Store, role: str) -> Principal:
        """Whoever has a role's key."""
        return authenticate(store, self.keys[role])

    def another(
        self, model: Model, *, minutes: float = 60, cameras: tuple[str, ...] = ("north", "south")
    ) -> MadeUpForce:
        """Make another live deployment, with a list of its own."""
        store = self.open()
        try:
            who: dict[str, Principal] = {role: self.principal(store, role) for role in _PERSONS[:3]}
            watchlist_id = _sealed_list(store, who, model, self.people)
            request = made_up_request(
                store, watchlist_id, minutes=minutes, cameras=cameras, calibration=self.calibration
            )
            deployment_id = _started(store, who, request)
        finally:
            store.close()
        return replace(self, watchlist_id=watchlist_id, deployment_id=deployment_id)


def make_up_force(
    home: Path, model: Model, people: Mapping[str, Path], *, database_url: str = "", calibration: str = SHIPPED
) -> MadeUpForce:
    """Make a store, its people, and a live deployment.

    Parameters
    ----------
    home
        Folder that holds no store yet.
    model
        Of the templates.
    people
        Made-up subjects, each with the path of a reference.
    database_url
        Of the store, empty; blank: SQLite in its folder.
    calibration
        As for `MadeUpForce`; it must be of the model.

    Raises
    ------
    LfrError
        As the operations; the references must pass the enrolment gate.
    """
    founded = found_force(home, people, database_url=database_url)
    return replace(founded, calibration=calibration).another(model)


def found_force(home: Path, people: Mapping[str, Path], *, database_url: str = "") -> MadeUpForce:
    """Make a store and its people, who have done nothing yet; parameters as for `make_up_force`."""
    store = create_store(home, url=database_url or None)
    try:
        keys = {"admin": init_access(store, force_id="made-up", force_name="Made up", name="Made Up").key}
        admin = authenticate(store, keys["admin"])
        for role in _PERSONS:
            rank = "superintendent" if role == "authorising_officer" else "constable"
            keys[role] = add_person(store, admin, name="Made Up", rank=rank, roles=[role]).key
        keys["field_unit"] = add_device(store, admin, device="van").key
    finally:
        store.close()
    return MadeUpForce(home, keys, dict(people), database_url=database_url)


def made_up_entries(people: Mapping[str, Path]) -> list[EntryRow]:
    """Return a watchlist row for each subject, with a made-up basis."""
    return [
        EntryRow(
            where=f"line {number}",
            values={
                "subject_id": subject_id,
                "category": "wanted-on-warrant",
                "reason": "made up",
                "legal_basis": "made up",
                "image_source": "made up",
                "lawfully_held": "yes",
                "image_date": "2026-01-01",
                "expires_at": "2099-12-31",
                "under_18": "no",
            },
            images=(path,),
        )
        for number, (subject_id, path) in enumerate(people.items())
    ]


def made_up_request(
    store: Store, watchlist_id: str, *, minutes: float, cameras: tuple[str, ...], calibration: str = SHIPPED
) -> DeploymentRequest:
    """Return a request for a demonstration that begins now, with the shipped calibration or one in a file."""
    now = store.now()
    asked = {
        **dict.fromkeys(_SAID, "made up"),
        "controller_force": "made-up",
        "starts_at": now,
        "ends_at": now + timedelta(minutes=minutes),
        "categories": ["wanted-on-warrant"],
        "cameras": list(cameras),
        "watchlist": watchlist_id,
        "calibration": calibration,
        "demo": True,
    }
    return request_from(asked, name="made up", folder=Path())


def _sealed_list(store: Store, who: Mapping[str, Principal], model: Model, people: Mapping[str, Path]) -> str:
    watchlist_id = create_watchlist(store, who["watchlist_manager"], name="made up", model=model)
    import_entries(store, who["watchlist_manager"], watchlist_id, made_up_entries(people), model)
    approve(store, who["authorising_officer"], watchlist_id)
    seal(store, who["watchlist_manager"], watchlist_id)
    return watchlist_id


def _started(store: Store, who: Mapping[str, Principal], request: DeploymentRequest) -> str:
    made = create_deployment(store, who["operator"], request)
    authorise(store, who["authorising_officer"], made, reasons="made-up people only")
    start(store, who["operator"], made)
    return made
