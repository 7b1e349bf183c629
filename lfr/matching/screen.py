"""A long list searched in bytes first, then exactly: what `Snapshot.search` answers, reading a quarter as much."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lfr.matching.snapshot import Snapshot, best_candidates
from lfr.types import Candidates, Embeddings, FloatArray

if TYPE_CHECKING:
    import torch

__all__ = ["Screen"]

_LEVELS = 127
_ROWS = 1 << 16
# Of what float32 adds to lengths and bounds when they are calculated themselves.
_ROUNDING = 1e-5


class Screen:
    """References rounded to a byte a number, for searches of long lists, beside the snapshot that they are of.

    A product of bytes says of every reference how it scores within a bound
    that holds for any vectors, and only those that could be among the best
    are scored exactly. It takes a quarter of the snapshot's memory more. It
    pays from about 100,000 references on, where the time goes into reading
    memory, and on a processor with instructions for bytes.

    Parameters
    ----------
    snapshot
        The references.
    """

    def __init__(self, snapshot: Snapshot) -> None:
        # Not at import: what matches short lists does without torch.
        import torch  # noqa: PLC0415

        self.snapshot = snapshot
        vectors = snapshot.references.vectors
        largest = max((float(np.abs(vectors[i : i + _ROWS]).max()) for i in range(0, len(vectors), _ROWS)), default=1.0)
        self._step = largest / _LEVELS
        codes = np.empty(vectors.shape, np.int8)
        self._error = self._length = 0.0
        for i in range(0, len(vectors), _ROWS):
            part = vectors[i : i + _ROWS]
            codes[i : i + _ROWS] = np.rint(part / np.float32(self._step))
            rounded = codes[i : i + _ROWS] * np.float32(self._step)
            self._error = max(self._error, float(np.linalg.norm(part - rounded, axis=1).max()))
            self._length = max(self._length, float(np.linalg.norm(rounded, axis=1).max()))
        self._codes: torch.Tensor = torch.from_numpy(codes)

    def search(self, probes: Embeddings, *, k: int = 1) -> Candidates:
        """Best references for each probe: what `Snapshot.search` returns, to the bit.

        Parameters, results and errors are those of `Snapshot.search`.
        """
        import torch  # noqa: PLC0415

        if k < 1:
            raise ValueError(f"k must be at least 1, got {k}")
        self.snapshot.check_probes(probes)
        if len(probes) == 0 or len(self.snapshot) == 0:
            return self.snapshot.search(probes, k=k)
        step = np.abs(probes.vectors).max(axis=1) / np.float32(_LEVELS)
        codes = np.rint(probes.vectors / step[:, None]).astype(np.int8)
        transposed = torch.from_numpy(np.ascontiguousarray(codes.T))

        def product(rows: slice) -> FloatArray:
            # Under 2**24, which float32 holds exactly.
            scores: FloatArray = torch._int_mm(self._codes[rows], transposed).numpy().astype(np.float32)
            return scores

        return best_candidates(
            self.snapshot.references.vectors,
            probes.vectors,
            k,
            product,
            slack=self._slack(probes.vectors, codes, step),
        )

    def _slack(
        self, probes: FloatArray, codes: np.ndarray[tuple[int, int], np.dtype[np.int8]], step: FloatArray
    ) -> FloatArray:
        """(m,) twice the most by which a product of bytes is off, in its own unit.

        |r.p - r'.p'| <= |r - r'| |p| + |r'| |p - p'|, with r' and p' the rounded vectors (Cauchy, Schwarz).
        """
        off = np.linalg.norm(probes - codes * step[:, None], axis=1)
        bound = self._error * np.linalg.norm(probes, axis=1) + self._length * off + _ROUNDING
        slack: FloatArray = (2.0 * bound / (self._step * step)).astype(np.float32)
        return slack
