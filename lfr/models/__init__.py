"""Networks, weights and runtimes.

What needs torch is imported when it is first asked for, because that takes
seconds and hundreds of MiB that a process with ready networks does without.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from lfr.models.kept_detector import load_detector
from lfr.models.pack import SFACE, YUNET, WeightFile, weights_folder
from lfr.models.ready import ReadyModel, load_ready
from lfr.models.runtimes import Network
from lfr.models.versions import (
    ALIGNMENT_TEMPLATE,
    CROP_SIDE,
    DEFAULT_VERSION,
    STRIDES,
    VERSIONS,
    Model,
    ModelVersion,
)

if TYPE_CHECKING:
    from lfr.models.export import FORMATS, Export, export_models, onnx_bytes
    from lfr.models.foreign import Preprocessing, load_onnx_model
    from lfr.models.loading import load_model, version_digest
    from lfr.models.making import make_ready

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
    "ReadyModel",
    "WeightFile",
    "export_models",
    "load_detector",
    "load_model",
    "load_onnx_model",
    "load_ready",
    "make_ready",
    "onnx_bytes",
    "version_digest",
    "weights_folder",
]

_LATER = {
    "FORMATS": "export",
    "Export": "export",
    "Preprocessing": "foreign",
    "export_models": "export",
    "load_model": "loading",
    "load_onnx_model": "foreign",
    "make_ready": "making",
    "onnx_bytes": "export",
    "version_digest": "loading",
}


def __getattr__(name: str) -> Any:  # noqa: ANN401 - of any kind
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_LATER[name]}"), name)
