"""What to say where memory does not suffice: the batch that would fit, found by trying."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from lfr.errors import TrainingError
from lfr.models.network import ImageNetwork
from lfr.training.config import TrainingConfig

__all__ = ["largest_batch", "stating_what_fits"]


@contextmanager
def stating_what_fits(network: ImageNetwork, config: TrainingConfig, device: torch.device) -> Iterator[None]:
    """Turn torch's lack of memory into one line that says which batch size fits.

    Raises
    ------
    TrainingError
        Memory does not suffice.
    """
    try:
        yield
    except RuntimeError as error:
        if not _of_memory(error):
            raise
        network.zero_grad(set_to_none=True)
        fits = largest_batch(network, config.batch_size // 2, device)
        advice = f"batch_size: {fits} fits" if fits else "not even a batch of one fits: a smaller backbone is wanted"
        raise TrainingError(f"out of memory on {device} with batch_size: {config.batch_size}; {advice}") from error


def largest_batch(network: ImageNetwork, most: int, device: torch.device) -> int:
    """Return the largest batch, of ``most`` and its halves, that a training step has memory for; 0: none."""
    size = most
    while size >= 1:
        try:
            network(torch.zeros(size, 3, *network.example_hw, device=device)).float().square().sum().backward()
        except RuntimeError as error:
            if not _of_memory(error):
                raise
            size //= 2
        else:
            return size
        finally:
            network.zero_grad(set_to_none=True)
    return 0


def _of_memory(error: RuntimeError) -> bool:
    # On a CPU torch has no class for it.
    return isinstance(error, torch.OutOfMemoryError) or "can't allocate memory" in str(error)
