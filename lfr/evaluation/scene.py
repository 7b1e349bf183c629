"""How well the live pipeline does on a simulated scene, against the scene's truth.

A pass (one person walking through once) is the unit: not a frame, not a
comparison. TPIR counts listed passes that raised an alert for that very
subject; FPIR counts unlisted passes that raised any alert. A pass that was
never tracked is a miss if listed and stays in the denominator if not.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy.optimize import linear_sum_assignment

from lfr.geometry import iou_matrix
from lfr.pipeline import AlertProposal, FrameResult
from lfr.sources import ScenePass, SceneTruth
from lfr.statistics import Rate, clopper_pearson, wilson

__all__ = ["PassOutcome", "SceneEvaluation", "SceneScore"]

MIN_IOU = 0.3
"""Overlap from which a track's box and a true face are taken for the same; a box predicted between
detections lags a little, so this is looser than the 0.5 usual for detection."""


@dataclass(frozen=True)
class PassOutcome:
    """What became of one pass.

    Attributes
    ----------
    pass_id, subject_id, listed
        Who walked, and whether that subject is on the watchlist.
    first_s, last_s
        First and last time the face was in view.
    tracks
        Number of tracks that followed the pass; 0: never acquired. None: not known, because a service looked, which
        does not say where anybody is.
    alerts
        Proposals raised by those tracks.
    """

    pass_id: int
    subject_id: str
    listed: bool
    first_s: float
    last_s: float
    tracks: int | None
    alerts: tuple[AlertProposal, ...]

    @property
    def recognised(self) -> bool:
        """Whether an alert named the subject who walked."""
        return any(alert.subject_id == self.subject_id for alert in self.alerts)

    @property
    def false_alerts(self) -> tuple[AlertProposal, ...]:
        """Alerts that named somebody else."""
        return tuple(alert for alert in self.alerts if alert.subject_id != self.subject_id)

    @property
    def time_to_alert_s(self) -> float | None:
        """Seconds from first in view to the first alert for the right subject."""
        times = [alert.time_s for alert in self.alerts if alert.subject_id == self.subject_id]
        return min(times) - self.first_s if times else None


@dataclass(frozen=True)
class SceneScore:
    """The result.

    Attributes
    ----------
    passes
        One outcome each, in order of entry.
    faces_seen
        Passes as the pipeline counted them: its confirmed tracks.
    unplaced
        Proposals of tracks that followed no true face: a detector's ghost.
    """

    passes: tuple[PassOutcome, ...]
    faces_seen: int
    unplaced: tuple[AlertProposal, ...]

    @property
    def alerts(self) -> tuple[AlertProposal, ...]:
        """Every proposal, in order of time."""
        placed = [alert for outcome in self.passes for alert in outcome.alerts]
        return tuple(sorted([*placed, *self.unplaced], key=lambda alert: (alert.time_s, alert.track_id)))

    @property
    def tpir(self) -> Rate:
        """Share of listed passes whose subject was named, with Wilson's 95% interval."""
        listed = [outcome for outcome in self.passes if outcome.listed]
        return wilson(sum(outcome.recognised for outcome in listed), len(listed))

    @property
    def fpir(self) -> Rate:
        """Share of unlisted passes with an alert for anybody, with the Clopper-Pearson 95% interval."""
        unlisted = [outcome for outcome in self.passes if not outcome.listed]
        return clopper_pearson(sum(bool(outcome.alerts) for outcome in unlisted), len(unlisted))

    def as_dict(self) -> dict[str, Any]:
        """Return the documented JSON form, with a row for each pass besides."""
        times = [t for outcome in self.passes if (t := outcome.time_to_alert_s) is not None]
        of_pass = {id(alert): outcome for outcome in self.passes for alert in outcome.alerts}
        unknown = any(outcome.tracks is None for outcome in self.passes)
        return {
            "rehearsal": True,
            "faces_seen": self.faces_seen,
            "tpir": self.tpir.as_dict(),
            "fpir": self.fpir.as_dict(),
            "time_to_alert_s": {
                "median": round(float(np.median(times)), 2) if times else None,
                "max": round(max(times), 2) if times else None,
                "count": len(times),
            },
            "alerts": [_alert_row(alert, of_pass.get(id(alert))) for alert in self.alerts],
            "passes": [_pass_row(outcome) for outcome in self.passes],
            "failures_to_acquire": None if unknown else sum(outcome.tracks == 0 for outcome in self.passes),
        }


