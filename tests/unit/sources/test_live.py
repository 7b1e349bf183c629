"""A live source, watching a real RTSP camera on this machine."""

from __future__ import annotations

import logging
import socket
import threading
import time
from collections.abc import Iterator

import numpy as np
import pytest

from lfr.errors import SourceError
from lfr.sources import LiveSource, SourceEvent, open_source
from lfr.types import Frame
from tests.support.rtsp import LEFT_BGR, RIGHT_BGR, RtspCamera, frame_number


class Events:
    """What a source told, and when; safe to read from the test's thread."""

    def __init__(self) -> None:
        self.seen: list[SourceEvent] = []
        self._changed = threading.Condition()

    def __call__(self, event: SourceEvent) -> None:
        with self._changed:
            self.seen.append(event)
            self._changed.notify_all()

    def wait_for(self, kind: str, *, times: int = 1, timeout_s: float = 10.0) -> None:
        with self._changed:
            told = self._changed.wait_for(lambda: self.kinds.count(kind) >= times, timeout_s)
        assert told, f"not told of {kind} {times} times, but {self.kinds}"

    @property
    def kinds(self) -> list[str]:
        return [event.kind for event in self.seen]


@pytest.fixture
def camera() -> Iterator[RtspCamera]:
    with RtspCamera(fps=100) as camera:
        yield camera


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    before = set(threading.enumerate())
    yield
    assert set(threading.enumerate()) <= before


def watch(camera: RtspCamera, *, give_up_s: float | None = None, events: Events | None = None) -> LiveSource:
    return LiveSource(
        camera.url,
        name="the camera",
        connect_timeout_s=3.0,
        read_timeout_s=0.5,
        max_wait_s=0.2,
        give_up_s=give_up_s,
        on_event=events,
    )


def take(source: LiveSource, count: int) -> list[Frame]:
    frames = iter(source)
    return [next(frames) for _ in range(count)]


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def test_frames_arrive_as_the_camera_films_them(camera: RtspCamera) -> None:
    began_s = time.time()
    with watch(camera) as source:
        assert (source.live, source.fps, source.frame_count, source.resolution_wh) == (True, 100.0, None, (160, 96))
        frames = take(source, 20)
    numbers = [frame_number(frame.pixels) for frame in frames]
    assert numbers == sorted(set(numbers))
    for frame in frames:
        assert frame.pixels.shape == (96, 160, 3)
        np.testing.assert_allclose(frame.pixels[20:60, 10:70].mean(axis=(0, 1)), LEFT_BGR, atol=6)
        np.testing.assert_allclose(frame.pixels[20:60, 90:150].mean(axis=(0, 1)), RIGHT_BGR, atol=6)
    times = [frame.time_s for frame in frames]
    assert times == sorted(times)
    assert began_s <= times[0]
    assert times[-1] <= time.time()


def test_a_slow_consumer_sees_the_present_and_the_rest_is_counted_as_dropped(camera: RtspCamera) -> None:
    with watch(camera) as source:
        frames = iter(source)
        before, dropped = next(frames), source.dropped
        time.sleep(1.0)
        after = next(frames)
        # Indices count captured frames: what lies between two was dropped.
        assert after.index - before.index >= 40
        assert source.dropped - dropped >= 40
        assert time.time() - after.time_s < 0.4
        assert camera.filming - frame_number(after.pixels) < 40


def test_frames_that_are_kept_are_not_overwritten(camera: RtspCamera) -> None:
    with watch(camera) as source:
        frames = take(source, 3)
        copies = [frame.pixels.copy() for frame in frames]
        take(source, 10)
    for frame, copy in zip(frames, copies, strict=True):
        np.testing.assert_array_equal(frame.pixels, copy)


def test_a_camera_that_comes_back_is_watched_again(camera: RtspCamera, caplog: pytest.LogCaptureFixture) -> None:
    events = Events()
    with caplog.at_level(logging.INFO, logger="lfr"), watch(camera, events=events) as source:
        frames = iter(source)
        first = next(frames)
        camera.stop()
        events.wait_for("retrying", times=2)
        camera.start()
        events.wait_for("connected", times=2)
        again = [next(frames) for _ in range(5)]
    assert again[-1].index > first.index
    assert again[-1].time_s > first.time_s
    assert events.kinds[:3] == ["connected", "lost", "retrying"]
    assert events.kinds[-1] == "connected"
    retries = [event for event in events.seen if event.kind == "retrying"]
    assert [event.attempt for event in retries] == list(range(1, len(retries) + 1))
    assert all(0.0 < event.wait_s <= 0.2 for event in retries)
    assert events.seen[-1].attempt == len(retries)
    warned = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert warned[0].startswith("the camera: lost")
    assert len(warned) == len(events.seen) - 1  # of all but the first connection


def test_a_camera_that_stays_connected_but_sends_nothing_is_lost(camera: RtspCamera) -> None:
    events = Events()
    with watch(camera, events=events) as source:
        take(source, 1)
        camera.silent.set()
        events.wait_for("lost")
        camera.silent.clear()
        events.wait_for("connected", times=2)
        take(source, 3)


def test_a_camera_that_stays_away_is_given_up_after_the_time_agreed(camera: RtspCamera) -> None:
    events = Events()
    with watch(camera, give_up_s=0.5, events=events) as source:
        frames = iter(source)
        next(frames)
        gone_s = time.monotonic()
        camera.stop()
        with pytest.raises(SourceError, match=r"^the camera: lost, and not back within 0\.5 s$"):
            list(frames)
        assert 0.5 <= time.monotonic() - gone_s < 3.0
        assert events.kinds[-1] == "gave_up"


