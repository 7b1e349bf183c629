"""An export runs elsewhere and gives the same numbers, or is not written."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from lfr.errors import InputError, ModelError
from lfr.models import Export, Model, export, export_models
from lfr.models.runtimes import openvino_core
from lfr.models.sface import SFace
from lfr.models.weights import load_sface
from lfr.types import Pixels
from lfr.vision import Embedder


def everything_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*"))


def test_both_networks_are_written_as_onnx_and_differ_by_rounding_alone(onnx_exports: dict[str, Export]) -> None:
    assert sorted(onnx_exports) == ["sface", "yunet"]
    assert all(e.path.is_file() and 0 <= e.max_difference < 1e-4 for e in onnx_exports.values())
    assert everything_in(onnx_exports["yunet"].path.parent) == ["sface.onnx", "yunet.onnx"]


def test_opencv_loads_the_exported_embedder_and_makes_the_same_templates(
    onnx_exports: dict[str, Export], model: Model, demo_crops: Pixels
) -> None:
    recogniser = cv2.FaceRecognizerSF.create(str(onnx_exports["sface"].path), "")
    theirs = np.concatenate([recogniser.feature(crop).reshape(1, -1).copy() for crop in demo_crops[:3]])
    theirs /= np.linalg.norm(theirs, axis=1, keepdims=True)
    assert np.abs(Embedder(model).embed(demo_crops[:3]).vectors - theirs).max() <= 1e-4


def test_openvino_files_are_read_back_with_any_batch_and_give_the_same_templates(
    tmp_path: Path, reference_model: Model, demo_crops: Pixels
) -> None:
    exports = {e.network: e for e in export_models(tmp_path / "new" / "folder", to="openvino")}
    assert everything_in(tmp_path / "new" / "folder") == ["sface.bin", "sface.xml", "yunet.bin", "yunet.xml"]
    assert all(e.max_difference < 1e-4 for e in exports.values())
    compiled = openvino_core().compile_model(exports["sface"].path, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    rgb = demo_crops[:3, :, :, ::-1].transpose(0, 3, 1, 2).astype(np.float32)
    assert np.abs(compiled(rgb)[0] - reference_model.embedder(demo_crops[:3])[0]).max() <= 1e-4


def test_a_network_that_differs_from_the_reference_is_not_written_nor_is_the_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def spoiled(folder: Path) -> SFace:
        network = load_sface(folder)
        with torch.no_grad():
            network.embedding.bias[0] = torch.nan
        return network

    monkeypatch.setattr(export, "load_sface", spoiled)  # the second of the two
    with pytest.raises(ModelError, match=r"^sface: the openvino export differs .*; nothing was written$"):
        export_models(tmp_path / "new", to="openvino")
    assert everything_in(tmp_path) == []


def test_the_tolerance_is_a_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export, "TOLERANCE", -1.0)
    with pytest.raises(ModelError, match=r"^yunet: the openvino export differs"):
        export_models(tmp_path, to="openvino")
    assert everything_in(tmp_path) == []


def test_a_folder_that_cannot_be_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(InputError, match=r"file.yunet\.xml: cannot write: ") as refusal:
        export_models(tmp_path / "file", to="openvino")
    assert str(tmp_path) in str(refusal.value)
    assert everything_in(tmp_path) == ["file"]


def test_a_target_that_cannot_be_replaced_leaves_no_half_written_file(tmp_path: Path) -> None:
    (tmp_path / "yunet.xml").mkdir()
    with pytest.raises(InputError, match=r"yunet\.xml: cannot write: "):
        export_models(tmp_path, to="openvino")
    assert everything_in(tmp_path) == ["yunet.xml"]


def test_an_unknown_format_is_refused_with_those_there_are(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"cannot export to 'tflite'; there are onnx, openvino"):
        export_models(tmp_path, to="tflite")
    assert everything_in(tmp_path) == []
