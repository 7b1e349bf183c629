"""Make torchvision, and so timm, importable beside a CPU-only torch. Import this before either.

The registry's torchvision is a CUDA build. Beside a CPU-only torch its
compiled operators do not load, and its import then fails where it gives
shapes to two of them that nobody declared. Declaring those is enough for
models and transforms; calling ``torchvision.ops`` there still says that it has
no operators. Beside a torch with CUDA nothing is changed.
"""

from __future__ import annotations

import importlib.util
from typing import Final

import torch

__all__: list[str] = []


def _declared() -> torch.library.Library | None:
    if torch.version.cuda is not None or importlib.util.find_spec("torchvision") is None:
        return None
    library = torch.library.Library("torchvision", "FRAGMENT")  # type: ignore[no-untyped-call]
    for name in ("nms", "qnms"):
        library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")  # type: ignore[no-untyped-call]
    return library


# The declarations last as long as this object.
_LIBRARY: Final = _declared()
