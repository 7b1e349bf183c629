"""Evaluate a registered version: run the notebooks on it, and log what they write as its evidence."""

from __future__ import annotations

import base64
import json
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from lfr.errors import RegistryError, RuntimeUnavailableError
from lfr.evaluation import Manifest, open_manifest
from lfr.models import VERSIONS, Model, load_model
from lfr.registry.cards import DataCard, read_data_card
from lfr.registry.documents import Kind
from lfr.registry.evidence import log_evidence
from lfr.registry.installed import installed_folder
from lfr.registry.model_card import version_card
from lfr.registry.parity import measure_parity
from lfr.registry.speed import measure_speed
from lfr.registry.tracking import MODEL_NAME, Tracking
from lfr.registry.versions import RegisteredVersion, load_version

__all__ = ["CALIBRATION", "FAIRNESS", "evaluate_version"]

CALIBRATION, FAIRNESS = "02_threshold_calibration.ipynb", "03_fairness_evaluation.ipynb"

_CARD_OF = {"demo": "demo_faces", "lfw": "lfw"}
_PARITY_IMAGES = 64


def evaluate_version(
    tracking: Tracking,
    version: RegisteredVersion,
    *,
    home: Path,
    data: Mapping[str, str],
    by: str,
    fpir: float,
    watchlist_size: int | None,
    card: str = "",
    notebooks: Path | None = None,
    said: Callable[[str], None] = lambda _: None,
) -> dict[str, str]:
    """Make and log every kind of evidence, and the model card that is written from it.

    Parameters
    ----------
    tracking, version
        Where, and on what.
    home
        Where templates are kept, and the registry unless a server has it.
    data
        ``dataset``, ``root`` and ``manifest``, as `lfr.evaluation.open_manifest` takes them.
    by, fpir, watchlist_size
        Parameters of the notebooks.
    card
        Name of the data card; empty: that of the data set.
    notebooks
        Folder of `CALIBRATION` and `FAIRNESS`; None: those that come with lfr.
    said
        Told what is done next.

    Returns
    -------
    Id of the MLflow run by kind of evidence.

    Raises
    ------
    RegistryError
        The data have no valid card, the version cannot be loaded, or a notebook failed.
    RuntimeUnavailableError
        Jupyter is not installed.
    """
    if data.get("manifest") and not card:
        raise RegistryError("evidence needs a data card: give --card for a manifest of your own")
    described = read_data_card(card or _CARD_OF.get(data.get("dataset", ""), ""))
    notebooks = notebooks or installed_folder("notebooks")
    # The notebooks run in a folder of their own, and so would look for what is named from here.
    data = {**data, **{name: str(Path(given).absolute()) for name in ("root", "manifest") if (given := data.get(name))}}
    model = load_version(tracking, version)
    logging = _Logging(tracking, version, described)
    common = {**data, "registered": str(version.number), "home": str(home), "model": ""}
    with tempfile.TemporaryDirectory(prefix="lfr-evaluate-") as folder:
        root = Path(folder)
        said("calibrating: 02_threshold_calibration")
        parameters: dict[str, Any] = {**common, "fpir": fpir, "watchlist_size": watchlist_size or 0}
        executed = _executed(notebooks / CALIBRATION, root, parameters)
        identification, calibration = (_read(root / f"{name}.json") for name in ("identification", "calibration"))
        data_digest = calibration["dataset_digest"]
        points = {f"tpir_at_fpir_{point['fpir']:g}": point["tpir"]["value"] for point in identification["points"]}
        logging.about(
            "evaluation", identification, data_digest=data_digest, metrics=points, parameters=common, executed=executed
        )
        logging.add(
            "calibration", calibration, metrics={"threshold": calibration["threshold"], **_rates(calibration)},
            parameters=parameters, executed=executed,
        )  # fmt: skip
        said("comparing groups: 03_fairness_evaluation")
        parameters = {**common, "by": by, "calibration": str(root / "calibration.json")}
        executed = _executed(notebooks / FAIRNESS, root, parameters)
        fairness = _read(root / "fairness.json")
        logging.about(
            "fairness", fairness, data_digest=data_digest, metrics=_rates(fairness),
            parameters={**common, "by": by, "calibration": calibration["digest"]},
            executed=executed, files=(root / "fairness.html",),
        )  # fmt: skip
        images = open_manifest(**data)
        said("comparing with the torch reference")
        _log_parity(logging, model, images)
        said("timing detector and embedder")
        speed = measure_speed(model, images, created=datetime.now(UTC))
        logging.add(
            "benchmark", speed.model_dump(mode="json"),
            metrics={"frames_per_s": speed.frames_per_s, "faces_per_s": speed.faces_per_s},
        )  # fmt: skip
        said("writing the model card")
        page = root / "model_card.md"
        page.write_text(version_card(tracking, version), encoding="utf-8")
        with tracking.asking("the model card"):
            tracking.client.log_artifact(logging.runs["evaluation"], str(page))
            tracking.client.update_model_version(MODEL_NAME, str(version.number), page.read_text(encoding="utf-8"))
    return dict(logging.runs)


