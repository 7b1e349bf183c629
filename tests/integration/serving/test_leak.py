"""The drill of what is kept finds a stage that keeps something, in every place: else it would prove nothing."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from lfr.client import FieldUnit
from lfr.models import Model
from tests.drills import kept
from tests.drills.canary import Canary
from tests.drills.finding import Problems
from tests.support.service import RunningService, running_service

LEAKING = Path(__file__).parents[2] / "support" / "leaking"
PLACES = {
    "database", "database's log", "MLflow", "lfr's folder", "logs", "Ray's folder", "shared memory", "temporary files",
    "unlinked files", "core dumps",
}  # fmt: skip


@pytest.fixture
def leaking(one_thread_model: Model, monkeypatch: pytest.MonkeyPatch) -> Iterator[RunningService]:
    """A service one of whose stages leaks."""
    given = os.environ.get("PYTHONPATH")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(LEAKING), *([given] if given else [])]))
    with running_service(one_thread_model) as service:
        yield service
    for folder in (Path("/dev/shm"), Path(tempfile.gettempdir())):
        for path in folder.glob("lfr-leak-*"):
            path.unlink()
    for path in Path.cwd().glob("core.lfr-leak-*"):
        path.unlink()


@pytest.mark.timeout(600)
def test_a_stage_that_leaks_is_found_in_every_place(leaking: RunningService, one_thread_model: Model) -> None:
    since, canary, one = time.time() - 1, Canary(one_thread_model), leaking.made.another(one_thread_model)
    files, engine = Problems("", "files"), Problems("", "memory")
    with FieldUnit(leaking.url, one.keys["field_unit"]) as unit, unit.frames(one.deployment_id, "south") as stream:
        for jpeg, at in canary.stand(12):
            stream.send(jpeg, captured_at=at)
        stream.finish()
        leaks = kept.look_at_files(leaking, canary, files, since=since)
        assert set(leaks) == PLACES
        kept.look_at_engine(leaking, canary, engine, "short")
        assert any("raylet" in what and "picture" in what for what in engine.found), engine.found
        parts = kept.look_at_parts(leaking, canary, "short")
    held = kept.in_parts(parts, frames=12, marks_each=canary.marks_each)
    assert held.held is False
    assert "Detector" in held.detail
    alive = kept.nothing_alive(leaking, within_s=2.0)
    assert alive.held is False
    assert "camera crops" in alive.detail
    after = kept.after_the_end(leaking, one, canary, within_s=15.0)
    assert after.held is False
    assert "Detector" in after.detail
