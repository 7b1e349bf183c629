"""The reference runtime, and the way on CUDA, where pictures may stay on the device."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from threading import Lock

import numpy as np
import torch
from torch import Tensor

from lfr.models.network import ImageNetwork
from lfr.models.runtimes import check_runtime
from lfr.types import FloatArray, Pixels

__all__ = ["TorchNetwork"]

_GRAPHS = 32  # shapes of batch that are kept ready
_WARM_UP_CALLS = 3
_RECORDING = Lock()  # one at a time, whichever network


class TorchNetwork:
    """A network in torch.

    On CUDA pictures lie in memory channel by channel of a pixel, and what is launched for a batch of one shape is
    recorded the first time and launched as a whole from then on, because Python between kernels takes longer than they.

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
        self._recorded: OrderedDict[torch.Size, _Recorded] = OrderedDict()
        self._alone = Lock()  # a recording has one place for its pictures
        if self.device.type == "cuda":
            self._module = self._module.to(memory_format=torch.channels_last)  # type: ignore[call-overload] # torch's stub

    def __call__(self, pixels: Pixels) -> tuple[FloatArray, ...]:
        """Run the network once over the batch."""
        # torch takes no read-only array, which pixels from shared memory are
        pictures = torch.from_numpy(np.require(pixels, requirements=("C", "W"))).to(self.device)
        return tuple(output.cpu().numpy() for output in self.run(pictures))

    @torch.inference_mode()
    def run(self, pictures: Tensor) -> tuple[Tensor, ...]:
        """Run the network once over (n, height, width, 3) BGR ``uint8`` on its device, where the outputs stay."""
        if self.device.type != "cuda" or not len(pictures):
            return self._outputs(pictures)
        with self._alone:
            if (recorded := self._recorded.pop(pictures.shape, None)) is None:
                with _RECORDING:
                    recorded = _Recorded(self._outputs, pictures)
            self._recorded[pictures.shape] = recorded
            if len(self._recorded) > _GRAPHS:
                self._recorded.popitem(last=False)
            return recorded(pictures)

    def _outputs(self, pictures: Tensor) -> tuple[Tensor, ...]:
        x = pictures.permute(0, 3, 1, 2)
        x = (x.flip(1) if self._rgb else x).float()
        # Weights that a recording turned to bf16 must not be taken from a cache that outlives it.
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self._bf16, cache_enabled=False):
            y = self._module(x)
        return tuple(t.float() for t in ((y,) if isinstance(y, Tensor) else y))


class _Recorded:
    """A CUDA graph of one shape of batch; nothing of the pictures stays in it between calls."""

    def __init__(self, call: Callable[[Tensor], tuple[Tensor, ...]], like: Tensor) -> None:
        self._pictures = torch.zeros_like(like)
        aside = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        aside.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(aside):  # libraries choose their kernels here, which may not be recorded
            for _ in range(_WARM_UP_CALLS):
                call(self._pictures)
        torch.cuda.current_stream().wait_stream(aside)
        self._graph = torch.cuda.CUDAGraph()
        # Other threads may use the device meanwhile.
        with torch.cuda.graph(self._graph, capture_error_mode="thread_local"):
            self._outputs = call(self._pictures)

    def __call__(self, pictures: Tensor) -> tuple[Tensor, ...]:
        self._pictures.copy_(pictures)
        self._graph.replay()
        outputs = tuple(output.clone() for output in self._outputs)
        for kept in (self._pictures, *self._outputs):
            kept.zero_()
        return outputs
