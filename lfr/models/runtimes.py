"""Runtimes behind one protocol: OpenVINO, ONNX Runtime and, in `lfr.models.torch_network`, torch.

A runtime is chosen by name and never replaced by another in silence: what is
asked for and cannot be had raises `RuntimeUnavailableError`. Heavy packages
are imported when a runtime is built, so that one can be used without the
others installed.
"""

from __future__ import annotations

import queue
import sys
import warnings
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np

from lfr.errors import RuntimeUnavailableError
from lfr.types import FloatArray, Pixels

if TYPE_CHECKING:
    import openvino as ov

    from lfr.models.network import ImageNetwork

__all__ = [
    "Network",
    "OnnxNetwork",
    "OpenVinoNetwork",
    "check_runtime",
    "import_openvino",
    "onnx_errors",
    "openvino_core",
    "openvino_graph",
    "save_openvino",
]


class Network(Protocol):
    """A network on a runtime.

    Takes (n, height, width, 3) BGR ``uint8`` of any n, and returns the
    network's outputs, each an array whose first axis is n.
    """

    def __call__(self, pixels: Pixels) -> tuple[FloatArray, ...]:
        """Run the network once over the batch."""
        ...


class OpenVinoNetwork:
    """The default runtime on CPU. Colour order and number format are part of the compiled graph.

    Parameters
    ----------
    network
        In evaluation mode, which is converted and not kept; or the file of `save_openvino`.
    precision
        ``f32``, or ``bf16`` where the processor has it.
    threads
        Number of threads; None leaves the choice to OpenVINO.
    streams
        Calls that run at once, each on its share of the threads; more of them wait for one another. One
        thread for each call takes less time in all than threads that share a call and wait for each other
        after every layer, and a single call takes longer.
    graph
        What is compiled in the network's place, as its quantised graph; None: the network's own.

    Raises
    ------
    RuntimeUnavailableError
        The processor lacks bf16, or OpenVINO compiled for another precision than asked for.
    """

    def __init__(
        self,
        network: ImageNetwork | Path,
        *,
        precision: str = "f32",
        threads: int | None = None,
        streams: int = 1,
        graph: ov.Model | None = None,
    ) -> None:
        check_runtime("openvino", precision=precision)
        core = openvino_core()
        settings = {
            "INFERENCE_PRECISION_HINT": precision,
            "EXECUTION_MODE_HINT": "PERFORMANCE",
            "PERFORMANCE_HINT": "LATENCY",
            "NUM_STREAMS": str(streams),
        }
        if threads is not None:
            settings["INFERENCE_NUM_THREADS"] = str(threads)
        pictures = core.read_model(network) if isinstance(network, Path) else _pictures_graph(network, graph)
        self._compiled = core.compile_model(pictures, "CPU", settings)
        compiled_for = self._compiled.get_property("INFERENCE_PRECISION_HINT").get_type_name()
        if compiled_for != precision:
            raise RuntimeUnavailableError(f"OpenVINO was asked for {precision} and compiled for {compiled_for}")
        self._requests: queue.SimpleQueue[ov.InferRequest] = queue.SimpleQueue()
        for _ in range(streams):
            self._requests.put(self._compiled.create_infer_request())
        self._outputs = len(self._compiled.outputs)

    def __call__(self, pixels: Pixels) -> tuple[FloatArray, ...]:
        """Run the network once over the batch."""
        request = self._requests.get()
        try:
            request.infer([np.ascontiguousarray(pixels)], share_inputs=True)
            return tuple(_taken(request.get_output_tensor(i).data) for i in range(self._outputs))
        finally:
            self._requests.put(request)


class OnnxNetwork:
    """ONNX Runtime on CPU, for an ONNX graph with NCHW float input (an extra).

    Parameters
    ----------
    graph
        Serialised ONNX model.
    rgb
        Whether the graph takes RGB; pixels arrive as BGR.
    threads
        As for `OpenVinoNetwork`.
    mean, std
        Taken off each channel, and what it is divided by, in the graph's order; None where the graph does it.

    Raises
    ------
    RuntimeUnavailableError
        The package onnxruntime is not installed.
    """

    def __init__(
        self,
        graph: bytes,
        *,
        rgb: bool,
        threads: int | None = None,
        mean: Sequence[float] | None = None,
        std: Sequence[float] | None = None,
    ) -> None:
        check_runtime("onnxruntime")
        import onnxruntime  # noqa: PLC0415 - an extra, loaded only when chosen

        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        if threads is not None:
            options.intra_op_num_threads = threads
        self._session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
        self._input = self._session.get_inputs()[0].name
        self._rgb = rgb
        self._mean = None if mean is None else np.array(mean, np.float32)[:, None, None]
        self._std = None if std is None else np.array(std, np.float32)[:, None, None]

    def __call__(self, pixels: Pixels) -> tuple[FloatArray, ...]:
        """Run the network once over the batch."""
        channels = pixels[..., ::-1] if self._rgb else pixels
        x = np.ascontiguousarray(channels.transpose(0, 3, 1, 2), dtype=np.float32)
        if self._mean is not None:
            x -= self._mean
        if self._std is not None:
            x /= self._std
        outputs: Sequence[FloatArray] = self._session.run(None, {self._input: x})
        return tuple(outputs)


