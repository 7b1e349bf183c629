"""Fit the map from scores to probabilities that an operator may be shown."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from lfr.errors import ManifestError
from lfr.evaluation.pass_scores import PassScores
from lfr.statistics import clopper_pearson_upper
from lfr.types import Calibration, ScoreMap

__all__ = ["FittedScoreMap", "Reliability", "fit_score_map"]

_FOLDS = 5
_BINS = 10

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Reliability:
    """Passes that were given about the same probability by a map fitted on other subjects.

    Attributes
    ----------
    predicted, observed
        Mean probability, and the share that was mated; mated and non-mated weigh the same in total.
    passes
        How many there were.
    """

    predicted: float
    observed: float
    passes: int


@dataclass(frozen=True, eq=False)
class FittedScoreMap:
    """A score map, with how well it did on subjects that it was not fitted on.

    Attributes
    ----------
    score_map
        The map.
    reliability
        From the least to the most probable.
    """

    score_map: ScoreMap
    reliability: tuple[Reliability, ...] = field(repr=False)

    def as_dict(self) -> dict[str, Any]:
        """The map's document and digest, with its reliability."""
        return {
            "digest": self.score_map.digest,
            **self.score_map.document,
            "reliability": [vars(row) for row in self.reliability],
        }


def fit_score_map(
    scores: PassScores, calibration: Calibration, *, listed_share: float, created: datetime
) -> FittedScoreMap:
    """Fit a logistic map to the scores that a calibration was made from.

    J. C. Platt, "Probabilistic outputs for support vector machines", 1999: a
    logistic regression on the score with smoothed targets, here of mated
    passes' own scores against the best scores of non-mated ones, each side
    with the same weight. The listed share is added as prior log odds
    (C. Elkan, "The foundations of cost-sensitive learning", IJCAI 2001). The
    probability is capped at what n non-mated subjects can show: with no false
    alert among them FPIR may still be as high as its 95% upper bound.

    Parameters
    ----------
    scores
        Of mated and non-mated passes.
    calibration
        Made from them.
    listed_share
        Share of passes that are of listed people, between 0 and 1. Evaluation data cannot tell it.
    created
        When it is made.

    Raises
    ------
    ManifestError
        There are no mated or no non-mated passes with a score, or mated ones do not score higher.
    ValueError
        ``listed_share`` is not between 0 and 1.
    """
    if not 0.0 < listed_share < 1.0:
        raise ValueError(f"listed_share {listed_share}: expected a share between 0 and 1")
    samples = _samples(scores)
    if not samples.mated.any() or samples.mated.all():
        raise ManifestError("score map: mated and non-mated passes with a score are needed")
    slope, intercept = _fitted(samples)
    if slope <= 0:
        raise ManifestError("score map: mated passes do not score higher than non-mated ones")
    made = np.mean(~np.isnan(scores.mate)) * listed_share  # a listed person without a score raises no alert
    upper = clopper_pearson_upper(0, calibration.non_mated_subjects)
    rows = _reliability(samples)
    weights = np.array([row.passes for row in rows], np.float64)
    errors = np.array([abs(row.predicted - row.observed) for row in rows])
    return FittedScoreMap(
        ScoreMap(
            model_version=calibration.model_version,
            model_digest=calibration.model_digest,
            dataset_digest=calibration.dataset_digest,
            calibration_digest=calibration.digest,
            watchlist_size=calibration.watchlist_size,
            listed_share=listed_share,
            slope=slope,
            intercept=intercept + float(np.log(made / (1 - made))),
            lowest=float(np.clip(samples.score.min(), -1, 1)),
            highest=float(np.clip(samples.score.max(), -1, 1)),
            most=float(made / (made + (1 - made) * upper)),
            mated=int(np.sum(~np.isnan(scores.mate))),
            non_mated=int(np.sum(~np.isnan(scores.stranger).all(axis=0))),
            calibration_error=float(np.average(errors, weights=weights)),
            created=created,
        ),
        rows,
    )


@dataclass(frozen=True, eq=False)
class _Samples:
    score: Floats
    mated: NDArray[np.bool_]
    weight: Floats
    fold: NDArray[np.int64]

    def __getitem__(self, index: NDArray[np.bool_]) -> _Samples:
        return _Samples(self.score[index], self.mated[index], self.weight[index], self.fold[index])


def _samples(scores: PassScores) -> _Samples:
    """Every score that was made; a non-mated pass against several lists weighs as one."""
    lists = scores.lists
    score = np.concatenate([scores.mate, scores.stranger.ravel()]).astype(np.float64)
    subject = np.concatenate([scores.mated_subject, np.tile(scores.non_mated_subject, lists)])
    mated = np.arange(len(score)) < len(scores.mate)
    fold = np.unique(subject, return_inverse=True)[1] % _FOLDS
    samples = _Samples(score, mated, np.where(mated, 1.0, 1.0 / lists), fold.astype(np.int64))
    return samples[~np.isnan(score)]


def _fitted(samples: _Samples) -> tuple[float, float]:
    """Slope and intercept of the log odds, mated and non-mated in equal shares."""
    mated = float(samples.weight[samples.mated].sum())
    others = float(samples.weight[~samples.mated].sum())
    target = np.where(samples.mated, (mated + 1) / (mated + 2), 1 / (others + 2))
    weight = samples.weight * np.where(samples.mated, 0.5 / mated, 0.5 / others) * len(samples.score)
    fit = LogisticRegression(C=1e4, solver="newton-cholesky").fit(
        np.tile(samples.score, 2)[:, None],
        np.repeat([1, 0], len(samples.score)),
        np.concatenate([weight * target, weight * (1 - target)]),
    )
    return float(fit.coef_[0, 0]), float(fit.intercept_[0])


def _reliability(samples: _Samples) -> tuple[Reliability, ...]:
    """Probabilities against what was so, in bins of equal width, each fold by a map fitted on the others."""
    predicted = np.full(len(samples.score), np.nan)
    for fold in range(_FOLDS):
        held, rest = samples.fold == fold, samples[samples.fold != fold]
        if held.any() and rest.mated.any() and not rest.mated.all():
            slope, intercept = _fitted(rest)
            predicted[held] = 1 / (1 + np.exp(-(slope * samples.score[held] + intercept)))
    known = ~np.isnan(predicted)
    mated = samples.mated
    sides = np.where(mated, samples.weight[mated & known].sum(), samples.weight[~mated & known].sum())
    weight = samples.weight / np.maximum(sides, 1e-12)
    place = np.minimum((predicted * _BINS), _BINS - 1)
    rows = []
    for at in range(_BINS):
        here = known & (np.floor(place) == at)
        if here.any():
            rows.append(
                Reliability(
                    float(np.average(predicted[here], weights=weight[here])),
                    float(np.average(mated[here], weights=weight[here])),
                    max(1, round(float(samples.weight[here].sum()))),
                )
            )
    return tuple(rows)
