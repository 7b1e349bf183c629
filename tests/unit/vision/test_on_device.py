"""What stays on a device comes to the faces, crops and templates of the way through the host's memory."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from torch import Tensor

from lfr.errors import ModelError, RuntimeUnavailableError
from lfr.geometry import iou_matrix
from lfr.models import ALIGNMENT_TEMPLATE, Model, load_model
from lfr.types import Faces, FloatArray, Pixels
from lfr.vision import Detector, Embedder, align
from lfr.vision.detect import _suppress
from lfr.vision.on_device import DeviceFaces, DeviceVision, _iou, _suppressed
from tests.conftest import picture

VERSIONS = ["torch-f32", pytest.param("torch-cuda-f32", marks=pytest.mark.gpu)]
DEVICES = ["cpu", pytest.param("cuda", marks=pytest.mark.gpu)]


@pytest.fixture(scope="module")
def frames(demo_faces: list[Path]) -> Pixels:
    """Three frames of 200x333 with two faces, none and one that the frame cuts."""
    portraits = [cv2.resize(picture(path), (130, 130), interpolation=cv2.INTER_AREA) for path in demo_faces[:3]]
    frames = np.full((3, 200, 333, 3), 110, np.uint8)
    frames[0, 40:170, 10:140], frames[0, 60:190, 180:310] = portraits[0], portraits[1]
    frames[2, 80:200, 213:333] = portraits[2][:120, :120]
    return frames


@pytest.mark.parametrize("name", VERSIONS)
def test_faces_and_templates_are_those_of_the_host(
    name: str, load: Callable[[str], Model], reference_model: Model, frames: Pixels
) -> None:
    vision = DeviceVision(load(name))
    host = Detector(reference_model.detector)
    expected = [host.detect(frame) for frame in frames]
    assert [len(faces) for faces in expected] == [2, 0, 1]
    crops = np.concatenate([align(frame, faces.landmarks) for frame, faces in zip(frames, expected, strict=True)])
    vectors = Embedder(reference_model).embed(crops)
    for _ in range(2):  # on a GPU recorded, and then launched again
        found, templates = vision.read(frames)
        for ours, theirs in zip(found, expected, strict=True):
            assert len(ours) == len(theirs)
            np.testing.assert_allclose(ours.xyxy, theirs.xyxy, atol=0.02)
            np.testing.assert_allclose(ours.landmarks, theirs.landmarks, atol=0.02)
            np.testing.assert_allclose(ours.score, theirs.score, atol=1e-3)
        assert templates.model_digest == vision.model_digest
        assert np.sum(templates.vectors * vectors.vectors, axis=1).min() >= 0.9999


@pytest.mark.parametrize("name", VERSIONS)
def test_no_frame_and_no_face_are_nothing(name: str, load: Callable[[str], Model], frames: Pixels) -> None:
    vision = DeviceVision(load(name))
    for nothing in (frames[:0], frames[1:2]):
        found, templates = vision.read(nothing)
        assert [len(faces) for faces in found] == [0] * len(nothing)
        assert templates.vectors.shape == (0, 128)


@pytest.mark.parametrize("fails", [False, True])
@pytest.mark.parametrize("name", VERSIONS)
def test_nothing_of_a_face_stays_on_the_device_also_where_embedding_fails(
    name: str, fails: bool, load: Callable[[str], Model], frames: Pixels, monkeypatch: pytest.MonkeyPatch
) -> None:
    vision, seen = DeviceVision(load(name)), []

    def watched(step: Callable[..., Tensor]) -> Callable[..., Tensor]:
        def call(*told: object) -> Tensor:
            made = step(*told)
            assert made.any()
            seen.append(made)
            if fails and len(seen) == 3:
                raise RuntimeError("out of memory")
            return made

        return call

    for step in ("put", "align", "embed"):
        monkeypatch.setattr(vision, step, watched(getattr(vision, step)))
    before = frames.copy()
    with pytest.raises(RuntimeError) if fails else nullcontext():
        vision.read(frames)
    assert len(seen) == 3
    assert not any(tensor.any() for tensor in seen[: 2 if fails else 3])
    np.testing.assert_array_equal(frames, before)


@pytest.mark.parametrize("name", VERSIONS)
def test_crops_are_those_of_opencv_to_a_grey_level_also_beyond_the_edge(
    name: str, load: Callable[[str], Model]
) -> None:
    rng = np.random.default_rng(3)
    frames = rng.integers(0, 256, (2, 96, 160, 3), dtype=np.uint8)
    landmarks = _anywhere(rng, 40, (160, 96))
    got = _cut(DeviceVision(load(name)), frames, landmarks)
    expected = np.stack([align(frames[i % 2], landmarks[i : i + 1])[0] for i in range(40)])
    assert (expected == 0).all(axis=3).any(axis=(1, 2)).sum() > 10  # many reach beyond
    difference = np.abs(got.astype(int) - expected)
    assert difference.max() <= 1
    assert (difference > 0).mean() < 0.01  # halves, rounded up by one and down by the other


@pytest.mark.parametrize("name", VERSIONS)
def test_landmarks_that_coincide_give_the_black_crop_of_the_host(
    name: str, load: Callable[[str], Model], frames: Pixels
) -> None:
    landmarks = np.full((1, 5, 2), 50.0, np.float32)
    assert not align(frames[0], landmarks).any()
    assert not _cut(DeviceVision(load(name)), frames, landmarks).any()


@pytest.mark.parametrize("device", DEVICES)
def test_overlaps_are_those_of_the_host_to_the_bit(device: str) -> None:
    boxes = _boxes(np.random.default_rng(1), 200).xyxy
    boxes[0], boxes[1], boxes[2] = boxes[3], boxes[4][[2, 1, 0, 3]], 0.0  # the same, one without width, none
    np.testing.assert_array_equal(_iou(torch.from_numpy(boxes[None]).to(device))[0].cpu(), iou_matrix(boxes, boxes))


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("seed", range(8))
def test_overlaps_are_suppressed_as_on_the_host(seed: int, device: str) -> None:
    rng = np.random.default_rng(seed)
    boxes = [_boxes(rng, count) for count in (0, 1, 60, 400)]
    every = Faces(
        np.concatenate([faces.xyxy for faces in boxes]),
        np.concatenate([faces.landmarks for faces in boxes]),
        np.concatenate([faces.score for faces in boxes]),
    )
    frame = np.repeat(np.arange(4), [len(faces) for faces in boxes])
    mixed = rng.permutation(len(frame))
    mixed = mixed[np.argsort(frame[mixed], kind="stable")]
    on_device = (torch.from_numpy(a[mixed]).to(device) for a in (frame, every.xyxy, every.landmarks, every.score))
    found = _suppressed(DeviceFaces(*on_device), 4, max_iou=0.3).of_frames(4)
    for i, got in enumerate(found):
        faces = every[mixed][frame[mixed] == i]
        kept = _suppress(faces.score, faces.xyxy, max_iou=0.3)
        np.testing.assert_array_equal(got.xyxy, faces.xyxy[kept])
        assert not (np.triu(iou_matrix(got.xyxy, got.xyxy), 1) > 0.3).any()


def test_a_version_on_another_runtime_is_refused(model: Model) -> None:
    with pytest.raises(RuntimeUnavailableError, match=r"openvino-f32 runs on openvino, .* choose a torch version"):
        DeviceVision(model)


def test_a_version_loaded_without_its_embedder_is_refused() -> None:
    with pytest.raises(ModelError, match="torch-f32 was loaded without its detector or its embedder"):
        DeviceVision(load_model("torch-f32", only="detector"))


@pytest.mark.gpu
def test_a_recorded_network_gives_each_batch_its_own_templates(
    load: Callable[[str], Model], reference_model: Model, demo_crops: Pixels
) -> None:
    embedder, reference = (Embedder(each) for each in (load("torch-cuda-f32"), reference_model))
    for crops in (demo_crops[:1], demo_crops[:7], demo_crops[-7:], demo_crops[1:2]):
        vectors, expected = embedder.embed(crops).vectors, reference.embed(crops).vectors
        assert np.sum(vectors * expected, axis=1).min() >= 0.9999


def _cut(vision: DeviceVision, frames: Pixels, landmarks: FloatArray) -> Pixels:
    """Crops of faces that lie in each frame in turn."""
    count = len(landmarks)
    frame, rest = torch.arange(count) % len(frames), torch.zeros(count, 4)
    told = (frame, rest, torch.from_numpy(landmarks), torch.ones(count))
    crops = vision.align(vision.put(frames), DeviceFaces(*(each.to(vision.device) for each in told)))
    return crops.cpu().numpy()


def _anywhere(rng: np.random.Generator, count: int, resolution_wh: tuple[int, int]) -> FloatArray:
    """(count, 5, 2) landmarks of faces of all sizes and turns, some at the edge."""
    template = np.array(ALIGNMENT_TEMPLATE) - 56.0
    turn = rng.uniform(0.2, 1.2, count) * np.exp(1j * rng.uniform(-0.6, 0.6, count))
    points = (template @ np.array([1, 1j]))[None] * turn[:, None]
    centre = rng.uniform((0, 0), resolution_wh, (count, 2))
    noise = rng.normal(0, 1, (count, 5, 2))
    return (np.stack([points.real, points.imag], -1) + centre[:, None] + noise).astype(np.float32)


def _boxes(rng: np.random.Generator, count: int) -> Faces:
    """Boxes of which many overlap, and whose scores tie."""
    left_top = rng.uniform(0, 150, (count, 2))
    xyxy = np.concatenate([left_top, left_top + rng.uniform(5, 60, (count, 2))], axis=1).astype(np.float32)
    score = (rng.integers(70, 100, count) / 100).astype(np.float32)
    return Faces(xyxy, rng.uniform(0, 150, (count, 5, 2)).astype(np.float32), score)
