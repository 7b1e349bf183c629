"""What the drill of what is kept searches: it finds a stranger in files and in memory of processes, and says where."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import cv2
import numpy as np
import psutil
import pytest

from lfr.models import Model
from lfr.pipeline import Recogniser
from lfr.sources import decode_image
from lfr.types import Pixels
from tests.drills import kept, places
from tests.drills.canary import OVERLAP, Canary
from tests.support.service import RunningService

HOLDS = """
import resource, sys, tempfile
resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
kept = open(sys.argv[1], "rb").read()
file = tempfile.TemporaryFile()
file.write(kept)
file.flush()
print("holds", flush=True)
sys.stdin.readline()
"""


@pytest.fixture(scope="module")
def canary(model: Model) -> Canary:
    return Canary(model)


@pytest.fixture(scope="module")
def shown(canary: Canary) -> Pixels:
    return decode_image(canary.jpeg, name="the canary")


@dataclass
class Pretending:
    """A process that keeps something, in a session of its own, where a service's node would be."""

    folder: Path
    process: subprocess.Popen[str]

    @property
    def service(self) -> RunningService:
        """As the drill sees it."""
        node = SimpleNamespace(folder=self.folder / "ray", spill_folder=self.folder / "spill")
        supervisor = SimpleNamespace(node=node, node_pid=self.process.pid)
        return RunningService(cast("Any", supervisor), cast("Any", SimpleNamespace(home=self.folder / "home")), [], 0.0)


@pytest.fixture
def pretending(tmp_path: Path, canary: Canary) -> Iterator[Pretending]:
    source = tmp_path / "source"
    source.write_bytes(canary.jpeg)
    words = [sys.executable, "-c", HOLDS, str(source)]
    with subprocess.Popen(
        words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as running:
        assert running.stdout is not None
        assert running.stdout.readline() == "holds\n"
        source.unlink()
        for name in ("home", "ray", "spill"):
            (tmp_path / name).mkdir()
        yield Pretending(tmp_path, running)
        assert running.stdin is not None
        running.stdin.write("\n")


@pytest.mark.parametrize(
    ("form", "name"),
    [
        (lambda c, p: c.jpeg, "mark"),
        (lambda c, p: c.jpeg.hex().encode(), "mark"),
        (lambda c, p: p.tobytes(), "picture"),
        (lambda c, p: np.ascontiguousarray(p.transpose(2, 0, 1)).tobytes(), "plane"),
        (lambda c, p: np.ascontiguousarray(p.transpose(2, 0, 1), np.float32).tobytes(), "plane"),
        (lambda c, p: bytes(cv2.imencode(".jpg", cv2.resize(p, (320, 180)))[1].tobytes()), "encoded again"),
        (lambda c, p: bytes(cv2.imencode(".png", p[70:294, 40:264])[1].tobytes()), "encoded again"),
    ],
    ids=["encoded", "hexadecimal", "pixels", "planes", "float planes", "made small", "the face alone"],
)
def test_a_frame_is_found_in_every_form(canary: Canary, shown: Pixels, form: Any, name: str) -> None:
    noise = np.random.default_rng(1).bytes(1 << 20)
    assert canary.found(noise) == canary.found(b"") == canary.found(b"x") == {}
    assert canary.found(noise + form(canary, shown) + noise)[name] >= 1


def test_a_crop_and_a_template_are_found_in_every_form(canary: Canary, shown: Pixels, model: Model) -> None:
    recogniser, noise = Recogniser(model), np.random.default_rng(2).bytes(1 << 20)
    crops, _ = recogniser.crops(shown, recogniser.detect(shown)[:1])
    vector = recogniser.embed(crops).vectors[0]
    assert canary.found(noise + crops.tobytes())["crop"] == 1
    for shift in (0, 1):  # in a file it lies anywhere
        assert canary.found(noise + b"x" * shift + vector.tobytes())["template"] == 1
    assert canary.found(noise + vector.astype(np.float64).tobytes())["template"] == 1
    assert canary.found(str(vector.tolist()).encode())["text"] == 1


def test_somebody_else_is_not_taken_for_the_canary(canary: Canary, model: Model, demo_faces: list[Path]) -> None:
    recogniser = Recogniser(model)
    other = decode_image(demo_faces[0].read_bytes(), name="somebody else")
    crops, _ = recogniser.crops(other, recogniser.detect(other)[:1])
    vector = recogniser.embed(crops).vectors[0]
    assert canary.found(other.tobytes() + crops.tobytes() + vector.tobytes() + demo_faces[0].read_bytes()) == {}
    assert not canary.shows(demo_faces[0].read_bytes())


def test_every_place_is_searched_and_named(pretending: Pretending, canary: Canary) -> None:
    folder, since = pretending.folder, time.time() - 2
    at = {
        "database": folder / "home" / "lfr.db",
        "database's log": folder / "home" / "lfr.db-wal",
        "MLflow": folder / "home" / "artifacts" / "0" / "figure.png",
        "lfr's folder": folder / "home" / "evaluation" / "x",
        "logs": folder / "ray" / "session" / "logs" / "worker.err",
        "Ray's folder": folder / "ray" / "session" / "x",
        "temporary files": folder / "spill" / "x",
    }
    for path in at.values():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x" * 100 + canary.jpeg)
    found = places.in_files(pretending.service, canary.found, since=since, overlap=OVERLAP)
    assert {place for place, counted in found.items() if counted} == {*at, "unlinked files"}
    long_ago = places.in_files(pretending.service, canary.found, since=time.time() + 60, overlap=OVERLAP)
    assert {place for place, counted in long_ago.items() if counted} == {"unlinked files"}


def test_memory_is_searched_from_outside(pretending: Pretending, canary: Canary) -> None:
    process = psutil.Process(pretending.process.pid)
    held = places.in_memory(process, canary.found_in_memory, overlap=OVERLAP)
    assert canary.marks_each <= held["mark"] <= 4 * canary.marks_each
    parts = kept.look_at_parts(pretending.service, canary, "short")
    assert sum(counted["mark"] for counted in parts.values()) == held["mark"]
    many = {"Camera": held + held + held + held + held + held}
    assert kept.in_parts(many, frames=99, marks_each=canary.marks_each // 2).held is False


def test_a_process_that_may_leave_a_core_dump_is_found(pretending: Pretending, monkeypatch: pytest.MonkeyPatch) -> None:
    assert kept.look_at_limits(pretending.service).held
    monkeypatch.setattr(kept, "core_limits", lambda _: {"Camera 7": "unlimited"})
    found = kept.look_at_limits(pretending.service)
    assert (found.held, found.detail) == (False, "Camera 7 may leave a core dump of unlimited bytes")
