"""What each process of the service opens for itself: the store and the model."""

from __future__ import annotations

from dataclasses import dataclass

from lfr.database import Store, open_store
from lfr.errors import SettingsError
from lfr.models import DEFAULT_VERSION, Model, load_model
from lfr.serving.settings import AppArgs

__all__ = ["ServedModel", "open_model", "open_service_store", "resolve"]


@dataclass(frozen=True)
class ServedModel:
    """The one version that the service runs, resolved once at start.

    Attributes
    ----------
    alias
        As it was asked for.
    version, digest
        What that is.
    """

    alias: str
    version: str
    digest: str


def resolve(alias: str) -> str:
    """Return the model version that a name stands for; a version's own name stands for itself.

    This is the seam for the registry, which resolves its aliases and checks them against promotion entries.
    """
    return alias


def open_service_store(args: AppArgs) -> Store:
    """Open the governed store that the arguments name; raises as `lfr.database.open_store` does."""
    if args.home is None:
        raise SettingsError("the service's arguments were not resolved: home is missing")
    url = args.database_url.get_secret_value() if args.database_url else None
    return open_store(args.home, url=url, master_key_file=args.master_key_file)


def open_model(args: AppArgs, *, version: str | None = None) -> Model:
    """Load the model that the arguments name; raises as `lfr.models.load_model` does."""
    name = version or resolve(args.model or DEFAULT_VERSION)
    return load_model(name, threads=args.threads, weights=args.weights)
