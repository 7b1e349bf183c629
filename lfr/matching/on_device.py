"""The exact search of a snapshot in torch, on a GPU where there is one."""

from __future__ import annotations

import torch
from torch import Tensor

from lfr.errors import InputError, RuntimeUnavailableError
from lfr.matching.snapshot import SCORE_ROUNDING, UNIT_TOLERANCE, Snapshot
from lfr.models.runtimes import check_runtime
from lfr.types import Candidates, Embeddings

__all__ = ["DeviceSearch"]

_SCORES = 1 << 27  # held at once: 512 MiB
_RESCORED = 1 << 18


class DeviceSearch:
    """A snapshot's references on a device; finds what `Snapshot.search` finds.

    Parameters
    ----------
    snapshot
        Its templates are copied to the device.
    device
        ``cuda`` or ``cpu``.

    Raises
    ------
    RuntimeUnavailableError
        The device is not here, or torch may round products of float32 to fewer digits and would lose candidates.
    """

    def __init__(self, snapshot: Snapshot, device: str) -> None:
        check_runtime("torch", device=device)
        _check_products()
        self._snapshot, self._device = snapshot, device
        self._references = torch.from_numpy(snapshot.references.vectors.copy()).to(device)

    def search(self, probes: Embeddings, *, k: int = 1) -> Candidates:
        """Best references for each probe; parameters, result and errors as for `Snapshot.search`."""
        self._snapshot.check_probes(probes)
        on_device = torch.from_numpy(probes.vectors.copy()).to(self._device)
        try:
            index, score = self.search_on_device(on_device, k=k)
        finally:
            on_device.zero_()
        return Candidates(index.cpu().numpy(), score.cpu().numpy())

    @torch.inference_mode()
    def search_on_device(self, probes: Tensor, *, k: int = 1) -> tuple[Tensor, Tensor]:
        """Return (m, min(k, n)) rows and scores, on the device, of (m, d) templates of the same model on it.

        Raises
        ------
        InputError
            A probe is not finite and of unit length.
        ValueError
            ``k`` is under 1.
        RuntimeUnavailableError
            As for the class.
        """
        if k < 1:
            raise ValueError(f"k must be at least 1, got {k}")
        _check_products()
        if not bool(((probes.double().square().sum(1) - 1.0).abs() <= 2 * UNIT_TOLERANCE).all()):
            raise InputError("a probe is not finite and of length 1, as a template is")
        size = len(self._references)
        k = min(k, size)
        if not k or not len(probes):
            return probes.new_zeros((len(probes), k), dtype=torch.int64), probes.new_zeros((len(probes), k))
        found = [self._best(part, k) for part in torch.split(probes, max(1, _SCORES // size))]
        index, score = (torch.cat(parts) for parts in zip(*found, strict=True))
        return index, score

    def _best(self, probes: Tensor, k: int) -> tuple[Tensor, Tensor]:
        with torch.autocast(probes.device.type, enabled=False):
            scores = probes @ self._references.T
        kth = scores.amax(1) if k == 1 else scores.topk(k, dim=1).values[:, -1]
        probe, row = (scores >= (kth - float(SCORE_ROUNDING))[:, None]).nonzero(as_tuple=True)
        exact = self._exact(probes, probe, row)
        # Rows rise within a probe, and both sorts leave equals in their order: a tie goes to the lower row.
        order = exact.argsort(descending=True, stable=True)
        order = order[probe[order].argsort(stable=True)]
        starts = torch.searchsorted(probe, torch.arange(len(probes), device=probe.device))
        picked = order[starts[:, None] + torch.arange(k, device=probe.device)]
        return row[picked], exact[picked]

    def _exact(self, probes: Tensor, probe: Tensor, row: Tensor) -> Tensor:
        """(pairs,) cosines summed in float64 and rounded once, some pairs at a time so that ties cost no memory."""
        parts = zip(torch.split(probe, _RESCORED), torch.split(row, _RESCORED), strict=True)
        return torch.cat([(probes[p].double() * self._references[r].double()).sum(1).float() for p, r in parts])


def _check_products() -> None:
    try:
        precision = torch.get_float32_matmul_precision()
    except RuntimeError:  # it was set for one kind of device alone
        precision = "mixed"
    if precision != "highest":
        raise RuntimeUnavailableError(
            f"exact search needs float32 products in full, and torch's precision of them is {precision!r}: "
            "torch.set_float32_matmul_precision('highest')"
        )
