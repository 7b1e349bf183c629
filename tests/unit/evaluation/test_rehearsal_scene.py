"""Nobody walks with the picture they are listed by, and what is drawn is drawn from the seed."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import pytest

from lfr.errors import ManifestError
from lfr.evaluation.rehearsal_scene import demo_setup, manifest_setup, play, subjects_of
from lfr.evaluation.scene import SceneEvaluation
from lfr.matching import DecisionRule
from lfr.models import Model
from lfr.pipeline import Recogniser, StreamProcessor, enrol
from lfr.sources import Scene, SceneFrame, SceneSettings

SETTINGS = SceneSettings(seed=5, duration_s=60.0)


def test_the_watchlist_has_its_size_and_listed_people_walk_with_another_picture() -> None:
    setup = demo_setup(SETTINGS, watchlist_size=30)
    listed = dict(setup.references)
    assert len(listed) == len(setup.references) == 30
    walking = [walker for walker in setup.walkers if walker.subject_id in listed]
    assert walking
    assert all(walker.path != listed[walker.subject_id] for walker in walking)
    assert len(setup.walkers) == SETTINGS.pass_count
    assert len(setup.walkers) > len(walking) >= 0.3 * len(setup.walkers)


def test_nobody_walks_twice_and_fillers_do_not_walk() -> None:
    setup = demo_setup(SETTINGS, watchlist_size=40)
    walkers = [walker.subject_id for walker in setup.walkers]
    assert len(set(walkers)) == len(walkers)
    listed_share = len(set(walkers) & set(dict(setup.references))) / len(walkers)
    assert listed_share == pytest.approx(0.4, abs=0.06)


def test_the_seed_draws_who_walks() -> None:
    other = demo_setup(SceneSettings(seed=6, duration_s=60.0))
    assert demo_setup(SETTINGS) == demo_setup(SETTINGS)
    assert demo_setup(SETTINGS).walkers != other.walkers


def written(folder: Path, faces: list[Path], rows: list[tuple[int, str, str]]) -> Path:
    lines = [f"{faces[face]},{subject},{split}" for face, subject, split in rows]
    path = folder / "M.csv"
    path.write_text("\n".join(["path,subject_id,split", *lines]), encoding="utf-8")
    return path


def test_a_manifests_references_are_listed_and_its_probes_walk(tmp_path: Path, demo_faces: list[Path]) -> None:
    rows = [(0, "ann", "reference"), (3, "ann", "reference"), (1, "ann", "probe"), (2, "bob", "probe")]
    setup = manifest_setup(written(tmp_path, demo_faces, rows))
    assert [subject for subject, _ in setup.references] == ["ann", "ann"]
    assert subjects_of(setup.references) == ("ann",)
    assert [walker.subject_id for walker in setup.walkers] == ["ann", "bob"]


def test_a_picture_on_both_sides_is_refused_by_name(tmp_path: Path, demo_faces: list[Path]) -> None:
    rows = [(0, "ann", "reference"), (0, "ann", "probe")]
    with pytest.raises(ManifestError, match=f"{demo_faces[0].name} is both a reference and a probe"):
        manifest_setup(written(tmp_path, demo_faces, rows))
    with pytest.raises(ManifestError):
        manifest_setup(written(tmp_path, demo_faces, [(0, "ann", "reference")]))


class CutShort(Scene):
    """A scene that ends while somebody is in view."""

    def frames(self) -> Iterator[SceneFrame]:
        yield from islice(super().frames(), 8)


def test_playing_yields_each_frame_and_collects_the_score_to_the_last_alert(model: Model) -> None:
    settings = SceneSettings(seed=5, duration_s=3.0, fps=5.0, resolution_wh=(960, 540))
    setup = demo_setup(settings, watchlist_size=5)
    recogniser = Recogniser(model)
    scene = CutShort(setup.walkers, settings)
    # A mean waits for its track's end, so that whoever is in view at the last frame is decided for after it.
    rule = DecisionRule(threshold=-1.0, shots=50, fusion="mean")
    processor = StreamProcessor(recogniser, enrol(setup.references, recogniser), rule)
    evaluation = SceneEvaluation(scene.passes, subjects_of(setup.references))
    played = [(frame.frame.index, result.proposals) for frame, result in play(scene, processor, evaluation)]
    assert played == [(index, ()) for index in range(8)]
    score = evaluation.score(faces_seen=processor.faces_seen)
    assert [(outcome.subject_id, outcome.tracks) for outcome in score.passes] == [(scene.passes[0].subject_id, 1)]
    assert sorted(alert.subject_id for alert in score.alerts) == sorted(subjects_of(setup.references))
    assert score.unplaced == ()
