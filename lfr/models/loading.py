"""Load a version from the weights: needs torch, which takes seconds to import."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import torch

from lfr.models.export import onnx_bytes
from lfr.models.network import ImageNetwork
from lfr.models.pack import weights_folder
from lfr.models.ready import NotLoaded, Part
from lfr.models.runtimes import Network, OnnxNetwork, OpenVinoNetwork, check_runtime
from lfr.models.torch_network import TorchNetwork
from lfr.models.versions import (
    ALIGNMENT_TEMPLATE,
    CROP_SIDE,
    DEFAULT_VERSION,
    DETECTOR_INPUT,
    Model,
    ModelVersion,
    version_named,
)
from lfr.models.weights import load_sface, load_yunet

__all__ = ["digest_of", "load_model", "network_facts", "network_of", "parts_of", "version_digest"]


def load_model(
    name: str = DEFAULT_VERSION,
    *,
    threads: int | None = None,
    weights: Path | None = None,
    only: Part | None = None,
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
    version, detector, embedder = parts_of(name, weights)

    def ready(part: Part, module: ImageNetwork, streams: int = 1) -> Network:
        if only not in (None, part):
            return NotLoaded(part)
        return network_of(version, module, threads=threads, streams=streams)

    digest = digest_of(version, detector=detector, embedder=embedder)
    return Model(version, digest, ready("detector", detector, detector_streams), ready("embedder", embedder))


def version_digest(name: str = DEFAULT_VERSION, *, weights: Path | None = None) -> str:
    """Return the digest that a version would load with here, without making its networks ready.

    Raises
    ------
    RuntimeUnavailableError, WeightsError
        As `load_model`.
    """
    version, detector, embedder = parts_of(name, weights)
    check_runtime(version.runtime, precision=version.precision, device=version.device)
    return digest_of(version, detector=detector, embedder=embedder)


def parts_of(name: str, weights: Path | None) -> tuple[ModelVersion, ImageNetwork, ImageNetwork]:
    """Return a version, its detector and its embedder in torch; raises as `load_model`."""
    version, folder = version_named(name), weights or weights_folder()
    return version, load_yunet(folder), load_sface(folder)


def network_of(version: ModelVersion, module: ImageNetwork, *, threads: int | None, streams: int = 1) -> Network:
    """Return a network on a version's runtime; ``streams`` is for OpenVINO."""
    if version.runtime == "openvino":
        return OpenVinoNetwork(module, precision=version.precision, threads=threads, streams=streams)
    if version.runtime == "onnxruntime":
        return OnnxNetwork(onnx_bytes(module), rgb=module.rgb, threads=threads)
    if threads is not None:
        torch.set_num_threads(threads)
    return TorchNetwork(module, precision=version.precision, device=version.device)


def digest_of(version: ModelVersion, *, detector: ImageNetwork, embedder: ImageNetwork) -> str:
    """Return the SHA-256, as hexadecimal, over everything that changes a template of a version with these networks."""
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
