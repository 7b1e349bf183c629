"""A budget of embeddings for each track."""

import numpy as np
import pytest

from lfr.tracking import BestShots


def offer(shots: BestShots, qualities: list[float], *, every_s: float = 0.04, track: int = 1) -> list[int]:
    """Offer one face a frame; the frames that were shots."""
    return [
        frame
        for frame, quality in enumerate(qualities)
        if len(shots.select(np.array([track]), np.array([quality], np.float32), time_s=frame * every_s))
    ]


def test_the_first_face_offered_is_a_shot_at_once() -> None:
    assert offer(BestShots(shots=5), [30.0]) == [0]


def test_a_track_never_has_more_shots_than_its_budget() -> None:
    rising = np.linspace(0, 100, 2000).tolist()
    assert len(offer(BestShots(shots=4, better_share=0.01), rising)) == 4


def test_neighbouring_frames_are_not_two_shots_however_much_better() -> None:
    assert offer(BestShots(shots=5, apart_s=0.25), [10.0, 50.0, 99.0], every_s=0.1) == [0]


def test_a_clearly_better_face_is_a_shot_before_it_is_late() -> None:
    shots = BestShots(shots=5, apart_s=0.25, better_share=0.25)
    assert offer(shots, [40.0, 54.0, 55.0], every_s=0.3) == [0, 2]


def test_fewer_than_half_of_the_shots_are_no_better_than_those_before() -> None:
    shots = BestShots(shots=5, late_s=2.0)
    frames = offer(shots, [50.0] * 400, every_s=0.05)
    assert [round(frame * 0.05, 2) for frame in frames] == [0.0, 2.0, 4.0]


def test_the_budget_lasts_until_a_walker_is_near() -> None:
    # Ten seconds towards the camera: quality rises from 20 to 90, slowly at first.
    approach = (20 + 70 * np.linspace(0, 1, 125) ** 2).tolist()
    frames = offer(BestShots(shots=5), approach, every_s=0.08)
    assert len(frames) == 5
    assert approach[frames[-1]] > 60


def test_each_track_has_its_own_budget() -> None:
    shots = BestShots(shots=1)
    first = shots.select(np.array([1, 2]), np.array([50.0, 60.0], np.float32), time_s=0.0)
    later = shots.select(np.array([2, 3, 1]), np.array([90.0, 60.0, 90.0], np.float32), time_s=9.0)
    assert first.tolist() == [0, 1]
    assert later.tolist() == [1]


def test_a_face_whose_quality_is_not_known_is_no_shot_and_costs_none() -> None:
    assert offer(BestShots(shots=1), [float("nan"), 50.0]) == [1]


def test_no_faces_give_no_shots() -> None:
    chosen = BestShots(shots=1).select(np.zeros(0, np.int64), np.zeros(0, np.float32), time_s=0.0)
    assert chosen.shape == (0,)
    assert chosen.dtype == np.int64


def test_a_track_long_not_offered_does_not_get_its_budget_back() -> None:
    shots = BestShots(shots=1)
    assert offer(shots, [50.0]) == [0]
    for track in range(2, 1000):
        offer(shots, [50.0], track=track)
    again = shots.select(np.array([1]), np.array([99.0], np.float32), time_s=36_000.0)
    assert again.tolist() == []


def test_memory_does_not_grow_with_the_number_of_tracks() -> None:
    shots = BestShots(shots=3)
    for track in range(10_000):
        offer(shots, [50.0], track=track)
    assert len(shots) < 5_000


@pytest.mark.parametrize("wrong", [{"shots": 0}, {"apart_s": -1.0}, {"better_share": float("nan")}, {"late_s": -1.0}])
def test_budgets_that_make_no_sense_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="got shots="):
        BestShots(**wrong)  # type: ignore[arg-type]


def test_one_quality_is_wanted_for_each_track() -> None:
    with pytest.raises(ValueError, match="2 tracks but 1 qualities"):
        BestShots(shots=1).select(np.array([1, 2]), np.array([50.0], np.float32), time_s=0.0)
