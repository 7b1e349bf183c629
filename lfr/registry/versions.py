"""Registered versions of the recogniser: register, list, find, load."""

from __future__ import annotations

import tempfile
import warnings
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import mlflow.pyfunc
import numpy as np
from mlflow.models import ModelSignature
from mlflow.types import Schema, TensorSpec

import lfr
from lfr.errors import RegistryError
from lfr.evaluation import demo_faces
from lfr.models import CROP_SIDE, Model, Preprocessing
from lfr.pipeline import Recogniser
from lfr.registry.bundle import Bundle, load_bundle, read_bundle, write_bundle
from lfr.registry.tracking import MODEL_NAME, Tracking
from lfr.sources import read_image

if TYPE_CHECKING:
    from mlflow.entities.model_registry import ModelVersion

__all__ = ["ALIASES", "RegisteredVersion", "find_version", "list_versions", "load_version", "register"]

ALIASES = ("candidate", "shadow", "field", "previous", "demo")
"""Names that point to a version. An alias is a pointer, not a proof."""

_ARTIFACT = "recogniser"


@dataclass(frozen=True)
class RegisteredVersion:
    """A version as the registry has it.

    Attributes
    ----------
    number
        Of the registered model ``lfr-recogniser``.
    name
        Model version, as templates and calibrations know it.
    model_digest
        As registered; what is loaded is checked against it.
    aliases
        That point to it.
    created
        When it was registered.
    licences
        Of its weights.
    run_id
        MLflow run that holds its files.
    """

    number: int
    name: str
    model_digest: str
    aliases: tuple[str, ...]
    created: datetime
    licences: str
    run_id: str

    def as_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {
            "version": self.number,
            "name": self.name,
            "model_digest": self.model_digest,
            "aliases": list(self.aliases),
            "created": self.created.isoformat(),
            "licences": self.licences,
            "run_id": self.run_id,
        }


def register(
    tracking: Tracking,
    *,
    version: str = "openvino-f32",
    onnx: Path | None = None,
    preprocessing: Preprocessing | None = None,
    name: str = "",
    licence: str = "",
    weights: Path | None = None,
) -> RegisteredVersion:
    """Register a recogniser: detector, embedder, alignment, quality policies, runtime, precision and digests.

    Parameters
    ----------
    tracking
        The registry.
    version, onnx, preprocessing, name, licence, weights
        What to register, as for `lfr.registry.bundle.write_bundle`.

    Raises
    ------
    RegistryError
        The registry cannot be written; a foreign embedder lacks name or licence.
    ModelError
        It cannot be loaded and run.
    """
    with tempfile.TemporaryDirectory(prefix="lfr-register-") as folder:
        root = Path(folder)
        bundle = write_bundle(
            root / "bundle",
            version=version,
            onnx=onnx,
            preprocessing=preprocessing,
            name=name,
            licence=licence,
            weights=weights,
        )
        model = load_bundle(root / "bundle")
        crop, template = _example(model)
        _save(root / _ARTIFACT, root / "bundle", crop, template)
        with tracking.asking(f"registering {bundle.name}"):
            return _logged(tracking, bundle, root / _ARTIFACT)


def list_versions(tracking: Tracking) -> list[RegisteredVersion]:
    """Return every version, the newest first."""
    with tracking.asking("listing versions"):
        found = tracking.client.search_model_versions(f"name='{MODEL_NAME}'")
        of_alias = _aliases(tracking) if found else {}
    versions = [_registered(row, of_alias) for row in found]
    return sorted(versions, key=lambda version: -version.number)


def find_version(tracking: Tracking, wanted: str) -> RegisteredVersion:
    """Return the version of a number or an alias.

    Raises
    ------
    RegistryError
        There is none.
    """
    versions = list_versions(tracking)
    for version in versions:
        if wanted in {str(version.number), *version.aliases}:
            return version
    there = ", ".join(str(version.number) for version in reversed(versions)) or "none"
    if wanted in ALIASES:
        raise RegistryError(f"no version has the alias '{wanted}'; versions there are: {there}")
    raise RegistryError(f"no version '{wanted}'; versions there are: {there}; aliases: {', '.join(ALIASES)}")


