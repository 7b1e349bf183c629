"""One-to-one comparison: the ten-fold protocol of LFW, and FNMR at a given FMR.

A pair matches where its score is at or over the threshold. A pair one of
whose images gave no template has the score NaN and stays in every denominator.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lfr.errors import ManifestError
from lfr.evaluation.acquisition import Acquired, acquire
from lfr.models import Model
from lfr.statistics import Rate, wilson_by_subject
from lfr.types import BoolArray, FloatArray, IntArray

__all__ = [
    "FMR_TARGETS",
    "Accuracy",
    "ErrorTradeOff",
    "Pairs",
    "Verification",
    "fnmr_at_fmr",
    "pair_scores",
    "read_lfw_pairs",
    "ten_fold_accuracy",
    "verify_pairs",
]

FMR_TARGETS = (0.1, 0.01, 0.001, 0.0001)


@dataclass(frozen=True, eq=False)
class Pairs:
    """The comparisons of a protocol.

    Attributes
    ----------
    images
        Each image once, as a path below the folder of images.
    reference, probe
        (n,) rows of ``images``: the two sides of each pair.
    mated
        (n,) whether both show one subject.
    fold
        (n,) part of the protocol that the pair belongs to, from 0.
    subjects
        Subject of the reference of each pair.
    """

    images: tuple[str, ...]
    reference: IntArray
    probe: IntArray
    mated: BoolArray
    fold: IntArray
    subjects: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.mated)


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
    """

    mean: float
    standard_deviation: float
    folds: tuple[float, ...]
    thresholds: tuple[float, ...]


@dataclass(frozen=True)
class ErrorTradeOff:
    """FNMR where FMR is held at a target.

    Attributes
    ----------
    fmr
        The target; the observed FMR is at or under it.
    fnmr
        Share of mated comparisons under the threshold, over subjects.
    threshold
        The smallest that keeps the observed FMR at or under the target.
    """

    fmr: float
    fnmr: Rate
    threshold: float


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
        Targets left out, because target times non-mated comparisons is under 1.
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
            "fnmr_at_fmr": [
                {"fmr": point.fmr, "fnmr": point.fnmr.as_dict(), "threshold": point.threshold}
                for point in self.fnmr_at_fmr
            ],
            "insufficient_data": list(self.insufficient_data),
        }


def read_lfw_pairs(path: Path) -> Pairs:
    """Read the pairs file of LFW.

    Huang, Ramesh, Berg, Learned-Miller, "Labeled Faces in the Wild", 2007:
    a line with the number of folds and of pairs a kind, then for each fold
    its mated pairs (``NAME 1 2``) and its non-mated ones (``NAME 1 OTHER 2``).

    Raises
    ------
    ManifestError
        The file cannot be read or is not of this form; the message names the line.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise ManifestError(f"{path}: cannot read the pairs: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ManifestError(f"{path}: not UTF-8 text") from error
    folds, per_kind = _header(lines, path)
    rows: dict[str, int] = {}
    reference, probe, subjects = [], [], []
    block = [True] * per_kind + [False] * per_kind
    for number, (line, mated) in enumerate(zip(lines[1:], block * folds, strict=False), start=2):
        fields = line.split("\t")
        if len(fields) != (3 if mated else 4):
            kind = "mated pair (NAME i j)" if mated else "non-mated pair (NAME i OTHER j)"
            raise ManifestError(f"{path}, line {number}: expected a {kind}, tab-separated, found {line!r}")
        try:
            first = _image(fields[0], fields[1])
            second = _image(fields[-2] if not mated else fields[0], fields[-1])
        except ValueError as error:
            raise ManifestError(f"{path}, line {number}: {error}") from error
        reference.append(rows.setdefault(first, len(rows)))
        probe.append(rows.setdefault(second, len(rows)))
        subjects.append(fields[0])
    return Pairs(
        tuple(rows),
        np.array(reference, np.int64),
        np.array(probe, np.int64),
        np.array(block * folds, np.bool_),
        np.repeat(np.arange(folds), len(block)),
        tuple(subjects),
    )


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
    acquired = acquire([folder / image for image in pairs.images], model, progress=progress)
    scores = pair_scores(acquired, pairs)
    mated, non_mated = scores[pairs.mated], scores[~pairs.mated]
    subjects = [name for name, is_mated in zip(pairs.subjects, pairs.mated, strict=True) if is_mated]
    points = fnmr_at_fmr(mated, non_mated, targets, mated_subjects=subjects)
    answered = {point.fmr for point in points}
    return Verification(
        ten_fold_accuracy(scores, pairs.mated, pairs.fold),
        tuple(points),
        tuple(target for target in targets if target not in answered),
        len(mated),
        len(non_mated),
        acquired,
    )


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
    accuracies, thresholds = [], []
    for number in numbers:
        tested = folds == number
        threshold = _best_threshold(scores[~tested], mated[~tested])
        tested_scores = scores[tested].astype(np.float64)  # a threshold may lie between two neighbours in float32
        right = ((tested_scores >= threshold) == mated[tested]) & ~np.isnan(tested_scores)
        accuracies.append(float(right.mean()))
        thresholds.append(threshold)
    return Accuracy(float(np.mean(accuracies)), float(np.std(accuracies, ddof=1)), tuple(accuracies), tuple(thresholds))


def fnmr_at_fmr(
    mated_scores: FloatArray,
    non_mated_scores: FloatArray,
    targets: Sequence[float] = FMR_TARGETS,
    *,
    mated_subjects: Sequence[str] | None = None,
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
        FMRs in 0..1. One with ``target * n < 1`` is left out: the data cannot show it.
    mated_subjects
        Subject of each mated comparison; None: no two are of one subject.
    """
    of = len(non_mated_scores)
    descending = np.sort(np.nan_to_num(non_mated_scores, nan=-np.inf))[::-1]
    groups = np.arange(len(mated_scores)) if mated_subjects is None else np.array(mated_subjects)
    comparisons = np.unique(groups, return_counts=True)[1]
    points = []
    for target in targets:
        allowed = int(target * of + 1e-9)  # 0.07 * 100 is a little over 7
        if allowed < 1:
            continue
        # The first score that must not match decides; -1 is the least cosine there is.
        first_refused = descending[allowed] if allowed < of else np.float32(-np.inf)
        threshold = max(np.nextafter(first_refused, np.float32(np.inf)), np.float32(-1.0))
        missed = int(np.count_nonzero(~(mated_scores >= threshold)))
        points.append(ErrorTradeOff(target, wilson_by_subject(missed, comparisons), float(threshold)))
    return points


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


def _header(lines: list[str], path: Path) -> tuple[int, int]:
    fields = lines[0].split() if lines else []
    if len(fields) != 2 or not all(field.isdecimal() and int(field) > 0 for field in fields):
        raise ManifestError(f"{path}, line 1: expected the number of folds and of pairs a kind")
    folds, per_kind = int(fields[0]), int(fields[1])
    wanted = 2 * folds * per_kind
    if len(lines) - 1 != wanted:
        raise ManifestError(f"{path}: {wanted} pairs announced in line 1, {len(lines) - 1} found")
    return folds, per_kind


def _image(subject: str, number: str) -> str:
    if not number.isdecimal():
        raise ValueError(f"expected an image number, found {number!r}")
    return f"{subject}/{subject}_{int(number):04d}.jpg"
