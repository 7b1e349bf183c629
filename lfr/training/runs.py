"""Experiments in MLflow: numbers, settings, environment and figures without faces; one run each, gone on with."""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure
from pydantic import BaseModel

from lfr.errors import RegistryError
from lfr.evaluation.private import write_whole
from lfr.registry import Tracking
from lfr.training.provenance import code_commit, config_digest, environment

__all__ = ["RESULT", "ExperimentRun", "find_run", "open_run", "read_result"]

RESULT = "result.json"
"""What an experiment found, as a run keeps it."""

_KIND = "experiment"


@dataclass(frozen=True)
class ExperimentRun:
    """One run of an experiment.

    Attributes
    ----------
    tracking
        Where it is kept.
    run_id
        Its id.
    """

    tracking: Tracking
    run_id: str

    def metrics(self, values: Mapping[str, float], *, step: int = 0) -> None:
        """Log numbers of one step."""
        with self.tracking.asking(f"logging on run {self.run_id}"):
            for name, value in values.items():
                self.tracking.client.log_metric(self.run_id, name, value, step=step)

    def logged(self, name: str) -> set[int]:
        """Return the steps that a metric was logged for."""
        with self.tracking.asking(f"reading run {self.run_id}"):
            return {metric.step for metric in self.tracking.client.get_metric_history(self.run_id, name)}

    def parameters(self, values: Mapping[str, object]) -> None:
        """Log facts that hold for the whole run."""
        with self.tracking.asking(f"logging on run {self.run_id}"):
            known = self.tracking.client.get_run(self.run_id).data.params
            for name, value in values.items():
                if name not in known:
                    self.tracking.client.log_param(self.run_id, name, str(value)[:500])

    def figure(self, name: str, figure: Figure) -> None:
        """Keep a figure, which shows no face."""
        with tempfile.TemporaryDirectory(prefix="lfr-figure-") as folder:
            path = Path(folder) / f"{name}.png"
            figure.savefig(path, dpi=120)
            self.file(path, "figures")

    def file(self, path: Path, folder: str | None = None) -> None:
        """Keep a file."""
        with self.tracking.asking(f"keeping {path.name} of run {self.run_id}"):
            self.tracking.client.log_artifact(self.run_id, str(path), folder)

    def text(self, name: str, content: str) -> None:
        """Keep a text as a file of this name."""
        with tempfile.TemporaryDirectory(prefix="lfr-text-") as folder:
            path = Path(folder) / name
            path.write_text(content, encoding="utf-8")
            self.file(path)

    def finish(self, result: Mapping[str, Any]) -> None:
        """Keep what the experiment found, and end the run."""
        self.text(RESULT, json.dumps(result, indent=2, allow_nan=False))
        with self.tracking.asking(f"ending run {self.run_id}"):
            self.tracking.client.set_terminated(self.run_id)

    def fail(self) -> None:
        """End the run as failed; what it kept stays, and the same command goes on with it."""
        with self.tracking.asking(f"ending run {self.run_id}"):
            self.tracking.client.set_terminated(self.run_id, "FAILED")


def open_run(tracking: Tracking, name: str, config: BaseModel, folder: Path, *, data_digest: str = "") -> ExperimentRun:
    """Start a run, or go on with the one of these settings and data that was broken off; a finished one stays as it is.

    Parameters
    ----------
    tracking
        Where runs are kept.
    name
        Of the experiment.
    config
        Its settings, each of which becomes a parameter.
    folder
        Of the experiment's own files; it remembers the runs' ids.
    data_digest
        Of the data that it is about; '': of none.

    Raises
    ------
    RegistryError
        Runs cannot be kept, or where they are is not known.
    """
    settings = config_digest(config)
    key = hashlib.sha256(f"{settings} {data_digest}".encode()).hexdigest()
    remembered = folder / f"run-{key[:16]}.json"
    run = _broken_off(tracking, remembered)
    if run is None:
        tags = {"lfr.kind": _KIND, "lfr.experiment": name, "lfr.config_sha256": settings}
        with tracking.asking(f"starting a run of {name}"):
            made = tracking.client.create_run(tracking.experiment_id, run_name=name, tags=tags)
        run = ExperimentRun(tracking, str(made.info.run_id))
        _remember(remembered, run.run_id)
        run.parameters(_flat(config.model_dump(mode="json")))
        if data_digest:
            run.parameters({"data_digest": data_digest})
        run.parameters({f"environment.{key}": value for key, value in environment().items()})
    with tracking.asking(f"logging on run {run.run_id}"):
        # A run that was broken off may go on with other code, and says with which.
        before = tracking.client.get_run(run.run_id).data.tags.get("lfr.commits", "").split()
        commits = dict.fromkeys([*before, code_commit()])
        tracking.client.set_tag(run.run_id, "lfr.commits", " ".join(commits))
    return run


def _broken_off(tracking: Tracking, remembered: Path) -> ExperimentRun | None:
    """The run that a file remembers, running again; None where there is none or it has finished."""
    if not remembered.is_file():
        return None
    run_id = str(json.loads(remembered.read_text(encoding="utf-8"))["run_id"])
    with tracking.asking(f"going on with run {run_id}"):
        if tracking.client.get_run(run_id).info.status == "FINISHED":
            return None
        tracking.client.update_run(run_id, "RUNNING")
    return ExperimentRun(tracking, run_id)


def _remember(remembered: Path, run_id: str) -> None:
    try:
        write_whole(remembered, lambda file: file.write(json.dumps({"run_id": run_id}).encode() + b"\n"))
    except OSError as error:
        raise RegistryError(f"{remembered}: cannot be written: {error.strerror}") from error


def find_run(tracking: Tracking, wanted: str) -> ExperimentRun:
    """Return the run of an id, its first digits, or the newest finished one of an experiment's name.

    Raises
    ------
    RegistryError
        There is none, or several ids start so.
    """
    with tracking.asking("listing experiments"):
        found = tracking.client.search_runs(
            [tracking.experiment_id],
            filter_string=f"tags.`lfr.kind` = '{_KIND}'",
            order_by=["attributes.start_time DESC"],
            max_results=1000,
        )
    by_id = [run for run in found if run.info.run_id.startswith(wanted)]
    by_name = [run for run in found if run.data.tags["lfr.experiment"] == wanted and run.info.status == "FINISHED"]
    if len(by_id) > 1:
        raise RegistryError(f"{len(by_id)} runs of experiments start with '{wanted}'; give more of the id")
    if not by_id and not by_name:
        names = ", ".join(sorted({run.data.tags["lfr.experiment"] for run in found})) or "none"
        raise RegistryError(f"no run '{wanted}' of an experiment; experiments that have one: {names}")
    return ExperimentRun(tracking, str((by_id or by_name)[0].info.run_id))


def read_result(run: ExperimentRun) -> dict[str, Any]:
    """Return what a finished run found.

    Raises
    ------
    RegistryError
        It has not finished.
    """
    result: dict[str, Any] = json.loads(run.tracking.files(run.run_id, RESULT).read_text(encoding="utf-8"))
    return result


def _flat(values: Mapping[str, Any], before: str = "") -> dict[str, object]:
    flat: dict[str, object] = {}
    for name, value in values.items():
        if isinstance(value, dict):
            flat |= _flat(value, f"{before}{name}.")
        else:
            flat[before + name] = value
    return flat
