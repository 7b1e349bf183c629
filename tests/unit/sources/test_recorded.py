"""Every frame of a recorded video is delivered, in order, and a file that is not whole says so."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from lfr.errors import SourceError
from lfr.sources import open_source
from lfr.sources.quiet import quiet_decoder
from lfr.sources.recorded import VideoSource
from lfr.types import Frame, Pixels

BITS, CELL = 8, 16
SIZE_WH = (BITS * CELL, 64)
FPS = 25.0
AVI, MP4, TS = ("avi", "MJPG"), ("mp4", "mp4v"), ("ts", "mp4v")


def bar_code(number: int) -> Pixels:
    """A picture of a number, over noise so that each frame takes its share of the file."""
    pixels = np.random.default_rng(number).integers(90, 160, (SIZE_WH[1], SIZE_WH[0], 3), np.uint8)
    for bit in range(BITS):
        pixels[: 2 * CELL, bit * CELL : (bit + 1) * CELL] = 255 if number >> bit & 1 else 0
    return pixels


def number_in(pixels: Pixels) -> int:
    cells = pixels[: 2 * CELL].reshape(2 * CELL, BITS, CELL, 3).mean(axis=(0, 2, 3))
    return sum(1 << bit for bit in range(BITS) if cells[bit] > 127)


def film(folder: Path, kind: tuple[str, str], *, frames: int = 50) -> Path:
    path = folder / f"street.{kind[0]}"
    with quiet_decoder():
        code = cv2.VideoWriter.fourcc(*kind[1])
        writer = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, code, FPS, SIZE_WH)
        assert writer.isOpened()
        for number in range(frames):
            writer.write(bar_code(number))
        writer.release()
    return path


def cut(path: Path, share: float) -> Path:
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    return path


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    before = set(threading.enumerate())
    yield
    assert set(threading.enumerate()) <= before


@pytest.mark.parametrize("kind", [AVI, MP4, TS], ids=lambda kind: kind[0])
def test_every_frame_is_delivered_in_order_with_its_time(kind: tuple[str, str], tmp_path: Path) -> None:
    path = film(tmp_path, kind)
    with open_source(path) as source:
        assert (source.name, source.live, source.fps, source.resolution_wh) == (str(path), False, FPS, SIZE_WH)
        frames = list(source)
    assert [frame.index for frame in frames] == list(range(50))
    assert [number_in(frame.pixels) for frame in frames] == list(range(50))
    steps = np.diff([frame.time_s for frame in frames])
    np.testing.assert_allclose(steps, 1.0 / FPS, atol=0.002)
    assert frames[0].time_s == 0.0


def test_a_slow_consumer_misses_nothing_and_little_is_decoded_ahead(tmp_path: Path) -> None:
    with VideoSource(film(tmp_path, AVI), prefetch=2) as source:
        frames = iter(source)
        numbers = [number_in(next(frames).pixels)]
        time.sleep(0.3)
        assert source._queue.qsize() <= 2
        numbers += [number_in(frame.pixels) for frame in frames]
    assert numbers == list(range(50))


def test_frames_that_are_kept_are_not_overwritten(tmp_path: Path) -> None:
    with open_source(film(tmp_path, MP4)) as source:
        kept: list[Frame] = []
        copies = []
        for frame in source:
            kept.append(frame)
            copies.append(frame.pixels.copy())
    for frame, copy in zip(kept, copies, strict=True):
        np.testing.assert_array_equal(frame.pixels, copy)


def test_a_name_with_a_colon_is_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    film(tmp_path, AVI, frames=5).rename(tmp_path / "12:30.avi")
    monkeypatch.chdir(tmp_path)
    with open_source("12:30.avi") as source:
        assert source.name == "12:30.avi"
        assert len(list(source)) == 5


# Files that are not whole


@pytest.mark.parametrize("share", [0.6, 0.9])
def test_a_file_that_breaks_off_says_after_which_frame(
    share: float, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = cut(film(tmp_path, AVI), share)
    delivered: list[Frame] = []
    with open_source(path) as source, pytest.raises(SourceError) as caught:
        delivered.extend(source)
    assert [number_in(frame.pixels) for frame in delivered[:-1]] == list(range(len(delivered) - 1))
    assert 50 * share - 8 < len(delivered) < 50 * share + 3
    assert str(caught.value) == f"{path}: broke off after frame {len(delivered)} of 50"
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("share", [0.1, 0.6, 0.98])
def test_a_file_whose_table_of_contents_is_cut_off_is_refused_at_once(
    share: float, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = cut(film(tmp_path, MP4), share)
    with pytest.raises(SourceError) as caught:
        open_source(path)
    assert str(caught.value) == f"{path}: not a video that can be decoded"
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        pytest.param("street.mp4", b"", "the file is empty", id="empty"),
        pytest.param("street.mp4", b"Dear sir or madam,\n" * 99, "not a video that can be decoded", id="text"),
        pytest.param("street.avi", bytes(20_000), "not a video that can be decoded", id="zeros"),
        pytest.param(
            "street.mp4",
            b"v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 5004 RTP/AVP 26\n",
            "not a video that can be decoded",
            id="the description of a live stream",
        ),
        pytest.param(
            "street.m3u8",
            b"#EXTM3U\n#EXTINF:10,\nhttp://127.0.0.1:9/a.ts\n#EXT-X-ENDLIST\n",
            "not a video that can be decoded",
            id="a list of addresses",
        ),
    ],
)
def test_a_file_that_is_no_video_is_refused_in_one_line(
    name: str, content: bytes, problem: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(SourceError) as caught:
        open_source(tmp_path / name)
    assert str(caught.value) == f"{tmp_path / name}: {problem}"
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("name", ["nowhere.mp4", "."])
def test_a_missing_file_is_named(name: str, tmp_path: Path) -> None:
    with pytest.raises(SourceError) as caught:
        VideoSource(tmp_path / name)
    assert str(caught.value) == f"{tmp_path / name}: no such file"


# Closing


@pytest.mark.parametrize("taken", [0, 1, 10])
def test_closing_early_ends_the_thread_at_once(taken: int, tmp_path: Path) -> None:
    source = open_source(film(tmp_path, AVI))
    frames = iter(source)
    for _ in range(taken):
        next(frames)
    began_s = time.monotonic()
    source.close()
    assert time.monotonic() - began_s < 0.5
    assert list(frames) == []
    source.close()


def test_sources_that_overlap_leave_opencvs_own_log_as_it_was(tmp_path: Path) -> None:
    path = film(tmp_path, AVI)
    before = cv2.utils.logging.getLogLevel()
    assert before != cv2.utils.logging.LOG_LEVEL_SILENT
    first, second = VideoSource(path), VideoSource(path)
    next(iter(first))
    next(iter(second))
    # Both threads are decoding; the one that began first ends first.
    assert cv2.utils.logging.getLogLevel() == cv2.utils.logging.LOG_LEVEL_SILENT
    first.close()
    assert cv2.utils.logging.getLogLevel() == cv2.utils.logging.LOG_LEVEL_SILENT
    second.close()
    assert cv2.utils.logging.getLogLevel() == before


# Pictures that move


def test_an_animated_gif_plays(tmp_path: Path) -> None:
    frames = [Image.fromarray(bar_code(number)[:, :, ::-1]) for number in range(6)]
    frames[0].save(tmp_path / "street.gif", save_all=True, append_images=frames[1:], duration=100)
    with open_source(tmp_path / "street.gif") as source:
        played = list(source)
    assert [number_in(frame.pixels) for frame in played] == list(range(6))
    assert [round(frame.time_s, 3) for frame in played] == [0.0, 0.1, 0.2, 0.3, 0.4, 0.5]


# Real clips


@pytest.mark.parametrize(
    ("clip", "frames"),
    [
        ("street_crowd_1080p.mp4", 105),
        ("hamilton_360p.mp4", 275),
        ("face-demographics-walking-and-pause.gif", 41),
        ("one_by_one_no_faces.mp4", 1394),
    ],
)
def test_a_real_clip_is_whole(clip: str, frames: int, eval_data: Path) -> None:
    with open_source(eval_data / "video" / clip) as source:
        indices, times = zip(*((frame.index, frame.time_s) for frame in source), strict=True)
    assert list(indices) == list(range(frames))
    assert list(times) == sorted(times)
