"""What a benchmark ran on: enough to compare with, nothing that says whose machine it was."""

from __future__ import annotations

import platform
from importlib import metadata
from pathlib import Path
from typing import Any

import psutil
import torch

from lfr import __version__
from lfr.models.runtimes import openvino_core
from lfr.pipeline import core_count

__all__ = ["fastest_version", "has_bf16", "has_cuda", "machine_facts"]

_PACKAGES = (
    "numpy",
    "opencv-python-headless",
    "openvino",
    "torch",
    "onnxruntime",
    "faiss-cpu",
)


def machine_facts() -> dict[str, Any]:
    """Return processor, cores, memory in GiB, bf16 or not, and versions. No names of hosts or users, no paths."""
    return {
        "processor": _processor(),
        "cores": core_count(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "bf16": has_bf16(),
        "system": platform.system(),
        "python": platform.python_version(),
        "packages": {
            "lfr": __version__,
            **{name: version for name in _PACKAGES if (version := _installed(name)) is not None},
        },
    }


def has_bf16() -> bool:
    """Return whether OpenVINO can calculate in bf16 on this processor."""
    return "BF16" in openvino_core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


def has_cuda() -> bool:
    """Return whether torch finds a CUDA device."""
    return torch.cuda.is_available()


def fastest_version() -> str:
    """Return the fastest model version that this processor can run."""
    return "openvino-bf16" if has_bf16() else "openvino-f32"


def _processor() -> str:
    facts = Path("/proc/cpuinfo")
    if facts.is_file():
        for line in facts.read_text(encoding="utf-8").splitlines():
            key, _, value = line.partition(":")
            if key.strip() == "model name":
                return value.strip()
    return platform.processor() or platform.machine()


def _installed(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None