@dataclass(frozen=True)
class _Executed:
    """A notebook that was run: as a page, and its figures."""

    page: Path
    figures: tuple[Path, ...]


@dataclass(frozen=True)
class _Logging:
    """Logs evidence on one version, from data of one card."""

    tracking: Tracking
    version: RegisteredVersion
    card: DataCard
    runs: dict[str, str] = field(default_factory=dict)

    def add(
        self,
        kind: Kind,
        document: Mapping[str, Any],
        *,
        metrics: Mapping[str, float | None],
        parameters: Mapping[str, Any] | None = None,
        executed: _Executed | None = None,
        files: tuple[Path, ...] = (),
    ) -> None:
        """Log a document that says itself what it is of."""
        self.runs[kind] = log_evidence(
            self.tracking, self.version, kind, document,
            card=self.card.name,
            metrics={name: value for name, value in metrics.items() if value is not None},
            parameters=parameters,
            files=files if executed is None else (executed.page, *files),
            figures=() if executed is None else executed.figures,
        )  # fmt: skip

    def about(self, kind: Kind, document: Mapping[str, Any], *, data_digest: str, **more: Any) -> None:  # noqa: ANN401
        """Log a document, and in it what it is of."""
        about = {
            "model": {"version": self.version.name, "digest": self.version.model_digest},
            "data_digest": data_digest,
            "created": datetime.now(UTC).isoformat(timespec="seconds"),
            "simulated": self.card.simulated,
        }
        self.add(kind, {**document, **about}, **more)


def _log_parity(logging: _Logging, model: Model, images: Manifest) -> None:
    """Compare with the torch reference of the same weights; a foreign embedder has none, and the gate says so."""
    if logging.version.name not in VERSIONS:
        return
    some = images[np.arange(0, len(images), max(1, len(images) // _PARITY_IMAGES))]
    parity = measure_parity(model, load_model("torch-f32"), some, created=datetime.now(UTC))
    logging.add(
        "parity", parity.model_dump(mode="json"),
        metrics={"min_cosine": parity.min_cosine, "mean_cosine": parity.mean_cosine},
    )  # fmt: skip


def _executed(notebook: Path, folder: Path, parameters: Mapping[str, Any]) -> _Executed:
    """Run a notebook; return it as a page, and the figures it drew."""
    try:
        import nbformat  # noqa: PLC0415 - an extra
        import papermill  # noqa: PLC0415 - an extra
        from nbconvert import HTMLExporter  # noqa: PLC0415 - an extra
        from traitlets.config import Config  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise RuntimeUnavailableError("evaluating a version runs notebooks: pip install 'lfr[evaluation]'") from error
    if not notebook.is_file():
        raise RegistryError(f"{notebook}: no such notebook; run from lfr's folder or give --notebooks")
    done = folder / notebook.name
    try:
        papermill.execute_notebook(
            notebook, done, parameters={**parameters, "output": str(folder)}, progress_bar=False, cwd=folder,
            config=Config({"KernelManager": {"transport": "ipc"}}),  # over sockets in files, not over open ports
        )  # fmt: skip
    except papermill.PapermillExecutionError as error:
        raise RegistryError(f"{notebook.name}: cell {error.exec_count}: {error.ename}: {error.evalue}") from error
    content = nbformat.read(done, as_version=4)
    page = done.with_suffix(".html")
    text, _ = HTMLExporter().from_notebook_node(content)
    page.write_text(text, encoding="utf-8")
    drawn = [output["data"]["image/png"] for cell in content.cells for output in cell.get("outputs", [])
             if "image/png" in output.get("data", {})]  # fmt: skip
    figures = []
    for number, png in enumerate(drawn, start=1):
        figures.append(folder / f"{notebook.stem}_{number}.png")
        figures[-1].write_bytes(base64.b64decode(png))
    return _Executed(page, tuple(figures))


def _read(path: Path) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return document


def _rates(document: Mapping[str, Any]) -> dict[str, float]:
    found = {name: document[name]["value"] for name in ("tpir", "fpir")}
    return {name: value for name, value in found.items() if value is not None}
