"""How near a version is to the torch reference of the same weights, on real crops."""

from __future__ import annotations

from datetime import datetime

import numpy as np

from lfr.errors import RegistryError
from lfr.evaluation import Manifest, acquire, data_digest, image_digests
from lfr.models import Model
from lfr.registry.documents import ParityEvidence

__all__ = ["measure_parity"]


def measure_parity(model: Model, reference: Model, data: Manifest, *, created: datetime) -> ParityEvidence:
    """Compare the templates that two versions make of the same images, face by face.

    Parameters
    ----------
    model, reference
        The version to be deployed, and the one that it must agree with.
    data
        Images to compare on.
    created
        When.

    Raises
    ------
    RegistryError
        They have templates of different lengths, or no face was found by both.
    """
    if model.embedding_size != reference.embedding_size:
        raise RegistryError(
            f"templates of {model.embedding_size} and of {reference.embedding_size} numbers cannot be compared"
        )
    files = data.files
    ours, theirs = (acquire(files, version) for version in (model, reference))
    both = ~ours.failed & ~theirs.failed
    if not both.any():
        raise RegistryError(f"{data.name}: no face was found by both versions")
    cosine = np.einsum("nd,nd->n", ours.templates.vectors[both], theirs.templates.vectors[both])
    return ParityEvidence(
        model_digest=model.digest,
        reference_digest=reference.digest,
        data_digest=data_digest(data, image_digests(data)),
        created=created,
        images=int(both.sum()),
        min_cosine=float(cosine.min()),
        mean_cosine=float(cosine.mean()),
    )
