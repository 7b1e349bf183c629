"""Parts of a snapshot and their scores put together: the same as the whole, to the bit."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lfr.errors import InputError
from lfr.matching import PAIRWISE_PROBES, DecisionRule, ShardMerge, Snapshot, decide, shard
from lfr.types import Embeddings, FloatArray

MODEL = "model-m"


def unit(rng: np.random.Generator, n: int, dim: int) -> FloatArray:
    vectors = rng.standard_normal((n, dim))
    made: FloatArray = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    return made


def sharded_scores(snapshot: Snapshot, probes: Embeddings, count: int) -> tuple[tuple[str, ...], FloatArray]:
    parts = [shard(snapshot, index, count) for index in range(count)]
    merge = ShardMerge(tuple(part.subjects for part in parts))
    return merge.subjects, merge.scores([part.subject_scores(probes) for part in parts])


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    rows=st.integers(1, 300),
    people=st.integers(1, 300),
    probes=st.integers(0, PAIRWISE_PROBES),
    count=st.integers(1, 9),
    dim=st.sampled_from([3, 16, 128, 512]),
)
def test_parts_give_the_subjects_scores_and_ties_of_the_whole(
    seed: int, rows: int, people: int, probes: int, count: int, dim: int
) -> None:
    rng = np.random.default_rng(seed)
    vectors = unit(rng, rows, dim)
    vectors[rng.integers(0, rows, rows // 3)] = vectors[0]  # equal references, so that scores tie over the parts
    subjects = tuple(f"s{person}" for person in rng.integers(0, people, rows))
    snapshot = Snapshot(Embeddings(vectors, MODEL), subjects)
    probe = Embeddings(np.concatenate([vectors[:1], unit(rng, probes, dim)])[:probes], MODEL)
    found, scores = sharded_scores(snapshot, probe, count)
    whole = snapshot.subject_scores(probe)
    assert found == snapshot.subjects
    np.testing.assert_array_equal(scores, whole, strict=True)
    rule = DecisionRule(threshold=-1.0, shots=1, fusion="max")
    for row in range(probes):
        assert decide(scores[row : row + 1], found, rule) == decide(whole[row : row + 1], snapshot.subjects, rule)


def test_a_score_is_the_same_whatever_it_is_asked_with() -> None:
    rng = np.random.default_rng(7)
    snapshot = Snapshot(Embeddings(unit(rng, 1000, 512), MODEL), tuple(f"s{i}" for i in range(1000)))
    probes = unit(rng, PAIRWISE_PROBES, 512)
    together = snapshot.subject_scores(Embeddings(probes, MODEL))
    alone = [snapshot.subject_scores(Embeddings(probes[i : i + 1], MODEL))[0] for i in range(len(probes))]
    np.testing.assert_array_equal(together, np.stack(alone))


def test_a_part_that_is_not_there_and_answers_that_do_not_fit_are_refused() -> None:
    snapshot = Snapshot(Embeddings(unit(np.random.default_rng(1), 3, 8), MODEL), ("a", "b", "a"))
    with pytest.raises(InputError, match="part 2 of 2"):
        shard(snapshot, 2, 2)
    merge = ShardMerge((("a",), ("b", "a")))
    with pytest.raises(InputError, match="1 answers of 2 parts"):
        merge.scores([np.zeros((1, 1), np.float32)])
    with pytest.raises(InputError, match="shape"):
        merge.scores([np.zeros((1, 1), np.float32), np.zeros((1, 1), np.float32)])
