"""What evidence says: the documents that a gate and a model card read."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from lfr.errors import RegistryError
from lfr.types import Calibration, problems_of

__all__ = [
    "KINDS",
    "BenchmarkEvidence",
    "EvaluationEvidence",
    "Evidence",
    "FairnessEvidence",
    "GroupEvidence",
    "Kind",
    "ParityEvidence",
    "RateEvidence",
    "canonical_text",
    "text_digest",
]

Kind = Literal["evaluation", "calibration", "fairness", "parity", "benchmark"]
KINDS: tuple[Kind, ...] = ("evaluation", "calibration", "fairness", "parity", "benchmark")

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


class _Point(BaseModel):
    model_config = _LOOSE

    fpir: float
    tpir: RateEvidence
    fpir_observed: RateEvidence
    threshold: float


class EvaluationEvidence(BaseModel):
    """What the model card reads of the document of ``lfr evaluate identification``."""

    model_config = _LOOSE

    model: _ModelName
    data_digest: str
    created: AwareDatetime
    simulated: bool
    watchlist_size: int
    mated_subjects: int
    non_mated_subjects: int
    failures_to_acquire: int
    points: tuple[_Point, ...]


class BenchmarkEvidence(BaseModel):
    """How fast the version is, alone on the machine it was measured on."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    model_digest: str = Field(description="Of the version that was timed.")
    created: AwareDatetime
    frames_per_s: float = Field(gt=0, description="1280x720 frames through the detector, one after another.")
    faces_per_s: float = Field(gt=0, description="Aligned crops through the embedder, eight at a time.")
    machine: dict[str, Any] = Field(description="Processor, cores, memory and versions.")


@dataclass(frozen=True)
class Evidence:
    """All that a gate looks at.

    Attributes
    ----------
    evaluation, calibration, fairness, parity, benchmark
        The newest of each kind; None where there is none.
    digests
        SHA-256 of each document, by kind.
    card_problems
        What is wrong with the cards of the data and of the model, a line each.
    """

    evaluation: EvaluationEvidence | None = None
    calibration: Calibration | None = None
    fairness: FairnessEvidence | None = None
    parity: ParityEvidence | None = None
    benchmark: BenchmarkEvidence | None = None
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
        kinds: dict[str, Any] = {
            "evaluation": EvaluationEvidence.model_validate,
            "calibration": lambda document: Calibration.from_document(document, name="calibration evidence"),
            "fairness": FairnessEvidence.model_validate,
            "parity": ParityEvidence.model_validate,
            "benchmark": BenchmarkEvidence.model_validate,
        }
        try:
            read = {kind: kinds[kind](document) for kind, document in documents.items()}
        except ValidationError as error:
            raise RegistryError(f"evidence: {problems_of(error)}") from error
        digests = {kind: text_digest(canonical_text(document)) for kind, document in documents.items()}
        return cls(**read, digests=digests, card_problems=tuple(card_problems))

    @property
    def model_digests(self) -> dict[Kind, str | None]:
        """Digest of the model that each kind is of; None where there is none."""
        return {
            "evaluation": None if self.evaluation is None else self.evaluation.model.digest,
            "calibration": None if self.calibration is None else self.calibration.model_digest,
            "fairness": None if self.fairness is None else self.fairness.model.digest,
            "parity": None if self.parity is None else self.parity.model_digest,
            "benchmark": None if self.benchmark is None else self.benchmark.model_digest,
        }

    @property
    def data_digests(self) -> dict[Kind, str]:
        """Digest of the data that each kind is from which says something about people."""
        found: dict[Kind, str] = {}
        if self.evaluation is not None:
            found["evaluation"] = self.evaluation.data_digest
        if self.calibration is not None:
            found["calibration"] = self.calibration.dataset_digest
        if self.fairness is not None:
            found["fairness"] = self.fairness.data_digest
        return found


def canonical_text(document: Mapping[str, Any]) -> str:
    """Return a document as it is logged, and as its digest is taken."""
    return json.dumps(document, indent=2, sort_keys=True, allow_nan=False) + "\n"


def text_digest(text: str) -> str:
    """Return the SHA-256 of a text."""
    return hashlib.sha256(text.encode()).hexdigest()
