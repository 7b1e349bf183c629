"""One alert a track and subject, one a subject in a while."""

import pytest

from lfr.matching import Cooldown


def test_the_first_alert_is_never_held_back() -> None:
    assert Cooldown().admit(1, "anna", 0.0)


def test_a_track_alerts_once_on_a_subject_however_long_it_lives() -> None:
    cooldown = Cooldown(per_subject_s=30.0)
    assert [cooldown.admit(1, "anna", t) for t in (0.0, 1.0, 31.0, 200.0)] == [True, False, False, False]


def test_another_track_alerts_on_the_same_subject_after_the_cool_down() -> None:
    cooldown = Cooldown(per_subject_s=30.0)
    assert [cooldown.admit(track, "anna", t) for track, t in ((1, 0.0), (2, 29.9), (2, 30.0))] == [True, False, True]


def test_an_alert_held_back_does_not_prolong_the_cool_down() -> None:
    cooldown = Cooldown(per_subject_s=30.0)
    admitted = [cooldown.admit(track, "anna", t) for track, t in ((1, 0.0), (2, 20.0), (3, 31.0))]
    assert admitted == [True, False, True]


def test_subjects_do_not_hold_each_other_back() -> None:
    cooldown = Cooldown()
    assert cooldown.admit(1, "anna", 0.0)
    assert cooldown.admit(1, "bea", 0.0)


def test_without_a_cool_down_every_track_alerts_once() -> None:
    cooldown = Cooldown(per_subject_s=0.0)
    assert [cooldown.admit(track, "anna", 0.0) for track in (1, 2, 1)] == [True, True, False]


def test_memory_does_not_grow_with_the_length_of_a_deployment() -> None:
    cooldown = Cooldown(per_subject_s=30.0)
    for track in range(20_000):
        cooldown.admit(track, f"subject-{track % 3000}", float(track))
    assert len(cooldown) < 5_000


def test_time_that_falls_is_refused() -> None:
    cooldown = Cooldown()
    cooldown.admit(1, "anna", 10.0)
    with pytest.raises(ValueError, match=r"time_s fell from 10\.0 to 9\.0"):
        cooldown.admit(2, "bea", 9.0)


@pytest.mark.parametrize("seconds", [-1.0, float("nan")])
def test_a_negative_cool_down_is_refused(seconds: float) -> None:
    with pytest.raises(ValueError, match="per_subject_s"):
        Cooldown(per_subject_s=seconds)
