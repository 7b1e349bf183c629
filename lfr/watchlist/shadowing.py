"""A sealed list enrolled in memory with another model, for a version that looks on beside the field version."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

import numpy as np
from sqlalchemy import select

from lfr.database import DataKey, Store
from lfr.database.tables import Reference
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
    store: Store, watchlist_id: str, model: Model, *, digest: str, sealed_model_digest: str
) -> EnrolledAnew:
    """Make templates of a sealed list's stored images with another model; nothing is stored.

    Parameters
    ----------
    store, watchlist_id
        Where, and which list.
    model
        The other model.
    digest, sealed_model_digest
        Of the list as it was authorised, and of the model that it was sealed with.

    Raises
    ------
    NotAuthorisedError, ModelMismatchError, KeyFileError
        As `lfr.watchlist.load_sealed`: it is not the list that was authorised.
    WatchlistError
        An image is not the one that was enrolled, or none of them passes with this model.
    """
    sealed = load_sealed(store, watchlist_id, digest=digest, model_digest=sealed_model_digest)
    names = [name for entry in sealed.entries.values() for name in entry.reference_ids]
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
