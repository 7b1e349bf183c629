"""The order of a camera's frames, whichever way they come."""

from __future__ import annotations

import contextlib
import random
import threading
import time
from datetime import UTC, datetime, timedelta

import pytest

from lfr.errors import ConflictError, PassedOverError, ServiceError
from lfr.serving.order import FrameOrder, Position

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


def at(seconds: float, *, stream: str = "", index: int | None = None) -> Position:
    return Position(NOON + timedelta(seconds=seconds), stream, index)


def take(order: FrameOrder[str], position: Position, answer: str = "") -> str:
    with order.turn(position) as known:
        if known is not None:
            return f"again {known}"
        order.answered(position, answer)
        return answer


def test_numbered_frames_get_their_turn_in_the_order_of_their_numbers_however_they_come() -> None:
    order: FrameOrder[str] = FrameOrder("north", wait_s=5)
    taken: list[int] = []

    def send(index: int) -> None:
        position = at(index, stream="a", index=index)
        with order.turn(position) as known:
            assert known is None
            taken.append(index)
            order.answered(position, "seen")

    threads = [threading.Thread(target=send, args=(index,)) for index in range(12)]
    random.Random(3).shuffle(threads)
    for thread in threads:
        thread.start()
        time.sleep(0.005)
    for thread in threads:
        thread.join(10)
    assert taken == list(range(12))


def test_a_frame_whose_predecessor_is_lost_goes_on_after_a_wait() -> None:
    order: FrameOrder[str] = FrameOrder("north", wait_s=0.1)
    take(order, at(0, stream="a", index=0))
    began = time.monotonic()
    assert take(order, at(2, stream="a", index=2), "late") == "late"
    assert time.monotonic() - began >= 0.1
    with pytest.raises(PassedOverError, match="frame 1 came after frame 2"):
        take(order, at(1, stream="a", index=1))


@pytest.mark.parametrize("waits_already", [True, False])
def test_a_frame_whose_sender_is_gone_does_not_go_on_without_the_one_before_it(waits_already: bool) -> None:
    order: FrameOrder[str] = FrameOrder("north", wait_s=0.2)
    refused: list[Exception] = []

    def send() -> None:
        try:
            with order.turn(Position(NOON + timedelta(seconds=1), "a", 1, request="first sending")):
                pytest.fail("it went on")
        except ServiceError as error:
            refused.append(error)

    if not waits_already:
        order.withdraw("first sending")
    thread = threading.Thread(target=send)
    thread.start()
    if waits_already:
        time.sleep(0.05)
        order.withdraw("first sending")
    thread.join(10)
    assert "frame 1: whoever sent it is gone" in str(refused[0])
    time.sleep(0.7)  # longer than it would have waited
    assert [take(order, at(index, stream="a", index=index), f"seen {index}") for index in range(3)] == [
        "seen 0",
        "seen 1",
        "seen 2",
    ]
    assert order.passed_over == 0


def test_a_frame_whose_sender_is_gone_is_taken_where_it_follows_so_that_it_is_known_when_it_comes_again() -> None:
    order: FrameOrder[str] = FrameOrder("north")
    take(order, at(0, stream="a", index=0))
    order.withdraw("first sending")
    first = Position(NOON + timedelta(seconds=1), "a", 1, request="first sending")
    assert take(order, first, "seen") == "seen"
    assert take(order, at(1, stream="a", index=1)) == "again seen"


def test_a_camera_that_began_anew_takes_a_streams_frames_from_the_earliest_that_comes() -> None:
    order: FrameOrder[str] = FrameOrder("north", wait_s=0.2)
    taken: list[int] = []

    def send(index: int) -> None:
        with order.turn(at(index, stream="a", index=index)):
            taken.append(index)

    threads = [threading.Thread(target=send, args=(index,)) for index in (9, 7, 8)]
    for thread in threads:
        thread.start()
        time.sleep(0.05)
    for thread in threads:
        thread.join(10)
    assert taken == [7, 8, 9]


def test_a_frame_that_is_sent_again_gets_the_same_answer_and_is_not_taken_twice() -> None:
    order: FrameOrder[str] = FrameOrder("north")
    take(order, at(0, stream="a", index=0), "one alert")
    assert take(order, at(0, stream="a", index=0)) == "again one alert"


def test_a_frame_that_failed_may_be_sent_again() -> None:
    order: FrameOrder[str] = FrameOrder("north")
    take(order, at(0, stream="a", index=0))
    with pytest.raises(RuntimeError), order.turn(at(1, stream="a", index=1)):
        raise RuntimeError
    assert take(order, at(1, stream="a", index=1), "seen") == "seen"


