"""Evidence on a version: documents in MLflow runs, with the digest they were logged with."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lfr.errors import RegistryError
from lfr.registry.documents import KINDS, Evidence, Kind, canonical_text, text_digest
from lfr.registry.tracking import Tracking
from lfr.registry.versions import RegisteredVersion

__all__ = ["evidence_card", "evidence_digests", "find_evidence", "log_evidence"]

_DOCUMENT = "evidence.json"


def log_evidence(
    tracking: Tracking,
    version: RegisteredVersion,
    kind: Kind,
    document: Mapping[str, Any],
    *,
    card: str,
    metrics: Mapping[str, float] | None = None,
    parameters: Mapping[str, object] | None = None,
    files: Sequence[Path] = (),
    figures: Sequence[Path] = (),
) -> str:
    """Log one document, with figures and reports, as a run that is linked to the version.

    Parameters
    ----------
    tracking, version
        Where, and what it is on.
    kind
        Which evidence it is.
    document
        Its JSON.
    card
        Name of the data card.
    metrics, parameters, files, figures
        What else the run holds; figures lie in a folder of their own.

    Returns
    -------
    Id of the run.
    """
    text = canonical_text(document)
    with tracking.asking(f"logging {kind} evidence on version {version.number}"):
        run = tracking.client.create_run(
            tracking.experiment_id,
            run_name=f"{kind} of version {version.number}",
            tags={
                "lfr.kind": "evidence",
                "lfr.evidence": kind,
                "lfr.version": str(version.number),
                "lfr.model_digest": version.model_digest,
                "lfr.evidence_sha256": text_digest(text),
                "lfr.data_card": card,
            },
        )
        run_id = run.info.run_id
        for name, parameter in (parameters or {}).items():
            tracking.client.log_param(run_id, name, parameter)
        for name, metric in (metrics or {}).items():
            tracking.client.log_metric(run_id, name, metric)
        with tempfile.TemporaryDirectory(prefix="lfr-evidence-") as folder:
            path = Path(folder) / _DOCUMENT
            path.write_text(text, encoding="utf-8")
            for file in (path, *files):
                tracking.client.log_artifact(run_id, str(file))
        for figure in figures:
            tracking.client.log_artifact(run_id, str(figure), "figures")
        tracking.client.set_terminated(run_id)
    return str(run_id)


def find_evidence(tracking: Tracking, version: RegisteredVersion, *, card_problems: Sequence[str] = ()) -> Evidence:
    """Return the newest evidence of each kind on a version.

    Raises
    ------
    RegistryError
        A document was changed since it was logged, or is malformed.
    """
    documents: dict[str, Any] = {}
    for kind in KINDS:
        runs = _runs(tracking, version, kind, most=1)
        if not runs:
            continue
        run_id, logged = runs[0]
        text = tracking.files(run_id, _DOCUMENT).read_text(encoding="utf-8")
        if text_digest(text) != logged:
            raise RegistryError(
                f"{kind} evidence on version {version.number}: changed since it was logged: "
                f"SHA-256 is {text_digest(text)}, logged {logged}"
            )
        documents[kind] = json.loads(text)
    return Evidence.of(documents, card_problems=card_problems)


def evidence_digests(tracking: Tracking, version: RegisteredVersion) -> dict[Kind, set[str]]:
    """Digests of all evidence on a version whose document is still what was logged, by kind.

    Raises
    ------
    RegistryError
        The registry cannot be asked.
    """
    digests: dict[Kind, set[str]] = {}
    for kind in KINDS:
        digests[kind] = set()
        for run_id, logged in _runs(tracking, version, kind, most=1000):
            if text_digest(tracking.files(run_id, _DOCUMENT).read_text(encoding="utf-8")) == logged:
                digests[kind].add(logged)
    return digests


def evidence_card(tracking: Tracking, version: RegisteredVersion, kind: Kind) -> str:
    """Name of the data card that the newest evidence of a kind was logged with; empty where there is none."""
    found = _runs(tracking, version, kind, most=1)
    if not found:
        return ""
    with tracking.asking(f"the data card of {kind} evidence"):
        return str(tracking.client.get_run(found[0][0]).data.tags.get("lfr.data_card", ""))


def _runs(tracking: Tracking, version: RegisteredVersion, kind: Kind, *, most: int) -> list[tuple[str, str]]:
    """Id and logged digest of the runs that hold a kind of evidence, the newest first."""
    with tracking.asking(f"{kind} evidence on version {version.number}"):
        runs = tracking.client.search_runs(
            [tracking.experiment_id],
            f"tags.`lfr.kind` = 'evidence' and tags.`lfr.evidence` = '{kind}' "
            f"and tags.`lfr.version` = '{version.number}' and attributes.status = 'FINISHED'",
            max_results=most,
            order_by=["attributes.start_time DESC"],
        )
    return [(str(run.info.run_id), str(run.data.tags["lfr.evidence_sha256"])) for run in runs]
