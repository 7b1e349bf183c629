"""Checkpoints of a training run: written whole or not at all, and read without unpickling code."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch

from lfr.errors import TrainingError
from lfr.evaluation.private import write_whole

__all__ = ["Progressed", "read_checkpoint", "trained_weights", "write_checkpoint"]


@dataclass
class Progressed:
    """How far a run has come.

    Attributes
    ----------
    epoch
        Epochs that are done.
    best_epoch, best_loss
        Epoch with the least loss on the held-out subjects, and that loss.
    history
        Figures of each epoch.
    finished
        Whether training has come to its end.
    seconds
        Time spent in training.
    untouched_loss
        What the student loses on the held-out subjects before its first step; None: not finite, or not yet known.
        Where no epoch loses less, ``best_epoch`` is 0.
    """

    epoch: int = 0
    best_epoch: int = 0
    best_loss: float = float("inf")
    history: list[dict[str, float]] = field(default_factory=list)
    finished: bool = False
    seconds: float = 0.0
    untouched_loss: float | None = None


def write_checkpoint(path: Path, content: dict[str, Any], progressed: Progressed) -> None:
    """Write a checkpoint; the one before it stays until this one is whole.

    Raises
    ------
    TrainingError
        It cannot be written, as on a full disk.
    """
    try:
        write_whole(path, lambda file: torch.save({**content, "progressed": asdict(progressed)}, file))
    except (OSError, RuntimeError) as error:  # torch's own writer maps what the system says
        reason = getattr(error, "strerror", None) or str(error).splitlines()[0]
        kept = f"; the checkpoint of epoch {_epoch_of(path)} is kept" if path.is_file() else ""
        raise TrainingError(f"{path}: cannot write the checkpoint: {reason}{kept}") from error


def read_checkpoint(
    path: Path, *, made_from: Mapping[str, str] | None = None
) -> tuple[dict[str, Any], Progressed] | None:
    """Return a checkpoint and how far it has come; None where there is none.

    Parameters
    ----------
    path
        The file.
    made_from
        Digests of the data, the split and the teacher that it must have been trained on; None: any.

    Raises
    ------
    TrainingError
        The file is no checkpoint, or one of a training on other data, another split or another teacher.
    """
    if not path.is_file():
        return None
    try:
        content: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        progressed = Progressed(**content.pop("progressed"))
    except (OSError, RuntimeError, pickle.UnpicklingError, KeyError, TypeError, EOFError) as error:
        raise TrainingError(f"{path}: no checkpoint that can be read; remove it to start again") from error
    before = content.get("made_from", {})
    made_from = made_from or {}
    other = [name for name, digest in made_from.items() if before.get(name) != digest]
    if other:  # people who trained would be measured on, or the other way round
        told = "; ".join(f"{name} {before.get(name, 'unknown')[:12]}, not {made_from[name][:12]}" for name in other)
        raise TrainingError(
            f"{path}: a checkpoint of a training on other {' and '.join(other)} ({told}); "
            f"give it back what it was trained on, or remove {path.parent} to train again"
        )
    return content, progressed


def _epoch_of(path: Path) -> int:
    found = read_checkpoint(path)
    return found[1].epoch if found else 0


def trained_weights(content: Mapping[str, Any], *, blends: bool) -> dict[str, torch.Tensor]:
    """Return the weights a training comes to: of the best epoch, or where a share is kept, those at its end.

    A mean cosine to the teacher says little of who is missed at a fixed FMR; where held-out people are asked for that
    afterwards (`lfr.training.blending`), the end of the training is what they are asked about.
    """
    weights: dict[str, torch.Tensor] = content["average" if blends else "best"]
    return weights