def load_version(tracking: Tracking, version: RegisteredVersion, *, threads: int | None = None) -> Model:
    """Load a version from its own files.

    Raises
    ------
    RegistryError
        The files cannot be had, were changed, or are of another model than was registered.
    ModelError
        It cannot run here.
    """
    folder = bundle_folder(tracking, version)
    model = load_bundle(folder, threads=threads)
    if model.digest != version.model_digest:
        raise RegistryError(
            f"version {version.number}: its files are of model {model.digest}, registered was {version.model_digest}"
        )
    return model


def bundle_folder(tracking: Tracking, version: RegisteredVersion) -> Path:
    """Folder of a version's files, fetched where they are elsewhere."""
    folder = tracking.files(version.run_id, _ARTIFACT) / "data" / "bundle"
    read_bundle(folder)
    return folder


def _save(path: Path, bundle: Path, crop: np.ndarray[Any, Any], template: np.ndarray[Any, Any]) -> None:
    """Write it as an MLflow pyfunc: the bundle, a signature and an example, and no code but a module's name."""
    signature = ModelSignature(
        Schema([TensorSpec(np.dtype(np.uint8), (-1, CROP_SIDE, CROP_SIDE, 3))]),
        Schema([TensorSpec(np.dtype(np.float32), (-1, template.shape[1]))]),
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # MLflow's advice on other ways to log a model
        mlflow.pyfunc.save_model(
            path=str(path),
            loader_module="lfr.registry.pyfunc",
            data_path=str(bundle),
            signature=signature,
            pip_requirements=[f"lfr=={lfr.__version__}"],
        )
    np.savez_compressed(path / "input_example.npz", crops=crop, templates=template)


def _logged(tracking: Tracking, bundle: Bundle, artifact: Path) -> RegisteredVersion:
    client = tracking.client
    run = client.create_run(
        tracking.experiment_id,
        run_name=f"register {bundle.name}",
        tags={"lfr.kind": "registration", "lfr.model_digest": bundle.model_digest},
    )
    for key in ("name", "runtime", "precision", "device", "embedding_size"):
        client.log_param(run.info.run_id, key, getattr(bundle, key))
    client.log_artifacts(run.info.run_id, str(artifact), _ARTIFACT)
    client.set_terminated(run.info.run_id)
    if not [model for model in client.search_registered_models() if model.name == MODEL_NAME]:
        client.create_registered_model(MODEL_NAME, description="Face recogniser: detector, alignment, embedder.")
    made = client.create_model_version(
        MODEL_NAME,
        source=f"{run.info.artifact_uri}/{_ARTIFACT}",
        run_id=run.info.run_id,
        tags={"lfr.name": bundle.name, "lfr.model_digest": bundle.model_digest, "lfr.licences": bundle.licences},
    )
    client.set_registered_model_alias(MODEL_NAME, "candidate", made.version)
    return _registered(client.get_model_version(MODEL_NAME, made.version), {"candidate": str(made.version)})


def _example(model: Model) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """The aligned crop of one made-up face, and its template."""
    path = demo_faces().files[0]
    recogniser = Recogniser(model)
    picture = read_image(path)
    faces = recogniser.detect(picture)
    crops, _ = recogniser.crops(picture, faces[:1])
    return crops, recogniser.embed(crops).vectors


def _aliases(tracking: Tracking) -> dict[str, str]:
    found = tracking.client.get_registered_model(MODEL_NAME).aliases
    return {str(alias): str(number) for alias, number in found.items()}


def _registered(row: ModelVersion, of_alias: dict[str, str]) -> RegisteredVersion:
    tags = row.tags or {}
    if "lfr.model_digest" not in tags:
        raise RegistryError(f"version {row.version} of {MODEL_NAME} was not registered by lfr")
    return RegisteredVersion(
        int(row.version),
        tags["lfr.name"],
        tags["lfr.model_digest"],
        tuple(sorted(alias for alias, number in of_alias.items() if number == str(row.version))),
        datetime.fromtimestamp(row.creation_timestamp / 1000, UTC),
        tags["lfr.licences"],
        str(row.run_id),
    )
