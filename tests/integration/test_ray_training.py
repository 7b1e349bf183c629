"""Ray Train runs the loop that one process runs, with many workers, and goes on where a worker was killed."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from lfr.evaluation import demo_faces
from lfr.models import Model
from lfr.training.ray_workers import fit_with_ray
from lfr.training.searching import search
from lfr.training.training import TrainingFiles, plan_training, prepare
from tests.unit.training.conftest import tiny

pytestmark = pytest.mark.long


@pytest.fixture
def files(model: Model, tmp_path: Path) -> TrainingFiles:
    def shown(items, total, description):  # type: ignore[no-untyped-def] # as they come
        del total, description
        return items

    prepared = prepare(demo_faces(), tiny().data, model, tmp_path, mirrored=False, shown=shown)
    return plan_training(prepared, tmp_path, mirrored=False)


def test_two_workers_train_together_and_leave_one_checkpoint(files: TrainingFiles) -> None:
    network, progressed = fit_with_ray(tiny(epochs=2), files, workers=2)
    assert progressed.finished
    assert [round(figures["images_per_s"]) > 0 for figures in progressed.history] == [True, True]
    assert not network.training


def test_a_killed_worker_is_started_again_and_goes_on(files: TrainingFiles) -> None:
    with _killing_after(Path(files.checkpoint)) as killed:
        _, progressed = fit_with_ray(tiny(epochs=12), files, workers=1)
    assert killed.is_set()
    assert progressed.epoch == 12
    assert len(progressed.history) == 12


def test_a_search_trains_every_combination_and_puts_the_best_first(files: TrainingFiles, tmp_path: Path) -> None:
    found = search(tiny(epochs=2), files, tmp_path / "search", {"optimiser.learning_rate": [1e-9, 3e-3]})
    assert [row["epochs"] for row in found] == [2, 2]
    assert found[0]["held_out_loss"] < found[1]["held_out_loss"]
    assert found[0]["optimiser.learning_rate"] == 3e-3


@contextmanager
def _killing_after(checkpoint: Path) -> Iterator[threading.Event]:
    """Kill the worker once its first checkpoint is there."""
    killed, over = threading.Event(), threading.Event()

    def kill() -> None:
        while not over.is_set() and not killed.is_set():
            time.sleep(0.02)
            workers = [p for p in psutil.Process().children(recursive=True) if "RayTrainWorker" in _title(p)]
            if checkpoint.is_file() and workers:
                workers[0].kill()
                killed.set()

    watcher = threading.Thread(target=kill)
    watcher.start()
    try:
        yield killed
    finally:
        over.set()
        watcher.join()


def _title(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""