@dataclass(eq=False)
class SceneEvaluation:
    """Collects frame by frame which track followed which pass.

    Parameters
    ----------
    passes
        The scene's truth about who walks when.
    subjects
        The watchlist's subjects.
    """

    passes: Sequence[ScenePass]
    subjects: Sequence[str]
    _followed: dict[int, Counter[int]] = field(default_factory=dict)
    _alerts: list[AlertProposal] = field(default_factory=list)

    def add(self, result: FrameResult, truth: SceneTruth) -> None:
        """Take one frame's result and the truth of the same frame."""
        self.add_alerts(result.proposals)
        tracks = result.tracks
        overlap = iou_matrix(tracks.xyxy, truth.xyxy) * tracks.confirmed[:, None]
        for row, column in zip(*linear_sum_assignment(-overlap), strict=True):
            if overlap[row, column] >= MIN_IOU:
                votes = self._followed.setdefault(int(tracks.track_id[row]), Counter())
                votes[int(truth.pass_id[column])] += 1

    def add_alerts(self, proposals: Sequence[AlertProposal]) -> None:
        """Take proposals that came without a frame: those of the end of the scene."""
        self._alerts.extend(proposals)

    def pass_of(self, track_id: int) -> int | None:
        """Return the pass that a track followed so far; None for one that followed no true face."""
        votes = self._followed.get(track_id)
        return votes.most_common(1)[0][0] if votes else None

    def subject_of(self, track_id: int) -> str | None:
        """Return who walked, for the track that followed them so far; None for one that followed no true face."""
        pass_id = self.pass_of(track_id)
        return next((walk.subject_id for walk in self.passes if walk.pass_id == pass_id), None)

    def score(self, *, faces_seen: int) -> SceneScore:
        """Return the result. A track belongs to the pass it followed for most frames."""
        pass_of = {track: votes.most_common(1)[0][0] for track, votes in self._followed.items()}
        listed = set(self.subjects)
        outcomes = [
            PassOutcome(
                pass_id=walk.pass_id,
                subject_id=walk.subject_id,
                listed=walk.subject_id in listed,
                first_s=walk.first_s,
                last_s=walk.last_s,
                tracks=sum(pass_id == walk.pass_id for pass_id in pass_of.values()),
                alerts=tuple(a for a in self._alerts if pass_of.get(a.track_id) == walk.pass_id),
            )
            for walk in self.passes
        ]
        unplaced = tuple(alert for alert in self._alerts if alert.track_id not in pass_of)
        return SceneScore(tuple(outcomes), faces_seen, unplaced)


def _alert_row(alert: AlertProposal, outcome: PassOutcome | None) -> dict[str, Any]:
    return {
        "subject_id": alert.subject_id,
        "time_s": round(alert.time_s, 2),
        "score": round(alert.score, 4),
        "track_id": alert.track_id,
        "true_subject_id": outcome.subject_id if outcome else None,
        "correct": outcome is not None and outcome.subject_id == alert.subject_id,
    }


def _pass_row(outcome: PassOutcome) -> dict[str, Any]:
    return {
        "pass_id": outcome.pass_id,
        "subject_id": outcome.subject_id,
        "listed": outcome.listed,
        "first_s": round(outcome.first_s, 2),
        "last_s": round(outcome.last_s, 2),
        "tracks": outcome.tracks,
        "recognised": outcome.recognised,
        "alerts": len(outcome.alerts),
        "time_to_alert_s": outcome.time_to_alert_s,
    }
