"""A recogniser as files: weights, pre-processing, runtime, quality policies, and the digests that tell it from others.

Nothing in a bundle is code, and nothing is unpickled: it is loaded by lfr,
which checks every digest on the way.
"""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from lfr.errors import RegistryError
from lfr.models import (
    DEFAULT_VERSION,
    SFACE,
    YUNET,
    Model,
    Preprocessing,
    WeightFile,
    load_model,
    load_onnx_model,
    weights_folder,
)
from lfr.types import problems_of
from lfr.vision import ENROLMENT_POLICY, SEARCH_POLICY, QualityPolicy

__all__ = ["Bundle", "BundleFile", "load_bundle", "read_bundle", "write_bundle"]

_CONFIG = "bundle.json"
_DIGEST = r"^[0-9a-f]{64}$"


class BundleFile(BaseModel):
    """One weight file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    file: str = Field(pattern=r"^[A-Za-z0-9._-]+$", description="Its name in the bundle.")
    sha256: str = Field(pattern=_DIGEST, description="SHA-256 of its bytes.")
    licence: str = Field(min_length=1, description="Under which terms it may be used.")
    source: str = Field(min_length=1, description="Where it is from.")


class Bundle(BaseModel):
    """What a bundle is of."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Literal["lfr-bundle-1"] = Field(default="lfr-bundle-1", description="How to read it.")
    name: str = Field(min_length=1, description="Name of the model version.")
    runtime: str = Field(description="What runs it.")
    precision: str = Field(description="In which precision.")
    device: str = Field(description="On what.")
    detector: BundleFile
    embedder: BundleFile
    preprocessing: Preprocessing | None = Field(description="What a foreign embedder wants; null: SFace's own.")
    embedding_size: int = Field(ge=2, description="Numbers in a template.")
    search_policy: QualityPolicy = Field(description="Gate of faces that are searched.")
    enrolment_policy: QualityPolicy = Field(description="Gate of references.")
    model_digest: str = Field(pattern=_DIGEST, description="Digest of the loaded version: part of every template.")

    @property
    def licences(self) -> str:
        """Licences of the weights, in words."""
        return f"detector {self.detector.licence}, embedder {self.embedder.licence}"


def write_bundle(
    folder: Path,
    *,
    version: str = DEFAULT_VERSION,
    onnx: Path | None = None,
    preprocessing: Preprocessing | None = None,
    name: str = "",
    licence: str = "",
    weights: Path | None = None,
) -> Bundle:
    """Write a bundle, after loading and running what it is of.

    Parameters
    ----------
    folder
        Made if it is not there.
    version
        Model version of the default weights, unless ``onnx`` is given.
    onnx, preprocessing, name, licence
        A foreign embedder, what it wants, what it is called and under which terms it may be used.
    weights
        Folder of the weight pack; None takes the installed one.

    Raises
    ------
    RegistryError
        A foreign embedder has no name or licence, or the folder cannot be written.
    ModelError
        It cannot be loaded.
    """
    pack = weights or weights_folder()
    if onnx is None:
        model = load_model(version, weights=pack)
        embedder, file = _packed(SFACE), pack / SFACE.file_name
    else:
        if not name.strip() or not licence.strip():
            raise RegistryError(f"{onnx}: give the embedder a name and its licence")
        preprocessing = preprocessing or Preprocessing()
        model = load_onnx_model(onnx, preprocessing, name=name, weights=pack)
        digest = hashlib.sha256(onnx.read_bytes()).hexdigest()
        embedder, file = BundleFile(file="embedder.onnx", sha256=digest, licence=licence, source=onnx.name), onnx
    bundle = Bundle(
        name=model.version.name,
        runtime=model.version.runtime,
        precision=model.version.precision,
        device=model.version.device,
        detector=_packed(YUNET),
        embedder=embedder,
        preprocessing=preprocessing if onnx is not None else None,
        embedding_size=model.embedding_size,
        search_policy=SEARCH_POLICY,
        enrolment_policy=ENROLMENT_POLICY,
        model_digest=model.digest,
    )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(pack / YUNET.file_name, folder / bundle.detector.file)
        shutil.copyfile(file, folder / embedder.file)
        (folder / _CONFIG).write_text(bundle.model_dump_json(indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        raise RegistryError(f"{folder}: cannot write the bundle: {error.strerror}") from error
    return bundle


def read_bundle(folder: Path) -> Bundle:
    """Read what a bundle is of, and check the digests of its files.

    Raises
    ------
    RegistryError
        A file is missing or was changed, or the description is malformed.
    """
    try:
        bundle = Bundle.model_validate_json((folder / _CONFIG).read_text(encoding="utf-8"))
    except OSError as error:
        raise RegistryError(f"{folder / _CONFIG}: cannot read the bundle: {error.strerror}") from error
    except ValidationError as error:
        raise RegistryError(f"{folder / _CONFIG}: no bundle: {problems_of(error)}") from error
    for part in (bundle.detector, bundle.embedder):
        try:
            found = hashlib.sha256((folder / part.file).read_bytes()).hexdigest()
        except OSError as error:
            raise RegistryError(f"{folder / part.file}: cannot read the weights: {error.strerror}") from error
        if found != part.sha256:
            raise RegistryError(
                f"{folder / part.file}: changed since it was registered: SHA-256 is {found}, registered {part.sha256}"
            )
    return bundle


def load_bundle(folder: Path, *, threads: int | None = None) -> Model:
    """Load the recogniser of a bundle.

    Raises
    ------
    RegistryError
        A file is missing or was changed, or what is loaded has another digest than was registered.
    ModelError
        It cannot be loaded here.
    """
    bundle = read_bundle(folder)
    if bundle.preprocessing is None:
        model = load_model(bundle.name, threads=threads, weights=folder)
    else:
        model = load_onnx_model(
            folder / bundle.embedder.file,
            bundle.preprocessing,
            name=bundle.name,
            sha256=bundle.embedder.sha256,
            threads=threads,
            weights=folder,
        )
    if model.digest != bundle.model_digest:
        raise RegistryError(f"{folder}: loads as model {model.digest}, registered was {bundle.model_digest}")
    return model


def _packed(file: WeightFile) -> BundleFile:
    facts: dict[str, Any] = {"file": file.file_name, "sha256": file.sha256}
    return BundleFile(**facts, licence=file.licence, source=file.source)
