"""Protocols and error rates, measured with the code that live frames go through."""

from lfr.evaluation.acquisition import Acquired, acquire, central_face
from lfr.evaluation.detection import (
    ALL_SCORES,
    DetectionResult,
    Finder,
    LabelledImage,
    evaluate_detection,
    opencv_finder,
    precision_recall,
    read_wider,
)
from lfr.evaluation.verification import (
    FMR_TARGETS,
    Accuracy,
    ErrorTradeOff,
    Pairs,
    Verification,
    fnmr_at_fmr,
    pair_scores,
    read_lfw_pairs,
    ten_fold_accuracy,
    verify_pairs,
)

__all__ = [
    "ALL_SCORES",
    "FMR_TARGETS",
    "Accuracy",
    "Acquired",
    "DetectionResult",
    "ErrorTradeOff",
    "Finder",
    "LabelledImage",
    "Pairs",
    "Verification",
    "acquire",
    "central_face",
    "evaluate_detection",
    "fnmr_at_fmr",
    "opencv_finder",
    "pair_scores",
    "precision_recall",
    "read_lfw_pairs",
    "read_wider",
    "ten_fold_accuracy",
    "verify_pairs",
]
