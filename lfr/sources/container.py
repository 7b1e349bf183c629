"""What the bytes of a video file say of it, without decoding: whether it is text, whether it was cut short."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

__all__ = ["Container", "read_container"]

_HEAD_BYTES = 4096
_TEXT_CONTROLS = set(b"\t\n\r\f\x1b")
_EBML, _MATROSKA_SEGMENT = 0x1A45DFA3, 0x18538067
_GIF_END = b"\x3b"


@dataclass(frozen=True)
class Container:
    """What a file's bytes say of it.

    Attributes
    ----------
    text
        It holds text. No video does, but FFmpeg renders some text as video,
        and follows playlists to other files.
    lists_frames
        It has a list of its frames (MP4, QuickTime, AVI), so that their number
        is exact, and not guessed from a length.
    states_length
        It says how long it is meant to be, so that a number of frames does
        not come from what is left of it.
    cut_short
        It says that it is longer than the file. False where nothing tells.
    """

    text: bool = False
    lists_frames: bool = False
    states_length: bool = False
    cut_short: bool = False


def read_container(path: Path) -> Container:
    """Return what the file's first bytes and its outermost structure say.

    Raises
    ------
    OSError
        The file cannot be read.
    """
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        head = file.read(_HEAD_BYTES)
        if _is_text(head):
            return Container(text=True)
        if _is_mp4(head):
            return Container(lists_frames=True, states_length=True, cut_short=_mp4_end(file, size) > size)
        if _is_avi(head):
            return Container(lists_frames=True, states_length=True, cut_short=_avi_end(file, size) > size)
        if int.from_bytes(head[:4], "big") == _EBML:
            return Container(states_length=True, cut_short=_matroska_end(file) > size)
        if head.startswith(b"GIF8"):
            file.seek(max(0, size - 64))
            return Container(cut_short=not file.read().rstrip(b"\0").endswith(_GIF_END))
        return Container()


def _is_text(head: bytes) -> bool:
    utf_16 = head.startswith((b"\xff\xfe", b"\xfe\xff"))
    return utf_16 or all(byte >= 0x20 or byte in _TEXT_CONTROLS for byte in head)


def _is_mp4(head: bytes) -> bool:
    return head[4:8] in {b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip"}


def _is_avi(head: bytes) -> bool:
    return head[:4] == b"RIFF" and head[8:12] == b"AVI "


def _mp4_end(file: BinaryIO, size: int) -> int:
    """Walk the top-level boxes (ISO/IEC 14496-12, 4.2) to where the last one ends."""
    at = 0
    while at + 8 <= size:
        file.seek(at)
        head = file.read(16)
        length = int.from_bytes(head[:4], "big")
        if length == 1:
            length = int.from_bytes(head[8:16], "big")
        if length < 8:  # 0: up to the end of the file; else no box
            return size
        at += length
    return at


def _avi_end(file: BinaryIO, size: int) -> int:
    """Walk the RIFF chunks, of which a long file has several, to where the last one ends."""
    at = 0
    while at + 12 <= size:
        file.seek(at)
        head = file.read(8)
        length = int.from_bytes(head[4:8], "little")
        if head[:4] != b"RIFF" or length in {0, 0xFFFFFFFF}:  # not closed by what wrote it
            return size
        at += 8 + length + length % 2
    # The last byte of padding is often left out.
    return at - 1


def _matroska_end(file: BinaryIO) -> int:
    """Where the segment ends (RFC 8794, RFC 9559); 0 where its length is unknown."""
    file.seek(4)
    length = _ebml_number(file)
    file.seek(length or 0, os.SEEK_CUR)
    if int.from_bytes(file.read(4), "big") != _MATROSKA_SEGMENT:
        return 0
    length = _ebml_number(file)
    return 0 if length is None else file.tell() + length


def _ebml_number(file: BinaryIO) -> int | None:
    """Read a variable-length number; None for the reserved value "unknown" and for what is none."""
    first = int.from_bytes(file.read(1), "big")
    if first == 0:
        return None
    more = 8 - first.bit_length()
    value = (first & ((1 << (7 - more)) - 1)) << 8 * more | int.from_bytes(file.read(more), "big")
    return None if value == (1 << 7 * (more + 1)) - 1 else value
