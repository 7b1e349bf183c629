"""Ray Data makes the very file that one process makes, and nothing of a face passes through Ray."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from lfr.evaluation import demo_faces, embed
from lfr.models import load_model


def test_embedding_with_ray_gives_the_same_bytes_and_leaves_nothing_behind(tmp_path: Path) -> None:
    pytest.importorskip("ray")
    with_ray, alone = tmp_path / "ray.parquet", tmp_path / "alone.parquet"
    command = [sys.executable, "-m", "lfr.cli", "evaluate", "embed", "--dataset", "demo", "-o", str(with_ray)]
    done = subprocess.run(
        [*command, "--ray", "--workers", "2", "--json"],
        env={**os.environ, "LFR_HOME": str(tmp_path / "home")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("{")
    embed(demo_faces(), load_model("openvino-f32", threads=1), alone)
    assert with_ray.read_bytes() == alone.read_bytes()
    assert with_ray.stat().st_mode & 0o777 == 0o600
    assert sorted(path.name for path in tmp_path.iterdir()) == ["alone.md", "alone.parquet", "ray.md", "ray.parquet"]
