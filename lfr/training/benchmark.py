"""What the training loop costs beside a plain PyTorch loop over the same batches, in turn on one machine."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from lfr.evaluation import demo_faces
from lfr.evaluation.benchmarks import Timing, benchmark_row
from lfr.models import Model
from lfr.training.config import TrainingConfig
from lfr.training.crops import open_crops
from lfr.training.faces import Faces, Order, batches
from lfr.training.networks import build_network, set_training
from lfr.training.objectives import DistillationLoss
from lfr.training.training import TrainingFiles, fit, plan_training, prepare

__all__ = ["bench_train"]

_SETTINGS: dict[str, Any] = {
    "kind": "training",
    "question": "What does the loop cost?",
    "data": {"dataset": "demo"},
    "backbone": {"frozen_layers": 9},
    "objective": {"kind": "distillation"},
    "augmentation": {"flip": False},
    # A constant rate and no clipping: steps that the plain loop takes too. The running mean of weights is ours alone.
    "optimiser": {"warm_up_share": 0.0, "last_share": 1.0, "clip_norm": 1e9, "average": 0.99, "train_norms": False},
    "epochs": 2,
    "held_out_images": 8,
    "batch_size": 16,
    "precision": "f32",
    "licence": "none",
}
_AIM = 0.95


def bench_train(teacher: Model, home: Path, *, images: int, repeats: int, threads: int) -> dict[str, Any]:
    """Train a student on the demo faces with `fit` and with a plain loop, in turn; the second epoch of each counts.

    Parameters
    ----------
    teacher
        The default model.
    home
        Folder that is kept as ``LFR_HOME`` is.
    images
        Images of an epoch.
    repeats
        Turns of each side.
    threads
        Of torch, on both sides.

    Returns
    -------
    A row of the benchmark document. Parity is how far the mean losses of the second epochs are apart.
    """
    config = TrainingConfig.model_validate({**_SETTINGS, "images_an_epoch": images, "threads": threads})
    prepared = prepare(demo_faces(), config.data, teacher, home, mirrored=False, shown=lambda items, _, __: items)
    files = plan_training(prepared, home, mirrored=False)
    trained = len(Order(len(prepared.split.train), config.batch_size, seed=0, drawn=images)) * config.batch_size
    ours, peer, apart = [], [], []
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        for turn in range(repeats):
            _, progressed = fit(config, replace(files, checkpoint=str(home / f"turn-{turn}.pt")))
            figures = progressed.history[-1]
            seconds, loss = _plain(config, files)
            ours.append(trained / figures["images_per_s"])
            peer.append(seconds)
            apart.append(abs(figures["loss"] - loss))
    finally:
        torch.set_num_threads(before)
    row = benchmark_row(
        f"training, batches of {config.batch_size}",
        Timing(tuple(ours), tuple(peer)),
        items=trained,
        unit="images",
        peer_name="plain PyTorch loop",
        parity={"loss_difference": max(apart)},
        version=teacher.version.name,
        threads=threads,
    )
    del row["other_load"]  # the loader's process would count as others'
    return {**row, "aim": f"at least {_AIM}", "reached": row["ratio"] >= _AIM}


def _plain(config: TrainingConfig, files: TrainingFiles) -> tuple[float, float]:
    """Seconds and mean loss of the second epoch of what anybody would write."""
    crops = open_crops(Path(files.crops))
    chosen = np.flatnonzero(np.load(files.plan)["trains"])
    targets = np.load(files.teacher[0])[None]
    faces = Faces(crops, chosen, targets, config.augmentation, config.objective.clean_share, config.seed)
    order = Order(len(faces), config.batch_size, seed=config.seed, drawn=config.images_an_epoch)
    loader = batches(faces, order, loaders=config.loaders)
    network = build_network(config.backbone, seed=config.seed)
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload] # torch's stub
    set_training(network, config.backbone, norms=False)
    objective = DistillationLoss(0.0)
    trained = [p for p in network.parameters() if p.requires_grad]
    decayed = {"params": [p for p in trained if p.ndim > 1], "weight_decay": config.optimiser.weight_decay}
    others = {"params": [p for p in trained if p.ndim <= 1], "weight_decay": 0.0}
    optimiser = torch.optim.AdamW([decayed, others], lr=config.optimiser.learning_rate)
    seconds, total, images = 0.0, 0.0, 0
    for epoch in range(config.epochs):
        order.epoch, total, images = epoch, 0.0, 0
        started = time.perf_counter()
        for pixels, target in loader:
            loss = objective(network(pixels.float().contiguous(memory_format=torch.channels_last)), target)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            total += loss.item() * len(pixels)
            images += len(pixels)
        seconds = time.perf_counter() - started
    return seconds, total / images
