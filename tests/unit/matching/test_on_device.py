"""A search on a device finds the same references with the same scores as the snapshot's own."""

from __future__ import annotations

from collections.abc import Callable, Iterator

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


@pytest.mark.parametrize("device", DEVICES)
def test_what_float32_cannot_tell_apart_is_ranked_as_by_the_snapshot(device: str, rng: np.random.Generator) -> None:
    probe = unit(rng.standard_normal((1, 128)).astype(np.float32))
    held = snapshot(unit(probe + 3e-4 * rng.standard_normal((2_000, 128)).astype(np.float32)))
    probes = Embeddings(probe, "m")
    quick = np.argsort(-(held.references.vectors @ probe[0]), kind="stable")[:5]
    expected = held.search(probes, k=5).index[0]
    assert not np.array_equal(quick, expected)  # or this shows nothing
    np.testing.assert_array_equal(DeviceSearch(held, device).search(probes, k=5).index[0], expected)


@pytest.mark.parametrize("row", [1, 3])
def test_a_probe_that_is_no_template_is_refused_and_not_answered_for_another(
    row: int, rng: np.random.Generator
) -> None:
    search = DeviceSearch(snapshot(unit(rng.standard_normal((5, 16)).astype(np.float32))), "cpu")
    for spoilt in (np.nan, 0.0):
        probes = unit(rng.standard_normal((4, 16)).astype(np.float32))
        probes[row] = spoilt
        with pytest.raises(InputError, match="length 1"):
            search.search_on_device(torch.from_numpy(probes))


def test_probes_are_refused_as_by_the_snapshot(rng: np.random.Generator) -> None:
    search = DeviceSearch(snapshot(unit(rng.standard_normal((5, 16)).astype(np.float32))), "cpu")
    with pytest.raises(ModelMismatchError):
        search.search(Embeddings(np.eye(16, dtype=np.float32)[:1], "other"))
    with pytest.raises(InputError):
        search.search(Embeddings(np.full((1, 16), np.nan, np.float32), "m"))
    with pytest.raises(ValueError, match="k must be at least 1"):
        search.search(Embeddings(np.eye(16, dtype=np.float32)[:1], "m"), k=0)


@pytest.fixture
def fewer_digits() -> Iterator[Callable[[], None]]:
    yield lambda: torch.set_float32_matmul_precision("high")
    torch.set_float32_matmul_precision("highest")


def test_products_of_fewer_digits_are_refused_at_once_and_later(
    fewer_digits: Callable[[], None], rng: np.random.Generator
) -> None:
    held = snapshot(unit(rng.standard_normal((5, 16)).astype(np.float32)))
    search = DeviceSearch(held, "cpu")
    fewer_digits()
    with pytest.raises(RuntimeUnavailableError, match="products in full"):
        DeviceSearch(held, "cpu")
    with pytest.raises(RuntimeUnavailableError, match="products in full"):
        search.search(Embeddings(np.eye(16, dtype=np.float32)[:1], "m"))


@pytest.mark.skipif(torch.cuda.is_available(), reason="a CUDA device is here")
def test_a_device_that_is_not_here_is_refused(rng: np.random.Generator) -> None:
    with pytest.raises(RuntimeUnavailableError, match="torch finds no CUDA device"):
        DeviceSearch(snapshot(unit(rng.standard_normal((5, 16)).astype(np.float32))), "cuda")
