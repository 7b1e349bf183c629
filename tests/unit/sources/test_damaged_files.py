"""Damage that decoders pass over is said, and what only looks like damage is not."""

from __future__ import annotations

import io
import logging
import os
import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lfr.errors import ImageError, SourceError
from lfr.sources import decode_image, is_recorded, open_source, read_image, source_name
from lfr.types import Frame
from tests.unit.sources.clips import (
    edit_list,
    fast_start,
    number_in,
    numbered_picture,
    stretch_matroska,
    write_clip,
    zero_middle,
)

FRAMES = 60


def play(path: Path) -> list[Frame]:
    with open_source(path) as source:
        return list(source)


def play_until_it_breaks(path: Path) -> tuple[int, str]:
    """Return the number of frames before the error, and the error."""
    frames: list[Frame] = []
    with open_source(path) as source, pytest.raises(SourceError, match=r"^[^\n]+$") as caught:
        frames.extend(source)  # keeps what came before the error
    return len(frames), str(caught.value)


def encoded(kind: str) -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (80, 80, 3), np.uint8)).save(file, kind)
    return file.getvalue()


@pytest.mark.parametrize("share", [0.4, 0.95])
@pytest.mark.parametrize("suffix", [".avi", ".mkv", ".mp4"])
def test_a_cut_video_says_where_it_broke_off(suffix: str, share: float, tmp_path: Path) -> None:
    path = write_clip(tmp_path / f"cut{suffix}", frames=FRAMES)
    data = fast_start(path.read_bytes()) if suffix == ".mp4" else path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    delivered, message = play_until_it_breaks(path)
    assert share - 0.2 < delivered / FRAMES < share + 0.05
    assert message == f"{path}: broke off after frame {delivered} of {FRAMES}"


def test_a_single_missing_frame_is_said_where_the_file_is_cut(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "cut.mp4", frames=FRAMES)
    data = fast_start(path.read_bytes())
    path.write_bytes(data[: int(len(data) * 0.985)])
    assert play_until_it_breaks(path) == (59, f"{path}: broke off after frame 59 of 60")


def test_a_cut_gif_says_where_it_broke_off(tmp_path: Path) -> None:
    path = tmp_path / "cut.gif"
    pictures = [Image.fromarray(numbered_picture(number)) for number in range(12)]
    pictures[0].save(path, save_all=True, append_images=pictures[1:], duration=100)
    assert len(play(path)) == 12
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 6 // 10])
    delivered, message = play_until_it_breaks(path)
    assert 1 <= delivered < 12
    assert message == f"{path}: broke off after frame {delivered}, the file is truncated"


@pytest.mark.parametrize("suffix", [".avi", ".mp4"])
def test_a_video_that_cannot_be_decoded_to_its_end_says_where_it_broke_off(suffix: str, tmp_path: Path) -> None:
    path = write_clip(tmp_path / f"hole{suffix}", frames=240)
    path.write_bytes(zero_middle(path.read_bytes()))
    delivered, message = play_until_it_breaks(path)
    assert 100 <= delivered < 220
    assert message == f"{path}: broke off after frame {delivered} of 240"


def test_an_index_lost_behind_the_last_frame_is_no_alarm(tmp_path: Path) -> None:
    for suffix, index in ((".avi", b"idx1"), (".mkv", b"\x1c\x53\xbb\x6b")):
        path = write_clip(tmp_path / f"no_index{suffix}", frames=FRAMES)
        data = path.read_bytes()
        path.write_bytes(data[: data.rindex(index)])
        assert len(play(path)) == FRAMES


def test_frames_trimmed_away_by_an_edit_list_are_no_alarm(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "trimmed.mp4", frames=FRAMES)
    path.write_bytes(edit_list(path.read_bytes(), from_frame=20))
    assert [number_in(frame.pixels) for frame in play(path)] == list(range(20, FRAMES))


def test_a_sound_that_outlasts_the_picture_is_said_but_no_alarm(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = write_clip(tmp_path / "sound.mkv", frames=FRAMES)
    path.write_bytes(stretch_matroska(path.read_bytes(), by_s=1.5))
    with caplog.at_level(logging.WARNING):
        assert len(play(path)) == FRAMES
    assert caplog.messages == [f"{path}: 60 frames decoded where 98 were expected"]


def test_text_that_ffmpeg_would_draw_is_no_video(tmp_path: Path) -> None:
    for text in ("a caption\n" * 100, "ffconcat version 1.0\nfile 'other.avi'\n"):
        for encoding in ("utf-8", "utf-16"):
            path = tmp_path / "notes.txt"
            path.write_bytes(text.encode(encoding))
            with pytest.raises(SourceError, match=rf"^{path}: not a video that can be decoded$"):
                open_source(path)


def test_a_video_over_the_limit_of_pixels_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "huge.gif"
    screen = struct.pack("<HH", 12_000, 12_000) + b"\x80\0\0" + b"\0\0\0\xff\xff\xff"
    path.write_bytes(b"GIF89a" + screen + b"," + struct.pack("<HHHH", 0, 0, 2, 2) + b"\0\x02\x02\x4c\x01\0;")
    with pytest.raises(SourceError, match=r": 12000x12000 is over 50000000 pixels, which is the limit$"):
        open_source(path)


@pytest.mark.parametrize(
    "data",
    [encoded("JPEG")[:-2], encoded("JPEG")[:2000] + bytes(20_000), encoded("PNG")[:-12]],
    ids=["JPEG without its end marker", "JPEG half downloaded into a file of full size", "PNG without its end"],
)
def test_a_picture_without_its_end_is_truncated(data: bytes) -> None:
    with pytest.raises(ImageError, match=r"^face: the picture is truncated [^\n]+$"):
        decode_image(data, name="face")


def test_what_is_no_regular_file_is_neither_read_nor_recorded(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.jpg")
    (tmp_path / "link.jpg").symlink_to(os.devnull)
    for path in (tmp_path / "pipe.jpg", tmp_path / "link.jpg"):
        assert not is_recorded(path)
        with pytest.raises(ImageError, match=rf"^{path}: not a regular file$"):
            read_image(path)
        with pytest.raises(SourceError, match=rf"^{path}: neither a file nor a folder nor a camera$"):
            open_source(path)


def test_a_file_larger_than_any_picture_within_the_limit_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "endless.png"
    path.touch()
    os.truncate(path, 420_000_000)
    with pytest.raises(ImageError, match=r": 420000000 bytes is more than any picture of 50000000 pixels$"):
        read_image(path)


def test_a_space_before_a_url_hides_neither_the_url_nor_its_password() -> None:
    assert not is_recorded(" rtsp://anna:secret@camera")
    assert source_name(" rtsp://anna:secret@camera") == "rtsp://…@camera"


def test_names_and_urls_stay_in_one_line() -> None:
    assert source_name("two\nlines.mp4") == "two?lines.mp4"
    with pytest.raises(SourceError, match=r"^[^\n]*: a URL holds no spaces or control characters$"):
        open_source("rtsp://127.0.0.1:9/1\r\nTEARDOWN")
    with pytest.raises(SourceError, match=r"^the source has no name$"):
        open_source("")


def test_a_folder_is_in_order_of_the_numbers_in_its_names_and_without_hidden_files(tmp_path: Path) -> None:
    for number in (10, 9, 1):
        Image.fromarray(numbered_picture(number)).save(tmp_path / f"frame{number}.png")
    (tmp_path / ".hidden.png").write_bytes(b"")
    assert [number_in(frame.pixels) for frame in play(tmp_path)] == [1, 9, 10]
