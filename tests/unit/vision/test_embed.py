"""Templates have unit length and know the model that made them."""

from __future__ import annotations

import numpy as np

from lfr.models import Model
from lfr.types import Pixels
from lfr.vision import Embedder


def test_templates_have_unit_length_and_the_models_digest(model: Model, demo_crops: Pixels) -> None:
    templates = Embedder(model).embed(demo_crops)
    assert templates.vectors.shape == (len(demo_crops), model.embedding_size)
    assert np.allclose(np.linalg.norm(templates.vectors, axis=1), 1.0, atol=1e-6)
    assert templates.model_digest == model.digest


def test_no_crops_give_no_templates(model: Model, demo_crops: Pixels) -> None:
    templates = Embedder(model).embed(demo_crops[:0])
    assert templates.vectors.shape == (0, model.embedding_size)
    assert templates.model_digest == model.digest


def test_the_size_of_batches_does_not_show(model: Model, demo_crops: Pixels) -> None:
    whole = Embedder(model, batch_size=100).embed(demo_crops).vectors
    for size in (1, 5, 24):
        assert np.allclose(Embedder(model, batch_size=size).embed(demo_crops).vectors, whole, atol=1e-5)


def test_pictures_of_one_subject_are_more_alike_than_those_of_others(model: Model, demo_crops: Pixels) -> None:
    """The first 24 demo faces are three pictures each of eight subjects."""
    vectors = Embedder(model).embed(demo_crops).vectors
    scores = vectors @ vectors.T
    subject = np.arange(24) // 3
    mated = scores[(subject[:, None] == subject) & ~np.eye(24, dtype=bool)]
    non_mated = scores[subject[:, None] != subject]
    assert np.median(mated) > 0.5
    assert np.median(non_mated) < 0.3
    assert mated.min() > np.quantile(non_mated, 0.9)
