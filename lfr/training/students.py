"""What training made, as a recogniser: measured in this process, written as ONNX, registered as a candidate."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

from lfr.errors import TrainingError
from lfr.models import CROP_SIDE, Model, ModelVersion, Preprocessing, onnx_bytes
from lfr.models.loading import network_facts, network_of
from lfr.models.network import ImageNetwork
from lfr.models.pack import weights_folder
from lfr.models.runtimes import OpenVinoNetwork
from lfr.models.versions import ALIGNMENT_TEMPLATE, DETECTOR_INPUT
from lfr.models.weights import load_yunet
from lfr.registry import RegisteredVersion, Tracking, register
from lfr.training.int8 import Quantised

__all__ = ["as_model", "register_student", "write_onnx"]


def as_model(
    network: ImageNetwork,
    name: str,
    *,
    size: int,
    precision: str = "f32",
    threads: int | None = None,
    quantised: Quantised | None = None,
) -> Model:
    """Return a trained embedder beside the default detector, on OpenVINO.

    Parameters
    ----------
    network
        In evaluation mode.
    name
        What it is called.
    size
        Numbers in a template.
    precision
        ``f32`` or ``bf16``.
    threads
        As for `lfr.models.load_model`.
    quantised
        Its graph of 8-bit numbers, which runs in its place; what stayed as it was runs at the precision.
    """
    version = ModelVersion(name, "openvino", precision)
    detector = load_yunet(weights_folder())
    content = {
        "detector": {**network_facts(detector), **DETECTOR_INPUT},
        "embedder": {**network_facts(network), "side": CROP_SIDE, **({"int8": quantised.sha256} if quantised else {})},
        "alignment": ALIGNMENT_TEMPLATE,
        "runtime": version.runtime,
        "precision": version.precision,
    }
    digest = hashlib.sha256(json.dumps(content, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
    graph = quantised.graph if quantised else None
    embedder = OpenVinoNetwork(network, precision=precision, threads=threads, graph=graph)
    return Model(version, digest, network_of(version, detector, threads=threads), embedder, size)


def write_onnx(network: ImageNetwork, path: Path) -> str:
    """Write a trained embedder as ONNX, which takes RGB 0..255 as it is; return the file's SHA-256.

    Raises
    ------
    TrainingError
        The file cannot be written.
    RuntimeUnavailableError
        The package onnxscript is not installed.
    """
    content = onnx_bytes(network.cpu().float())
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(content)
    except OSError as error:
        raise TrainingError(f"{path}: cannot write the embedder: {error.strerror}") from error
    return hashlib.sha256(content).hexdigest()


def register_student(tracking: Tracking, onnx: Path, *, name: str, licence: str) -> RegisteredVersion:
    """Register a trained embedder beside the default detector; `lfr registry evaluate` then makes its evidence.

    Raises
    ------
    RegistryError
        The registry cannot be written.
    ModelError
        The file does not load and run.
    """
    return register(tracking, onnx=onnx, preprocessing=Preprocessing(), name=name, licence=licence)
