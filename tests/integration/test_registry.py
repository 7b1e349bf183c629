"""The registry on a real MLflow: what is registered is what is loaded, and what was changed is refused."""

from __future__ import annotations

from pathlib import Path

import mlflow.pyfunc
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from lfr.errors import RegistryError, WeightsError
from lfr.models import Preprocessing, load_model
from lfr.registry import (
    RegisteredVersion,
    Tracking,
    find_version,
    list_versions,
    load_version,
    open_tracking,
    register,
)
from lfr.registry.evidence import find_evidence, log_evidence
from lfr.registry.versions import bundle_folder


@pytest.fixture(scope="module")
def tracking(tmp_path_factory: pytest.TempPathFactory) -> Tracking:
    return open_tracking(tmp_path_factory.mktemp("registry") / "lfr-data")


@pytest.fixture(scope="module")
def version(tracking: Tracking) -> RegisteredVersion:
    return register(tracking)


def small_embedder(path: Path, *, outputs: int = 16, batch: str | int = "n") -> Path:
    """An embedder that averages 7x7 blocks and mixes them: small, and real."""
    rng = np.random.default_rng(0)
    weight = rng.normal(size=(3 * 16 * 16, outputs)).astype(np.float32)
    graph = helper.make_graph(
        [
            helper.make_node("AveragePool", ["x"], ["pooled"], kernel_shape=[7, 7], strides=[7, 7]),
            helper.make_node("Flatten", ["pooled"], ["flat"]),
            helper.make_node("MatMul", ["flat", "w"], ["y"]),
        ],
        "small",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [batch, 3, 112, 112])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [batch, outputs])],
        [numpy_helper.from_array(weight, "w")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.save(model, str(path))
    return path


def test_a_registered_version_loads_as_what_it_was(tracking: Tracking, version: RegisteredVersion) -> None:
    assert (version.name, version.aliases) == ("openvino-f32", ("candidate",))
    model = load_version(tracking, find_version(tracking, "candidate"), threads=1)
    assert model.digest == load_model("openvino-f32", threads=1).digest == version.model_digest


def test_mlflow_itself_loads_it_and_gets_the_templates_of_the_example(
    tracking: Tracking, version: RegisteredVersion
) -> None:
    folder = bundle_folder(tracking, version).parents[1]
    with np.load(folder / "input_example.npz") as example:
        crops, templates = example["crops"], example["templates"]
    served = mlflow.pyfunc.load_model(str(folder)).predict(crops)
    assert np.abs(served - templates).max() < 1e-5
    assert not list(folder.rglob("*.pkl"))


def test_any_onnx_embedder_can_be_registered_with_its_preprocessing(tracking: Tracking, tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    file = small_embedder(tmp_path / "small.onnx")
    wants = Preprocessing(mean=(127.5, 127.5, 127.5), std=(128.0, 128.0, 128.0), channels="bgr")
    made = register(tracking, onnx=file, preprocessing=wants, name="small", licence="CC0-1.0")
    assert (made.name, made.aliases) == ("small", ("candidate",))
    assert "CC0-1.0" in made.licences
    model = load_version(tracking, made)
    assert (model.digest, model.embedding_size) == (made.model_digest, 16)
    crops = np.random.default_rng(1).integers(0, 256, (2, 112, 112, 3), dtype=np.uint8)
    scaled = (crops.transpose(0, 3, 1, 2).astype(np.float32) - 127.5) / 128
    pooled = scaled.reshape(2, 3, 16, 7, 16, 7).mean(axis=(3, 5)).reshape(2, -1)
    weight = np.random.default_rng(0).normal(size=(768, 16)).astype(np.float32)
    assert np.allclose(model.embedder(crops)[0], pooled @ weight, atol=1e-3)
    assert list_versions(tracking)[0] == made


@pytest.mark.parametrize(("content", "why"), [(b"nothing", "not an ONNX model"), (None, "cannot read the embedder")])
def test_what_is_no_embedder_is_not_registered(
    tracking: Tracking, tmp_path: Path, content: bytes | None, why: str
) -> None:
    pytest.importorskip("onnxruntime")
    path = tmp_path / "x.onnx"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(WeightsError, match=why):
        register(tracking, onnx=path, name="x", licence="none")
    with pytest.raises(RegistryError, match="name and its licence"):
        register(tracking, onnx=small_embedder(tmp_path / "y.onnx"))


def test_an_embedder_of_one_crop_at_a_time_is_refused(tracking: Tracking, tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    with pytest.raises(WeightsError, match="does not take 2 crops"):
        register(tracking, onnx=small_embedder(tmp_path / "one.onnx", batch=1), name="one", licence="CC0-1.0")


def test_an_artefact_that_was_changed_on_disk_is_refused(tmp_path: Path) -> None:
    tracking = open_tracking(tmp_path / "lfr-data")
    version = register(tracking)
    weights = next((tmp_path / "lfr-data" / "artifacts").rglob("face_recognition*.onnx"))
    content = bytearray(weights.read_bytes())
    content[len(content) // 2] ^= 1
    weights.write_bytes(content)
    with pytest.raises(RegistryError, match="changed since it was registered"):
        load_version(tracking, version)


def test_a_version_or_alias_that_is_not_there_is_named(tracking: Tracking, version: RegisteredVersion) -> None:
    with pytest.raises(RegistryError, match="no version has the alias 'field'; versions there are: 1"):
        find_version(tracking, "field")
    with pytest.raises(RegistryError, match="no version '99'"):
        find_version(tracking, "99")


def test_a_server_that_does_not_answer_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(RegistryError, match=r"127\.0\.0\.1:9"):
        open_tracking(tmp_path, uri="http://someone:secret@127.0.0.1:9")


def test_an_edited_report_is_refused(tracking: Tracking, version: RegisteredVersion) -> None:
    document = {
        "model_digest": version.model_digest,
        "reference_digest": "c" * 64,
        "data_digest": "b" * 64,
        "created": "2026-05-01T00:00:00+00:00",
        "images": 3,
        "min_cosine": 0.9999,
        "mean_cosine": 1.0,
    }
    run_id = log_evidence(tracking, version, "parity", document, card="demo_faces")
    found = find_evidence(tracking, version)
    assert found.parity is not None
    assert found.parity.min_cosine == 0.9999
    path = tracking.files(run_id, "evidence.json")
    path.write_text(path.read_text().replace("0.9999", "0.99999"))
    with pytest.raises(RegistryError, match="changed since it was logged"):
        find_evidence(tracking, version)
