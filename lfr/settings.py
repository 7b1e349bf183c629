"""Settings from the environment, read once at an entry point and passed on.

Nothing below the entry points reads the environment. What lfr's dependencies
would report about their use to others is turned off here or where they are
imported (`lfr.models` does it for OpenVINO).
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import Any

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from lfr.errors import SettingsError

__all__ = ["Settings", "read_settings"]


def _user_cache() -> Path | None:
    """Where programs keep such things (XDG Base Directory Specification); None where the user has no home."""
    given = Path(os.environ.get("XDG_CACHE_HOME", ""))
    with suppress(RuntimeError):
        return (given if given.is_absolute() else Path("~/.cache").expanduser()) / "lfr"
    return None


class Settings(BaseSettings):
    """What the environment says; each field is ``LFR_`` and its name in capitals."""

    model_config = SettingsConfigDict(env_prefix="LFR_", frozen=True, extra="forbid")

    model: str = Field(default="openvino-f32", description="Model version to use unless --model names another.")
    threads: int | None = Field(
        default=None, ge=1, le=1024, description="Threads for the networks; unset: the runtime's choice."
    )
    weights: Path | None = Field(default=None, description="Folder of the weight pack; unset: the installed one.")
    home: Path = Field(default=Path("lfr-data"), description="Folder of everything that lfr keeps.")
    cache: Path | None = Field(
        default_factory=_user_cache,
        description="Folder of what can be made again, but takes time, no picture of anybody; empty: nothing is kept.",
    )
    database_url: SecretStr | None = Field(
        default=None, description="Database of the governed store; unset: SQLite in the home folder."
    )
    master_key_file: Path | None = Field(
        default=None, description="File of the master key; unset: master.key in the home folder."
    )
    tracking_uri: str = Field(
        default="",
        validation_alias="MLFLOW_TRACKING_URI",
        description="MLflow's tracking server; unset: SQLite in the home folder.",
    )
    sources: dict[str, Any] = Field(
        default_factory=dict,
        repr=False,
        description="Addresses that a service may read for a camera, by name: a JSON object.",
    )
    key: SecretStr | None = Field(default=None, description="API key that the command line acts with.")
    eval_data: Path | None = Field(default=None, description="Folder of evaluation data, for tests and benchmarks.")

    @field_validator("cache", mode="before")
    @classmethod
    def _nowhere(cls, cache: object) -> object:
        return None if cache == "" else cache


def read_settings() -> Settings:
    """Return the settings of this process.

    Raises
    ------
    SettingsError
        A variable has a value that its field does not allow.
    """
    try:
        return Settings()
    except ValidationError as error:
        first = error.errors()[0]
        raise SettingsError(f"LFR_{str(first['loc'][0]).upper()}: {first['msg']}") from error
