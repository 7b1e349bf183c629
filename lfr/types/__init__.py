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
from lfr.types.calibration import Calibration, CalibrationRate, problems_of

__all__ = [
    "BoolArray",
    "Calibration",
    "CalibrationRate",
    "Candidates",
    "Embeddings",
    "Faces",
    "FloatArray",
    "Frame",
    "IntArray",
    "Pixels",
    "Tracks",
    "problems_of",
]