def _taken(output: FloatArray) -> FloatArray:
    """Return a copy, and leave nothing of it until the next call, which may come hours later."""
    copy = np.array(output)
    output[:] = 0
    return copy


def check_runtime(runtime: str, *, precision: str = "f32", device: str = "cpu") -> None:
    """Raise unless a runtime can be had here at this precision, without loading a network.

    Raises
    ------
    RuntimeUnavailableError
        Its package, device or precision is not here; the message says what to do.
    """
    if runtime == "onnxruntime":
        try:
            import onnxruntime  # noqa: F401, PLC0415 - an extra, loaded only when chosen
        except ImportError as error:
            raise RuntimeUnavailableError("ONNX Runtime is not installed: pip install 'lfr[onnxruntime]'") from error
    elif runtime == "openvino" and precision == "bf16":
        if "BF16" not in openvino_core().get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
            raise RuntimeUnavailableError(
                "OpenVINO bf16 needs a processor with AVX512_BF16 or AMX, and this one has neither; use openvino-f32"
            )
    elif device == "cuda":
        import torch  # noqa: PLC0415 - takes seconds to import

        if not torch.cuda.is_available():
            raise RuntimeUnavailableError(
                "CUDA was asked for and torch finds no CUDA device; "
                "choose a CPU version such as openvino-f32 or torch-f32"
            )


def onnx_errors() -> tuple[type[Exception], ...]:
    """Exceptions that ONNX Runtime raises for a graph or an input it does not take."""
    from onnxruntime.capi import onnxruntime_pybind11_state as state  # noqa: PLC0415 - an extra

    names = ("Fail", "InvalidArgument", "InvalidGraph", "InvalidProtobuf", "NotImplemented", "RuntimeException")
    return tuple(getattr(state, name) for name in names)


def openvino_graph(module: ImageNetwork) -> ov.Model:
    """Convert a network to an OpenVINO graph in float32 with free batch and picture size."""
    import torch  # noqa: PLC0415 - takes seconds to import

    ov = import_openvino()
    with warnings.catch_warnings(), torch.inference_mode():
        warnings.simplefilter("ignore", DeprecationWarning)  # torch's tracer is deprecated and what OpenVINO reads
        traced = torch.jit.trace(  # type: ignore[no-untyped-call]
            module, torch.zeros(1, 3, *module.example_hw), check_trace=False
        )
        return ov.convert_model(traced)


def save_openvino(module: ImageNetwork, file: Path) -> None:
    """Write a network as a graph over pictures, in float32, that `OpenVinoNetwork` runs without torch.

    Parameters
    ----------
    module
        In evaluation mode.
    file
        Ends in ``.xml``; the weights go beside it, ending in ``.bin``.
    """
    import_openvino().save_model(_pictures_graph(module), file, compress_to_fp16=False)


@cache
def openvino_core() -> ov.Core:
    """Return the one OpenVINO core of this process, which lasts as long as it does.

    The processor's part of OpenVINO gives the thread that makes it another stack for signals, and takes it back with
    the core; of several cores that end in another order than they began, one leaves a stack that is gone, and the
    next signal with a handler, such as Ctrl-C's, ends the process.
    """
    return import_openvino().Core()


def import_openvino() -> ov:
    """Import OpenVINO with its telemetry cut off: the package it would report through cannot be imported."""
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type] # how Python blocks an import
    import openvino  # noqa: PLC0415 - only after the line above

    return openvino


def _pictures_graph(module: ImageNetwork, graph: ov.Model | None = None) -> ov.Model:
    """Convert a network to a graph over pictures as they are: (n, height, width, 3) BGR ``uint8``."""
    ov = import_openvino()
    prepost = ov.preprocess.PrePostProcessor(openvino_graph(module) if graph is None else graph.clone())
    picture = prepost.input(0)
    picture.tensor().set_element_type(ov.Type.u8).set_layout(ov.Layout("NHWC"))
    picture.model().set_layout(ov.Layout("NCHW"))
    # Turned into planes while a number is still one byte.
    steps = picture.preprocess().convert_layout(ov.Layout("NCHW")).convert_element_type(ov.Type.f32)
    if module.rgb:
        steps.reverse_channels()
    return prepost.build()
