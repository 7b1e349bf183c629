"""Model versions: one pair of networks, one runtime, one precision, one digest.

A version is chosen by name. Its digest covers weights, network structure,
pre-processing, runtime, precision and device, so that templates or a
calibration made with one version are never used with another.
"""

from __future__ import annotations

from dataclasses import dataclass

from lfr.errors import RuntimeUnavailableError
from lfr.models.runtimes import Network

__all__ = [
    "ALIGNMENT_TEMPLATE",
    "CROP_SIDE",
    "DEFAULT_VERSION",
    "DETECTOR_INPUT",
    "STRIDES",
    "VERSIONS",
    "Model",
    "ModelVersion",
    "version_named",
]

CROP_SIDE = 112
STRIDES = (8, 16, 32)
"""Of the detector, in pixels."""
DETECTOR_INPUT = {"input": "BGR 0..255, sides multiples of 32"}
ALIGNMENT_TEMPLATE = (
    (38.2946, 51.6963),
    (73.5318, 51.5014),
    (56.0252, 71.7366),
    (41.5493, 92.3655),
    (70.7299, 92.2041),
)
"""Where the five landmarks land in a 112x112 crop, in pixels: the template of
Deng et al., "ArcFace", CVPR 2019, used by SFace and most embedders since."""


@dataclass(frozen=True)
class ModelVersion:
    """What to run the default networks on.

    Attributes
    ----------
    name
        How the version is asked for.
    runtime
        ``torch``, ``openvino`` or ``onnxruntime``.
    precision
        ``f32`` or ``bf16``.
    device
        ``cpu`` or ``cuda``.
    """

    name: str
    runtime: str
    precision: str
    device: str = "cpu"


DEFAULT_VERSION = "openvino-f32"
VERSIONS = {
    version.name: version
    for version in (
        ModelVersion("openvino-f32", "openvino", "f32"),
        ModelVersion("openvino-bf16", "openvino", "bf16"),
        ModelVersion("torch-f32", "torch", "f32"),
        ModelVersion("torch-bf16", "torch", "bf16"),
        ModelVersion("torch-cuda-f32", "torch", "f32", "cuda"),
        ModelVersion("torch-cuda-bf16", "torch", "bf16", "cuda"),
        ModelVersion("onnxruntime-f32", "onnxruntime", "f32"),
    )
}


@dataclass(frozen=True, eq=False)
class Model:
    """A loaded version: detector and embedder on their runtime.

    Attributes
    ----------
    version
        Which version this is.
    digest
        SHA-256 over everything that changes a template, as hexadecimal.
    detector, embedder
        The two networks.
    embedding_size
        Numbers in a template.
    """

    version: ModelVersion
    digest: str
    detector: Network
    embedder: Network
    embedding_size: int = 128


def version_named(name: str) -> ModelVersion:
    """Return a version; raises RuntimeUnavailableError where there is none of that name."""
    if name not in VERSIONS:
        raise RuntimeUnavailableError(f"no model version {name!r}; there are {', '.join(VERSIONS)}")
    return VERSIONS[name]
