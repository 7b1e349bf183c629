"""A whole use of lfr on made-up people: authorised, watched, adjudicated by somebody who knows the truth, purged."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from lfr.access import Principal
from lfr.alerts import adjudicate, record_outcome
from lfr.database import Store
from lfr.deployments import end, live
from lfr.evaluation.made_up import make_up_force
from lfr.evaluation.rehearsal_scene import demo_setup
from lfr.evaluation.scene import SceneEvaluation, SceneScore
from lfr.models import Model
from lfr.oversight import DeploymentRecord, deployment_record, purge
from lfr.pipeline import AlertProposal, FrameResult, Recogniser
from lfr.pipeline.watching import watch
from lfr.sources import Scene, SceneSettings, Source
from lfr.sources.scene_truth import SceneTruth
from lfr.types import Frame

__all__ = ["MadeUpUse", "SceneSource", "decide_with_truth", "use_on_made_up_people"]


class SceneSource(Source):
    """A drawn scene as a source, with the truth of the frame that was taken last."""

    def __init__(self, scene: Scene, settings: SceneSettings) -> None:
        self.name, self.live, self.fps, self.frame_count = "a drawn street", False, settings.fps, len(scene)
        self.resolution_wh = settings.resolution_wh
        self._scene = scene
        self.truth: SceneTruth | None = None

    def __iter__(self) -> Iterator[Frame]:
        """Yield the scene's frames."""
        for seen in self._scene.frames():
            self.truth = seen.truth
            yield seen.frame


@dataclass(frozen=True)
class MadeUpUse:
    """What came of it.

    Attributes
    ----------
    record
        The deployment record, as it stands after the end and before the purge.
    truth
        The scene's score: who walked, and who was recognised.
    proof
        Of the purge, signed.
    """

    record: DeploymentRecord
    truth: SceneScore
    proof: dict[str, Any]


def use_on_made_up_people(home: Path, model: Model, settings: SceneSettings) -> MadeUpUse:
    """Play a whole use in a store of its own.

    Parameters
    ----------
    home
        Folder that holds no store yet; the store stays there.
    model
        Which recogniser.
    settings
        The scene; its seed draws who walks.

    Raises
    ------
    LfrError
        As the operations.
    """
    setup = demo_setup(settings)
    force = make_up_force(home, model, dict(setup.references))
    scene = Scene(setup.walkers, settings)
    source, evaluation = SceneSource(scene, settings), SceneEvaluation(scene.passes, tuple(force.people))
    store = force.open()
    try:
        operator = force.principal(store, "operator")
        proposals: list[AlertProposal] = []

        def compare(result: FrameResult, _: int) -> None:
            proposals.extend(result.proposals)
            if source.truth is not None:
                evaluation.add(replace(result, proposals=()), source.truth)

        watched = watch(
            store, operator, live(store, operator, force.deployment_id),
            camera_id="north", source=source, recogniser=Recogniser(model), on_frame=compare,
        )  # fmt: skip
        # The sealed list names entries; whose they are is known of those that alerted.
        subject_of = {alert.entry_id: alert.subject_id for alert in watched.alerts}
        evaluation.add_alerts(
            [
                replace(found, subject_id=subject_of[found.subject_id])
                for found in proposals
                if found.subject_id in subject_of
            ]
        )
        for alert in watched.alerts:
            decide_with_truth(
                store, operator, alert.id, right=evaluation.subject_of(alert.track_id) == alert.subject_id
            )
        end(store, operator, force.deployment_id)
        record = deployment_record(store, force.principal(store, "auditor"), force.deployment_id)
        proof = purge(store, force.principal(store, "authorising_officer"), force.deployment_id)
    finally:
        store.close()
    return MadeUpUse(record, evaluation.score(faces_seen=watched.faces_seen), proof)


def decide_with_truth(store: Store, operator: Principal, alert_id: str, *, right: bool) -> None:
    """Adjudicate an alert as an officer would who sees the person, and record what came of it."""
    adjudicate(
        store, operator, alert_id,
        decision="viable" if right else "not_viable",
        subject_factors="made up: decided by the scene's truth",
        system_factors="made up", environmental_factors="made up",
    )  # fmt: skip
    if right:
        record_outcome(store, operator, alert_id, state="engaged")
        record_outcome(store, operator, alert_id, state="confirmed_true", kind="other", note="made up")
