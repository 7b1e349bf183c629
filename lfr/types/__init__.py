"""The frozen structs that pass between layers: arrays with stated shapes, and calibrations."""

from lfr.types.arrays import (
    BoolArray,
    Candidates,
    Embeddings,
    Faces,
    FloatArray,
    Frame,
    IntArray,
    Pixels,
    Tracks,
)
from lfr.types.calibration import Calibration, CalibrationRate
from lfr.types.document import DigestedDocument, problems_of
from lfr.types.score_map import ScoreMap

__all__ = [
    "BoolArray",
    "Calibration",
    "CalibrationRate",
    "Candidates",
    "DigestedDocument",
    "Embeddings",
    "Faces",
    "FloatArray",
    "Frame",
    "IntArray",
    "Pixels",
    "ScoreMap",
    "Tracks",
    "problems_of",
]
