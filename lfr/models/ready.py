"""A version's networks as graphs ready to be compiled: a process that has them needs neither torch nor weights."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from lfr.errors import ModelError, WeightsError
from lfr.models.runtimes import Network, OpenVinoNetwork
from lfr.models.versions import VERSIONS, Model
from lfr.types import FloatArray, Pixels

__all__ = ["PARTS", "NotLoaded", "Part", "ReadyModel", "load_ready"]

Part = Literal["detector", "embedder"]
PARTS: tuple[Part, ...] = ("detector", "embedder")


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
