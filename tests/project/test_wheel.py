"""What a built wheel holds."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def built(folder: Path, **environment: str) -> set[str]:
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)],
        cwd=ROOT,
        env=os.environ | environment,
        capture_output=True,
        check=True,
    )
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


@pytest.mark.parametrize(("variable", "kept"), [("0", True), ("1", False)])
def test_the_demo_faces_can_be_left_out_and_nothing_else_changes(variable: str, kept: bool, tmp_path: Path) -> None:
    names = built(tmp_path, LFR_BUILD_WITHOUT_DEMO_FACES=variable)
    faces = {name for name in names if name.startswith("lfr/sources/demo_faces/")}
    assert bool(faces) is kept
    assert {
        "lfr/cli/app.py",
        "lfr/py.typed",
        "lfr/evaluation/templates/scene.html",
        "lfr/serving/console/static/index.html",
    } <= names
    assert not any(name.startswith(("tests/", "notebooks/")) for name in names)
