"""One-to-one comparison: the ten-fold protocol of LFW, and FNMR at a given FMR.

A pair matches where its score is at or over the threshold. A pair one of
whose images gave no template has the score NaN and stays in every denominator.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from lfr.errors import ManifestError
from lfr.evaluation.acquisition import Acquired, acquire
from lfr.evaluation.comparisons import FMR_TARGETS, ComparisonScores, ErrorTradeOff
from lfr.evaluation.protocol import Pairs
from lfr.evaluation.templates import Templates
from lfr.models import Model
from lfr.types import BoolArray, FloatArray, IntArray

__all__ = [
    "Accuracy",
    "Verification",
    "fnmr_at_fmr",
    "pair_scores",
    "ten_fold_accuracy",
    "verify_pairs",
    "verify_templates",
]


@dataclass(frozen=True)
class Accuracy:
    """Share of pairs decided rightly, by cross-validation.

    Attributes
    ----------
    mean, standard_deviation
        Over the folds; the deviation has n - 1 in its denominator.
    folds
        Accuracy on each fold, in order.
    thresholds
        The threshold each fold was decided with, chosen on the others.
    right
        (n,) whether each pair was decided rightly.
    """

    mean: float
    standard_deviation: float
    folds: tuple[float, ...]
    thresholds: tuple[float, ...]
    right: BoolArray = field(repr=False, compare=False)


@dataclass(frozen=True, eq=False)
class Verification:
    """A model's result on a verification protocol.

    Attributes
    ----------
    accuracy
        By the ten-fold protocol.
    fnmr_at_fmr
        For each target that the data can answer.
    insufficient_data
        Targets left out, because target times pairs of non-mated subjects is under 1.
    mated, non_mated
        Comparisons of each kind.
    acquired
        What the images gave, in the order of ``Pairs.images``.
    """

    accuracy: Accuracy
    fnmr_at_fmr: tuple[ErrorTradeOff, ...]
    insufficient_data: tuple[float, ...]
    mated: int
    non_mated: int
    acquired: Acquired

    def as_dict(self) -> dict[str, Any]:
        """Return the documented JSON form."""
        return {
            "images": len(self.acquired),
            "failures_to_acquire": int(self.acquired.failed.sum()),
            "images_with_several_faces": int((self.acquired.faces_found > 1).sum()),
            "mated": self.mated,
            "non_mated": self.non_mated,
            "accuracy": self.accuracy.mean,
            "accuracy_standard_deviation": self.accuracy.standard_deviation,
            "folds": [
                {"accuracy": accuracy, "threshold": threshold}
                for accuracy, threshold in zip(self.accuracy.folds, self.accuracy.thresholds, strict=True)
            ],
            "fnmr_at_fmr": [point.as_dict() for point in self.fnmr_at_fmr],
            "insufficient_data": list(self.insufficient_data),
        }


def verify_pairs(
    folder: Path,
    pairs: Pairs,
    model: Model,
    *,
    targets: Sequence[float] = FMR_TARGETS,
    progress: Callable[[Iterable[Path]], Iterable[Path]] = iter,
) -> Verification:
    """Evaluate a model on a protocol's pairs.

    Parameters
    ----------
    folder
        Where the images of ``pairs`` lie.
    pairs
        The comparisons.
    model
        The version that is evaluated.
    targets
        FMRs to state FNMR at.
    progress
        Wraps the images as they are read, to show progress.

    Raises
    ------
    ImageError
        An image is missing or broken.
    ManifestError
        The protocol has fewer than two folds.
    """
    return _verified(pairs, acquire([folder / image for image in pairs.images], model, progress=progress), targets)


def verify_templates(pairs: Pairs, templates: Templates, *, targets: Sequence[float] = FMR_TARGETS) -> Verification:
    """Evaluate templates that are there already on a protocol's pairs.

    Parameters
    ----------
    pairs
        The comparisons.
    templates
        Of all images of ``pairs``, by the same paths.
    targets
        FMRs to state FNMR at.

    Raises
    ------
    ManifestError
        An image of the protocol has no row, or the protocol has fewer than two folds.
    """
    row_of = {path: row for row, path in enumerate(templates.manifest.paths)}
    for image in pairs.images:
        if image not in row_of:
            raise ManifestError(f"{templates.manifest.name}: holds no image {image}, which the pairs name")
    rows = templates[np.array([row_of[image] for image in pairs.images], np.int64)]
    return _verified(pairs, Acquired(rows.embeddings, rows.faces_found, rows.quality), targets)


def pair_scores(acquired: Acquired, pairs: Pairs) -> FloatArray:
    """(n,) cosine of each pair's two templates; NaN where an image gave none."""
    vectors = acquired.templates.vectors
    scores: FloatArray = np.einsum("nd,nd->n", vectors[pairs.reference], vectors[pairs.probe])
    return scores


