"""Evidence on a version: documents in MLflow runs, with the digest they were logged with."""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from lfr.errors import RegistryError
from lfr.registry.tracking import Tracking
from lfr.registry.versions import RegisteredVersion
from lfr.types import Calibration, problems_of

__all__ = [
    "KINDS",
    "Evidence",
    "FairnessEvidence",
    "GroupEvidence",
    "Kind",
    "ParityEvidence",
    "RateEvidence",
    "evidence_card",
    "evidence_digests",
    "find_evidence",
    "log_evidence",
]

Kind = Literal["fairness", "calibration", "parity"]
KINDS: tuple[Kind, ...] = ("fairness", "calibration", "parity")

_DOCUMENT = "evidence.json"
_LOOSE = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)


class RateEvidence(BaseModel):
    """A rate, as every document of lfr states one."""

    model_config = _LOOSE

    value: float | None
    low: float | None
    high: float | None
    count: int
    of: int


class GroupEvidence(BaseModel):
    """One group of the fairness evidence."""

    model_config = _LOOSE

    group: dict[str, str]
    tpir: RateEvidence
    fpir: RateEvidence
    mated_subjects: int
    non_mated_subjects: int


class _Verdict(BaseModel):
    model_config = _LOOSE

    verdict: Literal["equitable", "not equitable", "not shown"]


class _Grouping(BaseModel):
    model_config = _LOOSE

    by: tuple[str, ...]
    tpir: _Verdict
    fpir: _Verdict


class _ModelName(BaseModel):
    model_config = _LOOSE

    digest: str


class _EquityBounds(BaseModel):
    model_config = _LOOSE

    max_fpir_difference: float


class FairnessEvidence(BaseModel):
    """What a gate reads of the document of ``lfr evaluate fairness``."""

    model_config = _LOOSE

    model: _ModelName
    data_digest: str
    created: AwareDatetime
    simulated: bool
    verdict: Literal["equitable", "not equitable", "not shown"]
    watchlist_size: int
    threshold: float
    mated_subjects: int
    non_mated_subjects: int
    tpir: RateEvidence
    fpir: RateEvidence
    policy: _EquityBounds
    groups: tuple[GroupEvidence, ...]
    groupings: tuple[_Grouping, ...] = Field(min_length=1)


class ParityEvidence(BaseModel):
    """How near the runtime to be deployed is to the torch reference, on the same crops."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    model_digest: str = Field(description="Of the version that was compared.")
    reference_digest: str = Field(description="Of the torch version it was compared with.")
    data_digest: str = Field(description="Of the images.")
    created: AwareDatetime
    images: int = Field(ge=1)
    min_cosine: float = Field(ge=-1, le=1.001)
    mean_cosine: float = Field(ge=-1, le=1.001)


@dataclass(frozen=True)
class Evidence:
    """All that a gate looks at.

    Attributes
    ----------
    fairness, calibration, parity
        The newest of each kind; None where there is none.
    digests
        SHA-256 of each document, by kind.
    card_problems
        What is wrong with the cards of the data and of the model, a line each.
    """

    fairness: FairnessEvidence | None = None
    calibration: Calibration | None = None
    parity: ParityEvidence | None = None
    digests: Mapping[str, str] = field(default_factory=dict)
    card_problems: tuple[str, ...] = ()

    @classmethod
    def of(cls, documents: Mapping[str, Any], *, card_problems: Sequence[str] = ()) -> Evidence:
        """Read documents by kind.

        Raises
        ------
        RegistryError
            One is malformed.
        """
        try:
            return cls(
                FairnessEvidence.model_validate(documents["fairness"]) if "fairness" in documents else None,
                Calibration.from_document(documents["calibration"], name="calibration evidence")
                if "calibration" in documents
                else None,
                ParityEvidence.model_validate(documents["parity"]) if "parity" in documents else None,
                {kind: _digest(_text(document)) for kind, document in documents.items()},
                tuple(card_problems),
            )
        except ValidationError as error:
            raise RegistryError(f"evidence: {problems_of(error)}") from error


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
    metrics, parameters, files
        What else the run holds.

    Returns
    -------
    Id of the run.
    """
    text = _text(document)
    with tracking.asking(f"logging {kind} evidence on version {version.number}"):
        run = tracking.client.create_run(
            tracking.experiment_id,
            run_name=f"{kind} of version {version.number}",
            tags={
                "lfr.kind": "evidence",
                "lfr.evidence": kind,
                "lfr.version": str(version.number),
                "lfr.model_digest": version.model_digest,
                "lfr.evidence_sha256": _digest(text),
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
        if _digest(text) != logged:
            raise RegistryError(
                f"{kind} evidence on version {version.number}: changed since it was logged: "
                f"SHA-256 is {_digest(text)}, logged {logged}"
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
            if _digest(tracking.files(run_id, _DOCUMENT).read_text(encoding="utf-8")) == logged:
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


def _text(document: Mapping[str, Any]) -> str:
    return json.dumps(document, indent=2, sort_keys=True, allow_nan=False) + "\n"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
