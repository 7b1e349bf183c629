"""Detector and embedder without Ray: what a batch gives is what one at a time gives."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import pytest

from lfr.errors import ImageError, ModelMismatchError
from lfr.models import Model
from lfr.pipeline import Recogniser
from lfr.serving.detector import Detector
from lfr.serving.embedder import Embedder
from lfr.serving.opening import ServedModel
from lfr.serving.settings import AppArgs
from lfr.types import Faces, Pixels
from lfr.vision import Embedder as Network
from tests.conftest import picture

pytestmark = pytest.mark.usefixtures("as_on_a_node")


def resolved(model: Model) -> ServedModel:
    return ServedModel("openvino-f32", "openvino-f32", model.digest)


@pytest.fixture(scope="module", params=[1, 2], ids=["one thread", "two threads"])
def detector(model: Model, request: pytest.FixtureRequest) -> Detector:
    return Detector(AppArgs(threads=request.param), resolved(model))


@pytest.fixture(scope="module")
def embedder(model: Model) -> Embedder:
    return Embedder(AppArgs(batch_crops=4), resolved(model))


def test_pictures_in_a_batch_get_their_own_faces_encoded_or_not(
    detector: Detector, model: Model, demo_faces: list[Path]
) -> None:
    pictures = [picture(path) for path in demo_faces[:3]]
    alone = [Recogniser(model).detect(pixels) for pixels in pictures]
    encoded = [path.read_bytes() for path in demo_faces[:3]]
    for found in (detector.detect_batch(pictures), detector.detect_batch(encoded)):
        for one, expected in zip(found, alone, strict=True):
            assert isinstance(one, Faces)
            np.testing.assert_allclose(one.xyxy, expected.xyxy, atol=0.5)


def test_batches_at_once_get_what_each_alone_gets(detector: Detector, demo_faces: list[Path]) -> None:
    pictures = [path.read_bytes() for path in demo_faces[:4]]
    alone = [detector.detect_batch([one])[0] for one in pictures]
    with ThreadPoolExecutor(2) as pool:
        halves = [pool.submit(detector.detect_batch, pictures[at : at + 2]) for at in (0, 2) * 5]
        for at, half in zip((0, 2) * 5, halves, strict=True):
            for one, expected in zip(half.result(), alone[at : at + 2], strict=True):
                assert isinstance(one, Faces)
                assert isinstance(expected, Faces)
                np.testing.assert_allclose(one.xyxy, expected.xyxy, atol=1e-3)


def test_a_broken_picture_in_a_batch_spoils_no_other(detector: Detector, demo_faces: list[Path]) -> None:
    whole = demo_faces[0].read_bytes()
    broken, found = detector.detect_batch([whole[: len(whole) // 2], whole])
    assert isinstance(broken, ImageError)
    assert isinstance(found, Faces)
    assert len(found) == 1


def test_a_picture_over_the_limit_of_pixels_is_refused_before_it_is_decoded(
    demo_faces: list[Path], model: Model
) -> None:
    small = Detector(AppArgs.model_validate({"limits": {"frame_pixels": 2_000}}), resolved(model))
    (refused,) = small.detect_batch([demo_faces[0].read_bytes()])
    assert isinstance(refused, ImageError)
    assert "2000 pixels" in str(refused)


def test_groups_of_crops_get_their_own_templates(embedder: Embedder, model: Model, demo_crops: Pixels) -> None:
    groups = [demo_crops[:1], demo_crops[1:1], demo_crops[1:6]]
    expected = Network(model).embed(demo_crops[:6]).vectors
    found = embedder.embed_batch(groups)
    assert [len(part) for part in found] == [1, 0, 5]
    np.testing.assert_allclose(np.concatenate(found), expected, atol=1e-5)
    assert embedder.model_digest() == model.digest


def test_a_model_that_loads_otherwise_than_it_was_resolved_is_refused() -> None:
    with pytest.raises(ModelMismatchError, match="resolved was 00"):
        Detector(AppArgs(), ServedModel("openvino-f32", "openvino-f32", "00"))


def test_an_empty_batch_is_no_error(embedder: Embedder, detector: Detector) -> None:
    assert embedder.embed_batch([]) == []
    assert detector.detect_batch([]) == []


def test_a_png_is_as_good_as_a_jpeg(detector: Detector, demo_faces: list[Path]) -> None:
    done, data = cv2.imencode(".png", picture(demo_faces[0]))
    assert done
    (found,) = detector.detect_batch([data.tobytes()])
    assert isinstance(found, Faces)
    assert len(found) == 1
