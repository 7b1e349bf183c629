"""Reference images through the enrolment quality gate to templates, in batches."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import numpy as np
from sqlalchemy import select
from sqlalchemy.orm import defer

from lfr.access import Principal, record
from lfr.database import Store
from lfr.database.tables import Reference
from lfr.errors import ConflictError, ImageError, WatchlistError
from lfr.models import Model
from lfr.sources.images import decode_image
from lfr.types import FloatArray, Pixels
from lfr.vision import ENROLMENT_POLICY, MEASURES, Detector, Embedder, align, assess, single_face_present
from lfr.watchlist.lists import locked_list

__all__ = ["Enrolled", "Portraits", "enrol_images", "reenrol"]

SINGLE_FACE_LEAST = 90.0
_BATCH = 16


@dataclass(frozen=True, eq=False)
class Enrolled:
    """An image that passed: its bytes as given, template (d,), and quality by measure."""

    image: bytes
    template: FloatArray
    quality: dict[str, float | None]


@dataclass(eq=False)
class Portraits:
    """Images of one subject before enrolment: `enrol_images` fills ``enrolled`` or ``problems``.

    Attributes
    ----------
    names, images
        Each image's name in messages, and its bytes.
    problems
        Why it cannot be used; one that has any already is left alone.
    enrolled
        One for each image, where none has a problem.
    """

    names: list[str] = field(default_factory=list)
    images: list[bytes] = field(default_factory=list, repr=False)
    problems: list[str] = field(default_factory=list)
    enrolled: list[Enrolled] = field(default_factory=list, repr=False)


def reenrol(
    store: Store,
    principal: Principal,
    watchlist_id: str,
    model: Model,
    *,
    progress: Callable[[Iterable[Portraits]], Iterable[Portraits]] = iter,
) -> int:
    """Make the templates of an open list anew with another model version, from the stored images.

    Returns
    -------
    Number of references.

    Raises
    ------
    WatchlistError
        An image does not pass with this model; the list stays as it was.
    ConflictError
        The list is not open (copy a sealed one first), or changed meanwhile.
    """
    with store.database.write() as session:
        locked_list(session, principal, "watchlist.add", watchlist_id, state="open")
        found = session.execute(
            select(Reference.id, Reference.image).where(Reference.watchlist_id == watchlist_id)
        ).all()
    key = store.keys.load(watchlist_id)
    items = [Portraits([name], [key.decrypt(image, row=f"{name}:image")]) for name, image in found]
    enrol_images(progress(items), model)
    if bad := [item.problems[0] for item in items if item.problems]:
        raise WatchlistError(f"watchlist {watchlist_id}: {bad[0]}" + (f" (and {len(bad) - 1} more)" if bad[1:] else ""))
    with store.database.write() as session:
        watchlist = locked_list(session, principal, "watchlist.add", watchlist_id, state="open")
        before, watchlist.model_digest = watchlist.model_digest, model.digest
        watchlist.model_version = model.version.name
        references = {
            reference.id: reference
            for reference in session.scalars(
                select(Reference).where(Reference.watchlist_id == watchlist_id).options(defer(Reference.image))
            )
        }
        if references.keys() != {item.names[0] for item in items}:
            raise ConflictError(f"watchlist {watchlist_id}: changed while it was enrolled again; do it once more")
        for item in items:
            reference, enrolled = references[item.names[0]], item.enrolled[0]
            reference.template = key.encrypt(enrolled.template.tobytes(), row=f"{reference.id}:template")
            reference.quality, reference.model_digest = enrolled.quality, model.digest
        record(
            store,
            session,
            principal,
            "watchlist.add",
            watchlist_id,
            before=before,
            after=model.digest,
            details={"reenrolled": len(items)},
        )
    return len(items)


def enrol_images(items: Iterable[Portraits], model: Model) -> None:
    """Detect, gate and embed, filling each one's ``enrolled`` or ``problems``; embedding runs in batches."""
    detector, embedder = Detector(model.detector), Embedder(model, batch_size=_BATCH)
    waiting: list[tuple[Portraits, bytes, Pixels, dict[str, float | None]]] = []

    def embed_waiting() -> None:
        if waiting:
            templates = embedder.embed(np.concatenate([crop for _, _, crop, _ in waiting]))
            for (item, image, _, quality), template in zip(waiting, templates.vectors, strict=True):
                item.enrolled.append(Enrolled(image, template.copy(), quality))
        waiting.clear()

    for item in items:
        if item.problems:
            continue
        for name, image in zip(item.names, item.images, strict=True):
            try:
                crop, quality = _one_face(image, detector, name=name)
            except (ImageError, WatchlistError) as error:
                item.problems.append(str(error))
            else:
                waiting.append((item, image, crop, quality))
        if len(waiting) >= _BATCH:
            embed_waiting()
    embed_waiting()


def _one_face(image: bytes, detector: Detector, *, name: str) -> tuple[Pixels, dict[str, float | None]]:
    """Return the (1, 112, 112, 3) crop of a picture of one person and its quality; raise for what is none."""
    pixels = decode_image(image, name=name)
    faces = detector.detect(pixels)
    if not len(faces):
        raise WatchlistError(f"{name}: no face found")
    alone = single_face_present(faces)
    if alone < SINGLE_FACE_LEAST:
        raise WatchlistError(
            f"{name}: {len(faces)} faces found where one is wanted "
            f"(SingleFacePresent is {alone:.0f}, at least {SINGLE_FACE_LEAST:.0f} is needed)"
        )
    largest = faces[np.array([faces.size_px.argmax()])]
    crop = align(pixels, largest.landmarks)
    quality = assess(largest, crop)
    if reasons := ENROLMENT_POLICY.reasons(quality)[0]:
        raise WatchlistError(f"{name}: the face is not good enough: {'; '.join(reasons)}")
    values = {name: float(value) for name, value in zip(MEASURES, quality.values[0], strict=True)}
    return crop, {name: round(value, 1) if np.isfinite(value) else None for name, value in values.items()}
