"""A sealed list enrolled in memory with another model, for a version that looks on beside the field version."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

import numpy as np
from sqlalchemy import select

from lfr.access import Principal, record
from lfr.database import DataKey, Store
from lfr.database.tables import Reference, Watchlist
from lfr.errors import WatchlistError
from lfr.matching import Snapshot
from lfr.models import Model
from lfr.types import Embeddings, FloatArray
from lfr.watchlist.enrolling import Portraits, enrol_images
from lfr.watchlist.sealing import load_sealed

__all__ = ["EnrolledAnew", "enrol_sealed"]

_IMAGES_AT_ONCE = 64  # they are in memory together


@dataclass(frozen=True, eq=False)
class EnrolledAnew:
    """A sealed list with templates of another model, which are in memory and nowhere else.

    Attributes
    ----------
    snapshot
        The templates; subjects are entry ids.
    enrolled, failures
        Reference images of which there is a template, and those that do not pass with this model.
    """

    snapshot: Snapshot = field(repr=False)
    enrolled: int
    failures: int


def enrol_sealed(
    store: Store,
    principal: Principal,
    watchlist_id: str,
    model: Model,
    *,
    digest: str,
    sealed_model_digest: str,
    purpose: str,
) -> EnrolledAnew:
    """Make templates of a sealed list's stored images with another model; nothing is stored.

    That the images are read, and why, is logged first (R14).

    Parameters
    ----------
    store
        Where the list is.
    principal
        Who reads its images: lfr itself for its force, `Principal.system`, where it does that for a shadow.
    watchlist_id
        Which list.
    model
        The other model.
    digest, sealed_model_digest
        Of the list as it was authorised, and of the model that it was sealed with.
    purpose
        What for, as the log has it.

    Raises
    ------
    AccessDeniedError
        The principal's role may not.
    NotFoundError
        The list is another force's.
    NotAuthorisedError, ModelMismatchError, KeyFileError
        As `lfr.watchlist.load_sealed`: it is not the list that was authorised.
    WatchlistError
        An image is not the one that was enrolled, or none of them passes with this model.
    """
    sealed = load_sealed(store, watchlist_id, digest=digest, model_digest=sealed_model_digest)
    names = [name for entry in sealed.entries.values() for name in entry.reference_ids]
    _record(store, principal, watchlist_id, {"purpose": purpose, "model": model.digest, "references": len(names)})
    key, vectors, owners = store.keys.load(watchlist_id), list[FloatArray](), list[str]()
    owner = {name: entry.entry_id for entry in sealed.entries.values() for name in entry.reference_ids}
    for start in range(0, len(names), _IMAGES_AT_ONCE):
        items = _portraits(store, key, names[start : start + _IMAGES_AT_ONCE])
        enrol_images(items, model)
        for item in items:
            if item.enrolled:
                vectors.append(item.enrolled[0].template)
                owners.append(owner[item.names[0]])
    if not vectors:
        raise WatchlistError(f"watchlist {watchlist_id}: none of {len(names)} images passes with model {model.digest}")
    stacked = np.stack(vectors)
    snapshot = Snapshot(Embeddings(stacked, model.digest), tuple(owners))  # holds a copy
    for vector in (stacked, *vectors):
        vector[:] = 0.0
    return EnrolledAnew(snapshot, len(owners), len(names) - len(owners))


def _record(store: Store, principal: Principal, watchlist_id: str, details: dict[str, object]) -> None:
    with store.database.write() as session:
        watchlist = session.get_one(Watchlist, watchlist_id)
        principal.require("watchlist.image", force_id=watchlist.force_id, what=f"watchlist {watchlist_id}")
        record(store, session, principal, "watchlist.image", watchlist_id, details=details)


def _portraits(store: Store, key: DataKey, names: list[str]) -> list[Portraits]:
    """Decrypt images, each checked to be the one whose digest the seal covers."""
    find = select(Reference.id, Reference.image_digest, Reference.image).where(Reference.id.in_(names))
    with store.database.read() as session:
        found = session.execute(find.order_by(Reference.id)).all()
    items = []
    for name, digest, sealed in found:
        image = key.decrypt(sealed, row=f"{name}:image")
        if hashlib.sha256(image).hexdigest() != digest:
            raise WatchlistError(f"reference {name}: its image is not the one that was enrolled")
        items.append(Portraits([name], [image]))
    return items
