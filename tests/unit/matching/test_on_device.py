"""A search on a device finds the same references with the same scores as the snapshot's own."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import torch

from lfr.errors import InputError, ModelMismatchError, RuntimeUnavailableError
from lfr.matching import Snapshot, on_device
from lfr.matching.on_device import DeviceSearch
from lfr.types import Embeddings, FloatArray

DEVICES = ["cpu", pytest.param("cuda", marks=pytest.mark.gpu)]


def unit(vectors: FloatArray) -> FloatArray:
    unit_vectors: FloatArray = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return unit_vectors


def snapshot(vectors: FloatArray) -> Snapshot:
    return Snapshot(Embeddings(vectors, "m"), tuple(str(i) for i in range(len(vectors))))


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize(
    ("size", "count", "k"), [(1, 1, 1), (3, 2, 5), (500, 40, 1), (5_000, 17, 5), (0, 2, 1), (4, 0, 2)]
)
def test_candidates_are_those_of_the_snapshot(
    size: int, count: int, k: int, device: str, rng: np.random.Generator
) -> None:
    references = unit(rng.standard_normal((size, 32)).astype(np.float32))
    probes = Embeddings(unit(rng.standard_normal((count, 32)).astype(np.float32)), "m")
    held = snapshot(references)
    got, expected = DeviceSearch(held, device).search(probes, k=k), held.search(probes, k=k)
    np.testing.assert_array_equal(got.index, expected.index)
    np.testing.assert_allclose(got.score, expected.score, atol=1e-7, rtol=0)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("k", [1, 4])
def test_ties_go_to_the_lower_row_also_where_parts_are_small(
    k: int, device: str, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(on_device, "_SCORES", 1000)
    monkeypatch.setattr(on_device, "_RESCORED", 7)
    few = unit(rng.standard_normal((5, 16)).astype(np.float32))
    held = snapshot(few[rng.integers(0, 5, 300)])
    probes = Embeddings(unit(few[[0, 3, 4, 1, 0]] + 0.1), "m")
    np.testing.assert_array_equal(DeviceSearch(held, device).search(probes, k=k).index, held.search(probes, k=k).index)


def test_probes_are_refused_as_by_the_snapshot(rng: np.random.Generator) -> None:
    search = DeviceSearch(snapshot(unit(rng.standard_normal((5, 16)).astype(np.float32))), "cpu")
    with pytest.raises(ModelMismatchError):
        search.search(Embeddings(np.eye(16, dtype=np.float32)[:1], "other"))
    with pytest.raises(InputError):
        search.search(Embeddings(np.full((1, 16), np.nan, np.float32), "m"))
    with pytest.raises(ValueError, match="k must be at least 1"):
        search.search(Embeddings(np.eye(16, dtype=np.float32)[:1], "m"), k=0)


@pytest.fixture
def fewer_digits() -> Iterator[None]:
    torch.set_float32_matmul_precision("high")
    yield
    torch.set_float32_matmul_precision("highest")


@pytest.mark.usefixtures("fewer_digits")
def test_products_of_fewer_digits_are_refused(rng: np.random.Generator) -> None:
    with pytest.raises(RuntimeUnavailableError, match="products in full"):
        DeviceSearch(snapshot(unit(rng.standard_normal((5, 16)).astype(np.float32))), "cpu")
