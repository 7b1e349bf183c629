"""What of faces is in memory is counted by what becomes of the arrays."""

from __future__ import annotations

import numpy as np
import pytest

from lfr.models import Model
from lfr.serving.alive import Alive, HeldFaces
from lfr.serving.box import Box
from lfr.serving.embedder import Embedder
from lfr.serving.opening import ServedModel
from lfr.serving.settings import AppArgs
from lfr.types import FloatArray, Pixels

pytestmark = pytest.mark.usefixtures("as_on_a_node")


def test_an_array_counts_until_it_is_gone_or_overwritten() -> None:
    alive = Alive()
    kept, dropped = (alive.templates(np.ones((3, 8), np.float32)) for _ in range(2))
    crops = alive.crops(np.ones((2, 4, 4, 3), np.uint8))
    alive.templates(np.ones((9, 8), np.float32))  # nobody keeps it
    assert alive.count() == HeldFaces(templates=6, crops=2)
    del dropped
    kept[0] = 0.0
    assert alive.count() == HeldFaces(templates=2, crops=2)
    kept[:] = 0.0
    crops[:] = 0
    assert alive.count() == HeldFaces()


def test_an_array_that_somebody_still_holds_shows_however_it_is_held() -> None:
    alive = Alive()
    rows = list(alive.templates(np.ones((3, 8), np.float32)))  # views of it
    assert alive.count().templates == 3
    rows.clear()
    assert alive.count().templates == 0


def test_the_embedder_holds_what_it_returned_only_as_long_as_its_caller_does(model: Model, demo_crops: Pixels) -> None:
    embedder = Embedder(AppArgs(), ServedModel("openvino-f32", "openvino-f32", model.digest))
    crops = demo_crops[:3].copy()
    parts = embedder.embed_batch([crops])
    assert embedder.held() == HeldFaces(templates=3, crops=3)
    del parts, crops
    assert embedder.held() == HeldFaces()


def test_a_box_that_a_batch_keeps_holds_neither_crops_nor_templates_once_it_was_answered(
    model: Model, demo_crops: Pixels
) -> None:
    embedder = Embedder(AppArgs(), ServedModel("openvino-f32", "openvino-f32", model.digest))
    boxes: list[Box[Pixels, FloatArray]] = [Box(demo_crops[:3].copy()), Box(demo_crops[3:5].copy())]
    for box, templates in zip(boxes, embedder.embed_batch([box.given for box in boxes]), strict=True):
        box.put(templates)
    del templates
    assert embedder.held() == HeldFaces(templates=5)
    assert len(boxes[0].take()) == 3
    assert embedder.held() == HeldFaces(templates=2)
    boxes[1].clear()
    assert embedder.held() == HeldFaces()
