"""The live pipeline, listened to: what each track's shots scored, and what a rule makes of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from lfr.matching import DecisionRule, decide
from lfr.pipeline import AlertProposal, StreamProcessor
from lfr.types import FloatArray, Frame, Tracks

__all__ = ["Listening", "fused", "rule_name"]


class Listening(StreamProcessor):
    """The live pipeline on a simulated scene or a recording, that keeps the scores of each track that ended."""

    def __init__(self, *given: Any, **named: Any) -> None:  # noqa: ANN401
        super().__init__(*given, **named)
        self.ended: dict[int, FloatArray] = {}

    def _end(self, frame: Frame, tracks: Tracks) -> list[AlertProposal]:
        for track_id in tracks.ended.tolist():
            if track_id in self._passes and self._passes[track_id].scores:
                self.ended[track_id] = np.stack(self._passes[track_id].scores)
        return super()._end(frame, tracks)


def fused(rule: DecisionRule, scores: FloatArray, subjects: Sequence[str]) -> FloatArray:
    """Return (subjects,) what a rule makes of a track's (shots, subjects) scores, as the street would."""
    column = {subject: number for number, subject in enumerate(subjects)}
    made = np.full(len(subjects), np.nan, np.float32)
    # With a threshold that all are over, what decides on the street gives every subject's fused score.
    for decision in decide(scores, subjects, rule.model_copy(update={"threshold": -1.0})):
        made[column[decision.subject_id]] = decision.score
    return made


def rule_name(rule: DecisionRule) -> str:
    """Return what a rule is called: fusion and most shots."""
    return f"{rule.fusion}_of_{rule.shots}"
