"""Search by bytes first gives what exact search gives."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from lfr.errors import ModelMismatchError
from lfr.matching import Screen, Snapshot
from lfr.types import Embeddings, FloatArray


def unit(rows: NDArray[np.floating]) -> FloatArray:
    vectors: FloatArray = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    return vectors


def crowded(rng: np.random.Generator) -> FloatArray:
    """Many references that bytes cannot tell apart."""
    return unit(rng.standard_normal((1, 128)) + 1e-3 * rng.standard_normal((6_000, 128)))


def spiked(rng: np.random.Generator) -> FloatArray:
    """One long number, so that bytes round the others coarsely."""
    return unit(np.concatenate([np.eye(128, dtype=np.float32)[:1], rng.standard_normal((5_000, 128))]))


def spread(rng: np.random.Generator) -> FloatArray:
    return unit(rng.standard_normal((70_000, 128)))


def equal(rng: np.random.Generator) -> FloatArray:
    return np.repeat(unit(rng.standard_normal((3, 128))), 40, axis=0)


@pytest.mark.parametrize("make", [spread, crowded, spiked, equal])
@pytest.mark.parametrize(("probes", "k"), [(1, 5), (8, 1), (20, 30)])
def test_the_candidates_are_those_of_exact_search_to_the_bit(make: object, probes: int, k: int) -> None:
    assert callable(make)
    rng = np.random.default_rng(probes)
    references = make(rng)
    snapshot = Snapshot(Embeddings(references, "m"), tuple(str(i) for i in range(len(references))))
    chosen = unit(references[:: len(references) // probes][:probes] + 0.05 * rng.standard_normal((probes, 128)))
    searched = Embeddings(chosen, "m")
    expected, found = snapshot.search(searched, k=k), Screen(snapshot).search(searched, k=k)
    assert np.array_equal(found.index, expected.index)
    assert np.array_equal(found.score, expected.score)


def test_an_empty_list_has_no_candidates() -> None:
    empty = Snapshot(Embeddings(np.zeros((0, 128), np.float32), "m"), ())
    probe = Embeddings(unit(np.ones((1, 128))), "m")
    assert Screen(empty).search(probe, k=3).index.shape == (1, 0)


def test_probes_of_another_model_are_refused() -> None:
    snapshot = Snapshot(Embeddings(unit(np.ones((1, 128))), "m"), ("a",))
    with pytest.raises(ModelMismatchError):
        Screen(snapshot).search(Embeddings(unit(np.ones((1, 128))), "other"))
    with pytest.raises(ValueError, match="at least 1"):
        Screen(snapshot).search(Embeddings(unit(np.ones((1, 128))), "m"), k=0)
