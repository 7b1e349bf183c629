"""Images without a usable face are counted for everybody, each group and each intersection; nobody is left out."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from lfr.errors import ManifestError
from lfr.evaluation import Templates, misses_by_group
from lfr.vision import Quality
from tests.unit.evaluation.builders import made_manifest, made_templates


def faces() -> Templates:
    """A reference and seven probes; the two last hold no face, one before them is too poor to search with."""
    groups = {"sex": list("FMFMFMFM"), "age": ["old", "old", "", "", "young", "young", "old", "old"]}
    groups["age"] = [label or "unlabelled" for label in groups["age"]]
    vectors = np.eye(8)
    vectors[6:] = np.nan
    templates = made_templates(made_manifest([*"abcdefgg"], references=1, groups=groups), vectors)
    values = templates.quality.values.copy()
    values[5] = 1.0
    values[0] = 40.0  # good enough to search with, and too poor for a reference
    return replace(templates, quality=Quality(values))


def test_everybody_each_group_and_each_intersection_are_counted() -> None:
    rows = {tuple(row.group): row for row in misses_by_group(faces(), ("sex", "age"))}
    everybody = rows[()]
    assert (everybody.images, everybody.subjects) == (8, 7)
    assert (everybody.failures_to_acquire.count, everybody.refused.count) == (2, 4)
    men = rows[(("sex", "M"),)]
    assert (men.images, men.failures_to_acquire.count, men.refused.count) == (4, 1, 2)
    assert rows[(("age", "unlabelled"),)].images == 2
    assert rows[(("sex", "F"), ("age", "old"))].refused.count == 2
    for by in (1, 2):
        assert sum(row.images for group, row in rows.items() if len(group) == by) == 8 * (2 if by == 1 else 1)
    assert rows[(("sex", "M"),)].as_dict()["group"] == {"sex": "M"}


def test_images_of_one_subject_are_no_independent_trials() -> None:
    (everybody,) = misses_by_group(faces())
    assert everybody.failures_to_acquire.method == "wilson-over-subjects"


def test_an_unknown_column_is_named() -> None:
    with pytest.raises(ManifestError, match="no group column 'height'; there are: sex, age"):
        misses_by_group(faces(), ("height",))
