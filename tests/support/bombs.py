"""Pictures that are small on the wire and would be huge in memory."""

from __future__ import annotations

import struct
import zlib

__all__ = ["jpeg_of", "png_of", "png_with_text"]

_SIGNATURE = b"\x89PNG\r\n\x1a\n"


def png_of(width: int, height: int) -> bytes:
    """Make a PNG that states a size and holds next to nothing."""
    return _png(width, height, zlib.compress(bytes(10_000_000), 9))


def png_with_text(megabytes: int) -> bytes:
    """Make a PNG of 32x32 whose compressed text is so many megabytes long."""
    text = b"Comment\0\0" + zlib.compress(bytes(megabytes << 20), 9)
    pixels = zlib.compress(b"".join(b"\0" + bytes(32 * 3) for _ in range(32)))
    return _png(32, 32, pixels, _chunk(b"zTXt", text))


def jpeg_of(jpeg: bytes, width: int, height: int) -> bytes:
    """Take a JPEG and have its frame header state another size."""
    at = jpeg.index(b"\xff\xc0")
    return jpeg[: at + 5] + struct.pack(">HH", height, width) + jpeg[at + 9 :]


def _png(width: int, height: int, pixels: bytes, more: bytes = b"") -> bytes:
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return _SIGNATURE + _chunk(b"IHDR", head) + more + _chunk(b"IDAT", pixels) + _chunk(b"IEND", b"")


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
