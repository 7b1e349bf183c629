"""Where a result comes from: the code's commit, the configuration's digest, the machine."""

from __future__ import annotations

import hashlib
import json
import subprocess
from importlib import metadata
from pathlib import Path
from typing import Any

import torch
from pydantic import BaseModel

import lfr
from lfr.evaluation.benchmarks.machine import machine_facts
from lfr.models import CROP_SIDE

__all__ = ["code_commit", "config_digest", "environment", "training_digest"]

_PACKAGES = ("torchvision", "timm", "ray", "nncf")


def code_commit() -> str:
    """Return the commit of lfr's code, with ``+changes`` where files differ from it; ``unknown`` outside a clone."""
    words = ["git", "-C", str(Path(lfr.__file__).parent.parent)]
    try:
        head = subprocess.run([*words, "rev-parse", "HEAD"], capture_output=True, text=True, check=True)  # noqa: S603
        status = subprocess.run(  # noqa: S603
            [*words, "status", "--porcelain", "--untracked-files=no"], capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return head.stdout.strip() + ("+changes" if status.stdout.strip() else "")


def config_digest(config: BaseModel) -> str:
    """SHA-256 over an experiment's settings, defaults among them."""
    return _digest(config.model_dump(mode="json"))


def training_digest(config: BaseModel) -> str:
    """SHA-256 over what training depends on: not what is kept of it, how that is measured, or what is written of it."""
    return _digest(config.model_dump(mode="json", exclude={"question", "measuring", "blend", "clean_lost", "licence"}))


_CAME_LATER: dict[tuple[str, str], Any] = {("backbone", "input_px"): CROP_SIDE}
"""Settings that came after the first trainings, as `blend` and `clean_lost`, with what those had: digests stay."""


def _digest(said: dict[str, Any]) -> str:
    for (section, name), before in _CAME_LATER.items():
        if said.get(section, {}).get(name) == before:
            said[section] = {key: value for key, value in said[section].items() if key != name}
    for name in ("blend", "clean_lost"):
        if not said.get(name, True):
            del said[name]
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()


def environment() -> dict[str, str]:
    """Return what the result was made with: processor, cores, device, versions. No names of hosts or users."""
    facts = machine_facts()
    versions = dict(facts.pop("packages"))
    for name in _PACKAGES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu"
    return {name: str(value) for name, value in {**facts, "device": device, **versions}.items()}
