"""The files of the weight pack as networks: dequantised, and put where each tensor belongs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from torch import Tensor, nn

from lfr.errors import WeightsError
from lfr.models.pack import SFACE, YUNET, WeightFile
from lfr.models.sface import SFace
from lfr.models.yunet import YuNet

__all__ = ["load_sface", "load_yunet"]


def load_yunet(folder: Path) -> YuNet:
    """Return the detector with the pinned weights in float32, ready for inference."""
    graph = _parse(YUNET, folder)
    tensors = _tensors(graph)
    convolutions = [node for node in graph.node if node.op_type == "Conv"]
    network = YuNet()
    # The file lists stem and stages, then the neck from coarse to fine, then for each of class, box,
    # objectness and landmarks its three strides; a convolution's name is lost, so order is what remains.
    trunk = [m for part in network.stages for m in _convolutions(part)]
    trunk += [m for part in reversed(network.neck) for m in _convolutions(part)]
    state = {m: (tensors[node.input[1]], tensors[node.input[2]]) for m, node in zip(trunk, convolutions, strict=False)}
    heads = [
        [(tensors[node.input[1]], tensors[node.input[2]]) for node in convolutions[start : start + 6]]
        for start in range(len(trunk), len(trunk) + 24, 6)
    ]
    classes, boxes, objectness, landmarks = heads
    for stride, head in enumerate(network.heads):
        for i, module in enumerate(_convolutions(head)):
            parts = [branch[2 * stride + i] for branch in (classes, objectness, boxes, landmarks)]
            state[module] = (np.concatenate([w for w, _ in parts]), np.concatenate([b for _, b in parts]))
    for module, (weight, bias) in state.items():
        assert module.bias is not None
        _fill(module.weight, weight, YUNET)
        _fill(module.bias, bias, YUNET)
    return network.eval()


def load_sface(folder: Path) -> SFace:
    """Return the embedder with the pinned weights in float32, ready for inference."""
    graph = _parse(SFACE, folder)
    tensors = _tensors(graph)
    network = SFace()
    nodes = {kind: iter([n for n in graph.node if n.op_type == kind]) for kind in ("Conv", "BatchNormalization")}
    slopes = iter([n for n in graph.node if n.op_type == "PRelu"])
    gemm = next(n for n in graph.node if n.op_type == "Gemm")
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            _fill(module.weight, tensors[next(nodes["Conv"]).input[1]], SFACE)
        elif isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            node = next(nodes["BatchNormalization"])
            assert module.running_mean is not None
            assert module.running_var is not None
            for tensor, name in zip(
                (module.weight, module.bias, module.running_mean, module.running_var), node.input[1:], strict=True
            ):
                _fill(tensor, tensors[name], SFACE)
        elif isinstance(module, nn.PReLU):
            _fill(module.weight, tensors[next(slopes).input[1]].reshape(-1), SFACE)
        elif isinstance(module, nn.Linear):
            _fill(module.weight, tensors[gemm.input[1]], SFACE)
            _fill(module.bias, tensors[gemm.input[2]], SFACE)
    return network.eval()


def _parse(file: WeightFile, folder: Path) -> onnx.GraphProto:
    return onnx.load_from_string(file.verified(folder)).graph


def _convolutions(module: nn.Module) -> Iterator[nn.Conv2d]:
    return (m for m in module.modules() if isinstance(m, nn.Conv2d))


def _fill(target: Tensor, values: np.ndarray[tuple[int, ...], np.dtype[np.float32]], file: WeightFile) -> None:
    if tuple(target.shape) != values.shape:
        raise WeightsError(
            f"{file.file_name}: a tensor has shape {values.shape}, {file.name} needs {tuple(target.shape)}"
        )
    with torch.no_grad():
        target.copy_(torch.from_numpy(np.array(values)))


def _tensors(graph: onnx.GraphProto) -> dict[str, np.ndarray[tuple[int, ...], np.dtype[np.float32]]]:
    """Every constant of the graph in float32, by name, after DequantizeLinear and Reshape."""
    tensors = {i.name: numpy_helper.to_array(i) for i in graph.initializer}
    for node in graph.node:
        if node.op_type == "DequantizeLinear":
            settings = {a.name: a.i for a in node.attribute}
            quantised, scale, zero = (tensors[name] for name in node.input)
            axis, block = settings["axis"], settings["block_size"]
            length = quantised.shape[axis]
            scale, zero = (np.repeat(t, block, axis=axis).take(range(length), axis=axis) for t in (scale, zero))
            tensors[node.output[0]] = (quantised.astype(np.float32) - zero.astype(np.float32)) * scale
        elif node.op_type == "Reshape" and node.input[0] in tensors:
            tensors[node.output[0]] = tensors[node.input[0]].reshape(tensors[node.input[1]])
    return tensors
