"""Whatever the detector says, tracks stay consistent."""

from itertools import pairwise

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from lfr.tracking import BestShots, Tracker, TrackerSettings
from tests.unit.tracking.crowd import faces_at

BOX = st.tuples(st.floats(-50, 1300), st.floats(-50, 750), st.floats(0, 300), st.floats(0, 300))
FRAME = st.tuples(
    st.sampled_from([0.0, 0.001, 0.04, 0.08, 0.5, 3.0]),
    st.lists(st.tuples(BOX, st.floats(0, 1)), max_size=6),
    st.booleans(),
)


@settings(deadline=None)
@given(st.lists(FRAME, max_size=30), st.integers(1, 4))
def test_tracks_are_consistent_whatever_is_detected(
    frames: list[tuple[float, list[tuple[tuple[float, float, float, float], float]], bool]], needed: int
) -> None:
    tracker = Tracker(TrackerSettings(confirm_detections=needed))
    time_s, newest, detections, ended = 0.0, 0, dict[int, int](), list[int]()
    for elapsed_s, found, detect in frames:
        time_s += elapsed_s
        faces = faces_at([[x, y, x + w, y + h] for (x, y, w, h), _ in found], score=[score for _, score in found])
        tracks = tracker.update(faces, time_s=time_s) if detect else tracker.predict(time_s=time_s)
        ids = tracks.track_id.tolist()
        assert ids == sorted(set(ids))
        assert np.isfinite(tracks.xyxy).all()
        assigned = tracks.face_index[tracks.face_index >= 0].tolist()
        assert len(assigned) == len(set(assigned))
        assert detect or not assigned
        # A number that was not seen before is higher than every number before it.
        assert all(track in detections or track > newest for track in ids)
        for track, face in zip(ids, tracks.face_index.tolist(), strict=True):
            detections[track] = detections.get(track, 0) + (face >= 0)
        newest = max([newest, *ids])
        assert tracks.confirmed.tolist() == [detections[track] >= needed for track in ids]
        ended += tracks.ended.tolist()
        assert not set(ended) & set(ids)
        assert tracker.faces_seen == sum(count >= needed for count in detections.values())
    ended += tracker.close().ended.tolist()
    assert sorted(ended) == sorted(track for track, count in detections.items() if count >= needed)


@given(
    st.lists(st.tuples(st.floats(0, 1), st.floats(0, 100)), max_size=60),
    st.integers(1, 5),
    st.floats(0, 1),
    st.floats(0, 1),
)
def test_shots_are_within_budget_and_apart(
    offers: list[tuple[float, float]], budget: int, apart_s: float, better_share: float
) -> None:
    shots = BestShots(shots=budget, apart_s=apart_s, better_share=better_share)
    time_s, taken = 0.0, list[float]()
    for elapsed_s, quality in offers:
        time_s += elapsed_s
        if len(shots.select(np.array([7]), np.array([quality], np.float32), time_s=time_s)):
            taken.append(time_s)
    assert len(taken) <= budget
    assert bool(taken) == bool(offers)
    assert all(later - earlier >= apart_s for earlier, later in pairwise(taken))
