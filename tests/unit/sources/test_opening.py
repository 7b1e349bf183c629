"""What a person writes becomes the right source, and its name keeps no secret."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lfr.errors import ImageError, SourceError
from lfr.sources import is_recorded, open_source, source_name


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("b.png", "a.jpg"):
        cv2.imwrite(str(tmp_path / name), np.full((32, 48, 3), ord(name[0]), np.uint8))
    (tmp_path / "notes.txt").write_text("not a picture")
    return tmp_path


def test_a_picture_is_one_frame(folder: Path) -> None:
    with open_source(folder / "a.jpg") as source:
        frames = list(source)
    assert (source.name, source.live, source.fps, source.frame_count) == (str(folder / "a.jpg"), False, None, 1)
    assert [(frame.index, frame.time_s, frame.resolution_wh) for frame in frames] == [(0, 0.0, (48, 32))]


def test_a_folder_is_its_pictures_in_order_of_name(folder: Path) -> None:
    with open_source(str(folder)) as source:
        frames = list(source)
    assert (source.frame_count, source.resolution_wh) == (2, (48, 32))
    assert [frame.index for frame in frames] == [0, 1]
    assert frames[0].time_s < frames[1].time_s
    assert [round(float(frame.pixels.mean())) for frame in frames] == [ord("a"), ord("b")]


def test_a_broken_picture_in_a_folder_is_named_when_its_turn_comes(folder: Path) -> None:
    (folder / "c.png").write_bytes(b"no picture")
    with open_source(folder) as source, pytest.raises(ImageError, match=r"c\.png: not a picture"):
        list(source)


def test_a_folder_without_pictures_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("not a picture")
    with pytest.raises(SourceError, match=r"the folder holds no picture$"):
        open_source(tmp_path)


def test_what_is_not_there_is_named() -> None:
    with pytest.raises(SourceError, match=r"^nowhere\.mp4: no such file or folder$"):
        open_source("nowhere.mp4")


@pytest.mark.parametrize(
    ("spec", "recorded"),
    [
        ("street.mp4", True),
        ("folder/", True),
        ("C:/street.mp4", True),
        (Path("12:30.mp4"), True),
        ("rtsp://host/camera", False),
        ("RTSPS://host/camera", False),
        ("http://host/street.mp4", False),
        ("file:///street.mp4", False),
        ("0", False),
        ("/dev/video0", False),
        (Path("rtsp://host/camera"), False),  # `Path` makes one slash of two
    ],
)
def test_only_files_and_folders_are_recorded(spec: str | Path, recorded: bool) -> None:
    assert is_recorded(spec) is recorded


@pytest.mark.parametrize("scheme", ["http", "https", "file", "ftp", "concat", "rtmp"])
def test_no_address_but_that_of_a_camera_is_fetched(scheme: str) -> None:
    with pytest.raises(SourceError) as caught:
        open_source(f"{scheme}://user:secret@127.0.0.1:1/street.mp4?token=secret")
    assert str(caught.value) == (
        f"{scheme}://…@127.0.0.1:1/street.mp4: {scheme} streams are not read; known are rtsp, rtsps"
    )


def test_an_address_given_as_a_path_is_refused_without_its_password() -> None:
    with pytest.raises(SourceError) as caught:
        open_source(Path("rtsp://user:secret@127.0.0.1:1/x"))
    assert str(caught.value) == (
        "rtsp://…@127.0.0.1:1/x: not a URL that can be opened; give it as text, with two slashes"
    )


@pytest.mark.parametrize(
    ("spec", "name"),
    [
        ("street.mp4", "street.mp4"),
        ("0", "0"),
        ("rtsp://host:554/camera/1", "rtsp://host:554/camera/1"),
        ("rtsp://[::1]:554/camera", "rtsp://[::1]:554/camera"),
        ("rtsp://[bad/camera", "rtsp://[bad/camera"),
        ("rtsp://user:secret@host:554/camera", "rtsp://…@host:554/camera"),
        ("rtsp://user:sec@ret@host/camera", "rtsp://…@host/camera"),
        ("rtsp://host/camera?user=user&password=secret", "rtsp://host/camera"),
        ("rtsp://host/user=user&password=secret&channel=1", "rtsp://host/…"),
        ("rtsp://user:sec/ret@host/camera", "rtsp://…"),
        ("rtsp://user:sec#ret@host/camera", "rtsp://…"),
        ("rtsp://user:sec?ret@host/camera", "rtsp://…"),
        ("rtsp://host/camera?token=sec@ret", "rtsp://…"),
    ],
)
def test_a_name_keeps_no_secret(spec: str, name: str) -> None:
    assert source_name(spec) == name


@given(password=st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=6))
@example(password="/@?#:=//")
def test_no_password_however_odd_is_in_a_name(password: str) -> None:
    # A word that is in no other part, at either end, so that a part of the password is noticed too.
    name = source_name(f"rtsp://user:QQQ{password}ZZZ@host/camera")
    assert "QQQ" not in name
    assert "ZZZ" not in name
    assert name.startswith("rtsp://…")
