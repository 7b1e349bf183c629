"""A pass is the unit: its alerts are right or wrong by who walked, and one never tracked stays counted."""

from __future__ import annotations

import pytest

from lfr.evaluation.scene import SceneEvaluation, SceneScore
from lfr.statistics import clopper_pearson, wilson
from tests.unit.evaluation.scene_builders import LEFT, PASSES, RIGHT, alert, shown, tracked


def evaluation(*listed: str) -> SceneEvaluation:
    return SceneEvaluation(PASSES, listed)


def test_an_alert_is_right_where_it_names_who_walked_and_else_it_is_false() -> None:
    scene = evaluation("ann", "dan")
    scene.add(tracked((7, LEFT), (8, RIGHT)), shown((0, LEFT), (1, RIGHT)))
    scene.add_alerts([alert(7, "ann", 2.5), alert(8, "dan", 3.0)])
    score = scene.score(faces_seen=2)
    ann, bob, cid = score.passes
    assert (ann.recognised, ann.time_to_alert_s, ann.false_alerts) == (True, 1.5, ())
    assert (bob.recognised, bob.time_to_alert_s) == (False, None)
    assert [wrong.subject_id for wrong in bob.false_alerts] == ["dan"]
    assert (cid.tracks, cid.alerts) == (0, ())
    assert score.tpir == wilson(1, 1)
    assert score.fpir == clopper_pearson(1, 2)  # cid was never tracked and stays in the denominator


def test_a_listed_pass_that_raises_an_alert_for_another_is_missed() -> None:
    scene = evaluation("ann", "bob")
    scene.add(tracked((1, LEFT)), shown((0, LEFT)))
    scene.add_alerts([alert(1, "bob", 2.0)])
    score = scene.score(faces_seen=1)
    assert (score.tpir.count, score.tpir.of) == (0, 2)
    assert (score.fpir.count, score.fpir.of) == (0, 1)  # FPIR counts passes of those who are not listed
    assert [wrong.subject_id for wrong in score.passes[0].false_alerts] == ["bob"]


def test_several_alerts_of_one_pass_count_once() -> None:
    scene = evaluation("dan", "eve")
    scene.add(tracked((1, LEFT), (2, RIGHT)), shown((0, LEFT), (0, RIGHT)))
    scene.add_alerts([alert(1, "dan", 3.0), alert(2, "eve", 2.0)])
    score = scene.score(faces_seen=2)
    assert score.passes[0].tracks == 2
    assert (score.fpir.count, score.fpir.of) == (1, 3)
    assert [one.time_s for one in score.alerts] == [2.0, 3.0]


def test_a_track_belongs_to_the_pass_that_it_followed_for_most_frames() -> None:
    scene = evaluation("ann")
    for _ in range(2):
        scene.add(tracked((1, LEFT)), shown((1, LEFT)))
    for _ in range(3):
        scene.add(tracked((1, LEFT)), shown((0, LEFT)))
    scene.add_alerts([alert(1, "ann", 3.0)])
    ann, bob, _ = scene.score(faces_seen=1).passes
    assert (ann.tracks, bob.tracks) == (1, 0)
    assert ann.recognised


def test_faces_and_tracks_are_matched_by_their_whole_overlap_and_not_in_turn() -> None:
    # Track 1 overlaps both faces and track 2 only the first: together they fit when each follows the other's.
    near = (20.0, 0.0, 120.0, 100.0)
    scene = evaluation()
    scene.add(tracked((1, near), (2, LEFT)), shown((0, LEFT), (1, (40, 0, 140, 100))))
    ann, bob, _ = scene.score(faces_seen=2).passes
    assert (ann.tracks, bob.tracks) == (1, 1)
    scene.add_alerts([alert(1, "x", 1.0)])
    assert scene.score(faces_seen=2).passes[1].alerts


@pytest.mark.parametrize(
    ("shift", "unconfirmed", "follows"),
    [(50.0, (), True), (60.0, (), False), (0.0, (1,), False)],
)
def test_a_track_follows_a_face_from_an_overlap_of_three_tenths_once_it_is_confirmed(
    shift: float, unconfirmed: tuple[int, ...], follows: bool
) -> None:
    scene = evaluation()
    scene.add(tracked((1, (shift, 0, shift + 100, 100)), unconfirmed=unconfirmed), shown((0, LEFT)))
    scene.add_alerts([alert(1, "x", 1.0)])
    score = scene.score(faces_seen=1)
    assert bool(score.passes[0].alerts) is follows
    assert len(score.unplaced) == (0 if follows else 1)


def test_a_ghosts_alert_is_reported_and_counts_against_nobody() -> None:
    scene = evaluation("ann")
    scene.add(tracked((9, RIGHT)), shown((0, LEFT)))
    scene.add_alerts([alert(9, "ann", 2.0)])
    document = scene.score(faces_seen=1).as_dict()
    assert (document["tpir"]["count"], document["fpir"]["count"]) == (0, 0)
    (row,) = document["alerts"]
    assert (row["subject_id"], row["true_subject_id"], row["correct"]) == ("ann", None, False)


def test_the_documents_keys_are_the_contracts() -> None:
    scene = evaluation("ann", "bob")
    scene.add(tracked((1, LEFT), (2, RIGHT)), shown((0, LEFT), (1, RIGHT)))
    scene.add_alerts([alert(1, "ann", 2.0), alert(2, "bob", 5.0)])
    document = scene.score(faces_seen=4).as_dict()
    assert document["rehearsal"] is True
    assert document["faces_seen"] == 4
    assert document["failures_to_acquire"] == 1
    assert document["time_to_alert_s"] == {"median": 2.0, "max": 3.0, "count": 2}
    assert {"subject_id", "time_s", "score"} <= set(document["alerts"][0])
    assert [row["subject_id"] for row in document["passes"]] == ["ann", "bob", "cid"]
    nothing = SceneScore((), 0, ()).as_dict()
    assert (nothing["tpir"]["value"], nothing["time_to_alert_s"]["median"]) == (None, None)
