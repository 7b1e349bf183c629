"""Resident memory of one camera that runs for long."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from statistics import median

import pytest

SOAK = Path(__file__).parents[1] / "support" / "soak.py"
MOST_MIB, MOST_GROWTH_MIB = 1024.0, 32.0


@pytest.mark.parametrize(
    ("least_s", "least_rounds"), [(0.0, 6), pytest.param(600.0, 6, marks=[pytest.mark.long, pytest.mark.timeout(900)])]
)
def test_a_busy_camera_stays_under_a_gibibyte_and_does_not_grow(
    least_s: float,
    least_rounds: int,
    eval_data: Path,
    demo_faces: list[Path],
) -> None:
    video = eval_data / "video" / "street_crowd_1080p.mp4"
    ran = subprocess.run(
        [sys.executable, str(SOAK), str(video), str(demo_faces[0]), str(least_s), str(least_rounds)],
        capture_output=True,
        text=True,
        timeout=least_s + 240.0,
        check=True,
    )
    seen = json.loads(ran.stdout)
    resident = seen["resident_mib"]
    assert seen["faces_seen"] > 0
    assert max(resident) < MOST_MIB, resident
    # The first round fills caches and pools; after it the second half must not lie over the first.
    after = resident[1:]
    half = len(after) // 2
    assert median(after[-half:]) - median(after[:half]) < MOST_GROWTH_MIB, resident
