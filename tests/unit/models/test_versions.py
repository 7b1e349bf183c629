"""A version is asked for by name, and its digest tells it from every other."""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np
import pytest
import torch

from lfr.errors import ModelError, RuntimeUnavailableError
from lfr.models import (
    ALIGNMENT_TEMPLATE,
    DEFAULT_VERSION,
    VERSIONS,
    Model,
    load_model,
    loading,
    version_digest,
    weights_folder,
)
from lfr.models.weights import load_sface, load_yunet


def digest(name: str) -> str:
    """The digest a version has, whether or not it can run here."""
    folder = weights_folder()
    return loading.digest_of(VERSIONS[name], detector=load_yunet(folder), embedder=load_sface(folder))


def test_the_default_is_a_version_that_runs_anywhere() -> None:
    assert VERSIONS[DEFAULT_VERSION].device == "cpu"
    assert VERSIONS[DEFAULT_VERSION].precision == "f32"
    assert all(name == version.name for name, version in VERSIONS.items())


def test_every_version_has_a_digest_of_its_own() -> None:
    digests = [digest(name) for name in VERSIONS]
    assert len(set(digests)) == len(VERSIONS)
    assert all(re.fullmatch("[0-9a-f]{64}", d) for d in digests)


@pytest.mark.parametrize("name", ["openvino-f32", "torch-f32"])
def test_loading_again_gives_the_same_digest(name: str, load: Callable[[str], Model]) -> None:
    assert load_model(name, threads=1).digest == load(name).digest == digest(name)


def test_a_process_that_needs_one_network_loads_one_under_the_digest_of_the_whole(model: Model) -> None:
    picture = np.zeros((1, 64, 64, 3), np.uint8)
    one = load_model(only="detector")
    assert one.digest == model.digest
    for ours, whole in zip(one.detector(picture), model.detector(picture), strict=True):
        assert np.array_equal(ours, whole)
    with pytest.raises(ModelError, match="without its embedder"):
        one.embedder(picture)


def test_the_digest_can_be_had_without_loading_and_is_refused_where_loading_would_be(model: Model) -> None:
    assert version_digest() == model.digest
    with pytest.raises(RuntimeUnavailableError, match="no model version 'sface'"):
        version_digest("sface")


@pytest.mark.skipif(torch.cuda.is_available(), reason="a CUDA device is here")
def test_a_digest_is_refused_where_its_device_is_missing() -> None:
    with pytest.raises(RuntimeUnavailableError, match="torch finds no CUDA device"):
        version_digest("torch-cuda-f32")


def test_threads_do_not_change_the_digest(model: Model) -> None:
    assert load_model(threads=2).digest == model.digest


@pytest.mark.parametrize("part", ["detector", "embedder"])
def test_one_changed_weight_changes_the_digest(part: str) -> None:
    folder = weights_folder()
    networks = {"detector": load_yunet(folder), "embedder": load_sface(folder)}
    with torch.no_grad():
        next(networks[part].parameters()).view(-1)[0] += 1e-6
    assert loading.digest_of(VERSIONS["torch-f32"], **networks) != digest("torch-f32")


def test_another_alignment_changes_the_digest(monkeypatch: pytest.MonkeyPatch) -> None:
    before = digest("torch-f32")
    moved = ((38.3, 51.7), *ALIGNMENT_TEMPLATE[1:])
    monkeypatch.setattr(loading, "ALIGNMENT_TEMPLATE", moved)
    assert digest("torch-f32") != before


def test_an_unknown_version_is_refused_with_those_there_are() -> None:
    with pytest.raises(RuntimeUnavailableError, match=r"no model version 'sface'; there are openvino-f32, .*torch-f32"):
        load_model("sface")
