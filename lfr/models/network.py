"""What every network of lfr says of itself."""

from __future__ import annotations

from typing import ClassVar

from torch import nn

__all__ = ["ImageNetwork"]


class ImageNetwork(nn.Module):
    """A torch module over (n, 3, height, width) float pictures of 0..255.

    Attributes
    ----------
    rgb
        Whether the channels are RGB; else BGR.
    example_hw
        A height and width it takes, to trace it with.
    size_step
        Sides may be any multiple of this many pixels; None: only ``example_hw``.
    input_name, output_names
        Names in an exported graph: those of the published ONNX file.
    """

    rgb: ClassVar[bool]
    example_hw: ClassVar[tuple[int, int]]
    size_step: ClassVar[int | None]
    input_name: ClassVar[str]
    output_names: ClassVar[tuple[str, ...]]