def ten_fold_accuracy(scores: FloatArray, mated: BoolArray, folds: IntArray) -> Accuracy:
    """Accuracy of each fold at the threshold that is best on all the others.

    Parameters
    ----------
    scores
        (n,) higher is more alike; NaN for a pair with an unacquired face, which
        is decided wrongly whatever the threshold, mated or not.
    mated, folds
        (n,) what each pair is, and which fold it belongs to.

    Raises
    ------
    ManifestError
        There are fewer than two folds to choose thresholds on.
    """
    numbers = np.unique(folds)
    if len(numbers) < 2:
        raise ManifestError("verification: at least two folds are needed, one to choose a threshold on")
    accuracies, thresholds, right = [], [], np.zeros(len(scores), np.bool_)
    for number in numbers:
        tested = folds == number
        threshold = _best_threshold(scores[~tested], mated[~tested])
        tested_scores = scores[tested].astype(np.float64)  # a threshold may lie between two neighbours in float32
        right[tested] = ((tested_scores >= threshold) == mated[tested]) & ~np.isnan(tested_scores)
        accuracies.append(float(right[tested].mean()))
        thresholds.append(threshold)
    mean, deviation = float(np.mean(accuracies)), float(np.std(accuracies, ddof=1))
    return Accuracy(mean, deviation, tuple(accuracies), tuple(thresholds), right)


def fnmr_at_fmr(
    mated_scores: FloatArray,
    non_mated_scores: FloatArray,
    targets: Sequence[float] = FMR_TARGETS,
    *,
    mated_subjects: Sequence[str] | None = None,
    subject_pairs: int | None = None,
) -> list[ErrorTradeOff]:
    """FNMR at the smallest threshold that keeps FMR at or under each target.

    ISO/IEC 19795-1: FMR is the share of non-mated comparisons at or over the
    threshold, FNMR that of mated ones under it. A comparison that could not be
    made (NaN) is a false non-match if mated and no false match if not.

    Parameters
    ----------
    mated_scores, non_mated_scores
        (m,) and (n,) scores.
    targets
        FMRs in 0..1. One with ``target * subject_pairs < 1`` is left out: the data cannot show it.
    mated_subjects
        Subject of each mated comparison; None: no two are of one subject.
    subject_pairs
        Pairs of subjects among the non-mated comparisons; None: no two are of one pair.
    """
    scores = ComparisonScores.of(
        mated_scores, non_mated_scores, mated_subject=mated_subjects, subject_pairs=subject_pairs
    )
    return scores.fnmr_at_fmr(targets)


def _verified(pairs: Pairs, acquired: Acquired, targets: Sequence[float]) -> Verification:
    scores = pair_scores(acquired, pairs)
    mated, non_mated = scores[pairs.mated], scores[~pairs.mated]
    names = list(zip(pairs.subjects, pairs.probe_subjects, pairs.mated.tolist(), strict=True))
    points = fnmr_at_fmr(
        mated,
        non_mated,
        targets,
        mated_subjects=[name for name, _, is_mated in names if is_mated],
        subject_pairs=len({frozenset((name, other)) for name, other, is_mated in names if not is_mated}),
    )
    answered = {point.fmr for point in points}
    return Verification(
        ten_fold_accuracy(scores, pairs.mated, pairs.fold),
        tuple(points),
        tuple(target for target in targets if target not in answered),
        len(mated),
        len(non_mated),
        acquired,
    )


def _best_threshold(scores: FloatArray, mated: BoolArray) -> float:
    """Threshold with the most pairs decided rightly, half-way between two scores; of equals the middle one."""
    known = ~np.isnan(scores)
    order = np.argsort(scores[known], kind="stable")
    ascending, is_mated = scores[known][order].astype(np.float64), mated[known][order]
    # Cut k refuses the k lowest scores and accepts the others; equal scores cannot be cut apart.
    refused_rightly = np.concatenate([[0], np.cumsum(~is_mated)])
    accepted_rightly = is_mated.sum() - np.concatenate([[0], np.cumsum(is_mated)])
    padded = np.concatenate([[-1.0], ascending, [1.0]])
    cuts = (padded[:-1] + padded[1:]) / 2
    right = np.where(padded[:-1] < padded[1:], refused_rightly + accepted_rightly, -1)
    best = np.flatnonzero(right == right.max())
    return float(cuts[best[len(best) // 2]])
