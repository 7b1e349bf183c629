"""Calibration: the threshold for a target FPIR at a watchlist size, and how well it is known.

The threshold is the smallest at which the one-sided 95% upper bound on the
FPIR is at or under the target. Because the bound falls as the threshold rises,
choosing and bounding on the same passes claims too much with 5% probability at
most: S. Bates, A. Angelopoulos, L. Lei, J. Malik, M. Jordan, "Distribution-free,
risk-controlling prediction sets", Journal of the ACM 68(6), 2021. Where the
subjects are too few for any threshold to show it, the observed FPIR is held at
the target instead, and the verdict is ``insufficient_data``.
"""

from __future__ import annotations

import html
import json
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, TypedDict, Unpack

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from lfr.errors import InputError, ManifestError
from lfr.evaluation.calibration_plot import plot_false_alerts
from lfr.evaluation.datasets import shows_demo_faces
from lfr.evaluation.pass_scores import PassScores, scores_against_lists, threshold_shown
from lfr.evaluation.plot_style import Theme
from lfr.evaluation.searches import Searches, run_searches
from lfr.evaluation.templates import Templates
from lfr.evaluation.watchlist_size import SizeEstimate, fpir_by_size
from lfr.matching import Fusion
from lfr.statistics import Rate, subjects_needed
from lfr.types import Calibration, CalibrationRate
from lfr.vision import SEARCH_POLICY

__all__ = ["NO_GATE", "CalibrationResult", "calibrate", "calibration_of"]

NO_GATE = "none"
"""Quality policy of a calibration without a gate; no deployment takes it."""

SHOTS = 5
LISTS = 20
_FACES = 10_000
_BESIDE = (-0.10, -0.05, 0.0, 0.05)


class Measured(TypedDict):
    """Fields of a calibration that say what was measured; `lfr.types.Calibration` describes them."""

    model_version: str
    model_digest: str
    dataset_digest: str
    protocol: str
    quality_policy: str
    shots: int
    fusion: Fusion
    unit: Literal["track", "image"]
    watchlist_size: int
    simulated: bool
    created: datetime


@dataclass(frozen=True, eq=False)
class CalibrationResult:
    """A calibration with what stands behind it.

    Attributes
    ----------
    calibration
        What a deployment is created with.
    asked_size
        Watchlist size that was asked for; the calibration's is smaller where there are too few usable references.
    fpir_upper
        One-sided 95% upper bound on the FPIR, over subjects: what the verdict goes by.
    scores
        What the passes scored.
    searches
        Against every usable reference, who is not on each list drawn included.
    by_size
        FPIR by watchlist size at and around the threshold.
    """

    calibration: Calibration
    asked_size: int
    fpir_upper: float
    scores: PassScores = field(repr=False)
    searches: Searches = field(repr=False)
    by_size: tuple[SizeEstimate, ...] = field(repr=False)

    @property
    def needed(self) -> dict[str, int]:
        """Subjects that would do, how many are missing of them, and references that the list wants."""
        wanted = subjects_needed(self.calibration.target_fpir)
        return {
            "non_mated_subjects": wanted,
            "more_non_mated_subjects": max(0, wanted - self.calibration.non_mated_subjects),
            "referenced_subjects": self.asked_size,
            "more_referenced_subjects": self.asked_size - self.calibration.watchlist_size,
        }

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why the verdict is what it is, for people."""
        made, needed = self.calibration, self.needed
        reasons = []
        if needed["more_referenced_subjects"]:
            reasons.append(
                f"a watchlist of {self.asked_size:,} was asked for and {made.watchlist_size:,} subjects have a usable "
                f"reference: {needed['more_referenced_subjects']:,} more are needed"
            )
        if self.fpir_upper > made.target_fpir:
            reasons.append(
                f"{made.non_mated_subjects:,} non-mated subjects show no FPIR under {self.fpir_upper:.3g}; "
                f"{needed['non_mated_subjects']:,} without a false alert are needed to show {made.target_fpir:g}, "
                f"{needed['more_non_mated_subjects']:,} more"
            )
        elif not reasons:
            reasons.append(
                f"{made.non_mated_subjects:,} non-mated subjects show an FPIR under {self.fpir_upper:.3g} "
                f"(one-sided 95%), at most {made.target_fpir:g} was asked for"
            )
        return tuple(reasons)

    def as_dict(self) -> dict[str, Any]:
        """The calibration's document and digest, with what stands behind them."""
        low, high = np.quantile(self.scores.fpir_of_lists(self.calibration.threshold), (0.025, 0.975))
        searches = self.searches
        return {
            "digest": self.calibration.digest,
            **self.calibration.document,
            "fpir_upper": self.fpir_upper,
            "reasons": list(self.reasons),
            "needed": self.needed,
            "lists": {"drawn": self.scores.lists, "fpir_low": float(low), "fpir_high": float(high)},
            "failures_to_acquire": int((~searches.acquired).sum()),
            "failures_to_enrol": searches.watchlist.failures_to_enrol,
            "expected_false_alerts": [
                {
                    "watchlist_size": at.watchlist_size,
                    "threshold": at.threshold,
                    "faces": _FACES,
                    "measured": at.measured * _FACES,
                    "low": at.low * _FACES,
                    "high": at.high * _FACES,
                    "lists": at.draws,
                    "independent": at.independent * _FACES,
                }
                for at in self.by_size
            ],
        }

    def to_json(self) -> str:
        """Return the JSON form as text."""
        return json.dumps(self.as_dict(), indent=2, allow_nan=False)

    def to_pandas(self) -> pd.DataFrame:
        """Return the false alerts to expect, one row a watchlist size and threshold."""
        return pd.DataFrame(self.as_dict()["expected_false_alerts"])

    def plot_false_alerts(self, *, theme: Theme = "light") -> Figure:
        """Draw the false alerts to expect per 10,000 faces, by watchlist size and threshold."""
        made = self.calibration
        return plot_false_alerts(
            self.by_size,
            faces=_FACES,
            threshold=made.threshold,
            bound=(made.watchlist_size, self.fpir_upper),
            target=made.target_fpir,
            theme=theme,
            title=f"{made.model_version}, calibrated for a watchlist of {made.watchlist_size:,}",
        )

    def _repr_html_(self) -> str:
        made = self.calibration
        said = f"{made.verdict.replace('_', ' ')}: threshold {made.threshold:.4f}. {'; '.join(self.reasons)}"
        return f"<p>{html.escape(said)}</p>{self.to_pandas().to_html(index=False)}"


