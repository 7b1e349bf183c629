"""From pixels to templates: detect, align, assess, embed."""

from lfr.vision.align import align
from lfr.vision.detect import SCORE_THRESHOLD, Detector
from lfr.vision.embed import Embedder
from lfr.vision.quality import (
    ENROLMENT_POLICY,
    MEASURES,
    SEARCH_POLICY,
    Quality,
    QualityPolicy,
    assess,
    single_face_present,
)

__all__ = [
    "ENROLMENT_POLICY",
    "MEASURES",
    "SCORE_THRESHOLD",
    "SEARCH_POLICY",
    "Detector",
    "Embedder",
    "Quality",
    "QualityPolicy",
    "align",
    "assess",
    "single_face_present",
]
