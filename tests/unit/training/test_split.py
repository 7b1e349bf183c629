"""Nobody trains and measures."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from lfr.errors import ManifestError
from lfr.evaluation import Manifest, demo_faces
from lfr.training.config import Data
from lfr.training.split import PARTS, Split, split_subjects

DATA = Data(dataset="demo")


def with_parts(parts: list[str]) -> Manifest:
    faces = demo_faces()
    labels = np.array([parts[row % len(parts)] for row in range(len(faces))], np.str_)
    return replace(faces, groups={"part": labels})


def test_no_subject_is_in_two_parts_and_every_image_is_in_one() -> None:
    split = split_subjects(demo_faces(), DATA)
    rows = np.concatenate([split.train, split.held_out, split.measure])
    assert sorted(rows.tolist()) == list(range(len(split.manifest)))
    people = [set(split.manifest.subject_id[getattr(split, part)].tolist()) for part in PARTS]
    assert not people[0] & people[1]
    assert not people[0] & people[2]
    assert not people[1] & people[2]


def test_the_measuring_half_has_mated_and_non_mated_people() -> None:
    measuring = split_subjects(demo_faces(), DATA)
    part = measuring.manifest[measuring.measure]
    assert part.mated.any()
    assert (~part.mated & ~part.reference).any()


def test_the_split_depends_on_the_seed_and_on_people_but_not_on_the_order_of_rows() -> None:
    faces = demo_faces()
    turned = faces[np.arange(len(faces))[::-1]]
    first, again = split_subjects(faces, DATA), split_subjects(turned, DATA)
    other = split_subjects(faces, DATA.model_copy(update={"seed": 9}))
    assert set(first.manifest.subject_id[first.measure]) == set(again.manifest.subject_id[again.measure])
    assert set(first.manifest.subject_id[first.measure]) != set(other.manifest.subject_id[other.measure])


def test_a_manifest_that_puts_a_subject_into_two_parts_is_refused_by_name() -> None:
    with pytest.raises(ManifestError, match=r"subjects are in train and in .*'s0"):
        split_subjects(with_parts(["train", "held_out", "measure"]), DATA)


def test_a_part_that_nobody_knows_is_refused_with_its_line() -> None:
    with pytest.raises(ManifestError, match=r"line \d+, column part: 'test'"):
        split_subjects(with_parts(["train", "test"]), DATA)


def test_a_part_without_anybody_is_refused() -> None:
    faces = demo_faces()
    everybody = np.arange(len(faces))
    with pytest.raises(ManifestError, match="measure holds nobody"):
        Split(faces, everybody[:10], everybody[20:30], everybody[:0])
