"""A calibration: which threshold, for which model and decision rule, and how well it is known."""

from __future__ import annotations

import math
from typing import ClassVar, Literal, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, field_validator, model_validator

from lfr.types.document import DigestedDocument

__all__ = ["Calibration", "CalibrationRate"]

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


class Calibration(DigestedDocument):
    """The only place a threshold comes from.

    It holds for one model version, one decision rule, and watchlists up to
    one size. It was measured over passes: tracks, or single images that
    stand for one. Its digest is its id.
    """

    kind: ClassVar[str] = "calibration"

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
