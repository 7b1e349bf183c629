"""Evaluate a registered version: run the notebooks on it, and log what they write as its evidence."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from lfr.errors import RegistryError, RuntimeUnavailableError
from lfr.evaluation import open_manifest
from lfr.models import load_model
from lfr.registry.cards import read_card
from lfr.registry.evidence import log_evidence
from lfr.registry.parity import measure_parity
from lfr.registry.tracking import Tracking
from lfr.registry.versions import RegisteredVersion, load_version

__all__ = ["CALIBRATION", "FAIRNESS", "evaluate_version"]

CALIBRATION, FAIRNESS = "02_threshold_calibration.ipynb", "03_fairness_evaluation.ipynb"

_CARD_OF = {"demo": "demo_faces", "lfw": "lfw"}
_PARITY_IMAGES = 64


def evaluate_version(
    tracking: Tracking,
    version: RegisteredVersion,
    *,
    notebooks: Path,
    home: Path,
    data: Mapping[str, str],
    by: str,
    fpir: float,
    watchlist_size: int,
    card: str = "",
    said: Callable[[str], None] = lambda _: None,
) -> dict[str, str]:
    """Make and log calibration, fairness and parity evidence.

    Parameters
    ----------
    tracking, version
        Where, and on what.
    notebooks
        Folder of `CALIBRATION` and `FAIRNESS`.
    home
        Where templates are kept, and the registry unless a server has it.
    data
        ``dataset``, ``root`` and ``manifest``, as `lfr.evaluation.open_manifest` takes them.
    by, fpir, watchlist_size
        Parameters of the notebooks.
    card
        Name of the data card; empty: that of the data set.
    said
        Told what is done next.

    Returns
    -------
    Id of the MLflow run by kind of evidence.

    Raises
    ------
    RegistryError
        The data have no valid card, or a notebook failed.
    RuntimeUnavailableError
        Jupyter is not installed.
    """
    name = card or _CARD_OF.get(data.get("dataset", ""), "")
    if data.get("manifest") and not card:
        raise RegistryError("evidence needs a data card: give --card for a manifest of your own")
    described = read_card(name)
    model = load_version(tracking, version)
    common = {**data, "registered": str(version.number), "home": str(home), "model": ""}
    runs: dict[str, str] = {}
    with tempfile.TemporaryDirectory(prefix="lfr-evaluate-") as folder:
        root = Path(folder)
        said("calibrating")
        parameters: dict[str, Any] = {**common, "fpir": fpir, "watchlist_size": watchlist_size}
        page = _executed(notebooks / CALIBRATION, root, parameters)
        calibration = json.loads((root / "calibration.json").read_text(encoding="utf-8"))
        metrics = {"threshold": calibration["threshold"], **_rates(calibration)}
        runs["calibration"] = log_evidence(
            tracking, version, "calibration", calibration,
            card=name, metrics=metrics, parameters=parameters, files=(page,),
        )  # fmt: skip
        said("comparing groups")
        parameters = {**common, "by": by}
        page = _executed(notebooks / FAIRNESS, root, parameters)
        fairness = json.loads((root / "fairness.json").read_text(encoding="utf-8")) | {
            "model": {"version": version.name, "digest": version.model_digest},
            "data_digest": calibration["dataset_digest"],
            "created": _now(),
            "simulated": described.simulated,
        }
        runs["fairness"] = log_evidence(
            tracking, version, "fairness", fairness,
            card=name, metrics=_rates(fairness), parameters=parameters, files=(page, root / "fairness.html"),
        )  # fmt: skip
        said("comparing with the torch reference")
        if version.name.startswith(("openvino", "torch", "onnxruntime")):
            images = open_manifest(**data)
            some = images[np.arange(0, len(images), max(1, len(images) // _PARITY_IMAGES))]
            parity = measure_parity(model, load_model("torch-f32"), some, created=datetime.now(UTC))
            runs["parity"] = log_evidence(
                tracking, version, "parity", parity.model_dump(mode="json"),
                card=name, metrics={"min_cosine": parity.min_cosine, "mean_cosine": parity.mean_cosine},
            )  # fmt: skip
    return runs


def _executed(notebook: Path, folder: Path, parameters: Mapping[str, Any]) -> Path:
    """Run a notebook and return it as a page."""
    try:
        import nbformat  # noqa: PLC0415 - an extra
        import papermill  # noqa: PLC0415 - an extra
        from nbconvert import HTMLExporter  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise RuntimeUnavailableError("evaluating a version runs notebooks: pip install 'lfr[notebooks]'") from error
    if not notebook.is_file():
        raise RegistryError(f"{notebook}: no such notebook; run from lfr's folder or give --notebooks")
    done = folder / notebook.name
    try:
        papermill.execute_notebook(
            notebook, done, parameters={**parameters, "output": str(folder)}, progress_bar=False, cwd=folder
        )
    except papermill.PapermillExecutionError as error:
        raise RegistryError(f"{notebook.name}: cell {error.exec_count}: {error.ename}: {error.evalue}") from error
    page = done.with_suffix(".html")
    text, _ = HTMLExporter().from_notebook_node(nbformat.read(done, as_version=4))
    page.write_text(text, encoding="utf-8")
    return page


def _rates(document: Mapping[str, Any]) -> dict[str, float]:
    found = {name: document[name]["value"] for name in ("tpir", "fpir")}
    return {name: value for name, value in found.items() if value is not None}


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
