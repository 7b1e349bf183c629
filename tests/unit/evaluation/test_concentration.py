"""Errors that belong to people, or to what comes with a group, are told from those of the group."""

from __future__ import annotations

import numpy as np
import pytest

from lfr.errors import ManifestError
from lfr.evaluation import Searches, run_searches
from lfr.evaluation.adjusted import error_models
from lfr.evaluation.menagerie import AnimalTest, menagerie
from lfr.types import FloatArray
from lfr.vision import MEASURES
from tests.unit.evaluation.builders import counted_searches, made_manifest, made_templates


def population(seed: int, *, goats: int = 0, lambs: int = 0, listed: int = 60) -> Searches:
    """Random faces; the first ``goats`` match themselves badly, the first ``lambs`` lie near the middle of all."""
    rng = np.random.default_rng(seed)
    names = [f"s{i}" for i in range(listed)]
    centre = rng.normal(size=(listed, 24))
    middle = np.ones(24)
    centre[:lambs] = 0.7 * centre[:lambs] + middle
    others = rng.normal(size=(150, 24)) + 0.5 * middle
    rows, subjects = [*centre], [*names]
    for i, name in enumerate(names):
        for _ in range(4):
            rows.append(centre[i] + rng.normal(size=24) * (2.0 if i < goats else 0.4))
            subjects.append(name)
    rows += [*others]
    subjects += [f"o{i}" for i in range(len(others))]
    return run_searches(made_templates(made_manifest(subjects, references=listed), np.array(rows)))


def animals(searches: Searches) -> dict[str, AnimalTest]:
    return {test.name: test for test in menagerie(searches, rng=np.random.default_rng(0)).tests}


def test_people_who_match_themselves_badly_are_seen() -> None:
    plain, with_goats = animals(population(1)), animals(population(1, goats=10))
    assert with_goats["goats"].size is not None
    assert plain["goats"].size is not None
    assert with_goats["goats"].size > plain["goats"].size + 0.1
    assert with_goats["goats"].p_value is not None
    assert with_goats["goats"].p_value < 1e-6


def test_references_that_others_match_are_seen() -> None:
    plain, with_lambs = animals(population(2)), animals(population(2, lambs=10))
    assert plain["lambs"].size is not None
    assert with_lambs["lambs"].size is not None
    assert with_lambs["lambs"].size > 1.5 * plain["lambs"].size
    assert {"wolves", "chameleons", "phantoms", "doves", "worms"} < set(with_lambs)


def test_without_an_effect_a_test_seldom_finds_one() -> None:
    found = [animals(population(seed, listed=40))["worms"].p_value for seed in range(20)]
    assert sum(p is not None and p < 0.05 for p in found) <= 4


def test_too_few_people_are_not_tested() -> None:
    tests = animals(counted_searches({"a": (3, 2, 4, 1)}))
    assert tests["lambs"].p_value is None
    assert tests["doves"].size is None


def confounded(seed: int = 0) -> Searches:
    """Misses depend on age alone; more of group b are children."""
    outcomes = {
        "a adult": (270, 256, 40, 0),
        "a child": (30, 15, 40, 0),
        "b adult": (60, 57, 40, 0),
        "b child": (240, 120, 40, 0),
    }
    labels = {"group": {n: n[0] for n in outcomes}, "age": {n: n[2:] for n in outcomes}}
    return counted_searches(outcomes, column="who", labels=labels)


def test_a_difference_that_is_age_goes_when_age_is_held_equal() -> None:
    misses, false_positives = error_models(confounded(), ("group",), 0.5, adjust=("age",))
    (group,) = misses.groups
    assert (misses.reference, group.group) == ("a", "b")
    assert group.alone.low is not None
    assert group.alone.low > 3
    for held in (group.adjusted, group.pooled):
        assert held.low is not None
        assert held.high is not None
        assert held.low < 1 < held.high
    assert misses.others["age child"].low is not None
    assert misses.others["age child"].low > 5
    assert false_positives.groups == ()
    assert "0 errors in 160 searches" in false_positives.not_estimated[0]


def test_strata_hold_every_search_once() -> None:
    misses, _ = error_models(confounded(), ("group",), 0.5, adjust=("age",))
    assert sum(stratum.of for stratum in misses.strata) == 600
    assert sum(stratum.count for stratum in misses.strata) == 152


def test_quality_is_held_equal_too() -> None:
    rng = np.random.default_rng(3)
    n = 400
    subjects = [f"s{i}" for i in range(n)]
    quality: FloatArray = rng.uniform(10, 90, 2 * n + 20).astype(np.float32)
    group = ["b" if quality[n + i] < 45 or i % 4 == 0 else "a" for i in range(n)]
    vectors = np.eye(n + 1)[
        [*range(n), *(n if rng.random() > quality[n + i] / 100 else i for i in range(n)), *[n] * 20]
    ]
    manifest = made_manifest(
        [*subjects, *subjects, *(f"o{i}" for i in range(20))],
        references=n,
        groups={"group": [*group, *group, *["a", "b"] * 10]},
    )
    values = np.repeat(quality[:, None], len(MEASURES), axis=1)
    searches = run_searches(made_templates(manifest, vectors + 1e-3, quality=values))
    misses, _ = error_models(searches, ("group",), 0.5)
    assert misses.others["quality"].high is not None
    assert misses.others["quality"].high < 1
    ratios = {g.group: g for g in misses.groups}
    other = next(iter(ratios.values()))
    assert other.alone.value is not None
    assert other.adjusted.value is not None
    assert abs(np.log(other.adjusted.value)) < abs(np.log(other.alone.value))


def test_a_column_that_is_not_there_is_named() -> None:
    with pytest.raises(ManifestError, match="no group column 'age'"):
        error_models(counted_searches({"a": (3, 2, 4, 1)}), ("group",), 0.5, adjust=("age",))
