"""Make a version's networks ready, once for all processes that run them."""

from __future__ import annotations

import hashlib
from pathlib import Path

from lfr.errors import ModelError
from lfr.models.loading import digest_of, parts_of
from lfr.models.ready import ReadyModel, read_ready, write_ready
from lfr.models.runtimes import check_runtime, import_openvino

__all__ = ["make_ready"]


def make_ready(name: str, folder: Path, *, weights: Path | None = None) -> ReadyModel | None:
    """Write a version's networks as ready graphs, or find those that were written before.

    Parameters
    ----------
    name
        One of `lfr.models.VERSIONS`.
    folder
        Where each version has a folder of its own, by digest and by OpenVINO's version.
    weights
        Folder of the weight pack; None takes the installed one.

    Returns
    -------
    What they are; None where the version does not run on OpenVINO.

    Raises
    ------
    RuntimeUnavailableError, WeightsError
        As `lfr.models.load_model`.
    ModelError
        They cannot be written.
    """
    version, detector, embedder = parts_of(name, weights)
    if version.runtime != "openvino":
        return None
    check_runtime(version.runtime, precision=version.precision)
    digest = digest_of(version, detector=detector, embedder=embedder)
    made_by = hashlib.sha256(import_openvino().get_version().encode()).hexdigest()[:8]
    place = folder / f"{digest[:16]}-{made_by}"
    if (found := read_ready(name, digest, place, "detector", "embedder")) is not None:
        return found
    try:
        return write_ready(name, digest, place, {"detector": detector, "embedder": embedder})
    except OSError as error:
        raise ModelError(f"{place}: cannot write the ready networks: {error.strerror}") from error
