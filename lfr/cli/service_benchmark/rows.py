"""What the rows of the benchmark document are made of."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

from lfr.cli.service_benchmark.consumption import Consumption
from lfr.cli.service_benchmark.sides import Run
from lfr.errors import ServiceError
from lfr.evaluation.benchmarks import ENTRIES_TOLD, search_core_ms
from lfr.models import Model
from lfr.serving.starting import StartTimes

__all__ = ["core_ms", "sameness", "sizing_of", "start_row", "timed_row"]

_CAMERA_FPS = (5, 12, 25)
_LEAST_ENTRIES = 5_000
_LEAST_MS = 0.05
_PEER = """\
import sys
from pathlib import Path
import lfr.pipeline.watching
from lfr.models import load_model
name, threads, weights = sys.argv[1:]
print(load_model(name, threads=int(threads), weights=Path(weights) if weights else None).digest)
"""


def timed_row(
    kind: str,
    name: str,
    ours: Sequence[float],
    peer: Sequence[float],
    *,
    peer_name: str,
    unit: str,
    parity: dict[str, Any],
) -> dict[str, Any]:
    """Return a row of medians and spreads.

    Parameters
    ----------
    kind
        One of `SERVICE_ROWS`.
    name, unit
        What was measured, and in what.
    ours, peer
        One value for each turn.
    peer_name
        Whom it was measured against.
    parity
        What shows that both did the same.
    """
    return {
        "kind": kind,
        "name": name,
        "ours": round(median(ours), 3),
        "peer": round(median(peer), 3),
        "peer_name": peer_name,
        "ratio": round(median(ours) / median(peer), 2),
        "unit": unit,
        "parity": parity,
        "repeats": len(ours),
        "ours_spread": [round(min(ours), 3), round(max(ours), 3)],
        "peer_spread": [round(min(peer), 3), round(max(peer), 3)],
    }


def start_row(started: StartTimes, model: Model, *, threads: int, weights: Path | None) -> dict[str, Any]:
    """Set the service's start against that of a process which has pipeline and model ready, and serves nobody.

    Raises
    ------
    ServiceError
        That process ended with an error.
    """
    words = [sys.executable, "-c", _PEER, model.version.name, str(threads), str(weights or "")]
    began = time.perf_counter()
    done = subprocess.run(words, capture_output=True, text=True, check=False)  # noqa: S603 # our own command
    took_s = time.perf_counter() - began
    if done.returncode:
        raise ServiceError(f"the pipeline did not start: {''.join(done.stderr.strip().splitlines()[-1:])}")
    row = timed_row(
        "start",
        "lfr serve, to its first answer",
        [started.total_s],
        [took_s],
        peer_name="one process with pipeline and model, no service",
        unit="s, less is better",
        parity={"same_model": done.stdout.strip() == model.digest},
    )
    return row | {"start": started.as_dict()}


def sizing_of(
    fast: dict[str, Any],
    resident: dict[str, float],
    used: Consumption,
    *,
    references: int,
    searched: int,
    feed_camera_mib: float | None,
) -> dict[str, Any]:
    """Return what a frame, a camera and a list need, from what the service's processes used.

    Parameters
    ----------
    fast
        The row of frames in flight.
    resident
        Resident memory of each part before the large list was made.
    used
        Of the service's processes, the largest of whose matchers has the large list now.
    references
        On that list.
    searched
        On the list that a search is timed with, in this process.
    feed_camera_mib
        Of a camera that the service reads; None: it read none.
    """
    frames_s = 1000 / sum(fast["core_ms_per_frame"][0].values())
    more_mib = used.largest_mib("matcher") - resident.get("matcher", 0.0)
    told = round(more_mib * ENTRIES_TOLD / references, 1) if references >= _LEAST_ENTRIES else None
    return {
        "of": fast["name"],
        "frames_per_core_s": round(frames_s, 2),
        "faces_per_core_s": round(frames_s * fast["faces_per_frame"], 1),
        "cameras_per_core": {f"{fps}_fps": round(frames_s / fps, 2) for fps in _CAMERA_FPS},
        "resident_mib": resident,
        "feed_camera_mib": feed_camera_mib,
        "matcher_mib_per_10000_entries": told,
        "search_core_ms_per_million": round(search_core_ms(searched) * 1_000_000 / searched, 1),
    }


def core_ms(runs: Sequence[Run]) -> dict[str, float]:
    """Return the milliseconds of a core that each part uses for a frame, those that use none left out."""
    spent = {
        part: median(1000 * run.core_s.get(part, 0.0) / run.frames for run in runs)
        for part in sorted({part for run in runs for part in run.core_s})
    }
    return {part: round(ms, 1) for part, ms in spent.items() if ms >= _LEAST_MS}


def sameness(ours: Sequence[Run], peer: Sequence[Run]) -> dict[str, Any]:
    """Return whether both sides came to the same in every turn, and to what in the last."""
    turns = list(zip(ours, peer, strict=True))
    return {
        "same_frames": all(a.frames == b.frames for a, b in turns),
        "same_people": all(a.faces_seen == b.faces_seen for a, b in turns),
        "same_alerts": all(a.alerts == b.alerts for a, b in turns),
        "alerts_raised": len(ours[-1].alerts),
        "people": ours[-1].faces_seen,
    }
