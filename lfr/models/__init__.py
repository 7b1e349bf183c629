"""Networks, weights and runtimes."""

from lfr.models.export import FORMATS, Export, export_models, onnx_bytes
from lfr.models.foreign import Preprocessing, load_onnx_model
from lfr.models.runtimes import Network
from lfr.models.versions import (
    ALIGNMENT_TEMPLATE,
    CROP_SIDE,
    DEFAULT_VERSION,
    VERSIONS,
    Model,
    ModelVersion,
    load_detector,
    load_model,
    version_digest,
)
from lfr.models.weights import SFACE, YUNET, WeightFile, weights_folder
from lfr.models.yunet import STRIDES

__all__ = [
    "ALIGNMENT_TEMPLATE",
    "CROP_SIDE",
    "DEFAULT_VERSION",
    "FORMATS",
    "SFACE",
    "STRIDES",
    "VERSIONS",
    "YUNET",
    "Export",
    "Model",
    "ModelVersion",
    "Network",
    "Preprocessing",
    "WeightFile",
    "export_models",
    "load_detector",
    "load_model",
    "load_onnx_model",
    "onnx_bytes",
    "version_digest",
    "weights_folder",
]
