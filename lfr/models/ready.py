"""A version's networks as graphs ready to be compiled: a process that has them needs neither torch nor weights."""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from lfr.errors import ModelError, WeightsError
from lfr.models.runtimes import Network, OpenVinoNetwork, save_openvino
from lfr.models.versions import VERSIONS, Model
from lfr.types import FloatArray, Pixels

if TYPE_CHECKING:
    from lfr.models.network import ImageNetwork

__all__ = ["NotLoaded", "Part", "ReadyModel", "load_ready", "read_ready", "write_ready"]

Part = Literal["detector", "embedder"]
_INDEX = "ready.json"


@dataclass(frozen=True)
class NotLoaded:
    """In place of a network that was not asked for."""

    part: str

    def __call__(self, pixels: Pixels) -> tuple[FloatArray, ...]:  # noqa: ARG002 # the protocol's
        """Raise ModelError."""
        raise ModelError(f"the model was loaded without its {self.part}")


@dataclass(frozen=True)
class ReadyModel:
    """What a version's ready networks are, and which bytes they must have.

    Attributes
    ----------
    version, digest
        Name of the version, and the digest that it was loaded with where the networks were made ready.
    folder
        Of the files.
    files
        SHA-256 of each file by its name.
    """

    version: str
    digest: str
    folder: Path
    files: Mapping[str, str] = field(default_factory=dict)

    def file(self, part: Part) -> Path:
        """Return the graph of one network, after comparing its files with what they must be.

        Raises
        ------
        WeightsError
            A file is missing or was changed.
        """
        for name in (f"{part}.xml", f"{part}.bin"):
            path = self.folder / name
            try:
                found = hashlib.sha256(path.read_bytes()).hexdigest()
            except OSError as error:
                raise WeightsError(f"{path}: cannot read the ready network: {error.strerror}") from error
            if found != self.files[name]:
                raise WeightsError(
                    f"{path}: changed since it was made: SHA-256 is {found}, made was {self.files[name]}; "
                    "the next start of the service makes it again"
                )
        return self.folder / f"{part}.xml"


def load_ready(
    ready: ReadyModel, *, threads: int | None = None, only: Part | None = None, detector_streams: int = 1
) -> Model:
    """Load a version from its ready networks; it gives what `lfr.models.load_model` gives, to the bit.

    Parameters
    ----------
    ready
        Of a version that runs on OpenVINO.
    threads, only, detector_streams
        As for `lfr.models.load_model`.

    Raises
    ------
    RuntimeUnavailableError
        The processor lacks the precision.
    WeightsError
        A file is missing or was changed.
    """
    version = VERSIONS[ready.version]

    def network(part: Part) -> Network:
        if only not in (None, part):
            return NotLoaded(part)
        streams = detector_streams if part == "detector" else 1
        return OpenVinoNetwork(ready.file(part), precision=version.precision, threads=threads, streams=streams)

    return Model(version, ready.digest, network("detector"), network("embedder"))


def write_ready(version: str, digest: str, place: Path, networks: Mapping[Part, ImageNetwork]) -> ReadyModel:
    """Write networks as ready graphs, all or none, in place of what is there and not whole.

    Parameters
    ----------
    version, digest
        Of which they are; `read_ready` finds them again by that digest only.
    place
        Their folder.
    networks
        In evaluation mode.

    Raises
    ------
    OSError
        They cannot be written.
    """
    place.parent.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(prefix=".partial-", dir=place.parent))
    try:
        for part, network in networks.items():
            try:
                save_openvino(network, partial / f"{part}.xml")
            except RuntimeError as error:
                raise OSError(None, str(error).splitlines()[0]) from error
        files = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in partial.iterdir()}
        (partial / _INDEX).write_text(json.dumps({"digest": digest, "files": files}), encoding="utf-8")
        if (found := read_ready(version, digest, place, *networks)) is not None:
            return found  # another process was faster, and a third may be reading it
        shutil.rmtree(place, ignore_errors=True)
        partial.rename(place)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return ReadyModel(version, digest, place, files)


def read_ready(version: str, digest: str, place: Path, *parts: Part) -> ReadyModel | None:
    """Return what `write_ready` wrote of these networks; None where nothing whole is there."""
    try:
        index = json.loads((place / _INDEX).read_text(encoding="utf-8"))
        ready = ReadyModel(version, digest, place, index["files"])
        for part in parts:
            ready.file(part)
        return ready if index["digest"] == digest else None
    except (OSError, ValueError, KeyError, TypeError, WeightsError):
        return None
