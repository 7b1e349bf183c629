"""Faces of one camera to tracks, by place and size alone."""

import pickle
from collections import Counter, defaultdict

import numpy as np
import pytest
from pydantic import ValidationError

from lfr.geometry import iou_matrix
from lfr.tracking import Tracker, TrackerSettings
from lfr.types import Faces, Tracks
from tests.unit.tracking.crowd import Clock, Crowd, Detection, Moment, Walk, busy_street, faces_at

FRAME_S = 0.04
BOX = [100.0, 100.0, 140.0, 150.0]


def walked(box: list[float], step_px: float, frames: int) -> list[list[float]]:
    """A box that moves to the right, one a frame."""
    return [[box[0] + i * step_px, box[1], box[2] + i * step_px, box[3]] for i in range(frames)]


def confirmed_tracker(**settings: float) -> tuple[Tracker, float]:
    """A tracker that has seen one face stand still for five frames, and the time of the last."""
    tracker = Tracker(TrackerSettings.model_validate(settings))
    for frame in range(5):
        tracker.update(faces_at(BOX), time_s=frame * FRAME_S)
    return tracker, 4 * FRAME_S


def follow(moments: list[Moment], tracker: Tracker) -> list[tuple[Moment, Tracks]]:
    return [(moment, tracker.update(moment.faces, time_s=moment.time_s)) for moment in moments]


def tracks_of_passes(followed: list[tuple[Moment, Tracks]]) -> dict[int, Counter[int]]:
    """For each pass, in how many frames which confirmed track had its face."""
    owners: dict[int, Counter[int]] = defaultdict(Counter)
    for moment, tracks in followed:
        for row in np.flatnonzero(tracks.confirmed & (tracks.face_index >= 0)):
            owners[int(moment.found[tracks.face_index[row]])][int(tracks.track_id[row])] += 1
    return dict(owners)


def test_a_face_is_one_track_with_its_own_box() -> None:
    tracker = Tracker()
    for frame, box in enumerate(walked(BOX, 4.0, 10)):
        tracks = tracker.update(faces_at(box), time_s=frame * FRAME_S)
        assert tracks.track_id.tolist() == [1]
        assert tracks.face_index.tolist() == [0]
        np.testing.assert_array_equal(tracks.xyxy[0], np.array(box, np.float32))


def test_a_track_counts_once_it_has_enough_detections() -> None:
    tracker = Tracker(TrackerSettings(confirm_detections=3))
    confirmed, counted = [], []
    for frame in range(4):
        confirmed += tracker.update(faces_at(BOX), time_s=frame * FRAME_S).confirmed.tolist()
        counted.append(tracker.faces_seen)
    assert confirmed == [False, False, True, True]
    assert counted == [0, 0, 1, 1]


def test_a_single_false_detection_is_never_a_pass() -> None:
    tracker = Tracker()
    tracker.update(faces_at(BOX), time_s=0.0)
    lived_s = [s for s in np.arange(0.04, 2.0, 0.04) if len(tracker.update(Faces.empty(), time_s=float(s)))]
    assert max(lived_s) < 0.5
    assert len(tracker.close().ended) == 0
    assert tracker.faces_seen == 0


@pytest.mark.parametrize(("gap_s", "same"), [(0.4, True), (0.9, True), (1.1, False), (5.0, False)])
def test_a_gap_shorter_than_the_greatest_age_does_not_break_a_track(gap_s: float, same: bool) -> None:
    tracker, last_s = confirmed_tracker(max_age_s=1.0)
    tracks = tracker.update(faces_at(BOX), time_s=last_s + gap_s)
    assert (tracks.track_id[tracks.face_index >= 0].tolist() == [1]) is same
    assert tracks.ended.tolist() == ([] if same else [1])


def test_a_camera_of_one_frame_a_second_has_passes_too() -> None:
    tracker = Tracker()
    for frame in range(6):
        tracks = tracker.update(faces_at([BOX]), time_s=float(frame))
    assert tracks.track_id.tolist() == [1]
    assert tracker.faces_seen == 1


def test_a_track_ends_once_and_only_if_it_was_a_pass() -> None:
    tracker, last_s = confirmed_tracker(max_age_s=1.0)
    ended = []
    for frame in range(1, 60):
        # Next to it, ghosts that are seen once each.
        ghost = faces_at([600.0 + 9 * frame, 20.0 * (frame % 7), 620.0 + 9 * frame, 25.0 + 20.0 * (frame % 7)])
        ended += tracker.update(
            ghost if frame % 10 == 0 else Faces.empty(), time_s=last_s + frame * FRAME_S
        ).ended.tolist()
    assert ended == [1]
    assert tracker.faces_seen == 1


