"""Video files for tests: numbered frames, whole and broken in the ways that files are."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from lfr.sources.quiet import quiet_decoder
from lfr.types import Pixels

__all__ = [
    "CODECS",
    "FPS",
    "edit_list",
    "fast_start",
    "number_in",
    "numbered_picture",
    "stretch_matroska",
    "write_clip",
    "zero_middle",
]

FPS = 25.0
SIZE_WH = (160, 96)
_SQUARE = 16  # of one JPEG coding unit, so that squares stay sharp
_COLUMNS, _ROWS = SIZE_WH[0] // _SQUARE, 2
CODECS = {".avi": "MJPG", ".mp4": "mp4v", ".mkv": "MJPG"}


def numbered_picture(number: int) -> Pixels:
    """Paint a number below 2**20 as two rows of squares."""
    picture = np.full((SIZE_WH[1], SIZE_WH[0], 3), 90, np.uint8)
    for bit in range(_COLUMNS * _ROWS):
        row, column = divmod(bit, _COLUMNS)
        square = np.s_[row * _SQUARE : (row + 1) * _SQUARE, column * _SQUARE : (column + 1) * _SQUARE]
        picture[square] = 255 if number >> bit & 1 else 0
    return picture


def number_in(picture: Pixels) -> int:
    """Read the number in a picture, through whatever compression it went."""
    squares = picture[: _ROWS * _SQUARE].reshape(_ROWS, _SQUARE, _COLUMNS, _SQUARE, 3).mean(axis=(1, 3, 4)).ravel()
    return sum(1 << bit for bit, level in enumerate(squares) if level > 127)


def write_clip(path: Path, *, frames: int = 60) -> Path:
    """Write numbered frames with OpenCV; noise below the numbers spreads the bytes evenly."""
    rng = np.random.default_rng(frames)
    with quiet_decoder():
        writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*CODECS[path.suffix]), FPS, SIZE_WH)
        assert writer.isOpened()
        for number in range(frames):
            picture: Pixels = numbered_picture(number)
            picture[48:] = rng.integers(0, 256, picture[48:].shape, np.uint8)
            writer.write(picture)
        writer.release()
    return path


def boxes(data: bytes, start: int = 0, end: int | None = None) -> Iterator[tuple[bytes, int, int]]:
    """Yield name, start and end of each MP4 box between two places."""
    at, end = start, len(data) if end is None else end
    while at < end:
        length = int.from_bytes(data[at : at + 4], "big")
        yield data[at + 4 : at + 8], at, at + length
        at += length


def fast_start(data: bytes) -> bytes:
    """Move an MP4's index before its frames, as files for the web have it, so that it survives a cut."""
    parts = {name: data[start:end] for name, start, end in boxes(data)}
    order = [b"ftyp", b"moov", b"free", b"mdat"]
    moov = bytearray(parts[b"moov"])
    at = moov.index(b"stco") + 8
    count = int.from_bytes(moov[at : at + 4], "big")
    offsets = struct.unpack_from(f">{count}I", moov, at + 4)
    struct.pack_into(f">{count}I", moov, at + 4, *(offset + len(moov) for offset in offsets))
    parts[b"moov"] = bytes(moov)
    assert set(parts) == set(order)
    return b"".join(parts[name] for name in order)


def edit_list(data: bytes, *, from_frame: int) -> bytes:
    """Make an MP4 begin at a frame, as trimming without decoding does: what is before stays in its list of frames."""
    changed = bytearray(data)
    mdhd = changed.index(b"mdhd")
    clock_hz = int.from_bytes(changed[mdhd + 16 : mdhd + 20], "big")
    elst = changed.index(b"elst")
    assert int.from_bytes(changed[elst + 8 : elst + 12], "big") == 1
    struct.pack_into(">I", changed, elst + 16, round(from_frame * clock_hz / FPS))
    return bytes(changed)


def stretch_matroska(data: bytes, *, by_s: float) -> bytes:
    """Make a Matroska file say that it lasts longer, as one does whose sound outlasts its picture."""
    changed = bytearray(data)
    at = changed.index(b"\x44\x89\x88") + 3
    (duration_ms,) = struct.unpack_from(">d", changed, at)
    struct.pack_into(">d", changed, at, duration_ms + 1000.0 * by_s)
    return bytes(changed)


def zero_middle(data: bytes) -> bytes:
    """Lose a tenth of a file in its middle, without changing its length."""
    middle, lost = len(data) // 2, len(data) // 10
    return data[:middle] + bytes(lost) + data[middle + lost :]
