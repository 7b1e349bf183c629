"""Any ONNX embedder beside the default detector, with its pre-processing declared and checked by running it."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from lfr.errors import WeightsError
from lfr.models.loading import network_facts, network_of
from lfr.models.pack import weights_folder
from lfr.models.runtimes import OnnxNetwork, onnx_errors
from lfr.models.versions import ALIGNMENT_TEMPLATE, CROP_SIDE, DETECTOR_INPUT, Model, ModelVersion
from lfr.models.weights import load_yunet

__all__ = ["Preprocessing", "load_onnx_model"]

_MOST_NUMBERS = 4096


class Preprocessing(BaseModel):
    """What an embedder wants of an aligned 112x112 crop."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    mean: tuple[float, float, float] = Field(
        default=(0.0, 0.0, 0.0), description="Taken off each channel, in 0..255 and in the order of the channels."
    )
    std: tuple[float, float, float] = Field(default=(1.0, 1.0, 1.0), description="What each channel is divided by.")
    channels: Literal["rgb", "bgr"] = Field(default="rgb", description="Order of the channels.")
    template: Literal["arcface"] = Field(default="arcface", description="Where the five landmarks land.")


def load_onnx_model(
    file: Path,
    preprocessing: Preprocessing,
    *,
    name: str,
    sha256: str | None = None,
    threads: int | None = None,
    weights: Path | None = None,
) -> Model:
    """Load an ONNX embedder that takes (n, 3, 112, 112) float32, on ONNX Runtime, with the default detector.

    Parameters
    ----------
    file
        The ONNX file.
    preprocessing
        What it wants.
    name
        Name of the version.
    sha256
        Digest that the file must have; None: any.
    threads, weights
        As for `lfr.models.load_model`.

    Raises
    ------
    WeightsError
        The file is missing, not the pinned one, no ONNX model, or does not give one finite template for each of
        one and of two crops.
    RuntimeUnavailableError
        ONNX Runtime is not installed.
    """
    try:
        graph = file.read_bytes()
    except OSError as error:
        raise WeightsError(f"{file}: cannot read the embedder: {error.strerror}") from error
    found = hashlib.sha256(graph).hexdigest()
    if sha256 is not None and found != sha256:
        raise WeightsError(f"{file}: SHA-256 is {found}, pinned is {sha256}; refusing to load {name}")
    if any(not spread > 0 for spread in preprocessing.std):
        raise WeightsError(f"{file}: a standard deviation of {min(preprocessing.std)} cannot be divided by")
    network = _network(graph, file, preprocessing, threads=threads)
    size = _template_size(network, file)
    detector = load_yunet(weights or weights_folder())
    version = ModelVersion(name, "onnxruntime", "f32")
    content = {
        "detector": {**network_facts(detector), **DETECTOR_INPUT},
        "embedder": {"onnx": found, **preprocessing.model_dump(mode="json"), "side": CROP_SIDE},
        "alignment": ALIGNMENT_TEMPLATE,
        "runtime": version.runtime,
        "precision": version.precision,
        "device": version.device,
    }
    digest = hashlib.sha256(json.dumps(content, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
    return Model(version, digest, network_of(version, detector, threads=threads), network, size)


def _network(graph: bytes, file: Path, preprocessing: Preprocessing, *, threads: int | None) -> OnnxNetwork:
    try:
        return OnnxNetwork(
            graph,
            rgb=preprocessing.channels == "rgb",
            threads=threads,
            mean=preprocessing.mean,
            std=preprocessing.std,
        )
    except onnx_errors() as error:
        raise WeightsError(f"{file}: not an ONNX model that can be run: {_first_line(error)}") from error


def _template_size(network: OnnxNetwork, file: Path) -> int:
    """Numbers in a template, found by running it."""
    rng = np.random.default_rng(0)
    for crops in (1, 2):
        pixels = rng.integers(0, 256, (crops, CROP_SIDE, CROP_SIDE, 3), dtype=np.uint8)
        try:
            outputs = network(pixels)
        except onnx_errors() as error:
            raise WeightsError(
                f"{file}: does not take {crops} crops of {CROP_SIDE}x{CROP_SIDE}: {_first_line(error)}"
            ) from error
        shape = outputs[0].shape if outputs else ()
        if len(shape) != 2 or shape[0] != crops or not 2 <= shape[1] <= _MOST_NUMBERS:
            raise WeightsError(f"{file}: gives {list(shape)} for {crops} crops, one template for each is wanted")
        if not np.isfinite(outputs[0]).all():
            raise WeightsError(f"{file}: gives a template that is not finite; is the pre-processing right?")
    return int(outputs[0].shape[1])


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200]
