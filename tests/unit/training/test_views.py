"""Faces under a condition are kept for the next model: for their owner only, and whole."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from lfr.errors import ManifestError
from lfr.evaluation import demo_faces, image_digests
from lfr.models import Model
from lfr.training.config import Condition
from lfr.training.crops import unreadable_images
from lfr.training.views import Views, make_views, templates_of_views


def views(model: Model, home: Path) -> Views:
    faces = demo_faces()[np.arange(3)]
    return make_views(faces, image_digests(faces), Condition(name="clean"), model, home, digest="d", seed=0)


def test_views_are_readable_by_their_owner_only_and_the_same_when_read_again(model: Model, tmp_path: Path) -> None:
    made = views(model, tmp_path)
    templates_of_views(made, model)
    assert {file.stat().st_mode & 0o777 for file in made.folder.iterdir()} == {0o600}
    again = views(model, tmp_path)
    assert np.array_equal(made.crops, again.crops)
    assert np.array_equal(made.quality.values, again.quality.values, equal_nan=True)


def test_views_whose_facts_do_not_fit_on_the_disk_are_not_taken_for_made(model: Model, tmp_path: Path) -> None:
    folder = views(model, tmp_path).folder
    facts = folder / "facts.npz"
    facts.unlink()
    (folder / f".facts.npz.{os.getpid()}").symlink_to("/dev/full")
    with pytest.raises(ManifestError, match=r"facts\.npz: cannot keep .*No space left"):
        views(model, tmp_path)
    assert not facts.exists()
    assert len(views(model, tmp_path)) == 3


def test_a_picture_that_cannot_be_decoded_shows_nobody(model: Model, tmp_path: Path) -> None:
    faces = demo_faces()[np.arange(3)]
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"no picture")
    faces = replace(faces, paths=(faces.paths[0], str(broken), faces.paths[2]))
    made = make_views(faces, image_digests(faces), Condition(name="clean"), model, tmp_path, digest="d", seed=0)
    assert made.faces_found.tolist()[1] == 0
    assert (made.faces_found[[0, 2]] > 0).all()
    templates = templates_of_views(made, model)
    assert np.isnan(templates.embeddings.vectors[1]).all()
    assert unreadable_images(faces, np.arange(3), share=0.5) == (str(broken),)
    with pytest.raises(ManifestError, match=r"1 of 3 images cannot be read, and 10\.0% of them may be: .*broken\.jpg"):
        unreadable_images(faces, np.arange(3), share=0.1)
