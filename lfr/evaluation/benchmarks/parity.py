"""Which rows of a benchmark document did not do the same as their peer."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from lfr.evaluation.benchmarks.strides import TPIR_LOST

__all__ = ["failed_parity"]

Row = Mapping[str, Any]

_TRUE = (
    "same_as_float32",
    "exact",
    "same_as_alone",
    "same_faces",
    "ran",
    "same_alerts",
    "same_people",
    "same_frames",
    "same_scores",
    "same_subjects",
    "same_model",
    "same_fmr",
)
# What each parity must be. bf16 has 8 bits of a number's 24, so one crop or box in hundreds is further off.
_HOLDS: dict[str, Callable[[Any, str], bool]] = {
    **dict.fromkeys(_TRUE, lambda value, _: value is True),
    "cosine_mean": lambda value, version: value >= (0.999 if "bf16" in version else 0.99999),
    "cosine_min": lambda value, version: value >= (0.99 if "bf16" in version else 0.9999),
    "matched": lambda value, version: value is None or value >= (0.98 if "bf16" in version else 0.99),
    "same": lambda value, _: value == 1.0,
    "coverage": lambda value, _: value is None or value >= 0.95,
    # Shown to lose more than it may; what the sample cannot tell does not fail.
    "tpir_lost_at_least": lambda value, _: value <= TPIR_LOST,
    "alerts_raised": lambda value, _: value >= 1,  # or the same alerts are none on both sides
    "same_face_share": lambda value, _: value >= 0.95,
    "max_end_difference_in_widths": lambda value, _: value <= 0.25,
    "max_rate_difference": lambda value, _: value <= 1e-9,
}


def failed_parity(rows: Sequence[Row]) -> list[str]:
    """Return what did not hold, a line for each parity of each row; a row that says none of the known ones fails."""
    failed = []
    for row in rows:
        checked = [name for name in row["parity"] if name in _HOLDS]
        failed += [
            f"{row['name']}: {name} is {row['parity'][name]}"
            for name in checked
            if not _HOLDS[name](row["parity"][name], row["version"])
        ]
        if not checked:
            failed.append(f"{row['name']}: nothing was checked")
    return failed
