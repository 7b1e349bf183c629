"""A governed store to measure on: made-up people, lists and a live deployment, made as users make them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from sqlalchemy import insert

from lfr.access import ForcePolicy, Principal, Role, add_person, authenticate, init_access, set_policy
from lfr.database import Store, create_store
from lfr.database.store import new_id
from lfr.database.tables import Entry, Reference
from lfr.deployments import authorise, create_deployment, request_from, start
from lfr.evaluation.benchmarks.postgres import postgres_binaries, postgres_cluster
from lfr.models import Model
from lfr.types import FloatArray
from lfr.watchlist import EntryRow, approve, create_watchlist, import_entries, seal

__all__ = [
    "Cast",
    "entry_rows",
    "fill_list",
    "live_deployment",
    "made_up_cast",
    "numbered_jpeg",
    "open_list",
    "temporary_stores",
]

_FORCE = "made-up"
_ROWS_AT_ONCE = 1_000
_ENTRY = {
    "category": "wanted-on-warrant",
    "reason": "a benchmark",
    "legal_basis": "none: these people are made up",
    "image_source": "demo faces",
    "lawfully_held": "yes",
    "image_date": "2025-06-01",
    "expires_at": "2099-12-31",
    "under_18": "no",
}


@dataclass(frozen=True)
class Cast:
    """Who acts, each a person of their own, because nobody approves what is their own."""

    manager: Principal
    officer: Principal
    operator: Principal


@contextmanager
def temporary_stores() -> Iterator[dict[str, Store]]:
    """Give an empty store on SQLite and, where its server is installed, on a PostgreSQL made for it; then remove them.

    Yields
    ------
    By kind of database: ``sqlite``, ``postgresql``.
    """
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="lfr-bench-")))
        stores = {"sqlite": create_store(folder / "sqlite")}
        stack.callback(stores["sqlite"].close)
        if (binaries := postgres_binaries()) is not None:
            url = stack.enter_context(postgres_cluster(binaries)).create("lfr")
            stores["postgresql"] = create_store(folder / "postgresql", url=url)
            stack.callback(stores["postgresql"].close)
        yield stores


def made_up_cast(store: Store, *, max_watchlist: int = 2_000) -> Cast:
    """Make the store's first force, with a policy that allows lists of a size, and its officers."""
    admin = authenticate(store, init_access(store, force_id=_FORCE, force_name="Made up", name="Made-up Admin").key)
    set_policy(store, admin, ForcePolicy(max_watchlist=max_watchlist))

    def person(role: Role, rank: str) -> Principal:
        return authenticate(store, add_person(store, admin, name=f"Made-up {rank}", rank=rank, roles=[role]).key)

    return Cast(
        manager=person("watchlist_manager", "sergeant"),
        officer=person("authorising_officer", "superintendent"),
        operator=person("operator", "constable"),
    )


def open_list(store: Store, cast: Cast, model: Model) -> str:
    """Make an open, empty watchlist."""
    return create_watchlist(store, cast.manager, name="a benchmark", model=model)


def entry_rows(images: Sequence[Path]) -> list[EntryRow]:
    """Return one row an image, each of another subject."""
    return [EntryRow(f"row {i}", {"subject_id": f"s{i:06d}", **_ENTRY}, (path,)) for i, path in enumerate(images)]


def numbered_jpeg(content: bytes, number: int) -> bytes:
    """Return a JPEG with its number in a comment: another file, because a list takes none twice; the same picture."""
    comment = f"copy {number}".encode()
    return content[:2] + b"\xff\xfe" + (len(comment) + 2).to_bytes(2, "big") + comment + content[2:]


def live_deployment(store: Store, cast: Cast, model: Model, images: Sequence[Path]) -> str:
    """Import, approve, seal, ask, authorise and start, with the shipped calibration; return the deployment."""
    watchlist_id = open_list(store, cast, model)
    import_entries(store, cast.manager, watchlist_id, entry_rows(images), model, all_or_nothing=True)
    approve(store, cast.officer, watchlist_id)
    seal(store, cast.manager, watchlist_id)
    asked: dict[str, Any] = {
        **dict.fromkeys(("name", "purpose", "necessity", "proportionality", "place", "why_there"), "a benchmark"),
        **dict.fromkeys(("dpia", "appropriate_policy_document", "equality_impact_assessment"), "none: made up"),
        "signage": "none: made up",
        "controller_force": _FORCE,
        "categories": ["wanted-on-warrant"],
        "cameras": ["north"],
        "starts_at": store.now(),
        "ends_at": store.now() + timedelta(minutes=59),
        "watchlist": watchlist_id,
        "calibration": "shipped",
        "demo": True,
    }
    deployment_id = create_deployment(
        store, cast.operator, request_from(asked, name="a benchmark", folder=images[0].parent)
    )
    authorise(store, cast.officer, deployment_id, reasons="made-up people only")
    start(store, cast.operator, deployment_id)
    return deployment_id


def fill_list(
    store: Store, manager: Principal, watchlist_id: str, model: Model, image: bytes, *, entries: int, seed: int
) -> FloatArray:
    """Put random unit templates on an open list, encrypted as an import does; return them, (n, 128).

    Parameters
    ----------
    store, manager, watchlist_id
        Where, whose deed it is, and the list.
    model
        Of the list.
    image
        Every entry's reference.
    entries
        How many, each of another subject.
    seed
        Of the templates.
    """
    vectors = np.random.default_rng(seed).standard_normal((entries, 128)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    key, now = store.keys.load(watchlist_id), store.now()
    digest = hashlib.sha256(image).hexdigest()
    for first in range(0, entries, _ROWS_AT_ONCE):
        listed, references = [], []
        for number, vector in enumerate(vectors[first : first + _ROWS_AT_ONCE], start=first):
            entry_id, reference_id = new_id("entry"), new_id("reference")
            listed.append(
                {
                    "id": entry_id,
                    "watchlist_id": watchlist_id,
                    "subject_id": f"s{number:06d}",
                    "category": "wanted-on-warrant",
                    "reason": "a benchmark",
                    "legal_basis": "none: made up",
                    "image_source": "made up",
                    "lawfully_held": True,
                    "image_date": date(2025, 6, 1),
                    "expires_at": datetime(2099, 12, 31, tzinfo=UTC),
                    "under_18": False,
                    "added_by": manager.id,
                    "added_at": now,
                }
            )
            references.append(
                {
                    "id": reference_id,
                    "entry_id": entry_id,
                    "watchlist_id": watchlist_id,
                    "ordinal": 0,
                    "image_digest": digest,
                    "image": key.encrypt(image, row=f"{reference_id}:image"),
                    "template": key.encrypt(vector.tobytes(), row=f"{reference_id}:template"),
                    "model_digest": model.digest,
                    "quality": {},
                }
            )
        with store.database.write() as session:
            session.execute(insert(Entry), listed)
            session.execute(insert(Reference), references)
    return vectors
