"""The page of a rehearsal says what happened and needs nothing else."""

from __future__ import annotations

import base64
import re
from pathlib import Path

import cv2
import numpy as np
import pytest

from lfr.errors import InputError
from lfr.evaluation.scene import SceneEvaluation, SceneScore
from lfr.evaluation.scene_report import AlertPicture, write_report
from lfr.types import Pixels
from tests.conftest import picture
from tests.unit.evaluation.scene_builders import LEFT, PASSES, RIGHT, alert, shown, tracked


@pytest.fixture
def score() -> SceneScore:
    scene = SceneEvaluation(PASSES, ("ann", "dan"))
    scene.add(tracked((1, LEFT), (2, RIGHT)), shown((0, LEFT), (1, RIGHT)))
    scene.add_alerts([alert(1, "ann", 2.5), alert(2, "dan", 3.0), alert(9, "dan", 3.5)])
    return scene.score(faces_seen=3)


def page(path: Path, score: SceneScore, face: Pixels, *, preview: int = 0, **facts: str) -> str:
    pictures = [AlertPicture(one, face, face) for one in score.alerts]
    frames = [np.full((36, 64, 3), 20 * i, np.uint8) for i in range(preview)]
    write_report(path, score, pictures=pictures, preview=frames, preview_fps=4.0, facts=facts)
    return path.read_text(encoding="utf-8")


def test_the_page_tells_the_figures_and_every_alert_with_who_walked(
    tmp_path: Path, score: SceneScore, demo_faces: list[Path]
) -> None:
    text = page(tmp_path / "new" / "r.html", score, picture(demo_faces[0]), preview=3, model="openvino-f32")
    assert "3 alerts, 3 faces seen" in text
    assert "1 of 1 passes, 95% interval 21% to 100%" in text
    assert "1 of 2 passes" in text
    assert re.findall(r"(Right|Wrong): ([\w: ]+) walked", text) == [
        ("Right", "ann"),
        ("Wrong", "bob"),
        ("Wrong", "nobody: no face was there"),
    ]
    assert text.count('class="hit"') >= 1
    assert '<rect class="false"' in text
    assert '<rect class="other"' in text
    assert "openvino-f32" in text
    assert "Not approved for field use" in text


def test_the_page_fetches_nothing(tmp_path: Path, score: SceneScore, demo_faces: list[Path]) -> None:
    text = page(tmp_path / "r.html", score, picture(demo_faces[0]), preview=2)
    sources = re.findall(r'(?:src|href)="([^"]{0,22})', text)
    assert sources
    assert {source.split(";")[0] for source in sources} == {"data:image/png", "data:image/webp"}
    assert not re.search(r"<script|@import|url\(", text)


def test_names_cannot_inject_anything(tmp_path: Path, score: SceneScore, demo_faces: list[Path]) -> None:
    text = page(tmp_path / "r.html", score, picture(demo_faces[0]), note="<script>alert(1)</script>")
    assert "<script" not in text
    assert "&lt;script&gt;" in text


def test_a_scene_in_which_nothing_happened_has_a_page_too(tmp_path: Path) -> None:
    text = page(tmp_path / "r.html", SceneScore((), 0, ()), np.zeros((8, 8, 3), np.uint8))
    assert "no such pass" in text
    assert "no alert for the person who walked" in text
    assert "What an operator may see" not in text


def test_pictures_in_the_page_are_those_given(tmp_path: Path, score: SceneScore, demo_faces: list[Path]) -> None:
    face = picture(demo_faces[0])
    text = page(tmp_path / "r.html", score, face)
    (first, *_) = re.findall(r'src="data:image/png;base64,([^"]+)"', text)
    decoded = cv2.imdecode(np.frombuffer(base64.b64decode(first), np.uint8), cv2.IMREAD_COLOR)
    np.testing.assert_array_equal(decoded, face)


def test_a_page_that_cannot_be_written_is_named(tmp_path: Path, score: SceneScore) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(InputError, match="cannot write the report"):
        page(tmp_path / "file" / "r.html", score, np.zeros((8, 8, 3), np.uint8))
