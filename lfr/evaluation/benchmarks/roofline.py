"""How close to the machine's limit: work for each item, against what the same run measured the machine to give.

The roofline of Williams, Waterman, Patterson, "Roofline: an insightful visual performance model", CACM 52(4), 2009:
what does ``operations`` on ``bytes`` cannot go faster than the peak of arithmetic allows, nor than memory brings it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from lfr.models.network import ImageNetwork

__all__ = ["Peaks", "Work", "matcher_work", "measure_peaks", "network_work", "roofline"]

_MATRIX = 2_048
_STREAM_FLOATS = 1 << 28  # 1 GiB, which no cache holds
_LEAST_S = 0.5
_LEAST_CALLS = 5
_BYTES = {"f32": 4, "bf16": 2}


@dataclass(frozen=True)
class Peaks:
    """What the machine gives, measured with the threads of the benchmark.

    Attributes
    ----------
    operations_s
        Additions and multiplications a second in a product of two matrices of 2,048 by 2,048.
    bytes_s
        Bytes a second read from memory in a sum over 1 GiB.
    precision
        ``f32`` or ``bf16``, of the matrices.
    """

    operations_s: float
    bytes_s: float
    precision: str


@dataclass(frozen=True)
class Work:
    """What one item takes.

    Attributes
    ----------
    operations
        Additions and multiplications; in a network those of its convolutions and products of matrices.
    bytes
        Bytes that have to move if nothing stays in a cache from one layer to the next: weights, shared by the
        items of a batch, the picture, and what each convolution writes and the next one reads.
    """

    operations: float
    bytes: float


def measure_peaks(threads: int, *, precision: str = "f32") -> Peaks:
    """Measure the peaks of arithmetic and memory: the best of several calls, because nothing is faster than a peak."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        kind = torch.bfloat16 if precision == "bf16" else torch.float32
        left, right = (torch.full((_MATRIX, _MATRIX), 0.5, dtype=kind) for _ in range(2))
        product = torch.empty_like(left)
        matrix_s = _least_s(lambda: torch.mm(left, right, out=product))
        stream = torch.ones(_STREAM_FLOATS)
        stream_s = _least_s(stream.sum)
    finally:
        torch.set_num_threads(before)
    return Peaks(2 * _MATRIX**3 / matrix_s, 4 * _STREAM_FLOATS / stream_s, precision)


def network_work(module: ImageNetwork, size_hw: tuple[int, int], *, batch: int, precision: str) -> Work:
    """Count the work of a network for one picture of a batch.

    Parameters
    ----------
    module
        The network.
    size_hw
        Height and width of a picture.
    batch
        Pictures that share one reading of the weights, at least 1.
    precision
        Of weights and features: ``f32`` or ``bf16``.
    """
    written = 0

    def count(_: nn.Module, __: tuple[Tensor, ...], output: Tensor) -> None:
        nonlocal written
        written += output.numel()

    layers = [layer for layer in module.modules() if isinstance(layer, nn.Conv2d | nn.Linear)]
    hooks = [layer.register_forward_hook(count) for layer in layers]
    try:
        with torch.inference_mode(), FlopCounterMode(display=False) as counter:
            module(torch.zeros(1, 3, *size_hw))
    finally:
        for hook in hooks:
            hook.remove()
    weights = sum(parameter.numel() for parameter in module.parameters())
    pixels = 3 * size_hw[0] * size_hw[1]  # one byte each
    return Work(float(counter.get_total_flops()), pixels + _BYTES[precision] * (2 * written + weights / batch))


def matcher_work(references: int, size: int, *, probes: int) -> Work:
    """Count the work of one of several probes searched together: every reference is read once for all of them."""
    return Work(2.0 * references * size, 4.0 * references * size / probes)


def roofline(work: Work, peaks: Peaks, *, items_s: float) -> dict[str, Any]:
    """Return what a benchmark's row says of its limit.

    Parameters
    ----------
    work, peaks
        Of one item, and of the machine.
    items_s
        Items a second that were reached.

    Returns
    -------
    ``operations``, ``bytes`` of an item; ``peak_operations_s``, ``peak_bytes_s``, ``precision``;
    ``share_of_operations`` and ``share_of_bytes``, of these peaks; ``limit_items_s``: the lower of both roofs;
    ``bound``: whose it is, ``arithmetic`` or ``memory``. A share of bytes over 1 says that a cache
    kept features between layers.
    """
    arithmetic_s, memory_s = work.operations / peaks.operations_s, work.bytes / peaks.bytes_s
    return {
        "operations": round(work.operations),
        "bytes": round(work.bytes),
        "peak_operations_s": round(peaks.operations_s),
        "peak_bytes_s": round(peaks.bytes_s),
        "precision": peaks.precision,
        "share_of_operations": round(items_s * arithmetic_s, 4),
        "share_of_bytes": round(items_s * memory_s, 4),
        "limit_items_s": round(1.0 / max(arithmetic_s, memory_s), 2),
        "bound": "arithmetic" if arithmetic_s >= memory_s else "memory",
    }


def _least_s(call: Callable[[], object]) -> float:
    call()
    taken: list[float] = []
    while len(taken) < _LEAST_CALLS or sum(taken) < _LEAST_S:
        started = time.perf_counter()
        call()
        taken.append(time.perf_counter() - started)
    return float(np.min(taken))
