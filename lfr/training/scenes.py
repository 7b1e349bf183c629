"""Simulated scenes of made-up people, played with the live pipeline. What they show is `simulated` and nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lfr.evaluation.rehearsal_scene import demo_setup, play
from lfr.evaluation.scene import SceneEvaluation
from lfr.matching import DecisionRule
from lfr.models import Model
from lfr.pipeline import Recogniser, StreamProcessor, enrol
from lfr.sources import Scene, SceneSettings
from lfr.training.training import Shown

__all__ = ["play_scenes"]

_SHOTS = 5


def play_scenes(
    scenes: Sequence[SceneSettings], model: Model, *, threshold: float, shown: Shown
) -> list[dict[str, Any]]:
    """Return TPIR and FPIR by pass of each scene, as `lfr evaluate scene` counts them.

    Parameters
    ----------
    scenes
        What is drawn.
    model
        The version.
    threshold
        Of the decision.
    shown
        Wraps the frames, to show progress.
    """
    rows = []
    for settings in scenes:
        recogniser = Recogniser(model)
        setup = demo_setup(settings)
        watchlist = enrol(setup.references, recogniser)
        scene = Scene(setup.walkers, settings)
        evaluation = SceneEvaluation(scene.passes, watchlist.subjects)
        processor = StreamProcessor(recogniser, watchlist, DecisionRule(threshold=threshold, shots=_SHOTS))
        for _ in shown(play(scene, processor, evaluation), len(scene), f"difficulty {settings.difficulty:g}"):
            pass
        found = evaluation.score(faces_seen=processor.faces_seen).as_dict()
        rows.append(
            {
                "simulated": True,
                "difficulty": settings.difficulty,
                "seed": settings.seed,
                "threshold": threshold,
                **{name: found[name] for name in ("tpir", "fpir", "faces_seen", "failures_to_acquire")},
            }
        )
    return rows
