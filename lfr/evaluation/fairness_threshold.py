"""Which threshold a fairness evaluation looks at."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from lfr.errors import CalibrationError, InputError, ModelMismatchError
from lfr.evaluation.identification import threshold_for_fpir
from lfr.evaluation.searches import Searches
from lfr.types import Calibration

__all__ = ["fairness_threshold"]

_TARGET_FPIR = 0.01


def fairness_threshold(
    searches: Searches, *, threshold: float | None = None, calibration: str | Path | None = None
) -> tuple[float, float, str]:
    """Return the threshold, the FPIR that it is for, and where it is from.

    Parameters
    ----------
    searches
        What it is applied to.
    threshold
        One that is given; its FPIR is taken to be 0.01.
    calibration
        File whose threshold is taken. Without either it is the one for FPIR 0.01 on these searches, or, where
        they are too few to show that, the smallest without a false positive.

    Raises
    ------
    InputError
        Both are given.
    CalibrationError
        The file cannot be read or was changed, or holds for a shorter watchlist only.
    ModelMismatchError
        Another model made the calibration.
    """
    if threshold is not None and calibration:
        raise InputError("which threshold: give one of --threshold and --calibration")
    if threshold is not None:
        return threshold, _TARGET_FPIR, "as given"
    if calibration:
        return _calibrated(searches, Path(calibration))
    wanted = threshold_for_fpir(searches, _TARGET_FPIR)
    if wanted is not None:
        return wanted, _TARGET_FPIR, f"the smallest with an FPIR of at most {_TARGET_FPIR} on this data"
    # Fewer than 100 non-mated searches cannot show it: the smallest threshold without a false positive stands in.
    highest = np.nanmax(searches.other_score[~searches.mated], initial=-1.0)
    people = int((~searches.mated).sum())
    return (
        float(np.nextafter(np.float32(highest), np.float32(np.inf))),
        _TARGET_FPIR,
        f"the smallest without a false positive: {people} non-mated searches cannot show an FPIR of {_TARGET_FPIR}",
    )


def _calibrated(searches: Searches, path: Path) -> tuple[float, float, str]:
    read = Calibration.read(path)
    made_by = searches.watchlist.references.model_digest
    if read.model_digest != made_by:
        raise ModelMismatchError(f"{path}: made with model {read.model_digest}, the templates are of {made_by}")
    # A calibration counts who is enrolled: nobody else on a list can raise an alert.
    enrolled = len(searches.watchlist.snapshot.subjects)
    if enrolled > read.watchlist_size:
        raise CalibrationError(
            f"{path}: holds for a watchlist of {read.watchlist_size}, this one has {enrolled}; give --watchlist-size"
        )
    return read.threshold, read.target_fpir, f"that of calibration {read.digest}"
