"""SFace, the default embedder, as a torch module.

Zhong, Deng, Hu, Zhao, Li, Wen, "SFace: Sigmoid-Constrained Hypersphere Loss
for Robust Face Recognition", IEEE TIP 30, 2021; weights from the OpenCV Zoo
(Apache-2.0). A MobileNet of thirteen depthwise blocks with PReLU.
"""

from __future__ import annotations

from typing import ClassVar, cast

from torch import Tensor, nn

from lfr.models.network import ImageNetwork

__all__ = ["SFace"]

# Output channels and stride of the thirteen depthwise-separable blocks.
_BLOCKS = (
    *((64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2)),
    *((512, 1),) * 5,
    *((1024, 2), (1024, 1)),
)
_EPS_BLOCK, _EPS_END = 1e-3, 2e-5


def _conv(inputs: int, outputs: int, *, kernel: int, stride: int = 1, groups: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, stride=stride, padding=kernel // 2, groups=groups, bias=False),
        nn.BatchNorm2d(outputs, eps=_EPS_BLOCK),
        nn.PReLU(outputs),
    )


class SFace(ImageNetwork):
    """Template of an aligned face.

    ``forward`` takes (n, 3, 112, 112) float RGB 0..255, aligned to the usual
    five-point template, and returns (n, 128) numbers, not normalised.
    """

    rgb: ClassVar = True
    example_hw: ClassVar = (112, 112)
    size_step: ClassVar = None
    input_name: ClassVar = "data"
    output_names: ClassVar = ("fc1",)

    def __init__(self) -> None:
        super().__init__()
        layers = [_conv(3, 32, kernel=3)]
        channels = 32
        for outputs, stride in _BLOCKS:
            layers.append(_conv(channels, channels, kernel=3, stride=stride, groups=channels))
            layers.append(_conv(channels, outputs, kernel=1))
            channels = outputs
        self.features = nn.Sequential(*layers)
        self.features_norm = nn.BatchNorm2d(channels, eps=_EPS_END)
        self.embedding = nn.Linear(channels * 7 * 7, 128)
        self.embedding_norm = nn.BatchNorm1d(128, eps=_EPS_END)

    def forward(self, crops: Tensor) -> Tensor:
        """Return (n, 128) templates."""
        return self.embed((crops - 127.5) / 128.0)

    def embed(self, scaled: Tensor) -> Tensor:
        """Return (n, 128) templates of crops that are scaled to about -1..1 already."""
        x = self.features_norm(self.features(scaled))
        return cast("Tensor", self.embedding_norm(self.embedding(x.flatten(1))))
