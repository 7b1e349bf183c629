"""The detector in torch is the published network."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch

from lfr.models import STRIDES, YUNET, weights_folder
from lfr.models.weights import load_yunet
from lfr.models.yunet import YuNet
from lfr.types import FloatArray


@pytest.fixture(scope="module")
def yunet() -> YuNet:
    return load_yunet(weights_folder())


def run(network: YuNet, pixels: FloatArray) -> dict[str, FloatArray]:
    with torch.inference_mode():
        outputs = network(torch.from_numpy(pixels))
    return {name: output.numpy() for name, output in zip(network.output_names, outputs, strict=True)}


def noise(n: int, height: int, width: int) -> FloatArray:
    return np.random.default_rng(7).uniform(0, 255, (n, 3, height, width)).astype(np.float32)


@pytest.mark.parametrize(("height", "width"), [(32, 32), (160, 128), (320, 416)])
def test_all_twelve_outputs_equal_those_of_opencv_on_the_published_file(yunet: YuNet, height: int, width: int) -> None:
    published = cv2.dnn.readNetFromONNX(str(weights_folder() / YUNET.file_name))
    pixels = noise(1, height, width)
    published.setInput(pixels)
    expected = dict(zip(yunet.output_names, published.forward(yunet.output_names), strict=True))
    for name, ours in run(yunet, pixels).items():
        assert ours.shape == expected[name].shape, name
        assert np.abs(ours - expected[name]).max() <= 1e-4, name


def test_every_stride_has_a_row_for_each_of_its_cells(yunet: YuNet) -> None:
    outputs = run(yunet, noise(2, 64, 96))
    for kind, numbers in {"cls": 1, "obj": 1, "bbox": 4, "kps": 10}.items():
        for stride in STRIDES:
            assert outputs[f"{kind}_{stride}"].shape == (2, (64 // stride) * (96 // stride), numbers)


def test_cells_run_row_by_row(yunet: YuNet) -> None:
    """A bright spot in the lower left corner changes the cells there most."""
    dark = np.zeros((1, 3, 64, 96), np.float32)
    spot = dark.copy()
    spot[:, :, 48:, :16] = 255
    change = np.abs(run(yunet, spot)["kps_8"] - run(yunet, dark)["kps_8"]).max(axis=2).reshape(64 // 8, 96 // 8)
    row, column = np.unravel_index(change.argmax(), change.shape)
    assert row >= 4
    assert column <= 4
