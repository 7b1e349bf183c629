"""What a network costs: multiply-adds of one face, and faces a second beside another network on the same machine."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

from lfr.models import Model
from lfr.models.network import ImageNetwork
from lfr.types import Pixels

__all__ = ["faces_per_second", "multiply_adds"]


def multiply_adds(network: ImageNetwork) -> int:
    """Return the multiply-adds of convolutions and products of matrices for one face; norms do not count."""
    with FlopCounterMode(display=False) as counted, torch.inference_mode():
        network.eval()(torch.zeros(1, 3, *network.example_hw))
    return int(counted.get_total_flops()) // 2


def faces_per_second(models: Mapping[str, Model], crops: Pixels, *, rounds: int = 5) -> dict[str, dict[str, Any]]:
    """Time embedders in turns, so that what else the machine does falls on all of them.

    Parameters
    ----------
    models
        By name; the first is what ratios are to.
    crops
        (n, 112, 112, 3) BGR, embedded as one batch.
    rounds
        How often each is timed; the median counts.
    """
    seconds: dict[str, list[float]] = {name: [] for name in models}
    for model in models.values():
        model.embedder(crops)  # what is done once only
    for _ in range(rounds):
        for name, model in models.items():
            started = time.perf_counter()
            model.embedder(crops)
            seconds[name].append(time.perf_counter() - started)
    first = next(iter(models))
    ratios = {name: np.array(seconds[first]) / np.array(of) for name, of in seconds.items()}
    return {
        name: {
            "faces_per_s": len(crops) / float(np.median(of)),
            "ratio": float(np.median(ratios[name])),
            "ratio_low": float(ratios[name].min()),
            "ratio_high": float(ratios[name].max()),
        }
        for name, of in seconds.items()
    }
