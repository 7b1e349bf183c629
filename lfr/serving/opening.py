"""What each process of the service opens for itself: the store and the model."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lfr.alerts.shadow_counts import ShadowVersion
from lfr.database import Store, open_store
from lfr.deployments import shipped_calibration
from lfr.errors import ModelMismatchError, RefusedError, SettingsError
from lfr.models import DEFAULT_VERSION, VERSIONS, Model, ReadyModel, load_ready
from lfr.models.ready import Part
from lfr.serving.settings import AppArgs
from lfr.types import Calibration

if TYPE_CHECKING:
    from lfr.registry import Tracking

__all__ = [
    "ServedModel",
    "ServedShadow",
    "open_model",
    "open_registry",
    "open_service_store",
    "resolve",
    "resolve_shadow",
]


@dataclass(frozen=True)
class ServedModel:
    """The one version that the service runs, resolved once at start.

    Attributes
    ----------
    alias
        As it was asked for.
    version, digest
        What that is.
    folder
        Of its files, where the registry keeps it; None: a version that comes with lfr.
    ready
        Its networks, ready for processes of this machine; None where it does not run on OpenVINO.
    """

    alias: str
    version: str
    digest: str
    folder: Path | None = None
    ready: ReadyModel | None = None

    def as_dict(self) -> dict[str, str]:
        """Return what it is, as JSON has it."""
        return {"alias": self.alias, "version": self.version, "digest": self.digest}


@dataclass(frozen=True)
class ServedShadow:
    """The version that looks on beside the one that the service runs, resolved once at start.

    Attributes
    ----------
    model
        Which version.
    calibration
        Of exactly that version, where its threshold comes from.
    """

    model: ServedModel
    calibration: Calibration

    @property
    def version(self) -> ShadowVersion:
        """As counts name it."""
        model, calibration = self.model, self.calibration
        return ShadowVersion(model.version, model.digest, calibration.digest, calibration.threshold)

    def as_dict(self) -> dict[str, str]:
        """Return what it is, as JSON has it."""
        return {**self.model.as_dict(), "calibration": self.calibration.digest}


def resolve(args: AppArgs, store: Store) -> ServedModel:
    """Return what the model that was asked for stands for: a version's own name, or an alias of the registry.

    An alias is checked against its promotion entry in the store.

    Raises
    ------
    RegistryError
        Nothing was promoted to the alias, or what it points to is not what was.
    ModelError
        The model cannot be loaded here.
    """
    return _resolved(args.model or DEFAULT_VERSION, args, store)[0]


def resolve_shadow(args: AppArgs, store: Store) -> ServedShadow | None:
    """Return what the shadow that was asked for stands for, with its calibration; None where none was.

    The calibration is the file that was given, else the one among the evidence of the version under the alias; for a
    version that comes with lfr, the one that comes with lfr.

    Raises
    ------
    RegistryError, ModelError
        As for `resolve`.
    SettingsError
        A calibration is given and no shadow.
    CalibrationError
        The file cannot be read, or was changed.
    RefusedError
        There is no calibration of the version.
    ModelMismatchError
        The calibration is of another model; both digests are named.
    """
    if args.shadow is None:
        if args.shadow_calibration is not None:
            raise SettingsError("shadow_calibration is given, and no shadow that it is of")
        return None
    served, calibration = _resolved(args.shadow, args, store)
    where = f"shadow {args.shadow}"
    if args.shadow_calibration is not None:
        calibration = Calibration.read(args.shadow_calibration)
    if calibration is None:
        raise RefusedError(
            f"{where}: there is no calibration among the evidence of {served.version} (model {served.digest}); "
            "`lfr registry evaluate` makes it"
        )
    if calibration.model_digest != served.digest:
        raise ModelMismatchError(
            f"{where}: is model {served.digest}, calibration {calibration.digest[:12]} is of model "
            f"{calibration.model_digest}; a threshold comes only from a calibration of the same model "
            "(`lfr calibrate --model`, then shadow_calibration)"
        )
    return ServedShadow(served, calibration)


def _resolved(alias: str, args: AppArgs, store: Store) -> tuple[ServedModel, Calibration | None]:
    """Return a version's own name or an alias resolved, and the calibration that comes with it."""
    if alias in VERSIONS:
        from lfr.models import version_digest  # noqa: PLC0415 # torch, only where a model is resolved

        ready = _ready(alias, args, None)
        digest = version_digest(alias, weights=args.weights) if ready is None else ready.digest
        return ServedModel(alias, alias, digest, ready=ready), shipped_calibration()
    from lfr.registry import find_evidence  # noqa: PLC0415 # MLflow, only where an alias is asked for
    from lfr.registry.promotion import resolve as promoted  # noqa: PLC0415

    tracking = open_registry(args)
    found = promoted(store, tracking, alias)
    model = found.load(threads=args.threads)
    name = model.version.name
    ready = _ready(name, args, found.folder) if name in VERSIONS else None
    if ready is not None and ready.digest != model.digest:  # a foreign embedder may be called as it likes
        ready = None
    served = ServedModel(alias, name, model.digest, found.folder, ready)
    return served, find_evidence(tracking, found.version).calibration


def _ready(name: str, args: AppArgs, folder: Path | None) -> ReadyModel | None:
    from lfr.models import make_ready  # noqa: PLC0415 # torch, only where a model is resolved

    return make_ready(name, _home(args) / "ready", weights=folder or args.weights)


def open_service_store(args: AppArgs) -> Store:
    """Open the governed store that the arguments name; raises as `lfr.database.open_store` does."""
    url = args.database_url.get_secret_value() if args.database_url else None
    return open_store(_home(args), url=url, master_key_file=args.master_key_file)


def open_registry(args: AppArgs) -> Tracking:
    """Open the registry that the arguments name; raises as `lfr.registry.open_tracking` does."""
    from lfr.registry import open_tracking  # noqa: PLC0415 # MLflow, only where the registry is asked

    return open_tracking(_home(args), uri=args.tracking_uri)


def open_model(
    args: AppArgs,
    served: ServedModel,
    *,
    only: Part | None = None,
    detector_streams: int = 1,
) -> Model:
    """Load the model that was resolved at start.

    Parameters
    ----------
    args, served
        Of the app.
    only
        The one network that this process needs; a foreign version out of the registry is loaded whole.
    detector_streams
        Pictures in which this process looks for faces at once, as for `lfr.models.load_model`; more threads than
        that wait for one another.

    Raises
    ------
    ModelMismatchError
        It loads with another digest here.
    ModelError
        It cannot be loaded here.
    """
    if served.ready is not None and served.ready.folder.is_dir():  # another machine makes its own
        return load_ready(served.ready, threads=args.threads, only=only, detector_streams=detector_streams)
    from lfr.models import load_model  # noqa: PLC0415 # torch, only where nothing is ready

    if served.folder is None:
        model = load_model(
            served.version,
            threads=args.threads,
            weights=args.weights,
            only=only,
            detector_streams=detector_streams,
        )
    else:
        from lfr.registry import load_bundle  # noqa: PLC0415

        model = load_bundle(served.folder, threads=args.threads)
    if model.digest != served.digest:
        raise ModelMismatchError(f"{served.alias}: loads as model {model.digest}, resolved was {served.digest}")
    return model


def _home(args: AppArgs) -> Path:
    if args.home is None:
        raise SettingsError("the service's arguments were not resolved: home is missing")
    return args.home