def test_waits_grow_to_the_limit_and_stay_there_for_weeks(camera: RtspCamera) -> None:
    with LiveSource(camera.url, name="the camera", max_wait_s=30.0) as source:
        waits = [source._wait_s(attempt) for attempt in (0, 1, 3, 10, 100, 100_000)]
    assert waits[0] <= 0.625
    assert 0.75 <= waits[1] <= 1.25
    assert 3.0 <= waits[2] <= 5.0
    assert all(15.0 <= wait_s <= 30.0 for wait_s in waits[3:])
    assert len(set(waits[3:])) == 3, "no jitter"


@pytest.mark.parametrize("listener", ["nobody", "somebody who says nothing", "somebody who hangs up"])
def test_nothing_to_watch_is_one_line_without_the_password(
    listener: str, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    port = free_port()
    with socket.socket() as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if listener != "nobody":
            server.bind(("127.0.0.1", port))
            server.listen()

        def accept_and_hang_up() -> None:
            server.accept()[0].close()

        hang_up = threading.Thread(target=accept_and_hang_up)
        if listener == "somebody who hangs up":
            hang_up.start()
        began_s = time.monotonic()
        with caplog.at_level(logging.DEBUG), pytest.raises(SourceError) as caught:
            LiveSource(
                f"rtsp://user:secret@127.0.0.1:{port}/x",
                name=f"rtsp://…@127.0.0.1:{port}/x",
                connect_timeout_s=1.0,
            )
        took_s = time.monotonic() - began_s
        if listener == "somebody who hangs up":
            hang_up.join()
    assert str(caught.value) == f"rtsp://…@127.0.0.1:{port}/x: no stream there (waited at most 1 s)"
    assert took_s < 2.0
    assert "secret" not in caplog.text
    assert capfd.readouterr() == ("", "")


def test_a_camera_that_answers_but_never_sends_a_frame_is_not_a_source(camera: RtspCamera) -> None:
    camera.silent.set()
    began_s = time.monotonic()
    with pytest.raises(SourceError, match=r"^the camera: no stream there"):
        LiveSource(camera.url, name="the camera", connect_timeout_s=1.0, read_timeout_s=0.5)
    assert time.monotonic() - began_s < 3.0


def test_a_password_is_in_no_name_log_or_event(camera: RtspCamera, caplog: pytest.LogCaptureFixture) -> None:
    url = camera.url.replace("rtsp://", "rtsp://user:secret@")
    with caplog.at_level(logging.DEBUG), open_source(url) as source:
        next(iter(source))
        told = [source.name, *(thread.name for thread in threading.enumerate())]
    assert source.name == f"rtsp://…@127.0.0.1:{camera.port}/camera"
    assert "secret" not in " ".join([*told, caplog.text])
    assert f"{source.name}: connected" in caplog.text


@pytest.mark.parametrize("device", ["63", "99999999999", "/dev/video63"])
def test_a_device_that_is_not_there_is_one_line(device: str, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SourceError, match=f"^{device}: no camera there, or it is in use$"):
        open_source(device)
    assert capfd.readouterr() == ("", "")


def test_closing_ends_a_wait_for_the_camera_at_once(camera: RtspCamera) -> None:
    events = Events()
    source = LiveSource(camera.url, name="the camera", read_timeout_s=0.5, on_event=events)
    camera.stop()
    events.wait_for("retrying", times=2)  # the second wait is of about a second
    began_s = time.monotonic()
    source.close()
    assert time.monotonic() - began_s < 0.5
    source.close()


def test_closing_lets_a_consumer_go_that_waits_for_a_frame(camera: RtspCamera) -> None:
    events = Events()
    source = watch(camera, events=events)
    consumer = threading.Thread(target=lambda: list(source))
    consumer.start()
    camera.stop()
    events.wait_for("lost")
    source.close()
    consumer.join(1.0)
    assert not consumer.is_alive()


def test_closing_takes_no_longer_than_the_read_timeout_where_a_stream_stalls(camera: RtspCamera) -> None:
    with watch(camera) as source:
        take(source, 1)
        camera.silent.set()
        time.sleep(0.1)
        began_s = time.monotonic()
        source.close()
        assert time.monotonic() - began_s < 1.5


def test_a_closed_source_yields_nothing_more(camera: RtspCamera) -> None:
    source = watch(camera)
    frames = iter(source)
    next(frames)
    source.close()
    assert list(frames) == []


def test_the_listener_may_close_the_source(camera: RtspCamera) -> None:
    sources: list[LiveSource] = []

    def close_when_lost(event: SourceEvent) -> None:
        if event.kind == "lost":
            sources[0].close()

    sources.append(LiveSource(camera.url, name="the camera", read_timeout_s=0.5, on_event=close_when_lost))
    camera.stop()
    frames = list(sources[0])  # ends, with no error
    assert [frame.index for frame in frames] == sorted({frame.index for frame in frames})
    sources[0].close()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_listener_that_fails_ends_the_source_and_leaves_nobody_waiting(camera: RtspCamera) -> None:
    def fail(event: SourceEvent) -> None:
        if event.kind == "lost":
            raise ValueError("the listener's own mistake")

    with LiveSource(camera.url, name="the camera", read_timeout_s=0.5, on_event=fail) as source:
        camera.stop()
        with pytest.raises(SourceError, match=r"^the camera: reading ended on an error$"):
            list(source)
