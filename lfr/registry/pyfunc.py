"""What MLflow calls to load a registered recogniser: aligned crops in, templates out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from lfr.registry.bundle import load_bundle
from lfr.types import FloatArray, Pixels
from lfr.vision import Embedder

__all__ = ["Recogniser"]


class Recogniser:
    """A registered version as an MLflow ``pyfunc``.

    Parameters
    ----------
    folder
        Of the bundle.
    """

    def __init__(self, folder: Path) -> None:
        self._embedder = Embedder(load_bundle(folder))

    def predict(self, crops: Pixels, params: dict[str, Any] | None = None) -> FloatArray:  # noqa: ARG002 - MLflow's
        """Return (n, d) templates of (n, 112, 112, 3) aligned BGR ``uint8`` crops."""
        return self._embedder.embed(np.asarray(crops, np.uint8)).vectors


def _load_pyfunc(data_path: str) -> Recogniser:
    """Entry point that MLflow looks for by this name."""
    return Recogniser(Path(data_path))
