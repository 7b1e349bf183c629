"""An embedder in numbers of 8 bits, by NNCF after training; layers that would cost accuracy stay in float.

Ranges are taken from training faces, and what stays in float is chosen on
held-out ones, so that the people who measure decide nothing.
"""

from __future__ import annotations

import hashlib
import logging
import re
import sys
import tempfile
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lfr.errors import RuntimeUnavailableError
from lfr.evaluation.private import write_whole
from lfr.models.network import ImageNetwork
from lfr.models.runtimes import import_openvino, openvino_core, openvino_graph
from lfr.types import FloatArray, Pixels

if TYPE_CHECKING:
    import openvino as ov

__all__ = ["Quantised", "quantised"]

_RESAMPLING = "aten::matmul/.*"
_Probe = tuple[FloatArray, FloatArray]
"""A picture, (1, 3, 112, 112), and its template of float32, (d,)."""


@dataclass(frozen=True, eq=False)
class Quantised:
    """A quantised embedder.

    Attributes
    ----------
    graph
        OpenVINO graph that takes (n, 3, 112, 112) float pictures of 0..255, as the network does.
    xml, weights
        The graph as OpenVINO keeps it, in two files.
    cosine
        Mean cosine of its templates of the held-out faces to those of float32.
    quantised_layers, layers
        Convolutions and matrices that take 8-bit numbers, of how many.
    """

    graph: ov.Model = field(repr=False)
    xml: bytes = field(repr=False)
    weights: bytes = field(repr=False)
    cosine: float
    quantised_layers: int
    layers: int

    @property
    def sha256(self) -> str:
        """Digest of both files."""
        return hashlib.sha256(self.xml + self.weights).hexdigest()

    def write(self, folder: Path) -> list[Path]:
        """Write both files, and return which.

        Raises
        ------
        OSError
            They cannot be written.
        """
        paths = [folder / "int8.xml", folder / "int8.bin"]
        for path, content in zip(paths, (self.xml, self.weights), strict=True):
            write_whole(path, lambda file, content=content: file.write(content))  # type: ignore[misc]
        return paths


def quantised(network: ImageNetwork, calibration: Pixels, held_out: Pixels, *, most_lost: float) -> Quantised:
    """Quantise an embedder; take layers back to float, those that lose most first, until little enough is lost.

    Parameters
    ----------
    network
        In evaluation mode.
    calibration, held_out
        (n, 112, 112, 3) BGR, aligned.
    most_lost
        Largest loss of the mean cosine to the templates of float32 on the held-out faces.

    Raises
    ------
    RuntimeUnavailableError
        NNCF is not installed.
    """
    import_openvino()  # first: it keeps NNCF from reporting anything to anybody
    try:
        import nncf  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise RuntimeUnavailableError("quantising needs NNCF: pip install 'lfr[int8]'") from error
    graph = openvino_graph(network)
    pictures, probes = (_pictures(network, faces) for faces in (calibration, held_out))
    reference = _templates(_compiled(graph), probes)

    def agreement(compiled: ov.CompiledModel, given: Iterable[_Probe]) -> tuple[float, list[float]]:
        some = list(given)  # NNCF ranks layers on a part of them
        each = (_templates(compiled, [picture for picture, _ in some]) * np.stack([true for _, true in some])).sum(1)
        return float(each.mean()), each.tolist()

    with _quiet(nncf):
        made = nncf.quantize_with_accuracy_control(
            graph,
            calibration_dataset=nncf.Dataset(pictures),
            validation_dataset=nncf.Dataset(list(zip(probes, reference, strict=True)), lambda probe: probe[0]),
            validation_fn=agreement,
            max_drop=most_lost,
            preset=nncf.QuantizationPreset.MIXED,
            subset_size=len(pictures),
            # What makes pictures small, in `SmallSFace`, is no layer; most networks have none.
            ignored_scope=nncf.IgnoredScope(patterns=[_RESAMPLING], validate=False),
        )
    xml, weights = _serialised(made)
    cosine = float((_templates(_compiled(made), probes) * reference).sum(axis=1).mean())
    return Quantised(made, xml, weights, cosine, *_counted(made))


def _pictures(network: ImageNetwork, faces: Pixels) -> list[FloatArray]:
    ordered = faces[..., ::-1] if network.rgb else faces
    return [np.ascontiguousarray(face.transpose(2, 0, 1), np.float32)[None] for face in ordered]


def _compiled(graph: ov.Model) -> ov.CompiledModel:
    return openvino_core().compile_model(graph, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})


def _templates(compiled: ov.CompiledModel, pictures: Iterable[FloatArray]) -> FloatArray:
    """(n, d) of length 1."""
    found = np.concatenate([np.array(compiled([picture])[0]) for picture in pictures])
    return np.asarray(found / np.linalg.norm(found, axis=1, keepdims=True), np.float32)


def _counted(graph: ov.Model) -> tuple[int, int]:
    """Convolutions and matrices whose input was quantised, and all of them."""
    layers = [
        op
        for op in graph.get_ops()
        if op.get_type_name() in ("Convolution", "GroupConvolution", "MatMul")
        and not re.fullmatch(_RESAMPLING, op.get_friendly_name())
    ]
    return sum(_takes_8_bits(layer) for layer in layers), len(layers)


def _takes_8_bits(layer: ov.Node) -> bool:
    given = layer.input_value(0).get_node()
    while given.get_type_name() == "Reshape":
        given = given.input_value(0).get_node()
    return bool(given.get_type_name() == "FakeQuantize")


def _serialised(graph: ov.Model) -> tuple[bytes, bytes]:
    with tempfile.TemporaryDirectory(prefix="lfr-int8-") as folder:
        path = Path(folder) / "int8.xml"
        import_openvino().save_model(graph, path, compress_to_fp16=False)
        return path.read_bytes(), path.with_suffix(".bin").read_bytes()


@contextmanager
def _quiet(nncf: Any) -> Iterator[None]:  # noqa: ANN401 - the module
    """Hold back what NNCF logs; what it draws goes to standard error, as all progress does."""
    before = logging.getLogger("nncf").level
    nncf.set_log_level(logging.ERROR)
    try:
        with warnings.catch_warnings(), redirect_stdout(sys.stderr):
            warnings.simplefilter("ignore")
            yield
    finally:
        nncf.set_log_level(before or logging.INFO)
