"""Ray Train runs the loop that one process runs, with many workers, and goes on where a worker was killed.

Ray runs in a process of its own: what it leaves open at its end is no business of the other tests.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.long, pytest.mark.timeout(600)]

_PREPARE = """
import json, pathlib, sys, threading, time
import psutil
from lfr.evaluation import demo_faces
from lfr.models import load_model
from lfr.training.ray_workers import fit_with_ray
from lfr.training.searching import search
from lfr.training.training import plan_training, prepare
from tests.unit.training.conftest import tiny

home = pathlib.Path(sys.argv[1])
prepared = prepare(
    demo_faces(), tiny().data, load_model(threads=1), home, mirrored=False, shown=lambda items, total, what: items
)
files = plan_training(prepared, home, mirrored=False)
"""


def ran(home: Path, script: str) -> Any:  # what the script printed
    done = subprocess.run(
        [sys.executable, "-c", _PREPARE + script, str(home)],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
        text=True,
        timeout=580,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


def test_two_workers_train_together_and_leave_one_checkpoint(tmp_path: Path) -> None:
    script = """
said = []
network, progressed = fit_with_ray(tiny(epochs=2), files, workers=2, said=lambda epoch, _: said.append(epoch))
print(json.dumps([progressed.finished, len(progressed.history), network.training, said]))
"""
    assert ran(tmp_path, script) == [True, 2, False, [0, 1, 2]]


def test_a_killed_worker_is_started_again_and_goes_on(tmp_path: Path) -> None:
    script = """
killed, over = threading.Event(), threading.Event()

def title(process):
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""

def kill():
    while not over.is_set() and not killed.is_set():
        time.sleep(0.02)
        workers = [p for p in psutil.Process().children(recursive=True) if "RayTrainWorker" in title(p)]
        if workers and pathlib.Path(files.checkpoint).is_file():
            workers[0].kill()
            killed.set()

watcher = threading.Thread(target=kill)
watcher.start()
_, progressed = fit_with_ray(tiny(epochs=12), files, workers=1)
over.set()
watcher.join()
print(json.dumps([killed.is_set(), progressed.epoch, len(progressed.history)]))
"""
    assert ran(tmp_path, script) == [True, 12, 12]


def test_a_search_trains_every_combination_and_puts_the_best_first_and_those_that_failed_last(tmp_path: Path) -> None:
    script = """
said = []
wild = tiny(epochs=2, optimiser={"clip_norm": 1e30, "warm_up_share": 0.0})
found = search(wild, files, home / "search", {"optimiser.learning_rate": [1e-9, 1e30, 3e-3]}, said=said.append)
print(json.dumps([found, said]))
"""
    (*good, wild), said = ran(tmp_path, script)
    assert (
        sum(line.startswith("trial 3 of 3, optimiser.learning_rate 0.003: epoch ") for line in said) == 3
    )  # 0 is before the first
    assert [row["epochs"] for row in good] == [2, 2]
    assert good[0]["held_out_loss"] < good[1]["held_out_loss"]
    assert good[0]["optimiser.learning_rate"] == 3e-3
    assert [row["failed"] for row in good] == ["", ""]
    assert (wild["optimiser.learning_rate"], wild["held_out_loss"]) == (1e30, None)
    assert "loss is" in wild["failed"]
