"""What passes scored: all that a calibration needs to know of them, without a template."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from lfr.evaluation.manifest import StrArray
from lfr.evaluation.searches import Searches
from lfr.statistics import Rate, adjusted_bounds, effective_trials, rate_over_subjects, rate_with
from lfr.types import FloatArray

__all__ = ["PassScores", "scores_against_lists", "threshold_shown"]

_STEP = 10_000


@dataclass(frozen=True, eq=False)
class PassScores:
    """Highest scores of passes against one or several watchlists of one size.

    Attributes
    ----------
    mate
        (m,) score of each mated pass with its own subject; NaN where none was made.
    mated_subject
        (m,) who passed.
    stranger
        (lists, n) highest score of each non-mated pass with anybody on each list; NaN where none was made.
    non_mated_subject
        (n,) who passed.
    """

    mate: FloatArray = field(repr=False)
    mated_subject: StrArray = field(repr=False)
    stranger: FloatArray = field(repr=False)
    non_mated_subject: StrArray = field(repr=False)

    def __post_init__(self) -> None:
        if self.mate.shape != self.mated_subject.shape or self.stranger.shape[1:] != self.non_mated_subject.shape:
            raise ValueError(
                f"PassScores: {self.mate.shape} and {self.stranger.shape} scores do not fit "
                f"{self.mated_subject.shape} and {self.non_mated_subject.shape} subjects"
            )

    @property
    def lists(self) -> int:
        """Number of watchlists."""
        return len(self.stranger)

    def alarmed(self, threshold: float) -> NDArray[np.float64]:
        """(n,) on which share of the lists each non-mated pass has a candidate."""
        shares: NDArray[np.float64] = np.mean(self.stranger.astype(np.float64) >= threshold, axis=0)
        return shares

    def fpir(self, threshold: float) -> Rate:
        """FPIR with its 95% interval over subjects.

        A pass counts once, as the mean over the lists, and the count is
        rounded up. A subject counts as one trial at most: a few false alerts
        cannot show how alike the passes of a subject are.
        """
        count, trials = self._alarms(threshold)
        of = len(self.non_mated_subject)
        bounds = adjusted_bounds(count, of, trials, exact=True)
        alone = len(np.unique(self.non_mated_subject)) == of
        return rate_with(count, of, bounds, method="clopper-pearson" if alone else "clopper-pearson-over-subjects")

    def fpir_upper(self, threshold: float) -> float:
        """One-sided 95% Clopper-Pearson upper bound on the FPIR, over subjects; 1 without a pass."""
        count, trials = self._alarms(threshold)
        # One tail of the two-sided 90% interval.
        return float(adjusted_bounds(count, len(self.non_mated_subject), trials, exact=True, confidence=0.9)[1])

    def tpir(self, threshold: float) -> Rate:
        """TPIR: who else is on a list does not matter to it."""
        return rate_over_subjects(self.mate.astype(np.float64) >= threshold, self.mated_subject)

    def _alarms(self, threshold: float) -> tuple[int, float]:
        """False alerts, and the independent trials that would tell as much."""
        alarmed, subject = self.alarmed(threshold), self.non_mated_subject
        return math.ceil(alarmed.sum() - 1e-6), min(effective_trials(alarmed, subject), len(np.unique(subject)))

    def fpir_of_lists(self, threshold: float) -> NDArray[np.float64]:
        """(lists,) FPIR of each list."""
        shares: NDArray[np.float64] = np.mean(self.stranger.astype(np.float64) >= threshold, axis=1)
        return shares


def scores_against_lists(searches: Searches, size: int, *, lists: int, rng: np.random.Generator) -> PassScores:
    """Scores of searches against watchlists drawn from the one that was searched.

    Parameters
    ----------
    searches
        Against all subjects that could be listed.
    size
        Enrolled subjects on each list.
    lists
        Lists to draw; one where all enrolled subjects are on it.
    rng
        Draws them.

    Raises
    ------
    ValueError
        The size is under 1 or over the number of enrolled subjects.
    """
    enrolled = len(searches.watchlist.snapshot.subjects)
    if not 1 <= size <= enrolled:
        raise ValueError(f"watchlist size {size}: expected 1 to {enrolled}, the subjects enrolled")
    drawn = [np.sort(rng.permutation(enrolled)[:size]) for _ in range(1 if size == enrolled else lists)]
    non_mated = ~searches.mated
    row_of = np.cumsum(non_mated) - 1
    stranger = np.full((len(drawn), int(non_mated.sum())), np.nan, np.float32)
    for rows, block in searches.scores.blocks():
        strange = non_mated[rows]
        scores = block[strange]
        for highest, columns in zip(stranger, drawn, strict=True):
            highest[row_of[rows[strange]]] = scores[:, columns].max(axis=1)
    return PassScores(
        searches.mate_score[searches.mated],
        searches.subject_id[searches.mated],
        stranger,
        searches.subject_id[non_mated],
    )


def threshold_shown(scores: PassScores, target_fpir: float) -> float:
    """Smallest threshold at which the passes show the FPIR to be at or under a target.

    Where no threshold is shown to do, the smallest that keeps the observed
    FPIR there: with under one false alert allowed, just over every non-mated
    score. Rounded up to four decimals.
    """
    made = np.sort(scores.stranger[~np.isnan(scores.stranger)].astype(np.float64))[::-1]

    def just_over(alarms: int) -> float:
        """Threshold at which so many passes raise an alarm, as the mean over the lists."""
        first_out = alarms * scores.lists
        if first_out >= len(made):
            return -1.0
        # A little over one step, because scores are float32 and thresholds are not.
        return float(np.clip(math.floor(made[first_out] * _STEP + 1.01) / _STEP, -1, 1))

    def shown(alarms: int) -> bool:
        return scores.fpir_upper(just_over(alarms)) <= target_fpir

    most = int(target_fpir * scores.stranger.shape[1] + 1e-9)  # 0.07 * 100 is a little over 7
    if not shown(0):
        return just_over(most)
    least = 0
    while least < most:  # the bound rises with the alarms allowed
        middle = (least + most + 1) // 2
        least, most = (middle, most) if shown(middle) else (least, middle - 1)
    return just_over(least)
