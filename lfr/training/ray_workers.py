"""Training with Ray Train: one worker on one CPU or GPU, or many, run the very loop that one process runs.

With several workers gradients are the mean over them, but what looks at a whole batch sees a worker's share of it
only: batch norms, and the relation of a distillation. So many workers do not give the weights that one gives.

What travels through Ray is settings and names of files. A worker that is
killed is started again by Ray, and goes on from the last checkpoint.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from lfr.errors import InputError, LfrError, TrainingError
from lfr.models.network import ImageNetwork
from lfr.training.checkpoints import Progressed, read_checkpoint, trained_weights
from lfr.training.config import TrainingConfig
from lfr.training.networks import build_network
from lfr.training.node import local_node
from lfr.training.training import TrainingFiles, fit

__all__ = ["check_workers", "fit_with_ray", "root_of"]

_RESTARTS = 2
_LOOK_S = 1.0

Said = Callable[[int, dict[str, float]], None]


class _RayWorker:
    """A worker of Ray Train, which may be the only one."""

    def __init__(self) -> None:
        from ray import train  # noqa: PLC0415
        from ray.train import torch as ray_torch  # noqa: PLC0415

        context = train.get_context()
        self.rank, self.workers = context.get_world_rank(), context.get_world_size()
        self.device = ray_torch.get_device()

    def prepare(self, module: nn.Module) -> nn.Module:
        """Return the module as it is trained together."""
        if self.workers == 1:
            return module
        return nn.parallel.DistributedDataParallel(module)

    def mean(self, values: Tensor) -> Tensor:
        """Return the mean of a vector over the workers."""
        if self.workers > 1:
            torch.distributed.all_reduce(values)
        mean: Tensor = values / self.workers
        return mean


def check_workers(config: TrainingConfig, workers: int) -> None:
    """Raise InputError where several workers are to end by the clock: each has its own, and some would wait on."""
    if workers > 1 and config.most_minutes is not None:
        raise InputError(
            f"--workers {workers} with most_minutes {config.most_minutes:g}: several workers cannot end by the clock; "
            "train with one, or set most_minutes: null and choose epochs"
        )


def fit_with_ray(
    config: TrainingConfig,
    files: TrainingFiles,
    *,
    workers: int,
    gpu: bool = False,
    restarts: int = _RESTARTS,
    said: Said = lambda _, __: None,
) -> tuple[ImageNetwork, Progressed]:
    """Train with so many workers on a Ray node of this machine, and return what `lfr.training.training.fit` does.

    Parameters
    ----------
    config, files
        As for `lfr.training.training.fit`.
    workers
        Processes that train together; a batch is shared out among them.
    gpu
        Whether each has a GPU.
    restarts
        How often the workers are started again after one was killed.
    said
        Told the figures of each epoch, in this process and a second later at most.

    Raises
    ------
    InputError
        Several workers are to end by the clock.
    TrainingError
        A worker failed for good; what it said is passed on.
    """
    check_workers(config, workers)
    told = {
        "config": config.model_dump_json(),
        "files": asdict(files),
        "threads": config.threads or max(1, (os.cpu_count() or 1) // workers),
    }
    with local_node(max(workers, 1) + 1) as folder, _passed_on(folder / "epochs", said) as epochs:
        told["epochs"] = str(epochs)
        from ray.train import FailureConfig, RunConfig, ScalingConfig  # noqa: PLC0415
        from ray.train.torch import TorchTrainer  # noqa: PLC0415

        trainer = TorchTrainer(
            _train,
            train_loop_config=told,
            scaling_config=ScalingConfig(num_workers=workers, use_gpu=gpu),
            run_config=RunConfig(
                name="training", storage_path=str(folder), failure_config=FailureConfig(max_failures=restarts)
            ),
        )
        try:
            trainer.fit()
        except LfrError:
            raise
        except Exception as error:  # whatever a worker raised comes wrapped in Ray's own
            raise TrainingError(f"a training worker failed: {root_of(error)}") from error
    found = read_checkpoint(Path(files.checkpoint), made_from=files.made_from)
    if found is None:
        raise TrainingError(f"{files.checkpoint}: the workers ended without a checkpoint")
    content, progressed = found
    network = build_network(config.backbone, seed=config.seed)
    network.load_state_dict(trained_weights(content, blends=bool(config.blend)))
    return network.eval(), progressed


def _train(told: dict[str, Any]) -> None:
    """What each worker runs."""
    from ray import train  # noqa: PLC0415

    torch.set_num_threads(told["threads"])
    config = TrainingConfig.model_validate_json(told["config"])
    files = TrainingFiles(**told["files"])
    fit(config, files, worker=_RayWorker(), said=partial(_write_down, Path(told["epochs"])))
    train.report({"finished": True})


def _write_down(epochs: Path, epoch: int, figures: dict[str, float]) -> None:
    with epochs.open("a", encoding="utf-8") as file:
        file.write(json.dumps([epoch, figures]) + "\n")


@contextmanager
def _passed_on(epochs: Path, said: Said) -> Iterator[Path]:
    """Yield a file in which a worker writes down its epochs, and pass them on until the end."""
    over = threading.Event()

    def pass_on() -> None:
        passed, ended = 0, False
        while not ended:
            ended = over.wait(_LOOK_S)  # what was written before the end is read after it
            whole = epochs.read_text(encoding="utf-8").rpartition("\n")[0] if epochs.is_file() else ""
            for line in whole.splitlines()[passed:]:
                passed += 1
                said(*json.loads(line))

    thread = threading.Thread(target=pass_on, daemon=True)
    thread.start()
    try:
        yield epochs
    finally:
        over.set()
        thread.join()


def root_of(error: BaseException) -> str:
    """Return the last thing that was wrong in what Ray raised, in one line."""
    while error.__cause__ is not None:
        error = error.__cause__
    lines = [line for line in str(error).splitlines() if line.strip()]
    return lines[-1].strip() if lines else type(error).__name__
