"""The training loop: one process's share of it, the same on one CPU, one GPU or many workers."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from lfr.errors import TrainingError
from lfr.evaluation import fnmr_at_fmr
from lfr.models.network import ImageNetwork
from lfr.models.sface import SFace
from lfr.training.checkpoints import Progressed, read_checkpoint, trained_weights, write_checkpoint
from lfr.training.config import Distillation, TrainingConfig
from lfr.training.faces import Order
from lfr.training.memory import stating_what_fits
from lfr.training.networks import set_training

__all__ = ["Alone", "Fitting", "Worker"]


class Worker(Protocol):
    """A process among those that train together."""

    rank: int
    workers: int
    device: torch.device

    def prepare(self, module: nn.Module) -> nn.Module:
        """Return the module as it is trained together: gradients are the mean over the workers."""
        ...

    def mean(self, values: Tensor) -> Tensor:
        """Return the mean of a vector over the workers."""
        ...


class Alone:
    """One process trains."""

    rank = 0
    workers = 1

    def __init__(self) -> None:
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")

    def prepare(self, module: nn.Module) -> nn.Module:
        """Return the module as it is."""
        return module

    def mean(self, values: Tensor) -> Tensor:
        """Return the values as they are."""
        return values


@dataclass
class Fitting:
    """A training run in progress.

    Attributes
    ----------
    config
        The experiment.
    network, objective
        What is trained, and towards what; the objective may have weights of its own.
    batches, order
        Training batches, and the order that they come in.
    held_out
        Batches of the held-out subjects, the same in every epoch.
    checkpoint
        File of the last whole epoch; the best epoch's weights are in it too.
    made_from
        Digests of the data, the split and the teacher, which the checkpoint keeps; it is gone on with on these only.
    worker
        This process among those that train.
    said
        Told the figures of each epoch.
    shown
        Wraps the steps of an epoch, to show progress.
    """

    config: TrainingConfig
    network: ImageNetwork
    objective: nn.Module
    batches: DataLoader[Any]
    order: Order
    held_out: DataLoader[Any]
    checkpoint: Path
    made_from: Mapping[str, str]
    worker: Worker = field(default_factory=Alone)
    said: Callable[[int, dict[str, float]], None] = lambda _, __: None
    shown: Callable[[Iterable[Any], int, str], Iterable[Any]] = lambda items, _, __: items

    def run(self) -> Progressed:
        """Train to the end, from the last checkpoint on where there is one; leave what it came to in the network.

        Raises
        ------
        TrainingError
            A loss is not finite, memory does not suffice, a checkpoint cannot be written, or it is one of a training
            on something else.
        """
        config, worker = self.config, self.worker
        self.network.to(worker.device).to(memory_format=torch.channels_last)  # type: ignore[call-overload] # torch's stub
        self.objective.to(worker.device)
        set_training(self.network, config.backbone, norms=config.optimiser.train_norms)
        both = nn.ModuleList([self.network, self.objective])
        optimiser = _optimiser(config, both)
        average = copy.deepcopy(self.network.state_dict())
        best = copy.deepcopy(average)
        progressed = Progressed()
        if (found := read_checkpoint(self.checkpoint, made_from=self.made_from)) is not None:
            content, progressed = found
            both.load_state_dict(content["weights"])
            optimiser.load_state_dict(content["optimiser"])
            for here, name in ((average, "average"), (best, "best")):
                for key, value in content[name].items():
                    here[key].copy_(value)  # a checkpoint is read to the CPU, the network may be elsewhere
        else:
            self._look_at_untouched(progressed, average)
        together = worker.prepare(_Loss(self.network, self.objective))
        while progressed.epoch < config.epochs and not progressed.finished:
            started = time.perf_counter()
            figures = self._epoch(progressed, together, optimiser, average)
            figures |= self._held_out(average)
            figures["seconds"] = time.perf_counter() - started
            progressed.seconds += figures["seconds"]
            progressed.epoch += 1
            progressed.history.append(figures)
            if figures["held_out_loss"] < progressed.best_loss:
                progressed.best_loss, progressed.best_epoch = figures["held_out_loss"], progressed.epoch
                best = copy.deepcopy(average)
            # What a mean cosine does not see, `lfr.training.blending` asks for at the end.
            stale = not config.blend and progressed.epoch - progressed.best_epoch >= config.patience
            late = config.most_minutes is not None and progressed.seconds >= 60 * config.most_minutes
            progressed.finished = stale or late or progressed.epoch == config.epochs
            if worker.rank == 0:
                content = {
                    "weights": both.state_dict(),
                    "optimiser": optimiser.state_dict(),
                    "average": average,
                    "best": best,
                    "made_from": dict(self.made_from),
                }
                write_checkpoint(self.checkpoint, content, progressed)
                self.said(progressed.epoch, figures)
        content = {"average": average, "best": best}
        self.network.load_state_dict(trained_weights(content, blends=bool(config.blend)))
        self.network.eval()
        return progressed

    def _look_at_untouched(self, progressed: Progressed, average: dict[str, Tensor]) -> None:
        """Score the student before its first step: what training must do better than."""
        figures = self._held_out(average)
        if math.isfinite(figures["held_out_loss"]):
            progressed.best_loss = progressed.untouched_loss = figures["held_out_loss"]
            if self.worker.rank == 0:
                self.said(0, figures)

    def _epoch(
        self,
        progressed: Progressed,
        together: nn.Module,
        optimiser: torch.optim.Optimizer,
        average: dict[str, Tensor],
    ) -> dict[str, float]:
        config, worker, epoch = self.config, self.worker, progressed.epoch
        set_training(self.network, config.backbone, norms=config.optimiser.train_norms)
        self.objective.train()
        self.order.epoch = epoch
        total, images, waited, rate = 0.0, 0, 0.0, 0.0
        steps = len(self.order)
        bf16 = config.precision == "bf16" or (config.precision == "auto" and worker.device.type == "cuda")
        started = asked = time.perf_counter()
        shown = self.shown(self.batches, steps, f"epoch {epoch + 1} of {config.epochs}")
        for step, (faces, target) in enumerate(_loaded(shown)):
            waited += time.perf_counter() - asked
            spent = progressed.seconds + asked - started
            rate = _rate(epoch * steps + step, steps * config.epochs, spent, config)
            for group in optimiser.param_groups:
                group["lr"] = rate * config.optimiser.learning_rate * group["share"]
            with stating_what_fits(self.network, config, worker.device):
                loss = together(_pixels(faces, worker.device), target.to(worker.device), bf16)
                loss.backward()
            value = float(worker.mean(loss.detach()[None])[0])
            norm = float(nn.utils.clip_grad_norm_(together.parameters(), config.optimiser.clip_norm))
            if not math.isfinite(value + norm):
                kept = f"checkpoint {self.checkpoint} of epoch {epoch} is kept" if epoch else "no epoch was finished"
                raise TrainingError(
                    f"the loss is {value} and its gradient {norm} long in epoch {epoch + 1}, after {images} images; "
                    f"{kept}; a smaller optimiser.learning_rate or precision: f32 may help"
                )
            with stating_what_fits(self.network, config, worker.device):  # its state is made in the first step
                optimiser.step()
            optimiser.zero_grad(set_to_none=True)
            _follow(average, self.network, _decay(config.optimiser.average, epoch * steps + step))
            total += value * len(faces)
            images += len(faces)
            asked = time.perf_counter()
        seconds = time.perf_counter() - started
        return {
            "loss": total / max(1, images),
            "images_per_s": worker.workers * images / seconds,
            "data_wait_share": waited / seconds,
            "learning_rate": rate * config.optimiser.learning_rate,
        }

    @torch.no_grad()
    def _held_out(self, average: dict[str, Tensor]) -> dict[str, float]:
        """What the averaged weights lose on the held-out subjects.

        To a teacher: one less the mean cosine. To a margin loss, whose centres
        are other people's: FNMR at an FMR of 1%, over all pairs.
        """
        network = copy.deepcopy(self.network)
        network.load_state_dict(average)
        network.eval()
        with stating_what_fits(self.network, self.config, self.worker.device):
            seen = [
                (network(_pixels(faces, self.worker.device)).float().cpu(), target) for faces, target in self.held_out
            ]
        ours = nn.functional.normalize(torch.cat([templates for templates, _ in seen]), dim=1)
        target = torch.cat([wanted for _, wanted in seen])
        if isinstance(self.config.objective, Distillation):
            return self._agreed(float((1.0 - (ours * target).sum(dim=1)).mean()))
        scores, same = (ours @ ours.T).numpy(), (target[:, None] == target[None]).numpy()
        once = np.triu(np.ones_like(same), k=1)
        mated, non_mated = scores[once & same], scores[once & ~same]
        if not len(mated) or not len(non_mated):
            raise TrainingError("held_out_images: too few to hold two images of one person and people to compare with")
        (point,) = fnmr_at_fmr(mated, non_mated, [max(0.01, 1 / len(non_mated))])
        assert point.fnmr.value is not None
        return self._agreed(point.fnmr.value)

    def _agreed(self, loss: float) -> dict[str, float]:
        """The mean over the workers, whose batch norms differ: all must find the same epoch best and stop together."""
        mean = self.worker.mean(torch.tensor([loss], dtype=torch.float64, device=self.worker.device))
        return {"held_out_loss": float(mean[0])}


def _loaded(batches: Iterable[Any]) -> Iterator[Any]:
    """Yield batches; a loading process that was killed is told in a line."""
    try:
        yield from batches
    except RuntimeError as error:
        if "DataLoader worker" not in str(error):
            raise
        raise TrainingError(
            "a process that loads faces ended, as one does that is killed or finds no memory; the same command goes on "
            "from the last whole epoch, and loaders: 0 needs no such process"
        ) from error


class _Loss(nn.Module):
    """Network and objective as one module, so that workers share the gradients of both."""

    def __init__(self, network: ImageNetwork, objective: nn.Module) -> None:
        super().__init__()
        self.network, self.objective = network, objective

    def forward(self, faces: Tensor, target: Tensor, bf16: bool) -> Tensor:
        with torch.autocast(faces.device.type, torch.bfloat16, enabled=bf16):
            templates = self.network(faces)
        loss: Tensor = self.objective(templates, target)
        return loss


def _pixels(faces: Tensor, device: torch.device) -> Tensor:
    return faces.to(device, non_blocking=True).float().contiguous(memory_format=torch.channels_last)


def _optimiser(config: TrainingConfig, module: nn.Module) -> torch.optim.Optimizer:
    rule = config.optimiser
    heads = {id(part.embedding.weight) for part in module.modules() if isinstance(part, SFace)}
    trained = [p for p in module.parameters() if p.requires_grad]
    matrices = [p for p in trained if p.ndim > 1 and id(p) not in heads]
    groups = [
        {"params": matrices, "weight_decay": rule.weight_decay, "share": 1.0},
        {"params": [p for p in trained if id(p) in heads], "weight_decay": rule.weight_decay, "share": rule.head_share},
        {"params": [p for p in trained if p.ndim <= 1], "weight_decay": 0.0, "share": 1.0},
    ]
    groups = [group for group in groups if group["params"]]
    if rule.name == "sgd":
        return torch.optim.SGD(groups, lr=rule.learning_rate, momentum=0.9, nesterov=True)
    return torch.optim.AdamW(groups, lr=rule.learning_rate)


def _rate(step: int, steps: int, seconds: float, config: TrainingConfig) -> float:
    """Share of the highest learning rate: a straight rise, then half a cosine over steps, or over time if that ends."""
    rising, last = config.optimiser.warm_up_share, config.optimiser.last_share
    done = step / steps
    if config.most_minutes is not None:
        done = max(done, seconds / (60 * config.most_minutes))
    through = min(1.0, max(0.0, done - rising) / max(1.0 - rising, 1 / steps))
    fall = last + (1 - last) * 0.5 * (1 + math.cos(math.pi * through))
    return min(fall, (done + 1 / steps) / max(rising, 1 / steps))


def _decay(decay: float, step: int) -> float:
    """Decay of the running mean at a step: short at first, so that the initial weights are soon forgotten.

    The rule of TensorFlow's ``ExponentialMovingAverage`` with ``num_updates``.
    """
    return min(decay, (1 + step) / (10 + step))


def _follow(average: dict[str, Tensor], network: nn.Module, decay: float) -> None:
    """Move the running mean of the weights; what is no weight, as a count, is copied."""
    for name, value in network.state_dict().items():
        if decay and value.is_floating_point():
            average[name].lerp_(value, 1.0 - decay)
        else:
            average[name].copy_(value)
