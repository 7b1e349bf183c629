"""What a score means as a probability, for the model and the share of listed people it was made for."""

from __future__ import annotations

import math
from typing import ClassVar, Self

from pydantic import AwareDatetime, Field, model_validator

from lfr.errors import ModelMismatchError
from lfr.types.document import DigestedDocument

__all__ = ["ScoreMap"]

_DIGEST = r"^[0-9a-f]{64}$"


class ScoreMap(DigestedDocument):
    """Probability that an alert names the right person, given its score.

    It holds for one model version and for one share of listed people among
    those who pass: where fewer are listed, the same score is more often
    wrong. A number that is shown beside an alert; it decides nothing.
    """

    kind: ClassVar[str] = "score map"

    model_version: str = Field(min_length=1, description="Name of the model version.")
    model_digest: str = Field(pattern=_DIGEST, description="Digest of the model version.")
    dataset_digest: str = Field(pattern=_DIGEST, description="SHA-256 over the data it was fitted on.")
    calibration_digest: str = Field(pattern=_DIGEST, description="Calibration made from the same passes.")
    watchlist_size: int = Field(ge=1, description="Entries of the watchlist it was fitted for.")
    listed_share: float = Field(gt=0, lt=1, description="Share of passes that are of listed people, as assumed.")
    slope: float = Field(ge=0, description="Of the log odds against the score.")
    intercept: float = Field(description="Log odds at score 0, at the listed share.")
    lowest: float = Field(ge=-1, le=1, description="Lowest score seen; under it the probability is held.")
    highest: float = Field(ge=-1, le=1, description="Highest score seen; over it the probability is held.")
    most: float = Field(gt=0, le=1, description="Largest probability that so few non-mated subjects can show.")
    mated: int = Field(ge=1, description="Mated passes it was fitted on.")
    non_mated: int = Field(ge=1, description="Non-mated passes it was fitted on.")
    calibration_error: float = Field(
        ge=0, le=1, description="Mean distance of probability and share, subjects held out, at equal shares of both."
    )
    created: AwareDatetime = Field(description="When it was made.")

    @model_validator(mode="after")
    def _is_a_range(self) -> Self:
        if self.lowest > self.highest:
            raise ValueError(f"lowest {self.lowest} is over highest {self.highest}")
        return self

    def probability(self, score: float, *, model_digest: str) -> float:
        """Probability that an alert with this score names the right person.

        Parameters
        ----------
        score
            Cosine score, -1..1.
        model_digest
            Model that made the score.

        Raises
        ------
        ModelMismatchError
            The score is of another model: it has another meaning there.
        ValueError
            The score is not in -1..1.
        """
        if model_digest != self.model_digest:
            raise ModelMismatchError(
                f"score map {self.digest[:12]} is of model {self.model_digest}, the score is of model {model_digest}"
            )
        if not -1.0 <= score <= 1.0:
            raise ValueError(f"score {score}: expected -1 to 1")
        odds = self.slope * min(max(score, self.lowest), self.highest) + self.intercept
        return min(1.0 / (1.0 + math.exp(-odds)), self.most)
