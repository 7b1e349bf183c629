"""Drills that are run one after another: one that breaks off is told as not held, and the next is tried."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.drills import __main__ as running
from tests.drills.finding import Finding, Length
from tests.drills.ground import Ground


def holds(_: Ground, length: Length) -> Iterator[Finding]:
    yield Finding("a promise", f"tried in the {length} form", 3, True)


def breaks_off(_: Ground, length: Length) -> Iterator[Finding]:
    yield from holds(_, length)
    raise RuntimeError("made up")


@pytest.mark.parametrize(("drills", "exit_code"), [({"a": holds, "b": holds}, 0), ({"a": breaks_off, "b": holds}, 1)])
def test_every_drill_is_tried_and_told(
    drills: dict[str, object], exit_code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running, "DRILLS", drills)
    monkeypatch.setattr("sys.argv", ["drills", "--short", "--json", str(tmp_path / "found.json")])
    assert running.main() == exit_code
    found = json.loads((tmp_path / "found.json").read_text(encoding="utf-8"))
    told = [(one["drill"], one["held"]) for one in (found["findings"] if isinstance(found, dict) else found)]
    held = ("tried in the short form", True)
    assert told == ([held, held] if exit_code == 0 else [held, ("broke off before its end", False), held])
