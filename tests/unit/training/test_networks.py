"""SFace over smaller faces: the same crops, a third of the work, and weights that stand for those of the whole."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch

from lfr.models import onnx_bytes, weights_folder
from lfr.models.runtimes import OnnxNetwork, OpenVinoNetwork
from lfr.models.weights import load_sface
from lfr.training.config import Backbone
from lfr.training.cost import multiply_adds
from lfr.training.networks import SmallSFace, build_network
from lfr.types import Pixels


@pytest.fixture(scope="module")
def small() -> SmallSFace:
    network = build_network(Backbone(input_px=64), seed=0).eval()
    assert isinstance(network, SmallSFace)
    return network


def test_faces_of_64_px_are_a_third_of_the_work(small: SmallSFace) -> None:
    assert multiply_adds(small) <= multiply_adds(load_sface(weights_folder())) / 3


def test_a_face_is_made_small_as_opencv_does_by_area(small: SmallSFace) -> None:
    face = np.random.default_rng(0).uniform(0, 255, (112, 112)).astype(np.float32)
    made = small.shrink @ torch.from_numpy(face) @ small.shrink.T
    assert made.numpy() == pytest.approx(cv2.resize(face, (64, 64), interpolation=cv2.INTER_AREA), abs=0.01)


def test_a_small_map_gives_what_the_whole_matrix_gives_of_it_enlarged(small: SmallSFace) -> None:
    maps = torch.randn(2, 1024, 4, 4, generator=torch.Generator().manual_seed(0))
    enlarged = torch.nn.functional.interpolate(maps, size=7, mode="bilinear")
    with torch.inference_mode():
        ours, whole = small.embedding(maps.flatten(1)), load_sface(weights_folder()).embedding(enlarged.flatten(1))
    assert ours.numpy() == pytest.approx(whole.numpy(), abs=1e-3)


def test_it_takes_the_same_crops_and_gives_as_many_numbers(small: SmallSFace) -> None:
    with torch.inference_mode():
        assert small(torch.zeros(3, 3, 112, 112)).shape == (3, 128)


@pytest.mark.parametrize("faces", [1, 3])
def test_it_gives_the_same_templates_on_openvino_and_as_onnx(small: SmallSFace, demo_crops: Pixels, faces: int) -> None:
    crops = demo_crops[:faces]
    planes = torch.from_numpy(np.ascontiguousarray(crops[..., ::-1].transpose(0, 3, 1, 2))).float()
    with torch.inference_mode():
        wanted = small(planes).numpy()
    for network in (OpenVinoNetwork(small, threads=1), OnnxNetwork(onnx_bytes(small), rgb=small.rgb, threads=1)):
        assert network(crops)[0] == pytest.approx(wanted, abs=1e-3)
