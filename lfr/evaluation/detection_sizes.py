"""How well faces of each size are found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from lfr.errors import ManifestError
from lfr.evaluation.detection import DetectionResult, LabelledImage, precision_recall
from lfr.types import Faces

__all__ = ["WIDTHS_PX", "SizeBand", "by_face_size"]

WIDTHS_PX = (10.0, 20.0, 40.0, 80.0)
"""Where bands of face widths begin, in pixels; the last has no end."""


@dataclass(frozen=True, eq=False)
class SizeBand:
    """What was found of faces of a width.

    Attributes
    ----------
    from_px, under_px
        Widths that belong to it; the last band ends at infinity.
    result
        Its precision-recall curve; None where no true face is that wide.
    score_threshold
        Where precision and recall are read: the score that live frames are held to.
    """

    from_px: float
    under_px: float
    result: DetectionResult | None
    score_threshold: float

    def as_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        document: dict[str, Any] = {
            "from_px": self.from_px,
            "under_px": None if np.isinf(self.under_px) else self.under_px,
            "faces": 0 if self.result is None else self.result.faces,
            "average_precision": None if self.result is None else self.result.average_precision,
        }
        rates = (None, None) if self.result is None else self.result.at(self.score_threshold)
        return document | {
            name: None if rate is None else rate.as_dict()
            for name, rate in zip(("precision", "recall"), rates, strict=True)
        }


def by_face_size(
    found: Sequence[Faces],
    images: Sequence[LabelledImage],
    *,
    score_threshold: float,
    widths_px: Sequence[float] = WIDTHS_PX,
) -> tuple[SizeBand, ...]:
    """Precision and recall of each band of face widths.

    As in COCO (T.-Y. Lin and others, "Microsoft COCO: common objects in
    context", ECCV 2014), true faces of other bands are ignored, and a
    detection that takes no face counts in the band of its own width.

    Parameters
    ----------
    found, images
        Detections and truth, picture by picture.
    score_threshold
        Where precision and recall are read.
    widths_px
        Where bands begin, rising.
    """
    bands = []
    for low, high in zip(widths_px, [*widths_px[1:], np.inf], strict=True):
        try:
            result = precision_recall(found, images, min_width_px=low, max_width_px=high)
        except ManifestError:  # nobody is that large
            result = None
        bands.append(SizeBand(float(low), float(high), result, score_threshold))
    return tuple(bands)
