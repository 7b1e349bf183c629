"""How long lfr takes to begin, in a process of its own each time, and how much memory it takes at most."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

from lfr.evaluation.benchmarks.peers import yunet_onnx
from lfr.evaluation.benchmarks.timing import Progress, Timing, benchmark_row
from lfr.sources import demo_portraits

__all__ = ["bench_start"]

_ALONE, _NOTHING = "Python alone", "pass"
_OPENCV = """
import sys, cv2
picture = cv2.imread(sys.argv[2])
found = cv2.FaceDetectorYN.create(sys.argv[1], "", picture.shape[1::-1], 0.7).detect(picture)[1]
print(0 if found is None else len(found))
"""


# A process that is begun by a large one is said to have taken as much, so a small one begins it.
_RUNNER = """
import json, os, subprocess, sys, time
began = time.perf_counter()
process = subprocess.Popen([sys.executable, *sys.argv[1:]], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
output = process.stdout.read().decode()
_, status, usage = os.wait4(process.pid, 0)
took_s = time.perf_counter() - began
status = process.returncode = os.waitstatus_to_exitcode(status)
peak_mib = usage.ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)
print(json.dumps({"output": output, "status": status, "took_s": took_s, "peak_mib": peak_mib}))
"""


@dataclass(frozen=True)
class _Run:
    """One run of a command: what it printed, exit status, seconds, the most MiB that it took."""

    output: str
    status: int
    took_s: float
    peak_mib: float


def _run(words: Sequence[str]) -> _Run:
    said = subprocess.run(  # noqa: S603 # this interpreter, and words from this file
        [sys.executable, "-c", _RUNNER, *words], capture_output=True, text=True, check=True
    )
    return _Run(**json.loads(said.stdout))


def bench_start(*, repeats: int = 5, weights: Path | None = None, progress: Progress = iter) -> list[dict[str, Any]]:
    """Time `lfr --help`, `import lfr` and `lfr detect` on a picture, in processes of their own.

    The peer of the first two is Python that does nothing, of the third Python
    with OpenCV's detector and the same network on the same picture.

    Parameters
    ----------
    repeats
        Turns of each side after one to warm up; medians count.
    weights
        Folder of the weight pack; None takes the installed one.
    progress
        Wraps the numbers of the commands.

    Returns
    -------
    One row of the benchmark document each; ``took_s`` are the seconds of one, ``peak_mib`` the memory at most.
    """
    picture = str(demo_portraits()[0].path)
    with TemporaryDirectory() as folder:
        network = Path(folder, "yunet.onnx")
        network.write_bytes(yunet_onnx(weights))
        nothing, opencv = ("-c", _NOTHING), ("-c", _OPENCV, str(network), picture)
        commands = (
            ("lfr --help", ("-m", "lfr.cli", "--help"), _ALONE, nothing),
            ("import lfr", ("-c", "import lfr"), _ALONE, nothing),
            ("lfr detect, one picture", ("-m", "lfr.cli", "detect", picture, "--json"), "Python and OpenCV", opencv),
        )
        return [_row(*commands[i], repeats=repeats) for i in progress(range(len(commands)))]


def _row(name: str, ours: Sequence[str], peer_name: str, peer: Sequence[str], *, repeats: int) -> dict[str, Any]:
    _run(ours), _run(peer)  # files are in memory from then on, and the detector in the user's cache
    turns = [(_run(ours), _run(peer)) for _ in range(repeats)]
    parity: dict[str, Any] = {"ran": all(run.status == 0 for turn in turns for run in turn)}
    if peer_name != _ALONE:
        found = [(json.loads(run.output)["images"][0]["faces"], int(other.output)) for run, other in turns]
        parity["same_faces"] = all(len(faces) == count for faces, count in found)
    timing = Timing(tuple(run.took_s for run, _ in turns), tuple(run.took_s for _, run in turns))
    row = benchmark_row(
        name, timing, items=1, unit="starts", peer_name=peer_name, parity=parity, version="none: a command", threads=1
    )
    return row | {
        "took_s": round(median(timing.ours_s), 3),
        "peak_mib": round(max(run.peak_mib for run, _ in turns), 1),
    }
