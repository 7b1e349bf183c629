"""The detector alone, without torch where its graph was kept: for what makes no template and needs no digest.

Torch takes a second to import, more than a look at a picture takes. So the
graph is kept after the first time, under a digest of its weights, of the code
that makes it and of OpenVINO's version. Nothing that alerts uses it.
"""

from __future__ import annotations

import hashlib
import os
from contextlib import suppress
from pathlib import Path

from lfr.models.pack import YUNET, weights_folder
from lfr.models.ready import read_ready, write_ready
from lfr.models.runtimes import Network, OpenVinoNetwork, import_openvino
from lfr.models.versions import DEFAULT_VERSION, version_named

__all__ = ["load_detector"]

_MADE_BY = ("network.py", "runtimes.py", "weights.py", "yunet.py")


def load_detector(
    name: str = DEFAULT_VERSION,
    *,
    threads: int | None = None,
    weights: Path | None = None,
    cache: Path | None = None,
) -> Network:
    """Load a version's detector, without reading the embedder.

    Parameters
    ----------
    name, threads, weights
        As for `lfr.models.load_model`.
    cache
        Where its graph is kept for the next time; None, or a folder that cannot be written, or in which somebody else
        may write: nowhere.

    Raises
    ------
    RuntimeUnavailableError, WeightsError
        As `lfr.models.load_model`.
    """
    version, folder = version_named(name), weights or weights_folder()
    place = None
    if cache is not None and version.runtime == "openvino" and _is_own(cache):
        digest = _digest(folder)
        place = cache / f"detector-{digest[:16]}"
        if (kept := read_ready(name, digest, place, "detector")) is not None:
            return OpenVinoNetwork(kept.file("detector"), precision=version.precision, threads=threads)
    # They import torch, which a kept graph does without.
    from lfr.models.loading import network_of  # noqa: PLC0415
    from lfr.models.weights import load_yunet  # noqa: PLC0415

    detector = load_yunet(folder)
    if place is not None:
        with suppress(OSError):
            write_ready(name, digest, place, {"detector": detector})
    return network_of(version, detector, threads=threads)


def _is_own(cache: Path) -> bool:
    """Whether the folder is there, or was made, and only this user writes in it: what is in it vouches for itself."""
    try:
        cache.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = cache.stat()
    except OSError:
        return False
    return found.st_uid == os.geteuid() and not found.st_mode & 0o022


def _digest(weights: Path) -> str:
    """Over everything that the detector's graph is made from."""
    made_from = hashlib.sha256(YUNET.verified(weights))
    for name in _MADE_BY:
        made_from.update(Path(__file__).with_name(name).read_bytes())
    made_from.update(import_openvino().get_version().encode())
    return made_from.hexdigest()
