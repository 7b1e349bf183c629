"""Make the calibration that comes with lfr: ``python -m lfr.evaluation.demo_calibration``.

Simulated passes of the demo faces go through the pipeline that a camera's
frames go through: same quality gate, same choice of shots, same decision.
Drawn people on a drawn street show that the machinery works and nothing of
a real street, and their number shows no useful FPIR: the verdict is
``insufficient_data`` and the calibration serves demonstrations only.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path

import numpy as np

from lfr.evaluation.calibration import calibration_of
from lfr.evaluation.pass_scores import PassScores
from lfr.evaluation.rehearsal_scene import SceneSetup, demo_setup, play, subjects_of
from lfr.evaluation.scene import SceneEvaluation, SceneScore
from lfr.matching import DecisionRule, decide
from lfr.models import load_model
from lfr.pipeline import AlertProposal, Recogniser, StreamProcessor, StreamSettings, enrol
from lfr.sources import Scene, SceneSettings
from lfr.types import Calibration, Frame

__all__ = ["SCENES", "ScoredPass", "calibrate_demo", "calibration_from", "scored_passes"]

_LOG = logging.getLogger(__name__)

SCENES = tuple(SceneSettings(seed=seed, duration_s=120.0) for seed in (101, 102, 103))
WATCHLIST_SIZE = 40
SHOTS = 5
TARGET_FPIR = 0.01


@dataclass(frozen=True)
class ScoredPass:
    """One person's way through a scene.

    Attributes
    ----------
    subject_id, mated
        Who walked, and whether they were on the watchlist.
    mate, stranger
        Best fused score with themselves and with anybody else on the list; -1 where the pass gave none.
    """

    subject_id: str
    mated: bool
    mate: float = -1.0
    stranger: float = -1.0


class _Scored(StreamProcessor):
    """A camera that remembers each track's fused scores, which a street's camera forgets."""

    def __init__(self, recogniser: Recogniser, setup: SceneSetup) -> None:
        self._listed = enrol(setup.references, recogniser)
        # At this threshold everybody is decided for, and the cooldown must not hide anybody.
        super().__init__(
            recogniser, self._listed, DecisionRule(threshold=-1.0, shots=SHOTS), settings=StreamSettings(cooldown_s=0.0)
        )
        self.fused: dict[int, dict[str, float]] = {}

    def _propose(self, track_id: int, frame: Frame, *, final: bool) -> list[AlertProposal]:
        if scores := self._passes[track_id].scores:
            decisions = decide(np.stack(scores), self._listed.subjects, self._rule, final=final)
            self.fused[track_id] = {decision.subject_id: decision.score for decision in decisions}
        return super()._propose(track_id, frame, final=final)


def scored_passes(settings: SceneSettings, recogniser: Recogniser) -> tuple[ScoredPass, ...]:
    """Play one scene and return its passes; one that was never tracked is among them, with no score."""
    setup = demo_setup(settings, watchlist_size=WATCHLIST_SIZE)
    scene = Scene(setup.walkers, settings)
    processor = _Scored(recogniser, setup)
    evaluation = SceneEvaluation(scene.passes, subjects_of(setup.references))
    for _ in play(scene, processor, evaluation):
        pass
    return _passes_of(evaluation.score(faces_seen=processor.faces_seen), processor.fused)


def _passes_of(score: SceneScore, fused: Mapping[int, Mapping[str, float]]) -> tuple[ScoredPass, ...]:
    passes = []
    for outcome in score.passes:
        mate = stranger = -1.0
        # At threshold -1 every track that had a score has proposals, so these are all of the pass's tracks.
        for track_id in {alert.track_id for alert in outcome.alerts}:
            for subject, value in fused[track_id].items():
                if subject == outcome.subject_id:
                    mate = max(mate, value)
                else:
                    stranger = max(stranger, value)
        passes.append(ScoredPass(outcome.subject_id, outcome.listed, mate, stranger))
    return tuple(passes)


def calibration_from(
    passes: Sequence[ScoredPass],
    *,
    model_version: str,
    model_digest: str,
    dataset_digest: str,
    protocol: str,
    quality_policy: str,
    created: datetime,
) -> Calibration:
    """Return the calibration of passes, as `lfr.evaluation.calibration_of` makes it.

    Parameters
    ----------
    passes
        Mated and non-mated ones.
    model_version, model_digest, dataset_digest, protocol, quality_policy, created
        As in the calibration.
    """
    mated, others = [p for p in passes if p.mated], [p for p in passes if not p.mated]
    scores = PassScores(
        np.array([p.mate for p in mated], np.float32),
        np.array([p.subject_id for p in mated], np.str_),
        np.array([[p.stranger for p in others]], np.float32),
        np.array([p.subject_id for p in others], np.str_),
    )
    return calibration_of(
        scores,
        target_fpir=TARGET_FPIR,
        model_version=model_version,
        model_digest=model_digest,
        dataset_digest=dataset_digest,
        protocol=protocol,
        quality_policy=quality_policy,
        shots=SHOTS,
        fusion="max",
        unit="track",
        watchlist_size=WATCHLIST_SIZE,
        simulated=True,
        created=created,
    )


def calibrate_demo(recogniser: Recogniser, *, scenes: Sequence[SceneSettings] = SCENES) -> Calibration:
    """Play the scenes and return the calibration of their passes."""
    passes: list[ScoredPass] = []
    for settings in scenes:
        passes += scored_passes(settings, recogniser)
        _LOG.info("scene %d: %d passes so far", settings.seed, len(passes))
    return calibration_from(
        passes,
        model_version=recogniser.model.version.name,
        model_digest=recogniser.model.digest,
        dataset_digest=_dataset_digest(scenes),
        protocol=f"{len(scenes)} simulated scenes of the demo faces, {WATCHLIST_SIZE} listed; a pass is all of its "
        "tracks; passes never acquired stay in the denominators; no cooldown",
        quality_policy=StreamSettings().quality.name,
        created=datetime.now(UTC).replace(microsecond=0),
    )


def _dataset_digest(scenes: Sequence[SceneSettings]) -> str:
    """SHA-256 over the scenes' settings and, for each, who is listed and who walks, with the pictures' own digests."""
    total = hashlib.sha256()
    for settings in scenes:
        setup = demo_setup(settings, watchlist_size=WATCHLIST_SIZE)
        total.update(json.dumps(settings.model_dump(mode="json"), sort_keys=True).encode())
        pictures = [*setup.references, *((walker.subject_id, walker.path) for walker in setup.walkers)]
        for subject, path in pictures:
            total.update(f"{subject} {hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    return total.hexdigest()


def main() -> None:
    """Make the calibration and put it where lfr finds it."""
    logging.basicConfig(level=logging.INFO)
    calibration = calibrate_demo(Recogniser(load_model()))
    path = Path(str(files("lfr.deployments") / "demo_calibration.json"))
    calibration.write(path)
    _LOG.info("%s: threshold %.4f, digest %s", path.name, calibration.threshold, calibration.digest)


if __name__ == "__main__":
    main()
