"""The reference runtime, and the way on CUDA, where pictures may stay on the device."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from threading import Lock
from typing import Any

import numpy as np
import torch
from torch import Tensor

from lfr.models.network import ImageNetwork
from lfr.models.runtimes import check_runtime
from lfr.types import FloatArray, Pixels

__all__ = ["TorchNetwork"]

_RECORDINGS = 12  # sizes and shapes of batch that are kept of one network
_WARM_UP_CALLS = 3
_RECORDING = Lock()  # one at a time, whichever network


class TorchNetwork:
    """A network in torch.

    On CUDA the channels of a pixel lie side by side, and what is launched for a batch of one shape is recorded the
    first time and launched as a whole from then on, because Python between kernels takes longer than they. A batch is
    filled up with black to a power of two, so that few are recorded. ``f32`` is float32 there too: convolutions are not
    rounded to TF32, in this whole process.

    Parameters
    ----------
    module
        The network, in evaluation mode.
    precision
        ``f32``, or ``bf16`` for autocast with float32 accumulation.
    device
        ``cpu`` or ``cuda``.

    Raises
    ------
    RuntimeUnavailableError
        CUDA is asked for where torch finds none.
    """

    def __init__(self, module: ImageNetwork, *, precision: str = "f32", device: str = "cpu") -> None:
        check_runtime("torch", precision=precision, device=device)
        self._module = module.to(device)
        self.device = torch.device(device)
        self._rgb, self._bf16 = module.rgb, precision == "bf16"
        self._recorded: OrderedDict[tuple[int, ...], _Recorded] = OrderedDict()
        self._alone = Lock()  # a recording has one place for its pictures
        if self.device.type == "cuda":
            self._module = self._module.to(memory_format=torch.channels_last)  # type: ignore[call-overload] # torch's stub
            self._pool = torch.cuda.graph_pool_handle()
            if not self._bf16:
                torch.backends.cudnn.allow_tf32 = False

    @torch.inference_mode()
    def __call__(self, pixels: Pixels) -> tuple[FloatArray, ...]:
        """Run the network once over the batch."""
        # torch takes no read-only array, which pixels from shared memory are
        pictures = torch.from_numpy(np.require(pixels, requirements=("C", "W")))
        if self.device.type == "cpu":
            return tuple(output.numpy() for output in self.run(pictures))
        pictures = pictures.to(self.device)
        outputs = self.run(pictures)
        found = tuple(output.cpu().numpy() for output in outputs)
        for held in (pictures, *outputs):
            held.zero_()
        return found

    @torch.inference_mode()
    def run(self, pictures: Tensor) -> tuple[Tensor, ...]:
        """Run the network once over (n, height, width, 3) BGR ``uint8`` on its device, where the outputs stay."""
        if self.device.type == "cpu" or not len(pictures):
            return self._outputs(pictures)
        shape = (1 << (len(pictures) - 1).bit_length(), *pictures.shape[1:])
        with self._alone:
            if (recorded := self._recorded.pop(shape, None)) is None:
                if len(self._recorded) == _RECORDINGS:
                    self._recorded.popitem(last=False)
                with _RECORDING:
                    recorded = _Recorded(self._outputs, shape, self._pool)
            self._recorded[shape] = recorded
            return recorded(pictures)

    def _outputs(self, pictures: Tensor) -> tuple[Tensor, ...]:
        x = pictures.permute(0, 3, 1, 2)
        x = (x.flip(1) if self._rgb else x).float()
        # Weights that a recording turned to bf16 must not be taken from a cache that outlives it.
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self._bf16, cache_enabled=False):
            y = self._module(x)
        return tuple(t.float() for t in ((y,) if isinstance(y, Tensor) else y))


class _Recorded:
    """A CUDA graph for one shape of batch, called by one thread at a time.

    Pictures and outputs are overwritten after each call. What its kernels leave between them lies in memory of the
    graph's own until it runs again or goes, as what libraries free does elsewhere.
    """

    def __init__(self, call: Callable[[Tensor], tuple[Tensor, ...]], shape: tuple[int, ...], pool: Any) -> None:  # noqa: ANN401 - torch's handle
        self._pictures = torch.zeros(shape, dtype=torch.uint8, device="cuda")
        aside = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        aside.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(aside):  # libraries choose their kernels here, which may not be recorded
            for _ in range(_WARM_UP_CALLS):
                call(self._pictures)
        torch.cuda.current_stream().wait_stream(aside)
        self._graph = torch.cuda.CUDAGraph()
        # Other threads may use the device meanwhile.
        with torch.cuda.graph(self._graph, pool=pool, capture_error_mode="thread_local"):
            self._outputs = call(self._pictures)
        self._over = torch.cuda.Event()  # type: ignore[no-untyped-call]

    def __call__(self, pictures: Tensor) -> tuple[Tensor, ...]:
        torch.cuda.current_stream().wait_event(self._over)  # the call before may be on another stream
        try:
            self._pictures[: len(pictures)].copy_(pictures)
            self._graph.replay()
            return tuple(output[: len(pictures)].clone() for output in self._outputs)
        finally:
            for kept in (self._pictures, *self._outputs):
                kept.zero_()
            self._over.record()
