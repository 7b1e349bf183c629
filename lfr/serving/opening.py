"""What each process of the service opens for itself: the store and the model."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from lfr.database import Store, open_store
from lfr.errors import ModelMismatchError, SettingsError
from lfr.models import DEFAULT_VERSION, VERSIONS, Model, load_model, version_digest
from lfr.serving.settings import AppArgs

if TYPE_CHECKING:
    from lfr.registry import Tracking

__all__ = ["ServedModel", "open_model", "open_registry", "open_service_store", "resolve"]


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
    """

    alias: str
    version: str
    digest: str
    folder: Path | None = None


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
    alias = args.model or DEFAULT_VERSION
    if alias in VERSIONS:
        return ServedModel(alias, alias, version_digest(alias, weights=args.weights))
    from lfr.registry.promotion import resolve as promoted  # noqa: PLC0415 # MLflow, only where an alias is asked for

    found = promoted(store, open_registry(args), alias)
    model = found.load(threads=args.threads)
    return ServedModel(alias, model.version.name, model.digest, found.folder)


def open_service_store(args: AppArgs) -> Store:
    """Open the governed store that the arguments name; raises as `lfr.database.open_store` does."""
    url = args.database_url.get_secret_value() if args.database_url else None
    return open_store(_home(args), url=url, master_key_file=args.master_key_file)


def open_registry(args: AppArgs) -> Tracking:
    """Open the registry that the arguments name; raises as `lfr.registry.open_tracking` does."""
    from lfr.registry import open_tracking  # noqa: PLC0415 # MLflow, only where the registry is asked

    return open_tracking(_home(args), uri=args.tracking_uri)


def open_model(args: AppArgs, served: ServedModel, *, only: Literal["detector", "embedder"] | None = None) -> Model:
    """Load the model that was resolved at start.

    Parameters
    ----------
    args, served
        Of the app.
    only
        The one network that this process needs; a version out of the registry is loaded whole.

    Raises
    ------
    ModelMismatchError
        It loads with another digest here.
    ModelError
        It cannot be loaded here.
    """
    if served.folder is None:
        model = load_model(served.version, threads=args.threads, weights=args.weights, only=only)
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
