"""Model versions: one pair of networks, one runtime, one precision, one digest.

A version is chosen by name. Its digest covers weights, network structure,
pre-processing, runtime, precision and device, so that templates or a
calibration made with one version are never used with another.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch

from lfr.errors import ModelError, RuntimeUnavailableError
from lfr.models.export import onnx_bytes
from lfr.models.network import ImageNetwork
from lfr.models.runtimes import Network, OnnxNetwork, OpenVinoNetwork, TorchNetwork, check_runtime
from lfr.models.weights import load_sface, load_yunet, weights_folder
from lfr.types import FloatArray, Pixels

__all__ = [
    "ALIGNMENT_TEMPLATE",
    "CROP_SIDE",
    "DEFAULT_VERSION",
    "DETECTOR_INPUT",
    "VERSIONS",
    "Model",
    "ModelVersion",
    "load_detector",
    "load_model",
    "network_facts",
    "network_of",
    "version_digest",
]

CROP_SIDE = 112
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


def load_model(
    name: str = DEFAULT_VERSION,
    *,
    threads: int | None = None,
    weights: Path | None = None,
    only: Literal["detector", "embedder"] | None = None,
    detector_streams: int = 1,
) -> Model:
    """Load a version.

    Parameters
    ----------
    name
        One of `VERSIONS`.
    threads
        Threads for the networks on CPU; None leaves the choice to the runtime.
        Torch has one number for the whole process, which this sets.
    weights
        Folder of the weight pack; None takes the installed one.
    only
        The one network to make ready, for a process that uses no other; the digest is of both all the same, and
        using the other raises ModelError.
    detector_streams
        Pictures that faces are looked for in at once, by as many threads of the caller, each on its share of
        ``threads``: more pictures a second, and longer for each. OpenVINO only; the other runtimes take no notice.

    Raises
    ------
    RuntimeUnavailableError
        No such version, or its runtime, device or precision is not here.
    WeightsError
        A weight file is missing or is not the pinned one.
    """
    version, detector, embedder = _parts(name, weights)

    def ready(part: str, module: ImageNetwork, streams: int = 1) -> Network:
        if only not in (None, part):
            return _NotLoaded(part)
        return network_of(version, module, threads=threads, streams=streams)

    digest = _digest(version, detector=detector, embedder=embedder)
    return Model(version, digest, ready("detector", detector, detector_streams), ready("embedder", embedder))


def load_detector(name: str = DEFAULT_VERSION, *, threads: int | None = None, weights: Path | None = None) -> Network:
    """Load a version's detector alone, without reading the embedder: for what makes no template and needs no digest.

    Raises
    ------
    RuntimeUnavailableError, WeightsError
        As `load_model`.
    """
    return network_of(_version(name), load_yunet(weights or weights_folder()), threads=threads)


def version_digest(name: str = DEFAULT_VERSION, *, weights: Path | None = None) -> str:
    """Return the digest that a version would load with here, without making its networks ready.

    Raises
    ------
    RuntimeUnavailableError, WeightsError
        As `load_model`.
    """
    version, detector, embedder = _parts(name, weights)
    check_runtime(version.runtime, precision=version.precision, device=version.device)
    return _digest(version, detector=detector, embedder=embedder)


@dataclass(frozen=True)
class _NotLoaded:
    """In place of a network that was not asked for."""

    part: str

    def __call__(self, pixels: Pixels) -> tuple[FloatArray, ...]:  # noqa: ARG002 # the protocol's
        raise ModelError(f"the model was loaded without its {self.part}")


def _parts(name: str, weights: Path | None) -> tuple[ModelVersion, ImageNetwork, ImageNetwork]:
    version, folder = _version(name), weights or weights_folder()
    return version, load_yunet(folder), load_sface(folder)


def _version(name: str) -> ModelVersion:
    if name not in VERSIONS:
        raise RuntimeUnavailableError(f"no model version {name!r}; there are {', '.join(VERSIONS)}")
    return VERSIONS[name]


def network_of(version: ModelVersion, module: ImageNetwork, *, threads: int | None, streams: int = 1) -> Network:
    """Return a network on a version's runtime; ``streams`` is for OpenVINO."""
    if version.runtime == "openvino":
        return OpenVinoNetwork(module, precision=version.precision, threads=threads, streams=streams)
    if version.runtime == "onnxruntime":
        return OnnxNetwork(onnx_bytes(module), rgb=module.rgb, threads=threads)
    if threads is not None:
        torch.set_num_threads(threads)
    return TorchNetwork(module, precision=version.precision, device=version.device)


def _digest(version: ModelVersion, *, detector: ImageNetwork, embedder: ImageNetwork) -> str:
    content: dict[str, Any] = {
        "detector": {**network_facts(detector), **DETECTOR_INPUT},
        "embedder": {
            **network_facts(embedder),
            "input": f"RGB 0..255, {CROP_SIDE}x{CROP_SIDE}",
            "alignment": {"transform": "similarity, least squares", "template": ALIGNMENT_TEMPLATE},
            "output": "L2-normalised",
        },
        "runtime": version.runtime,
        "precision": version.precision,
        "device": version.device,
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def network_facts(module: ImageNetwork) -> dict[str, str]:
    """Digests of a network's structure and weights."""
    tensors = hashlib.sha256()
    for name, tensor in module.state_dict().items():
        tensors.update(f"{name} {tuple(tensor.shape)} {tensor.dtype}".encode())
        tensors.update(tensor.numpy().tobytes())
    return {"structure": hashlib.sha256(repr(module).encode()).hexdigest(), "weights": tensors.hexdigest()}