def test_a_track_without_a_face_goes_on_where_it_was_going() -> None:
    tracker = Tracker()
    boxes = walked(BOX, 6.0, 30)
    for frame, box in enumerate(boxes[:20]):
        tracker.update(faces_at(box), time_s=frame * FRAME_S)
    for frame in range(20, 30):
        tracks = tracker.update(Faces.empty(), time_s=frame * FRAME_S)
        assert tracks.face_index.tolist() == [-1]
        assert iou_matrix(tracks.xyxy, np.array([boxes[frame]], np.float32))[0, 0] > 0.7


def test_people_who_cross_keep_their_tracks(rng: np.random.Generator) -> None:
    walks = [
        Walk(0.0, (-1.2, 7.0), (1.2, 7.0), speed_mps=0.6),
        Walk(0.0, (1.2, 7.5), (-1.2, 7.5), speed_mps=0.6, phase=2.0),
    ]
    followed = follow(list(Crowd(walks, detection=Detection(false_rate=0.0)).moments(rng)), Tracker())
    hidden = [moment for moment, _ in followed if len(moment.visible) == 2 and moment.visible.min() < 0.4]
    assert hidden, "nobody crossed"
    owners = tracks_of_passes(followed)
    assert [len(counts) for counts in owners.values()] == [1, 1]
    assert len(set().union(*owners.values())) == 2


def test_a_person_who_walks_up_to_the_camera_is_one_pass(rng: np.random.Generator) -> None:
    walk = Walk(0.0, (1.0, 23.0), (-0.5, 2.8))
    moments = list(Crowd([walk], Clock(fps=12.5), Detection(false_rate=0.0)).moments(rng))
    widths = [np.ptp(moment.xyxy[0, ::2]) for moment in (moments[0], moments[-1])]
    assert widths[0] < 20
    assert widths[1] > 120
    tracker = Tracker()
    owners = tracks_of_passes(follow(moments, tracker))
    assert len(owners[0]) == 1
    assert tracker.faces_seen == 1


@pytest.mark.parametrize(
    "clock", [Clock(25.0), Clock(12.5), Clock(25.0, drop_rate=0.3, stall_s=0.3)], ids=["25 fps", "12.5 fps", "uneven"]
)
def test_a_crowd_has_about_as_many_tracks_as_passes(rng: np.random.Generator, clock: Clock) -> None:
    moments = list(Crowd(busy_street(rng, people=24, duration_s=45.0), clock).moments(rng))
    tracker = Tracker()
    owners = tracks_of_passes(follow(moments, tracker))
    detections = Counter(int(i) for moment in moments for i in moment.found)
    passes = [i for i, count in detections.items() if i >= 0 and count >= 10]
    assert len(passes) > 20
    assert all(i in owners for i in passes)
    assert 0.95 * len(passes) <= tracker.faces_seen <= 1.15 * len(passes)
    # Nearly all detections of a pass belong to the track that has most of them.
    kept = sum(owners[i].most_common(1)[0][1] for i in passes)
    assert kept > 0.93 * sum(owners[i].total() for i in passes)


@pytest.mark.parametrize("every", [2, 3])
def test_boxes_between_detections_stay_on_the_faces(rng: np.random.Generator, every: int) -> None:
    crowd = Crowd(busy_street(rng, people=24, duration_s=40.0), Clock(25.0), Detection(found_rate=0.97, jitter=0.03))
    tracker, overlaps = Tracker(), []
    for frame, moment in enumerate(crowd.moments(rng)):
        if frame % every == 0:
            tracks = tracker.update(moment.faces, time_s=moment.time_s)
            followed = tracks.confirmed & (tracks.face_index >= 0)
            pass_ids = moment.found[tracks.face_index[followed]]
            owner = dict(zip(tracks.track_id[followed].tolist(), pass_ids.tolist(), strict=True))
            continue
        tracks = tracker.predict(time_s=moment.time_s)
        assert (tracks.face_index == -1).all()
        iou = iou_matrix(tracks.xyxy, moment.xyxy)
        column = {int(i): k for k, i in enumerate(moment.pass_id)}
        for row, track_id in enumerate(tracks.track_id.tolist()):
            if owner.get(track_id) in column:
                overlaps.append(iou[row, column[owner[track_id]]])
    assert len(overlaps) > 1000
    assert np.mean(np.array(overlaps) >= 0.5) > 0.97


