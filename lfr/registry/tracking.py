"""Where MLflow keeps runs and versions: a SQLite file and a folder in ``LFR_HOME``, or any tracking server.

What MLflow would report about its use is turned off before it is imported,
and a server that does not answer is given up after seconds, not minutes.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

for _name, _value in (
    ("MLFLOW_DISABLE_TELEMETRY", "true"),
    ("DO_NOT_TRACK", "true"),
    ("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1"),
    ("MLFLOW_HTTP_REQUEST_TIMEOUT", "10"),
    ("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false"),
):
    os.environ.setdefault(_name, _value)

from mlflow import MlflowClient  # noqa: E402 - only after the lines above
from mlflow.exceptions import MlflowException  # noqa: E402

from lfr.errors import RegistryError  # noqa: E402

__all__ = ["EXPERIMENT", "MODEL_NAME", "Tracking", "open_tracking"]

MODEL_NAME = "lfr-recogniser"
EXPERIMENT = "lfr"


@dataclass(frozen=True)
class Tracking:
    """An MLflow server or database, and lfr's experiment in it.

    Attributes
    ----------
    uri
        As MLflow takes it.
    client
        Talks to it.
    experiment_id
        Where runs go.
    """

    uri: str
    client: MlflowClient
    experiment_id: str

    def files(self, run_id: str, name: str) -> Path:
        """Path of a file or folder of a run: where it lies, or fetched from a server.

        Raises
        ------
        RegistryError
            There is no such run or file.
        """
        with self.asking(f"{name} of run {run_id}"):
            place = urlsplit(str(self.client.get_run(run_id).info.artifact_uri))
            if place.scheme in {"", "file"}:
                path = Path(url2pathname(place.path)) / name
                if not path.exists():
                    raise RegistryError(f"{path}: gone from the registry")
                return path
            return Path(self.client.download_artifacts(run_id, name))

    @contextmanager
    def asking(self, what: str) -> Iterator[None]:
        """Turn MLflow's errors into one line that names what was asked for."""
        with _mapped(self.uri, what):
            yield


def open_tracking(home: Path, *, uri: str = "") -> Tracking:
    """Open the registry.

    Parameters
    ----------
    home
        Folder of everything that lfr keeps: ``mlflow.db`` and ``artifacts`` lie in it.
    uri
        A tracking server instead, for example ``http://127.0.0.1:5000``.

    Raises
    ------
    RegistryError
        It cannot be reached or made.
    """
    for name in ("alembic", "mlflow"):
        logging.getLogger(name).setLevel(logging.WARNING)
    where = uri
    location: str | None = None
    if not uri:
        try:
            home.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise RegistryError(f"{home}: cannot keep the registry here: {error.strerror}") from error
        where = f"sqlite:///{home.absolute() / 'mlflow.db'}"
        location = (home.absolute() / "artifacts").as_uri()
    with _mapped(where, "the registry"):
        client = MlflowClient(tracking_uri=where, registry_uri=where)
        found = client.get_experiment_by_name(EXPERIMENT)
        experiment = client.create_experiment(EXPERIMENT, location) if found is None else found.experiment_id
    return Tracking(where, client, str(experiment))


@contextmanager
def _mapped(uri: str, what: str) -> Iterator[None]:
    try:
        yield
    except MlflowException as error:
        reason = (str(error).splitlines() or [""])[0]
        raise RegistryError(f"{what}: {reason} (registry: {_shown(uri)})") from error
    except OSError as error:  # what requests raises derives from it
        raise RegistryError(f"{what}: cannot reach the registry {_shown(uri)}: {error}") from error


def _shown(uri: str) -> str:
    """A URI without what may stand before an @: user and password."""
    scheme, separator, rest = uri.partition("://")
    return f"{scheme}{separator}{rest.rpartition('@')[2]}"
