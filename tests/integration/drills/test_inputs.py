"""The fuzzing holds; its seeds are read, and it finds what crashes, what hangs, and what raises another error."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from lfr.errors import InputError
from lfr.serving.api import stream
from tests.drills import inputs, messages
from tests.drills.catalogue import DRILLS
from tests.drills.ground import Ground, Interface
from tests.support.findings import Findings


def test_no_input_hurts(ground: Ground, findings: Findings) -> None:
    findings.all_held(DRILLS["inputs"](ground, "short"))


def test_a_message_that_is_answered_wrongly_is_found(interface: Interface, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "problem_of", lambda error: {"type": "about:blank", "detail": str(error)})
    found = messages.websocket(interface, seconds=0.0)
    assert found.held is False
    assert "answered with" in found.detail


@pytest.mark.parametrize("name", inputs.TARGETS)
def test_what_is_mutated_is_right_before(name: str, tmp_path: Path) -> None:
    target = inputs.TARGETS[name]
    for seed in target.seeds(tmp_path):
        path = tmp_path / f"input{target.suffix}"
        path.write_bytes(seed)
        target.read(path)


def careless(path: Path) -> None:
    content = path.read_bytes()
    if b"9999" in content:
        raise ValueError("a number that nobody expected")
    if not content.startswith(b"{"):
        raise InputError("no document")


def hangs(path: Path) -> None:
    if b"9999" in path.read_bytes():
        time.sleep(0.3)


def test_an_error_of_another_kind_is_found_and_its_input_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inputs, "CORPUS", tmp_path / "corpus")
    target = inputs.Target(".json", lambda _: [b'{"number": 1}'], careless)
    told = inputs.fuzz(target, "made up", tmp_path, seconds=0.5, seed=1)
    assert any("ValueError: a number that nobody expected" in defect for defect in told["defects"])
    kept = list((tmp_path / "corpus" / "made up").iterdir())
    assert all(b"9999" in path.read_bytes() for path in kept)
    again = inputs.fuzz(target, "made up", tmp_path, seconds=0.0, seed=2)
    assert (again["tries"], len(again["defects"])) == (1 + len(kept), 1)


def test_an_input_that_takes_long_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inputs, "CORPUS", tmp_path / "corpus")
    monkeypatch.setattr(inputs, "_MOST_S", 0.2)
    target = inputs.Target(".json", lambda _: [b'{"number": 9999}'], hangs)
    told = inputs.fuzz(target, "made up", tmp_path, seconds=0.0, seed=1)
    assert any("took" in defect for defect in told["defects"])


def test_a_crash_is_found_and_the_next_target_still_tried(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # A sitecustomize of the test's own breaks the reader in the drill's process.
    (tmp_path / "sitecustomize.py").write_text("import os, tomllib\ntomllib.loads = lambda *_: os.abort()\n")
    paths = [str(tmp_path), str(Path(__file__).parents[3]), os.environ.get("PYTHONPATH", "")]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(paths))
    monkeypatch.setattr(inputs, "CORPUS", tmp_path / "corpus")
    some = {name: inputs.TARGETS[name] for name in ("requests-in-TOML", "calibrations")}
    monkeypatch.setattr(inputs, "TARGETS", some)
    broken, read = inputs.drills("short")
    assert (broken.held, read.held) == (False, True)
    assert "the process ended with -6" in broken.detail
