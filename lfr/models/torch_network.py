"""The reference runtime."""

from __future__ import annotations

import numpy as np
import torch

from lfr.models.network import ImageNetwork
from lfr.models.runtimes import check_runtime
from lfr.types import FloatArray, Pixels

__all__ = ["TorchNetwork"]


class TorchNetwork:
    """A network in torch.

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
        self._device, self._rgb, self._bf16 = device, module.rgb, precision == "bf16"

    @torch.inference_mode()
    def __call__(self, pixels: Pixels) -> tuple[FloatArray, ...]:
        """Run the network once over the batch."""
        # torch takes no read-only array, which pixels from shared memory are
        x = torch.from_numpy(np.require(pixels, requirements=("C", "W"))).to(self._device).permute(0, 3, 1, 2)
        x = (x.flip(1) if self._rgb else x).float()
        with torch.autocast(self._device, torch.bfloat16, enabled=self._bf16):
            y = self._module(x)
        return tuple(t.float().cpu().numpy() for t in ((y,) if isinstance(y, torch.Tensor) else y))
