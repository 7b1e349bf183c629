"""Export the networks to ONNX and OpenVINO, checked against the torch reference before a file is written."""

from __future__ import annotations

import io
import logging
import tempfile
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnx
import torch

from lfr.errors import InputError, ModelError, RuntimeUnavailableError
from lfr.models.network import ImageNetwork
from lfr.models.pack import SFACE, YUNET, weights_folder
from lfr.models.runtimes import import_openvino, openvino_core, openvino_graph
from lfr.models.weights import load_sface, load_yunet
from lfr.types import FloatArray

__all__ = ["FORMATS", "Export", "export_models", "onnx_bytes"]

FORMATS = ("onnx", "openvino")
TOLERANCE = 1e-3
"""Largest difference to the reference an export may show, as a share of the largest output."""


@dataclass(frozen=True)
class Export:
    """One network written to a file.

    Attributes
    ----------
    network
        ``yunet`` or ``sface``.
    path
        The file; OpenVINO puts its weights beside it with the suffix ``.bin``.
    max_difference
        Largest difference of any output to the torch reference, as a share of the largest output.
    """

    network: str
    path: Path
    max_difference: float


def export_models(folder: Path, *, to: str, weights: Path | None = None) -> list[Export]:
    """Write both networks to ``folder`` in float32 with free batch (and, for the detector, picture) size.

    The ONNX files have the input and output names of the OpenCV Zoo, so that
    OpenCV's ``FaceDetectorYN`` and ``FaceRecognizerSF`` load them.

    Parameters
    ----------
    folder
        Made if it is not there.
    to
        One of `FORMATS`.
    weights
        Folder of the weight pack; None takes the installed one.

    Raises
    ------
    InputError
        The format is unknown or the folder cannot be written.
    ModelError
        The exported network does not give the reference's numbers; nothing was written.
    """
    if to not in FORMATS:
        raise InputError(f"cannot export to {to!r}; there are {', '.join(FORMATS)}")
    source = weights or weights_folder()
    exports, contents = [], []
    for name, module in ((YUNET.name, load_yunet(source)), (SFACE.name, load_sface(source))):
        example = _example(module)
        with torch.inference_mode():
            y = module(example)
        reference = [t.numpy() for t in ((y,) if isinstance(y, torch.Tensor) else y)]
        path = folder / f"{name}.{'onnx' if to == 'onnx' else 'xml'}"
        content, got = _to_onnx(module, example) if to == "onnx" else _to_openvino(module, example)
        # NumPy's maximum, because Python's may drop a NaN.
        worst = float(np.max([np.abs(a - b).max() / np.abs(a).max() for a, b in zip(reference, got, strict=True)]))
        if not worst <= TOLERANCE:
            raise ModelError(f"{name}: the {to} export differs from the reference by {worst:.2g}; nothing was written")
        contents.append(content)
        exports.append(Export(name, path, worst))
    for export, content in zip(exports, contents, strict=True):
        _write(export.path, content)
    return exports


def onnx_bytes(module: ImageNetwork) -> bytes:
    """Return the network as serialised ONNX with free batch and picture size.

    Raises
    ------
    RuntimeUnavailableError
        The package onnxscript is not installed.
    """
    try:
        import onnxscript  # noqa: F401, PLC0415 - torch's exporter needs this extra
    except ImportError as error:
        raise RuntimeUnavailableError("ONNX export needs onnxscript: pip install 'lfr[export]'") from error
    dimensions: dict[int, Any] = {0: torch.export.Dim("n")}
    if module.size_step is not None:
        dimensions |= {2: module.size_step * torch.export.Dim("h"), 3: module.size_step * torch.export.Dim("w")}
    with _quiet_exporter(), io.BytesIO() as buffer:
        program = torch.onnx.export(
            module,
            (_example(module),),
            dynamo=True,
            dynamic_shapes=(dimensions,),
            input_names=[module.input_name],
            output_names=list(module.output_names),
            verbose=False,
        )
        assert program is not None
        onnx.save(program.model_proto, buffer)
        return buffer.getvalue()


@contextmanager
def _quiet_exporter() -> Iterator[None]:
    """Hold back what torch's exporter warns and logs about its own internals."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)


def _example(module: ImageNetwork) -> torch.Tensor:
    pixels = np.random.default_rng(0).uniform(0, 255, (2, 3, *module.example_hw))
    return torch.from_numpy(pixels.astype(np.float32))


def _to_onnx(module: ImageNetwork, example: torch.Tensor) -> tuple[Mapping[str, bytes], list[FloatArray]]:
    content = onnx_bytes(module)
    network = cv2.dnn.readNetFromONNX(np.frombuffer(content, np.uint8))
    names = network.getUnconnectedOutLayersNames()
    network.setInput(example.numpy())
    outputs = dict(zip(names, network.forward(names), strict=True))
    return {"": content}, [np.asarray(outputs[name], np.float32) for name in module.output_names]


def _to_openvino(module: ImageNetwork, example: torch.Tensor) -> tuple[Mapping[str, bytes], list[FloatArray]]:
    ov = import_openvino()
    graph = openvino_graph(module)
    compiled = openvino_core().compile_model(graph, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    results = compiled([example.numpy()])
    with tempfile.TemporaryDirectory() as folder:
        xml = Path(folder, "network.xml")
        ov.save_model(graph, xml, compress_to_fp16=False)
        content = {"": xml.read_bytes(), ".bin": xml.with_suffix(".bin").read_bytes()}
    return content, [np.array(results[i]) for i in range(len(compiled.outputs))]


def _write(path: Path, content: Mapping[str, bytes]) -> None:
    """Write each part (by suffix; "" is ``path`` itself) whole or not at all."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        for suffix, data in content.items():
            target = path.with_suffix(suffix) if suffix else path
            partial = target.with_name(f".{target.name}.partial")
            try:
                partial.write_bytes(data)
                partial.replace(target)
            finally:
                partial.unlink(missing_ok=True)
    except OSError as error:
        raise InputError(f"{path}: cannot write: {error.strerror}") from error
