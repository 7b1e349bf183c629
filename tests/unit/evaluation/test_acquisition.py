"""Every evaluation image gives a row: a template, or NaN where there was no face."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from lfr.errors import ImageError
from lfr.evaluation import acquire, central_face
from lfr.models import Model
from lfr.types import Faces
from lfr.vision import Detector, Embedder, align
from tests.conftest import picture


def test_rows_come_in_the_order_of_the_images_whatever_the_batches(
    demo_faces: list[Path], model: Model, tmp_path: Path
) -> None:
    grey = tmp_path / "grey.png"
    cv2.imwrite(str(grey), np.full((64, 64, 3), 128, np.uint8))
    paths = [*demo_faces[:5], grey, *demo_faces[5:20]]  # over one batch, with a failure in the midst
    acquired = acquire(paths, model)
    assert len(acquired) == len(paths)
    assert acquired.failed.tolist() == [path == grey for path in paths]
    assert np.isnan(acquired.templates.vectors[5]).all()
    assert acquired.templates.model_digest == model.digest
    detector, embedder = Detector(model.detector), Embedder(model)
    for row in (0, 6, 20):
        pixels = picture(paths[row])
        (expected,) = embedder.embed(align(pixels, detector.detect(pixels)[:1].landmarks)).vectors
        assert float(acquired.templates.vectors[row] @ expected) > 0.999


def test_of_several_faces_the_one_nearest_the_centre_is_used(
    demo_faces: list[Path], model: Model, tmp_path: Path
) -> None:
    bystander, subject = picture(demo_faces[0]), picture(demo_faces[30])
    scene = np.full((400, 700, 3), 110, np.uint8)
    scene[:224, :224] = bystander
    scene[88:312, 238:462] = subject
    path = tmp_path / "two.png"
    cv2.imwrite(str(path), scene)
    acquired = acquire([path, demo_faces[0], demo_faces[30]], model)
    to_bystander, to_subject = acquired.templates.vectors[1:] @ acquired.templates.vectors[0]
    assert acquired.faces_found.tolist() == [2, 1, 1]
    assert to_subject > 0.9 > to_bystander


def test_a_missing_image_is_broken_data_and_no_failure_to_acquire(model: Model, tmp_path: Path) -> None:
    with pytest.raises(ImageError, match=r"gone\.jpg"):
        acquire([tmp_path / "gone.jpg"], model)


def test_no_images_give_no_rows(model: Model) -> None:
    acquired = acquire([], model)
    assert len(acquired) == 0
    assert acquired.templates.vectors.shape == (0, model.embedding_size)


def test_progress_sees_every_image(demo_faces: list[Path], model: Model) -> None:
    seen: list[Path] = []

    def watch(paths: Iterable[Path]) -> Iterator[Path]:
        for path in paths:
            seen.append(path)
            yield path

    acquire(demo_faces[:3], model, progress=watch)
    assert seen == demo_faces[:3]


def test_nearest_the_centre_is_by_the_middle_of_the_box() -> None:
    xyxy = np.array([[0, 0, 90, 90], [46, 46, 56, 56], [100, 0, 200, 100]], np.float32)
    faces = Faces(xyxy, np.zeros((3, 5, 2), np.float32), np.ones(3, np.float32))
    assert central_face(faces, (100, 100)) == 1
    assert central_face(faces, (80, 80)) == 0
    assert central_face(faces, (300, 100)) == 2
    with pytest.raises(ValueError, match="empty"):
        central_face(Faces.empty(), (100, 100))