def test_a_frame_that_fails_late_is_waited_for_again_by_the_one_that_follows() -> None:
    order: FrameOrder[str] = FrameOrder("north", wait_s=0.3)
    taken: list[int] = []
    take(order, at(0, stream="a", index=0))

    def follow() -> None:
        with order.turn(at(2, stream="a", index=2)):
            taken.append(2)

    follower = threading.Thread(target=follow)
    with pytest.raises(RuntimeError), order.turn(at(1, stream="a", index=1)):
        follower.start()
        time.sleep(0.5)  # longer than it waits for one that does not come
        raise RuntimeError
    time.sleep(0.1)
    with order.turn(at(1, stream="a", index=1)):
        taken.append(1)
    follower.join(10)
    assert taken == [1, 2]


@pytest.mark.parametrize("later", [0.0, -1.0])
def test_a_frame_that_is_not_later_is_refused(later: float) -> None:
    order: FrameOrder[str] = FrameOrder("north")
    take(order, at(0))
    with pytest.raises(ConflictError, match="not after"):
        take(order, at(later))


def test_another_stream_begins_anew_and_the_one_before_is_over() -> None:
    begun: list[int] = []
    order: FrameOrder[str] = FrameOrder("north", on_new_stream=lambda: begun.append(1))
    take(order, at(100, stream="a", index=0))
    assert take(order, at(0, stream="b", index=0), "new") == "new"
    assert begun == [1]
    with pytest.raises(ConflictError, match="stream a has ended"):
        take(order, at(101, stream="a", index=1))


def test_a_stream_that_was_ended_takes_no_more_frames() -> None:
    order: FrameOrder[str] = FrameOrder("north")
    take(order, at(0, stream="a", index=0))
    assert order.ended("a")
    assert not order.ended("a")
    with pytest.raises(ConflictError, match="stream a has ended"):
        take(order, at(1, stream="a", index=1))


def test_frames_without_a_stream_may_come_between_streams() -> None:
    order: FrameOrder[str] = FrameOrder("north")
    take(order, at(0))
    take(order, at(0, stream="a", index=0))
    assert take(order, at(1), "seen") == "seen"


def test_numbered_frames_that_never_came_are_counted_once_a_later_one_was_looked_at() -> None:
    order: FrameOrder[str] = FrameOrder("north", wait_s=0.02)
    take(order, at(0, stream="a", index=0))
    take(order, at(1, stream="a", index=1))
    assert order.passed_over == 0
    with pytest.raises(RuntimeError), order.turn(at(5, stream="a", index=5)):
        raise RuntimeError  # it failed, so it may come again
    assert order.passed_over == 0
    take(order, at(5, stream="a", index=5))
    assert order.passed_over == 3
    take(order, at(6, stream="b", index=4))
    assert order.passed_over == 3


def test_no_frame_gets_its_turn_during_a_pause() -> None:
    order: FrameOrder[str] = FrameOrder("north")
    taken = threading.Event()

    def send() -> None:
        take(order, at(0))
        taken.set()

    with order.pause():
        sender = threading.Thread(target=send)
        sender.start()
        assert not taken.wait(0.1)
    assert taken.wait(5)
    sender.join()


def test_a_first_frame_that_fails_leaves_its_stream_to_begin_again() -> None:
    order: FrameOrder[str] = FrameOrder("north")
    for index in range(5):
        take(order, at(index, stream="a", index=index))
    with pytest.raises(RuntimeError, match="away"), order.turn(at(5, stream="b", index=0)):
        raise RuntimeError("the detector is away")
    assert take(order, at(5, stream="b", index=0), "again") == "again"
    assert take(order, at(6, stream="b", index=1), "next") == "next"


def test_a_frame_that_fails_does_not_open_the_turn_of_one_that_was_taken_while_it_waited() -> None:
    order: FrameOrder[str] = FrameOrder("north", wait_s=5)
    take(order, at(0, stream="a", index=0))
    waiting = threading.Event()

    def fail() -> None:
        waiting.set()
        with contextlib.suppress(RuntimeError), order.turn(at(2, stream="a", index=2)):
            raise RuntimeError("the detector is away")

    failing = threading.Thread(target=fail)
    failing.start()
    waiting.wait(5)
    time.sleep(0.05)
    assert take(order, at(1, stream="a", index=1), "taken") == "taken"
    failing.join(5)
    assert take(order, at(1, stream="a", index=1), "twice") == "again taken"