def test_a_weak_face_continues_a_track_but_begins_none() -> None:
    tracker = Tracker(TrackerSettings(start_score=0.6))
    elsewhere = [500.0, 300.0, 540.0, 350.0]
    for frame in range(6):
        score = 0.9 if frame < 3 else 0.3
        tracks = tracker.update(faces_at([BOX, elsewhere], score=[score, 0.3]), time_s=frame * FRAME_S)
        assert tracks.track_id.tolist() == [1]
        assert tracks.face_index.tolist() == [0]


def test_a_strong_face_is_preferred_to_a_weak_one_nearer_by() -> None:
    tracker, last_s = confirmed_tracker()
    moved = [value + 3.0 for value in BOX]
    tracks = tracker.update(faces_at([BOX, moved], score=[0.4, 0.9]), time_s=last_s + FRAME_S)
    assert tracks.face_index.tolist() == [1]


def test_a_face_of_quite_another_size_at_the_same_place_is_another_person() -> None:
    tracker, last_s = confirmed_tracker()
    tracks = tracker.update(faces_at([60.0, 50.0, 180.0, 200.0]), time_s=last_s + FRAME_S)
    assert tracks.track_id.tolist() == [1, 2]
    assert tracks.face_index.tolist() == [-1, 0]


def test_no_number_is_ever_used_twice() -> None:
    tracker = Tracker(TrackerSettings(max_age_s=0.1, max_tentative_age_s=0.1))
    began: list[int] = []
    for visit in range(50):
        for frame in range(4):
            tracks = tracker.update(faces_at(BOX), time_s=visit * 10.0 + frame * FRAME_S)
        began += tracks.track_id.tolist()
        if visit % 7 == 0:
            tracker.close()
    assert len(began) == len(set(began)) == 50
    assert tracker.faces_seen == 50


def test_nothing_seen_gives_nothing() -> None:
    tracker = Tracker()
    for tracks in (tracker.update(Faces.empty(), time_s=0.0), tracker.predict(time_s=1.0), tracker.close()):
        assert (len(tracks), len(tracks.ended)) == (0, 0)
    assert tracker.faces_seen == 0


def test_tracks_end_in_frames_that_the_detector_did_not_look_at() -> None:
    tracker, last_s = confirmed_tracker(max_age_s=1.0)
    assert tracker.predict(time_s=last_s + 1.0).ended.tolist() == []
    assert tracker.predict(time_s=last_s + 1.1).ended.tolist() == [1]


def test_closing_ends_every_pass() -> None:
    tracker, last_s = confirmed_tracker()
    tracker.update(faces_at([BOX, [500.0, 300.0, 540.0, 350.0]]), time_s=last_s + FRAME_S)
    tracks = tracker.close()
    assert (len(tracks), tracks.ended.tolist()) == (0, [1])
    assert tracker.close().ended.tolist() == []


def test_ten_thousand_frames_leave_no_more_behind_than_ten(rng: np.random.Generator) -> None:
    tracker, most = Tracker(), 0
    for frame in range(10_000):
        corner = rng.uniform(0, 600, (3, 2))
        tracks = tracker.update(faces_at(np.concatenate([corner, corner + 40], axis=1)), time_s=frame * FRAME_S)
        most = max(most, len(tracks))
    assert most < 150
    assert len(pickle.dumps(tracker)) < 50_000


def test_the_result_of_a_frame_is_not_changed_by_the_next() -> None:
    tracker, last_s = confirmed_tracker()
    before = tracker.update(faces_at(BOX), time_s=last_s + FRAME_S)
    copies = [array.copy() for array in vars(before).values()]
    for frame in range(2, 80):
        tracker.update(faces_at([BOX] if frame < 5 else []), time_s=last_s + frame * FRAME_S)
    for array, copy in zip(vars(before).values(), copies, strict=True):
        np.testing.assert_array_equal(array, copy)


@pytest.mark.parametrize("time_s", [0.1, float("nan"), float("inf")])
def test_time_that_falls_or_is_none_is_refused(time_s: float) -> None:
    tracker, _ = confirmed_tracker()
    with pytest.raises(ValueError, match=r"time_s fell from 0\.16"):
        tracker.update(Faces.empty(), time_s=time_s)
    with pytest.raises(ValueError, match=r"time_s fell from 0\.16"):
        tracker.predict(time_s=time_s)


@pytest.mark.parametrize("wrong", [{"max_age_s": 0.0}, {"confirm_detections": 0}, {"start_score": 2.0}, {"speed": 1}])
def test_settings_that_make_no_sense_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValidationError):
        TrackerSettings.model_validate(wrong)
