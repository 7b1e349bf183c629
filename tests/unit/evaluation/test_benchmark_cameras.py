"""Many cameras in one process see what each of them would see alone, and a lost frame shows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from lfr.evaluation.benchmarks import cameras, failed_parity
from lfr.evaluation.benchmarks.cameras import time_cameras
from lfr.models import Model
from lfr.pipeline import Recogniser, enrol
from lfr.sources import demo_portraits
from tests.support.served import LISTED, STRANGER, write_walk


def timed(model: Model, folder: Path, **more: Any) -> list[dict[str, Any]]:
    """Time cameras of which every second sees somebody who is listed."""
    recogniser = Recogniser(model)
    reference = next(portrait.path for portrait in demo_portraits() if portrait.subject_id == LISTED)
    clips = [write_walk(folder / f"{who}.avi", who, frames=16) for who in (LISTED, STRANGER)]
    return time_cameras(clips, recogniser, enrol([(LISTED, reference)], recogniser), repeats=1, **more)


@pytest.mark.parametrize("detect_every", [1, 2])
def test_each_of_several_cameras_sees_what_its_street_gives_alone(
    detect_every: int, model: Model, tmp_path: Path
) -> None:
    one, five = timed(model, tmp_path, threads=2, cameras=[1, 5], detect_every=detect_every)
    assert failed_parity([one, five]) == []
    assert (one["parity"]["faces_seen"], one["parity"]["alerts"]) == (1, 1)
    assert (five["parity"]["faces_seen"], five["parity"]["alerts"]) == (5, 3)
    for row in (one, five):
        assert row["at_12_fps"] == row["ours"] // 12
        assert row["looked_at"] == pytest.approx(min(1.0, row["ours"] / (12 * row["cameras"])), abs=1e-3)
        assert row["busy_cores"] > 0
        assert row["unit"] == "frames/s"
        assert "640x360" in row["name"]


def test_a_camera_that_loses_frames_is_not_the_same(
    model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    take = cameras._Camera.take

    def losing(camera: cameras._Camera) -> bool:
        for _ in range(12):
            next(camera.frames, None)
        return take(camera)

    monkeypatch.setattr(cameras._Camera, "take", losing)
    (row,) = timed(model, tmp_path, threads=1, cameras=[1])
    assert row["parity"]["same_as_alone"] is False
    assert failed_parity([row])
