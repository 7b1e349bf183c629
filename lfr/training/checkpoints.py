"""Checkpoints of a training run: written whole or not at all, and read without unpickling code."""

from __future__ import annotations

import pickle
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch

from lfr.errors import TrainingError

__all__ = ["Progressed", "read_checkpoint", "write_checkpoint"]


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
    """

    epoch: int = 0
    best_epoch: int = 0
    best_loss: float = float("inf")
    history: list[dict[str, float]] = field(default_factory=list)
    finished: bool = False
    seconds: float = 0.0


def write_checkpoint(path: Path, content: dict[str, Any], progressed: Progressed) -> None:
    """Write a checkpoint; the one before it stays until this one is whole.

    Raises
    ------
    TrainingError
        It cannot be written, as on a full disk.
    """
    partial = path.with_name(f".{path.name}.partial")
    try:
        with partial.open("wb") as file:
            torch.save({**content, "progressed": asdict(progressed)}, file)
        partial.replace(path)
    except (OSError, RuntimeError) as error:  # torch's own writer maps what the system says
        reason = getattr(error, "strerror", None) or str(error).splitlines()[0]
        kept = f"; the checkpoint of epoch {_epoch_of(path)} is kept" if path.is_file() else ""
        raise TrainingError(f"{path}: cannot write the checkpoint: {reason}{kept}") from error
    finally:
        partial.unlink(missing_ok=True)


def read_checkpoint(path: Path) -> tuple[dict[str, Any], Progressed] | None:
    """Return a checkpoint and how far it has come; None where there is none.

    Raises
    ------
    TrainingError
        The file is no checkpoint.
    """
    if not path.is_file():
        return None
    try:
        content: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        return content, Progressed(**content.pop("progressed"))
    except (OSError, RuntimeError, pickle.UnpicklingError, KeyError, TypeError, EOFError) as error:
        raise TrainingError(f"{path}: no checkpoint that can be read; remove it to start again") from error


def _epoch_of(path: Path) -> int:
    found = read_checkpoint(path)
    return found[1].epoch if found else 0
