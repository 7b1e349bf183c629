"""Make a version's networks ready, once for all processes that run them."""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from pathlib import Path

from lfr.errors import ModelError, WeightsError
from lfr.models.loading import digest_of, parts_of
from lfr.models.ready import PARTS, ReadyModel
from lfr.models.runtimes import check_runtime, import_openvino, save_openvino

__all__ = ["make_ready"]

_INDEX = "ready.json"


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
    try:
        if (found := _read(place, name, digest)) is not None:
            return found
        folder.mkdir(parents=True, exist_ok=True)
        partial = Path(tempfile.mkdtemp(prefix=".partial-", dir=folder))
        try:
            for part, module in (("detector", detector), ("embedder", embedder)):
                save_openvino(module, partial / f"{part}.xml")
            files = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in partial.iterdir()}
            (partial / _INDEX).write_text(json.dumps({"digest": digest, "files": files}), encoding="utf-8")
            shutil.rmtree(place, ignore_errors=True)  # one that was broken off, or cannot be read
            partial.rename(place)
        finally:
            shutil.rmtree(partial, ignore_errors=True)
    except OSError as error:
        raise ModelError(f"{place}: cannot write the ready networks: {error.strerror}") from error
    return ReadyModel(name, digest, place, files)


def _read(place: Path, name: str, digest: str) -> ReadyModel | None:
    """Return what was made before; None where nothing whole was."""
    try:
        index = json.loads((place / _INDEX).read_text(encoding="utf-8"))
        ready = ReadyModel(name, digest, place, index["files"])
        for part in PARTS:
            ready.file(part)
    except (OSError, ValueError, KeyError, TypeError, WeightsError):
        return None
    return ready if index["digest"] == digest else None
