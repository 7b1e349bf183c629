"""Protocols and error rates, measured with the code that live frames go through."""

from lfr.evaluation.acquisition import Acquired, acquire, central_face
from lfr.evaluation.acquisition_rates import GroupMisses, misses_by_group
from lfr.evaluation.calibration import CalibrationResult, calibrate, calibration_of
from lfr.evaluation.comparisons import (
    BIN_EDGES,
    FMR_TARGETS,
    ComparisonScores,
    ErrorCurve,
    ErrorTradeOff,
    det_curve,
)
from lfr.evaluation.datasets import demo_faces, folder_manifest, lfw_images, lfw_manifest, shows_demo_faces
from lfr.evaluation.detection import (
    ALL_SCORES,
    DetectionResult,
    Finder,
    LabelledImage,
    evaluate_detection,
    find_faces,
    opencv_finder,
    precision_recall,
    read_wider,
)
from lfr.evaluation.detection_sizes import WIDTHS_PX, SizeBand, by_face_size
from lfr.evaluation.embedding import Executor, Part, embed, embed_locally, kept_file, kept_templates, templates_of
from lfr.evaluation.equity import Equity, EquityPolicy
from lfr.evaluation.fairness import Fairness, Grouping, evaluate_fairness
from lfr.evaluation.fairness_threshold import fairness_threshold
from lfr.evaluation.group_rates import GroupRates
from lfr.evaluation.identification import (
    FPIR_TARGETS,
    Identification,
    IdentificationPoint,
    SearchCurve,
    cumulative_match,
    evaluate_identification,
    search_curve,
    search_rates,
    threshold_for_fpir,
)
from lfr.evaluation.manifest import (
    UNLABELLED,
    Manifest,
    Progress,
    StrArray,
    data_digest,
    image_digests,
    read_manifest,
    write_manifest,
)
from lfr.evaluation.opening import DATASETS, open_manifest, open_templates
from lfr.evaluation.pairwise import PairwiseScores, compare_all, compare_vectors
from lfr.evaluation.pass_scores import PassScores, scores_against_lists, threshold_shown
from lfr.evaluation.protocol import Pairs, read_lfw_pairs
from lfr.evaluation.quality_discard import DiscardCurve, GateEffect, QualityDiscard, evaluate_quality
from lfr.evaluation.score_probability import FittedScoreMap, Reliability, fit_score_map
from lfr.evaluation.search_scores import Hits, SearchScores
from lfr.evaluation.searches import EnrolledList, Searches, run_searches
from lfr.evaluation.templates import Templates, read_templates, write_templates
from lfr.evaluation.verification import (
    Accuracy,
    Verification,
    fnmr_at_fmr,
    pair_scores,
    ten_fold_accuracy,
    verify_pairs,
    verify_templates,
)
from lfr.evaluation.watchlist_size import SizeEstimate, fpir_by_size

__all__ = [
    "ALL_SCORES",
    "BIN_EDGES",
    "DATASETS",
    "FMR_TARGETS",
    "FPIR_TARGETS",
    "UNLABELLED",
    "WIDTHS_PX",
    "Accuracy",
    "Acquired",
    "CalibrationResult",
    "ComparisonScores",
    "DetectionResult",
    "DiscardCurve",
    "EnrolledList",
    "Equity",
    "EquityPolicy",
    "ErrorCurve",
    "ErrorTradeOff",
    "Executor",
    "Fairness",
    "Finder",
    "FittedScoreMap",
    "GateEffect",
    "GroupMisses",
    "GroupRates",
    "Grouping",
    "Hits",
    "Identification",
    "IdentificationPoint",
    "LabelledImage",
    "Manifest",
    "Pairs",
    "PairwiseScores",
    "Part",
    "PassScores",
    "Progress",
    "QualityDiscard",
    "Reliability",
    "SearchCurve",
    "SearchScores",
    "Searches",
    "SizeBand",
    "SizeEstimate",
    "StrArray",
    "Templates",
    "Verification",
    "acquire",
    "by_face_size",
    "calibrate",
    "calibration_of",
    "central_face",
    "compare_all",
    "compare_vectors",
    "cumulative_match",
    "data_digest",
    "demo_faces",
    "det_curve",
    "embed",
    "embed_locally",
    "evaluate_detection",
    "evaluate_fairness",
    "evaluate_identification",
    "evaluate_quality",
    "fairness_threshold",
    "find_faces",
    "fit_score_map",
    "fnmr_at_fmr",
    "folder_manifest",
    "fpir_by_size",
    "image_digests",
    "kept_file",
    "kept_templates",
    "lfw_images",
    "lfw_manifest",
    "misses_by_group",
    "open_manifest",
    "open_templates",
    "opencv_finder",
    "pair_scores",
    "precision_recall",
    "read_lfw_pairs",
    "read_manifest",
    "read_templates",
    "read_wider",
    "run_searches",
    "scores_against_lists",
    "search_curve",
    "search_rates",
    "shows_demo_faces",
    "templates_of",
    "ten_fold_accuracy",
    "threshold_for_fpir",
    "threshold_shown",
    "verify_pairs",
    "verify_templates",
    "write_manifest",
    "write_templates",
]
