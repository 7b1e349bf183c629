"""YuNet, the default face detector, as a torch module.

Wu, Peng, Yu, "YuNet: A Tiny Millisecond-level Face Detector", Machine
Intelligence Research 20, 2023; weights from the OpenCV Zoo (MIT), which have
batch normalisation folded in: 53,104 parameters here. Strides 8, 16 and 32.
"""

from __future__ import annotations

from typing import ClassVar, cast

import torch
from torch import Tensor, nn

from lfr.models.network import ImageNetwork
from lfr.models.versions import STRIDES

__all__ = ["YuNet"]

_CHANNELS = ((16, 16), (16, 32), (32, 64), (64, 64), (64, 64), (64, 64))
_POOLED_BEFORE = (1, 3, 4, 5)  # stages whose input is halved first; the stem halves by its stride


class _Separable(nn.Sequential):
    """1x1 then depthwise 3x3 convolution, with ReLU unless it ends a head."""

    def __init__(self, inputs: int, outputs: int, *, relu: bool = True) -> None:
        super().__init__(
            nn.Conv2d(inputs, outputs, 1),
            nn.Conv2d(outputs, outputs, 3, padding=1, groups=outputs),
            *([nn.ReLU()] if relu else []),
        )


class YuNet(ImageNetwork):
    """Face scores, boxes and landmarks at three strides.

    ``forward`` takes (n, 3, height, width) float BGR 0..255 with sides that
    are multiples of 32 and returns twelve tensors of (n, cells, k), cells row
    by row, in the order of ``output_names``: classification (k = 1) for strides 8, 16, 32, then objectness (1), boxes
    (4) and landmarks (10). A face's score is the square root of
    classification times objectness; `lfr.vision.detect` decodes the rest.
    """

    rgb: ClassVar = False
    example_hw: ClassVar = (64, 96)
    size_step: ClassVar = STRIDES[-1]
    input_name: ClassVar = "input"
    output_names: ClassVar = tuple(f"{kind}_{stride}" for kind in ("cls", "obj", "bbox", "kps") for stride in STRIDES)

    def __init__(self) -> None:
        super().__init__()
        stem = nn.Sequential(nn.Conv2d(3, 16, 3, stride=2, padding=1), nn.ReLU(), _Separable(16, 16))
        stages = [nn.Sequential(_Separable(a, a), _Separable(a, b)) for a, b in _CHANNELS[1:]]
        self.stages = nn.ModuleList([stem, *stages])
        self.neck = nn.ModuleList([_Separable(64, 64) for _ in STRIDES])
        # One convolution for class (1), objectness (1), box (4) and landmarks (10): the published
        # network has four side by side, which gives the same numbers slower.
        self.heads = nn.ModuleList([_Separable(64, 16, relu=False) for _ in STRIDES])
        self.pool = nn.MaxPool2d(2)

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """Return the twelve outputs, named by ``output_names``."""
        features: list[Tensor] = []
        x = images
        for i, stage in enumerate(self.stages):
            x = stage(self.pool(x) if i in _POOLED_BEFORE else x)
            if i >= 3:
                features.append(x)
        cells: list[Tensor] = []
        coarser: Tensor | None = None
        for i in reversed(range(len(STRIDES))):
            merged = features[i]
            if coarser is not None:
                merged = merged + nn.functional.interpolate(coarser, scale_factor=2.0, mode="nearest")
            coarser = cast("Tensor", self.neck[i](merged))
            cells.insert(0, self.heads[i](coarser).permute(0, 2, 3, 1).flatten(1, 2))
        confidence = [torch.sigmoid(y[..., :2]) for y in cells]
        return (
            *(y[..., :1] for y in confidence),
            *(y[..., 1:] for y in confidence),
            *(y[..., 2:6] for y in cells),
            *(y[..., 6:] for y in cells),
        )
