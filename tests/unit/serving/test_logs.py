"""What processes of the service log: the kind of an error, and never what it says."""

from __future__ import annotations

import json
import logging

import pytest

from lfr.models import Model
from lfr.serving.camera_actor import Camera
from lfr.serving.detector import Detector
from lfr.serving.embedder import Embedder
from lfr.serving.matcher import Matcher
from lfr.serving.opening import ServedModel
from lfr.serving.settings import AppArgs
from lfr.serving.shadow_actor import Shadow
from lfr.serving.steward import Steward

pytestmark = pytest.mark.usefixtures("as_on_a_node")
CANARY = "canary-of-a-frame"


def test_r4_a_part_of_the_service_logs_of_an_error_its_kind_and_neither_its_text_nor_where(
    model: Model, capsys: pytest.CaptureFixture[str]
) -> None:
    Embedder(AppArgs(), ServedModel("openvino-f32", "openvino-f32", model.digest))
    try:
        float(CANARY)  # says what it was given
    except ValueError:
        logging.getLogger("lfr.serving.camera_actor").exception("rest")
    (line,) = capsys.readouterr().err.splitlines()
    said = json.loads(line)
    assert (said["message"], said["error"], said["level"]) == ("rest", "ValueError", "error")
    assert CANARY not in line


def test_every_part_and_actor_of_the_service_logs_that_way() -> None:
    for kind in (Camera, Detector, Embedder, Matcher, Shadow, Steward):
        assert "log_json" in kind.__init__.__code__.co_names, kind


def test_every_part_that_holds_faces_looks_at_its_own_node_first() -> None:
    for kind in (Camera, Detector, Embedder, Matcher, Shadow):
        assert "keep_tidy" in kind.__init__.__code__.co_names, kind
