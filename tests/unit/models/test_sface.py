"""The embedder in torch is the published network."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
import torch

from lfr.models import SFACE, weights_folder
from lfr.models.sface import SFace
from lfr.models.weights import load_sface
from lfr.types import FloatArray


@pytest.fixture(scope="module")
def sface() -> SFace:
    return load_sface(weights_folder())


def run(network: SFace, pixels: FloatArray) -> FloatArray:
    with torch.inference_mode():
        output: FloatArray = network(torch.from_numpy(pixels)).numpy()
    return output


def noise(n: int) -> FloatArray:
    return np.random.default_rng(7).uniform(0, 255, (n, 3, 112, 112)).astype(np.float32)


def test_a_template_equals_that_of_onnx_runtime_on_the_published_file(sface: SFace) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    published = onnx.load(str(weights_folder() / SFACE.file_name))
    # The file still lists as inputs the weights that its dequantisation replaced.
    picture = next(i for i in published.graph.input if i.name == SFace.input_name)
    del published.graph.input[:]
    published.graph.input.append(picture)
    session = onnxruntime.InferenceSession(published.SerializeToString(), providers=["CPUExecutionProvider"])
    pixels = noise(1)
    (expected,) = session.run(["fc1"], {"data": pixels})
    assert np.abs(run(sface, pixels) - expected).max() <= 1e-4


def test_a_template_has_128_numbers_and_any_length(sface: SFace) -> None:
    templates = run(sface, noise(3))
    assert templates.shape == (3, 128)
    assert np.all(np.abs(np.linalg.norm(templates, axis=1) - 1) > 1e-3)


def test_red_and_blue_are_not_the_same(sface: SFace) -> None:
    pixels = noise(1)
    pixels[:, 0] *= 0.3
    assert not np.allclose(run(sface, pixels), run(sface, pixels[:, ::-1].copy()), atol=0.05)
