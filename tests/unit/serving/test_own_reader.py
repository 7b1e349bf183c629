"""A camera that the service reads looks for faces itself, with the model that the service runs."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from lfr.errors import ImageError, ModelMismatchError
from lfr.models import Model
from lfr.pipeline import Recogniser
from lfr.serving.opening import ServedModel
from lfr.serving.own_reader import OwnReader
from lfr.serving.settings import AppArgs
from tests.conftest import picture


def _reader(model: Model, digest: str) -> OwnReader:
    return OwnReader(AppArgs(), ServedModel(model.version.name, model.version.name, digest), Recogniser(model))


def test_it_finds_what_the_pipeline_in_one_process_finds(model: Model, demo_faces: list[Path]) -> None:
    pixels = np.hstack([picture(path) for path in demo_faces[:3]])
    done, encoded = cv2.imencode(".png", pixels)
    assert done
    reader, one_process = _reader(model, model.digest), Recogniser(model)
    expected = one_process.detect(pixels)
    assert len(expected) == 3
    for sent in (pixels, encoded.tobytes()):
        found = reader.begin(sent)()
        np.testing.assert_array_equal(found.xyxy, expected.xyxy)
        np.testing.assert_array_equal(found.landmarks, expected.landmarks)
    crops, quality = reader.crops(pixels, expected)
    np.testing.assert_array_equal(crops, one_process.crops(pixels, expected)[0])
    np.testing.assert_array_equal(quality.shot, one_process.crops(pixels, expected)[1].shot)


def test_a_broken_frame_is_refused_and_another_model_too(model: Model, demo_faces: list[Path]) -> None:
    with pytest.raises(ImageError):
        _reader(model, model.digest).begin(b"no picture")()
    with pytest.raises(ModelMismatchError, match=model.digest):
        _reader(model, "another").detect(picture(demo_faces[0]))
