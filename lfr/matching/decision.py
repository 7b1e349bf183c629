"""What the scores of one track decide."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from lfr.types import FloatArray

__all__ = ["Decision", "DecisionRule", "Fusion", "decide"]

Fusion = Literal["max", "mean"]


class DecisionRule(BaseModel):
    """How the shots of one track become a decision; a calibration is made for exactly one."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    threshold: float = Field(ge=-1.0, le=1.0, description="Cosine score at or over which a subject is a candidate.")
    shots: int = Field(default=1, ge=1, description="Most faces of one track that are ever embedded.")
    fusion: Fusion = Field(
        default="max", description="A subject's score over the shots of a track: its best one, or their mean."
    )


@dataclass(frozen=True)
class Decision:
    """One subject at or over the threshold for one track.

    Attributes
    ----------
    subject_id
        Who of the watchlist.
    score
        The fused score that met the threshold.
    shots_used
        Shots the score was fused from.
    best_shot
        Row of the shot most alike to this subject: the image to show.
    """

    subject_id: str
    score: float
    shots_used: int
    best_shot: int


def decide(
    scores: FloatArray, subjects: Sequence[str], rule: DecisionRule, *, final: bool = True
) -> tuple[Decision, ...]:
    """Subjects that a track's shots put at or over the threshold.

    With ``max`` a shot over the threshold decides whatever comes later, so
    every call may decide: all calls for a growing track together name the same
    subjects as the last one. A ``mean`` can still fall, so it decides once:
    when ``rule.shots`` shots are in, or at the track's end with as many as
    there are. Calibration counts passes with few shots the same way.

    Parameters
    ----------
    scores
        (shots, subjects) scores of the track's shots so far, as
        `Snapshot.subject_scores` gives them.
    subjects
        Subject of each column.
    rule
        Threshold, shots and fusion.
    final
        Whether no further shot of this track will come.

    Returns
    -------
    Best first, equal scores in the order of the columns; empty where nobody
    is at or over the threshold, or the rule cannot tell yet.

    Raises
    ------
    ValueError
        If the shape does not fit ``subjects``, there are more shots than the
        rule was calibrated for, or a score is not finite.
    """
    if scores.ndim != 2 or scores.shape[1] != len(subjects):
        raise ValueError(f"scores: expected (shots, {len(subjects)}), got {scores.shape}")
    shots = len(scores)
    if shots > rule.shots:
        raise ValueError(f"{shots} shots of one track, but the rule was calibrated for at most {rule.shots}")
    if not np.isfinite(scores).all():
        raise ValueError("scores: every score must be finite")
    waits = rule.fusion == "mean" and shots < rule.shots and not final
    if shots == 0 or waits:
        return ()
    # In float64, because NumPy would round the threshold to float32 and so let in what lies just under it.
    exact = scores.astype(np.float64)
    fused = exact.max(axis=0) if rule.fusion == "max" else exact.mean(axis=0)
    over = np.flatnonzero(fused >= rule.threshold)
    best_first = over[np.argsort(-fused[over], kind="stable")]
    best_shot = scores[:, best_first].argmax(axis=0)
    return tuple(
        Decision(subjects[column], float(fused[column]), shots, int(shot))
        for column, shot in zip(best_first, best_shot, strict=True)
    )
