"""Training images as batches: degraded anew in each epoch, the same again for the same seed, epoch and image."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from lfr.training.config import Augmentation
from lfr.training.crops import Crops
from lfr.training.degradation import aligned, degraded
from lfr.types import FloatArray, IntArray

__all__ = ["Faces", "Order", "batches"]


@dataclass(frozen=True, eq=False)
class Faces(Dataset[tuple[Tensor, Tensor]]):
    """Faces with what the network should make of each.

    Attributes
    ----------
    crops
        Cut out with a margin.
    chosen
        (n,) which of them.
    targets
        (1 or 2, crops, d) the teacher's template of each crop, and where they are mirrored of its mirror image; or
        (crops,) subject numbers.
    augmentation
        What is done to them.
    clean_share
        Share that stays as it is.
    seed
        Of the degradations.
    """

    crops: Crops
    chosen: IntArray
    targets: FloatArray | IntArray
    augmentation: Augmentation
    clean_share: float
    seed: int

    def __len__(self) -> int:
        return len(self.chosen)

    def __getitem__(self, index: tuple[int, int]) -> tuple[Tensor, Tensor]:
        """The face of (epoch, place): (3, 112, 112) RGB bytes, and its target."""
        epoch, place = index
        crop = int(self.chosen[place])
        rng = np.random.default_rng([self.seed, epoch, place])
        mirrored = bool(self.augmentation.flip and rng.random() < 0.5)
        pixels = self.crops.pixels[crop]
        if rng.random() < self.clean_share:
            face = aligned(pixels, self.crops.landmarks, mirrored=mirrored)
        else:
            face = degraded(
                pixels,
                self.crops.landmarks,
                float(self.crops.face_px[crop]),
                self.augmentation,
                rng,
                mirrored=mirrored,
            )
        target = self.targets[int(mirrored), crop] if self.targets.ndim == 3 else self.targets[crop]
        return torch.from_numpy(np.ascontiguousarray(face[:, :, ::-1].transpose(2, 0, 1))), torch.as_tensor(target)


class Order(Sampler[list[tuple[int, int]]]):
    """Batches of one epoch in an order of its own, a worker's part of each.

    Parameters
    ----------
    length
        Number of faces.
    batch_size
        Faces a step, over all workers together.
    seed
        Of the order; None: as they come, and the last batch is kept whatever its size.
    drawn
        Faces of an epoch; None: all.
    rank, workers
        Which worker this is of how many.
    """

    def __init__(
        self,
        length: int,
        batch_size: int,
        *,
        seed: int | None,
        drawn: int | None = None,
        rank: int = 0,
        workers: int = 1,
    ) -> None:
        self.length, self.batch_size, self.seed = length, min(batch_size, length), seed
        self.drawn = min(length, drawn or length)
        self.rank, self.workers = rank, workers
        self.epoch = 0

    def __len__(self) -> int:
        """Steps of an epoch."""
        return max(1, self.drawn // self.batch_size) if self.seed is not None else -(-self.length // self.batch_size)

    def __iter__(self) -> Iterator[list[tuple[int, int]]]:
        places = np.arange(self.length)
        if self.seed is not None:
            places = np.random.default_rng([self.seed, self.epoch]).permutation(self.length)
        for step in range(len(self)):
            batch = places[step * self.batch_size : (step + 1) * self.batch_size]
            yield [(self.epoch, int(place)) for place in batch[self.rank :: self.workers]]


def batches(faces: Faces, order: Order, *, loaders: int) -> DataLoader[Any]:
    """Return the batches of a data set: read, degraded and collated in so many other processes, or in this one."""
    return DataLoader(
        faces,
        batch_sampler=order,
        num_workers=loaders,
        persistent_workers=loaders > 0,
        prefetch_factor=4 if loaders else None,
        worker_init_fn=_one_thread,
        multiprocessing_context="forkserver" if loaders else None,
    )


def _one_thread(_: int) -> None:
    torch.set_num_threads(1)
    import cv2  # noqa: PLC0415

    cv2.setNumThreads(1)
