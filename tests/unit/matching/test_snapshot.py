"""Exact search over references in memory."""

import dataclasses

import numpy as np
import pytest

from lfr.errors import InputError, ModelMismatchError
from lfr.matching import Snapshot
from lfr.types import Embeddings, FloatArray

DIM = 16


def unit(rng: np.random.Generator, n: int, *, dim: int = DIM) -> FloatArray:
    vectors = rng.standard_normal((n, dim))
    unit_vectors: FloatArray = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    return unit_vectors


def made_by_m(vectors: FloatArray) -> Embeddings:
    return Embeddings(vectors, "model-m")


def one_each(vectors: FloatArray) -> Snapshot:
    return Snapshot(made_by_m(vectors), tuple(f"s{i}" for i in range(len(vectors))))


def test_a_probe_finds_the_reference_it_is(rng: np.random.Generator) -> None:
    vectors = unit(rng, 50)
    found = one_each(vectors).search(made_by_m(vectors[[7, 31]]), k=3)
    assert found.index[:, 0].tolist() == [7, 31]
    assert found.score[:, 0] == pytest.approx([1.0, 1.0], abs=1e-6)
    assert (np.diff(found.score, axis=1) <= 0).all()


def test_a_search_over_many_blocks_finds_what_comparing_with_all_finds(rng: np.random.Generator) -> None:
    references, probes = unit(rng, 20_000, dim=8), unit(rng, 64, dim=8)
    scores = probes.astype(np.float64) @ references.T.astype(np.float64)
    expected = np.argsort(-scores.astype(np.float32), axis=1, kind="stable")
    for k in (1, 5, 200):
        found = one_each(references).search(made_by_m(probes), k=k)
        np.testing.assert_array_equal(found.index, expected[:, :k])


def test_equal_references_are_returned_lowest_row_first_wherever_they_lie(rng: np.random.Generator) -> None:
    references = unit(rng, 10_001)
    same = [3, 4_095, 4_096, 9_999, 10_000]
    references[same] = references[3]
    snapshot = one_each(references)
    probes = np.concatenate([references[[3]], unit(rng, 63)])
    for together in (1, 2, 8, 64):
        for k in (1, 3, 5):
            found = snapshot.search(made_by_m(probes[:together]), k=k)
            assert found.index[0].tolist() == same[:k]
            assert len(set(found.score[0].tolist())) == 1


def test_a_score_does_not_depend_on_how_many_probes_are_searched_together(rng: np.random.Generator) -> None:
    snapshot, probes = one_each(unit(rng, 5_000)), unit(rng, 40)
    together = snapshot.search(made_by_m(probes), k=4)
    for i in range(len(probes)):
        alone = snapshot.search(made_by_m(probes[[i]]), k=4)
        np.testing.assert_array_equal(alone.index[0], together.index[i])
        np.testing.assert_array_equal(alone.score[0], together.score[i])


def test_asking_for_more_than_there_are_gives_all(rng: np.random.Generator) -> None:
    found = one_each(unit(rng, 3)).search(made_by_m(unit(rng, 2)), k=10)
    assert found.index.shape == (2, 3)
    assert sorted(found.index[0].tolist()) == [0, 1, 2]


def test_an_empty_snapshot_finds_nobody(rng: np.random.Generator) -> None:
    snapshot = one_each(np.zeros((0, DIM), np.float32))
    assert snapshot.search(made_by_m(unit(rng, 2)), k=3).index.shape == (2, 0)
    assert snapshot.subject_scores(made_by_m(unit(rng, 2))).shape == (2, 0)
    assert len(snapshot) == 0


def test_no_probes_give_no_candidates(rng: np.random.Generator) -> None:
    snapshot, nobody = one_each(unit(rng, 5)), made_by_m(np.zeros((0, DIM), np.float32))
    assert snapshot.search(nobody, k=2).index.shape == (0, 2)
    assert snapshot.subject_scores(nobody).shape == (0, 5)


def test_a_subject_scores_with_its_best_reference(rng: np.random.Generator) -> None:
    references, probes = unit(rng, 7), unit(rng, 3)
    subject_ids = ("b", "a", "b", "c", "a", "b", "c")
    snapshot = Snapshot(made_by_m(references), subject_ids)
    scores = snapshot.subject_scores(made_by_m(probes))
    assert snapshot.subjects == ("b", "a", "c")
    assert scores.dtype == np.float32
    every = probes @ references.T
    for column, subject in enumerate(snapshot.subjects):
        rows = [i for i, name in enumerate(subject_ids) if name == subject]
        np.testing.assert_allclose(scores[:, column], every[:, rows].max(axis=1), atol=1e-6)


def test_what_happens_to_the_callers_array_does_not_reach_the_snapshot(rng: np.random.Generator) -> None:
    vectors = unit(rng, 4)
    snapshot = one_each(vectors)
    kept = vectors.copy()
    vectors[:] = 0.0
    np.testing.assert_array_equal(snapshot.references.vectors, kept)


def test_a_snapshot_cannot_be_changed(rng: np.random.Generator) -> None:
    snapshot = one_each(unit(rng, 4))
    with pytest.raises(ValueError, match="read-only"):
        snapshot.references.vectors[0] = 0.0
    with pytest.raises(dataclasses.FrozenInstanceError):
        snapshot.subject_ids = ()  # type: ignore[misc]


def test_a_snapshot_shows_no_template_and_no_subject_when_printed(rng: np.random.Generator) -> None:
    assert repr(one_each(unit(rng, 2))) == "Snapshot()"


def test_probes_of_another_model_are_refused_and_both_are_named(rng: np.random.Generator) -> None:
    snapshot, others = one_each(unit(rng, 4)), Embeddings(unit(rng, 1), "model-n")
    for ask in (snapshot.search, snapshot.subject_scores):
        with pytest.raises(ModelMismatchError, match=r"model-n.*model-m"):
            ask(others)


@pytest.mark.parametrize("broken", [0.0, 0.99, 1.01, np.nan, np.inf])
def test_templates_not_of_unit_length_are_refused_by_row(rng: np.random.Generator, broken: float) -> None:
    vectors = unit(rng, 4)
    snapshot = one_each(vectors)
    bad = vectors.copy()
    with np.errstate(invalid="ignore"):
        bad[2] *= np.float32(broken)
    with pytest.raises(InputError, match="reference 2 has length"):
        one_each(bad)
    for ask in (snapshot.search, snapshot.subject_scores):
        with pytest.raises(InputError, match="probe 2 has length"):
            ask(made_by_m(bad))


def test_probes_of_another_length_are_refused(rng: np.random.Generator) -> None:
    with pytest.raises(InputError, match="probes have 8 numbers each, the references 16"):
        one_each(unit(rng, 4)).search(made_by_m(unit(rng, 1, dim=8)))


def test_every_reference_needs_a_subject(rng: np.random.Generator) -> None:
    with pytest.raises(InputError, match="4 references but 1 subject ids"):
        Snapshot(made_by_m(unit(rng, 4)), ("a",))


def test_asking_for_no_candidates_is_refused(rng: np.random.Generator) -> None:
    with pytest.raises(ValueError, match="k must be at least 1"):
        one_each(unit(rng, 4)).search(made_by_m(unit(rng, 1)), k=0)
