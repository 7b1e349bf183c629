"""Networks that can be trained to embed: SFace itself, or any timm backbone with an embedding head."""

from __future__ import annotations

import difflib
import logging
import warnings
from pathlib import Path
from typing import ClassVar, cast

import torch
from torch import Tensor, nn

import lfr.models._torchvision  # noqa: F401 # before timm, which imports torchvision
from lfr.errors import RuntimeUnavailableError, SettingsError
from lfr.models import CROP_SIDE, weights_folder
from lfr.models.network import ImageNetwork
from lfr.models.sface import SFace
from lfr.models.weights import load_sface
from lfr.training.config import Backbone

__all__ = ["SmallSFace", "TimmEmbedder", "build_network", "set_training"]

_STRIDE = 16


class TimmEmbedder(ImageNetwork):
    """A timm backbone with an embedding head.

    ``forward`` takes (n, 3, 112, 112) float RGB 0..255, aligned, and returns
    (n, size) numbers, not normalised. The network holds its own scaling.

    Parameters
    ----------
    backbone
        Gives (n, channels, height, width) maps.
    size
        Numbers in a template.
    head
        ``pool``: mean over the map; ``depthwise``: a weight for each place of each channel (MobileFaceNet, Chen et
        al., 2018); ``flatten``: a full matrix, as SFace has it.
    """

    rgb: ClassVar = True
    example_hw: ClassVar = (CROP_SIDE, CROP_SIDE)
    size_step: ClassVar = None
    input_name: ClassVar = "data"
    output_names: ClassVar = ("template",)

    def __init__(self, backbone: nn.Module, *, size: int, head: str) -> None:
        super().__init__()
        self.backbone = backbone
        with torch.no_grad():
            maps = backbone.eval()(torch.zeros(1, 3, *self.example_hw))
        if str(getattr(backbone, "output_fmt", "NCHW")) != "NCHW":
            raise ValueError("its channels are the last axis")
        _, channels, height, width = maps.shape
        reduce: nn.Module
        if head == "pool":
            reduce, features = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten()), channels
        elif head == "depthwise":
            every_place = nn.Conv2d(channels, channels, (height, width), groups=channels, bias=False)
            reduce, features = nn.Sequential(every_place, nn.BatchNorm2d(channels), nn.Flatten()), channels
        else:
            reduce, features = nn.Flatten(), channels * height * width
        self.head = nn.Sequential(reduce, nn.Linear(features, size, bias=False), nn.BatchNorm1d(size))

    def forward(self, crops: Tensor) -> Tensor:
        """Return (n, size) templates."""
        return cast("Tensor", self.head(self.backbone((crops - 127.5) / 128.0)))


class SmallSFace(SFace):
    """SFace over smaller faces: its work falls with the square of their side.

    ``forward`` takes the same 112x112 crops and makes them small itself.

    Parameters
    ----------
    side
        Of the faces, in pixels: a multiple of 16.
    """

    shrink: Tensor

    def __init__(self, side: int) -> None:
        super().__init__()
        places = side // _STRIDE
        self.embedding = nn.Linear(self.features_norm.num_features * places**2, self.embedding.out_features)
        self.register_buffer("shrink", _area_resampling(CROP_SIDE, side), persistent=False)

    def forward(self, crops: Tensor) -> Tensor:
        """Return (n, 128) templates."""
        # Scaled first: bf16 has no numbers between the grey levels over 128.
        return self.embed(self.shrink @ ((crops - 127.5) / 128.0) @ self.shrink.T)

    def start_from(self, whole: SFace) -> None:
        """Take the weights of SFace; its last matrix, of 7x7 places, is summed up for the fewer ones that there are.

        A map of n x n places stands for one of 7x7 that is made from it by linear interpolation.
        """
        kept = whole.state_dict()
        size, channels = self.embedding.out_features, self.features_norm.num_features
        many, few = CROP_SIDE // _STRIDE, round((self.embedding.in_features / channels) ** 0.5)
        enlarge = nn.functional.interpolate(torch.eye(few)[None], size=many, mode="linear")[0]  # (few, many)
        matrix = kept["embedding.weight"].reshape(size, channels, many, many)
        kept["embedding.weight"] = (enlarge @ matrix @ enlarge.T).flatten(1)
        self.load_state_dict(kept)


def build_network(backbone: Backbone, *, seed: int, weights: Path | None = None) -> ImageNetwork:
    """Return the network that an experiment starts from.

    Parameters
    ----------
    backbone
        Which.
    seed
        Of random weights.
    weights
        Folder of the weight pack; None: the installed one.

    Raises
    ------
    SettingsError
        timm has no such model, or it cannot take 112x112 pictures.
    RuntimeUnavailableError
        timm is not installed.
    """
    if backbone.name == "sface":
        return _build_sface(backbone, seed=seed, weights=weights or weights_folder())
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import timm  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise RuntimeUnavailableError(f"{backbone.name} comes with timm: pip install 'lfr[timm]'") from error
    logging.getLogger("timm").setLevel(logging.ERROR)
    if not timm.is_model(backbone.name):
        near = difflib.get_close_matches(backbone.name, timm.list_models(), n=3)
        hint = f"; near: {', '.join(near)}" if near else ""
        raise SettingsError(f"backbone.name: timm has no model '{backbone.name}'{hint}")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        try:
            network = timm.create_model(backbone.name, pretrained=False, num_classes=0, global_pool="")
            if backbone.keep_resolution:
                _keep_resolution(network, backbone.name)
            return TimmEmbedder(network, size=backbone.embedding_size, head=backbone.head)
        except (RuntimeError, AssertionError, TypeError, ValueError) as error:
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            raise SettingsError(
                f"backbone.name: {backbone.name} gives no map of a 112x112 picture, which the head needs: {reason}"
            ) from error


def _build_sface(backbone: Backbone, *, seed: int, weights: Path) -> SFace:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = SFace() if backbone.input_px == CROP_SIDE else SmallSFace(backbone.input_px)
    if backbone.initial == "sface":
        whole = load_sface(weights)
        if not isinstance(network, SmallSFace):
            return whole
        network.start_from(whole)
    return network


def set_training(network: ImageNetwork, backbone: Backbone, *, norms: bool) -> None:
    """Put a network into training, but for what stays as it is: frozen layers, and batch norms unless ``norms``."""
    network.train()
    frozen: list[nn.Module] = []
    if isinstance(network, SFace):
        frozen = list(network.features.children())[: backbone.frozen_layers]
    for module in network.modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d) and not norms:
            module.eval()
    for layer in frozen:
        layer.eval().requires_grad_(False)


def _area_resampling(many: int, few: int) -> Tensor:
    """Return the (few, many) matrix whose rows take the mean over as much of a line as falls on each new pixel."""
    edges = torch.arange(few + 1, dtype=torch.float64) * many / few
    pixels = torch.arange(many, dtype=torch.float64)
    covered = torch.minimum(edges[1:, None], pixels + 1) - torch.maximum(edges[:-1, None], pixels)
    return (covered.clamp(min=0.0) * few / many).float()


def _keep_resolution(network: nn.Module, name: str) -> None:
    for module in network.modules():
        if isinstance(module, nn.Conv2d) and module.stride == (2, 2):
            module.stride = (1, 1)
            return
    raise SettingsError(f"backbone.keep_resolution: {name} has no convolution of stride 2")
