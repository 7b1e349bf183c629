"""A calibration: which threshold, for which model and decision rule, and how well it is known."""

from __future__ import annotations

import hashlib
import json
import math
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from lfr.errors import CalibrationError

__all__ = ["Calibration", "CalibrationRate", "problems_of"]

_DIGEST = r"^[0-9a-f]{64}$"


class CalibrationRate(BaseModel):
    """A share as counted, with its two-sided 95% interval; the form that `lfr.statistics.Rate` has in JSON."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    value: float | None = Field(ge=0, le=1, description="The share; null where nothing was counted.")
    low: float | None = Field(ge=0, le=1, description="Lower end of the interval.")
    high: float | None = Field(ge=0, le=1, description="Upper end of the interval.")
    count: int = Field(ge=0, description="Events.")
    of: int = Field(ge=0, description="Trials.")
    method: Literal[
        "wilson",
        "clopper-pearson",
        "wilson-by-subject",
        "wilson-over-subjects",
        "clopper-pearson-over-subjects",
        "wilson-over-pairs",
    ] = Field(description="Of the interval.")

    @model_validator(mode="after")
    def _agrees_with_itself(self) -> Self:
        if self.count > self.of:
            raise ValueError(f"{self.count} of {self.of}")
        value, low, high = self.value, self.low, self.high
        if value is None or low is None or high is None:
            if self.of or not value is low is high is None:
                raise ValueError("value, low and high are null where nothing was counted, and only there")
        elif not self.of or not math.isclose(value, self.count / self.of, abs_tol=1e-9) or not low <= value <= high:
            raise ValueError(f"{value} in {low} to {high} is not {self.count} of {self.of}")
        return self


class Calibration(BaseModel):
    """The only place a threshold comes from.

    It holds for one model version, one decision rule, and watchlists up to
    one size. It was measured over passes: tracks, or single images that
    stand for one.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    model_version: str = Field(min_length=1, description="Name of the model version.")
    model_digest: str = Field(pattern=_DIGEST, description="Digest of the model version.")
    dataset_digest: str = Field(pattern=_DIGEST, description="SHA-256 over the data that were measured.")
    protocol: str = Field(min_length=1, description="How it was measured.")
    quality_policy: str = Field(min_length=1, description="Name of the quality gate that faces went through.")
    shots: int = Field(ge=1, description="Most faces of one track that were compared.")
    fusion: Literal["max", "mean"] = Field(description="How the shots' scores became one.")
    unit: Literal["track", "image"] = Field(description="What one pass was.")
    watchlist_size: int = Field(ge=1, description="Entries of the watchlist it was measured with.")
    target_fpir: float = Field(gt=0, lt=1, description="FPIR that the threshold was chosen for.")
    threshold: float = Field(ge=-1, le=1, description="Cosine score at or over which a subject is a candidate.")
    fpir: CalibrationRate = Field(description="Non-mated passes with an alert, at the threshold.")
    tpir: CalibrationRate = Field(description="Mated passes with an alert for their subject, at the threshold.")
    subjects: int = Field(ge=0, description="Different mated subjects among the passes.")
    non_mated_subjects: int = Field(ge=0, description="Different non-mated subjects among the passes.")
    verdict: Literal["sufficient", "insufficient_data"] = Field(
        description="Whether the one-sided 95% upper bound on the FPIR is at or under the target."
    )
    simulated: bool = Field(description="Whether the passes were drawn and not filmed.")
    created: AwareDatetime = Field(description="When it was made.")

    @field_validator("model_version", "protocol", "quality_policy")
    @classmethod
    def _says_something(cls, text: str) -> str:
        if not text.strip():
            raise ValueError("must not be blank")
        return text

    @property
    def document(self) -> dict[str, Any]:
        """The content as JSON, without the digest."""
        return self.model_dump(mode="json")

    @property
    def digest(self) -> str:
        """SHA-256 over the content as canonical JSON: the calibration's id."""
        canonical = json.dumps(
            self.document, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
        )
        return hashlib.sha256(canonical.encode()).hexdigest()

    @classmethod
    def from_document(cls, document: object, *, name: str) -> Calibration:
        """Return the calibration that a JSON document holds.

        Parameters
        ----------
        document
            Its fields, and ``digest`` besides.
        name
            What an error calls it.

        Raises
        ------
        CalibrationError
            A field is missing, unknown or wrong, or the digest is not that of the content.
        """
        if not isinstance(document, dict):
            raise CalibrationError(f"{name}: no calibration (a JSON object is wanted)")
        content = {key: value for key, value in document.items() if key != "digest"}
        try:
            calibration = cls.model_validate_json(json.dumps(content))
        except ValidationError as error:
            raise CalibrationError(f"{name}: no calibration: {problems_of(error)}") from error
        stated = document.get("digest")
        if stated != calibration.digest:
            raise CalibrationError(
                f"{name}: changed since it was made: it states digest {stated}, its content has {calibration.digest}"
            )
        return calibration

    @classmethod
    def read(cls, path: Path) -> Calibration:
        """Read a calibration file and verify its digest.

        Raises
        ------
        CalibrationError
            The file cannot be read, holds no calibration, or was changed since it was made.
        """
        try:
            document = json.loads(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise CalibrationError(f"{path}: cannot read the calibration: {error.strerror}") from error
        except ValueError as error:
            raise CalibrationError(f"{path}: no calibration: not JSON ({error})") from error
        return cls.from_document(document, name=str(path))

    def write(self, path: Path) -> None:
        """Write the calibration with its digest.

        Raises
        ------
        CalibrationError
            The file cannot be written.
        """
        text = json.dumps({"digest": self.digest, **self.document}, indent=2, ensure_ascii=False) + "\n"
        try:
            path.write_text(text, encoding="utf-8")
        except OSError as error:
            raise CalibrationError(f"{path}: cannot write the calibration: {error.strerror}") from error


def problems_of(error: ValidationError) -> str:
    """Return what a validation found, in one line: each field and what is wrong with it."""
    return "; ".join(
        f"{'.'.join(str(part) for part in problem['loc']) or 'it'}: {problem['msg'].removeprefix('Value error, ')}"
        for problem in error.errors()
    )