def calibrate(
    templates: Templates,
    *,
    target_fpir: float,
    watchlist_size: int | None,
    rng: np.random.Generator,
    created: datetime,
    lists: int = LISTS,
    quality_gate: bool = True,
    fusion: Fusion = "max",
    shots: int | None = None,
) -> CalibrationResult:
    """Calibrate a model on the templates of an evaluation set.

    Parameters
    ----------
    templates
        Of references and probes. Passes are the probes' tracks, or single images where there are none.
    target_fpir
        Share of non-mated passes that may raise an alert, between 0 and 1.
    watchlist_size
        Entries of the list it is to hold for; None: everybody with a usable reference.
    rng
        Draws the lists.
    created
        When it is made.
    lists
        Watchlists to draw from the usable references; one where all are wanted.
    quality_gate
        Whether references and probes go through the gates of live use; without, no deployment takes it.
    fusion, shots
        The decision rule: how a track's scores become one, and of how many
        images at most (None: 5). A single image is one shot.

    Raises
    ------
    InputError
        More than one shot is asked for and the probes belong to no tracks.
    ManifestError
        There are no references, no probes, no non-mated ones, or no usable reference.
    """
    manifest = templates.manifest
    tracks = bool((manifest.track_id[~manifest.reference] != "").any())
    if not tracks and shots not in {None, 1}:
        raise InputError(
            f"{manifest.name}: no probe has a track_id, so a pass is one image: {shots} shots cannot be measured"
        )
    used = (shots or SHOTS) if tracks else 1
    searches = run_searches(templates, quality_gate=quality_gate, fusion=fusion, shots=used)
    enrolled = len(searches.watchlist.snapshot.subjects)
    if not enrolled:
        raise ManifestError(f"{manifest.name}, column split: no reference is usable, so there is nothing to search")
    size = min(watchlist_size or enrolled, enrolled)
    scores = scores_against_lists(searches, size, lists=lists, rng=rng)
    unit: Literal["track", "image"] = "track" if tracks else "image"
    made = calibration_of(
        scores,
        target_fpir=target_fpir,
        size_reached=size == (watchlist_size or enrolled),
        model_version=templates.model_version,
        model_digest=templates.model_digest,
        dataset_digest=templates.data_digest,
        protocol=_protocol(searches, scores, size, tracks=tracks),
        quality_policy=SEARCH_POLICY.name if quality_gate else NO_GATE,
        shots=used,
        fusion=fusion,
        unit=unit,
        watchlist_size=size,
        simulated=shows_demo_faces(templates.images),
        created=created,
    )
    thresholds = sorted({float(np.clip(round(made.threshold + by, 4), -1, 1)) for by in _BESIDE} | {made.threshold})
    sizes = sorted({of for of in (10, 100, 1_000, 10_000, 100_000) if of < enrolled} | {size, enrolled})
    return CalibrationResult(
        made,
        watchlist_size or enrolled,
        scores.fpir_upper(made.threshold),
        scores,
        searches,
        tuple(fpir_by_size(searches, sizes, thresholds, rng=rng)),
    )


def calibration_of(
    scores: PassScores, *, target_fpir: float, size_reached: bool = True, **measured: Unpack[Measured]
) -> Calibration:
    """Return the calibration that the scores of passes make: threshold, rates, subjects and verdict.

    Parameters
    ----------
    scores
        At least one pass of them non-mated.
    target_fpir
        Share of non-mated passes that may raise an alert.
    size_reached
        Whether the lists are as large as was asked for; if not, the data are insufficient.
    measured
        The calibration's other fields.
    """
    threshold = threshold_shown(scores, target_fpir)
    shown = scores.fpir_upper(threshold) <= target_fpir
    return Calibration(
        target_fpir=target_fpir,
        threshold=threshold,
        fpir=_rate(scores.fpir(threshold)),
        tpir=_rate(scores.tpir(threshold)),
        subjects=len(np.unique(scores.mated_subject)),
        non_mated_subjects=len(np.unique(scores.non_mated_subject)),
        verdict="sufficient" if shown and size_reached else "insufficient_data",
        **measured,
    )


def _protocol(searches: Searches, scores: PassScores, size: int, *, tracks: bool) -> str:
    enrolled = len(searches.watchlist.snapshot.subjects)
    drawn = (
        f"all {size} subjects with a usable reference listed"
        if scores.lists == 1
        else f"{scores.lists} lists of {size} drawn from {enrolled} subjects with a usable reference"
    )
    return (
        f"open-set identification of recorded {'tracks' if tracks else 'images'}, {drawn}; non-mated are subjects "
        "without a reference, each pass counted once as the mean over the lists; passes not acquired stay in the "
        "denominators; one-sided 95% Clopper-Pearson bound over subjects"
    )


def _rate(rate: Rate) -> CalibrationRate:
    return CalibrationRate.model_validate(rate.as_dict())
