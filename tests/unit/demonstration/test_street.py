from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import islice

import cv2
import numpy as np
import pytest

from lfr.demonstration.street import Street
from lfr.evaluation.rehearsal_scene import demo_setup
from lfr.pipeline import AlertProposal
from lfr.sources import Scene, SceneFrame, SceneSettings
from lfr.types import FloatArray, Pixels

SETTINGS = SceneSettings(resolution_wh=(960, 540), fps=5, duration_s=20, people_per_minute=40)
SETUP = demo_setup(SETTINGS)
BEGAN = datetime(2026, 3, 2, 10, 0, tzinfo=UTC)


@pytest.fixture(scope="module")
def drawn() -> list[SceneFrame]:
    """The scene up to where somebody has been clearly in view for two seconds and more."""
    frames: list[SceneFrame] = []
    for seen in Scene(SETUP.walkers, SETTINGS).frames():
        frames.append(seen)
        if len(frames) > 10 and has_clear_face(frames[-1]) and has_clear_face(frames[-11]):
            return frames
    raise AssertionError("nobody was clearly in view")


@pytest.fixture
def street(drawn: list[SceneFrame]) -> Street:
    made = Street(SETUP.walkers, SETTINGS, listed=[subject for subject, _ in SETUP.references], began_at=BEGAN)
    times = [at for _, at in islice(made.stream(paced=False), len(drawn))]
    assert times[0] == BEGAN
    assert len(times) == made.frames == len(drawn)
    return made


def clear_widths(seen: SceneFrame) -> FloatArray:
    widths = seen.truth.xyxy[:, 2] - seen.truth.xyxy[:, 0]
    return np.where(seen.truth.visibility > 0.9, widths, 0.0).astype(np.float32)


def has_clear_face(seen: SceneFrame) -> bool:
    return bool((clear_widths(seen) > 24).any())


def jpeg(pixels: Pixels) -> bytes:
    return cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, 92])[1].tobytes()


def picture_of(seen: SceneFrame, row: int) -> bytes:
    """A face with half of it beside it, as an alert has it."""
    left, top, right, bottom = seen.truth.xyxy[row]
    half_w, half_h = (right - left) / 2, (bottom - top) / 2
    rows = slice(max(0, int(top - half_h)), int(bottom + half_h))
    return jpeg(seen.frame.pixels[rows, max(0, int(left - half_w)) : int(right + half_w)])


@pytest.mark.parametrize("frames_ago", [0, 10])
def test_whom_a_picture_shows_is_found_in_the_street_even_when_it_is_some_seconds_old(
    street: Street, drawn: list[SceneFrame], frames_ago: int
) -> None:
    seen = drawn[-1 - frames_ago]
    row = int(np.argmax(clear_widths(seen)))
    found = street.find(picture_of(seen, row), BEGAN + timedelta(seconds=drawn[-1].frame.time_s))
    assert found.pass_id == int(seen.truth.pass_id[row])
    assert found.time_s == seen.frame.time_s
    assert street.subject_of(found.pass_id) == seen.truth.subject_id[row]


def test_a_picture_that_is_nowhere_in_the_street_shows_nobody(street: Street) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (60, 50, 3)).astype(np.uint8)
    assert street.find(jpeg(noise), BEGAN + timedelta(seconds=16)).pass_id is None


def test_the_score_counts_everybody_who_came_into_view(street: Street, drawn: list[SceneFrame]) -> None:
    walked = {pass_id for seen in drawn for pass_id in seen.truth.pass_id.tolist()}
    names = {
        pass_id: subject
        for seen in drawn
        for pass_id, subject in zip(seen.truth.pass_id.tolist(), seen.truth.subject_id, strict=True)
    }
    listed = {subject for subject, _ in SETUP.references}
    right = next(pass_id for pass_id, subject in names.items() if subject in listed)
    wrong = next(pass_id for pass_id, subject in names.items() if subject not in listed)
    for pass_id in (right, wrong, None):
        alert = AlertProposal(1, names[right], 0.5, 1, 5, 1.0, 0.0, (0.0, 0.0, 1.0, 1.0))
        street.add_alert(alert, pass_id)
    score = street.score(faces_seen=9)
    assert {one.pass_id for one in score.passes} == walked
    assert score.tpir.count == 1
    assert score.tpir.of == sum(subject in listed for subject in names.values())
    assert score.fpir.count == 1
    assert score.fpir.of == len(walked) - score.tpir.of
    assert len(score.alerts) == 3
    assert len(score.unplaced) == 1
    assert score.as_dict()["failures_to_acquire"] is None
