"""What lies in a process's memory, freed or not."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

__all__ = ["MARK_BYTES", "marked_jpeg", "marks_in"]

_BLOCK = 8 << 20
MARK_BYTES = 20
"""Length of one mark with its number: what is left of a picture is as many times this, in bytes."""


def marked_jpeg(jpeg: bytes, canary: bytes, *, size: int = 100_000) -> bytes:
    """Put comments into a JPEG that hold nothing but a 16-byte canary with a number, again and again."""
    comments, number = b"", 0
    while len(comments) < size:
        content = b"".join(canary + n.to_bytes(4, "big") for n in range(number, number + 1_000))
        comments += b"\xff\xfe" + (len(content) + 2).to_bytes(2, "big") + content
        number += 1_000
    return jpeg[:2] + comments + jpeg[2:]


def marks_in(pid: int, canary: bytes) -> int:
    """How often a canary lies in memory that can be read of a process, mapped files that were unlinked with it."""
    return sum(block.count(canary) for block in _blocks(pid, overlap=len(canary) - 1))


def _blocks(pid: int, *, overlap: int) -> Iterator[bytes]:
    with Path(f"/proc/{pid}/mem").open("rb", buffering=0) as memory:
        for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
            span, access = line.split()[:2]
            if "r" not in access:
                continue
            start, stop = (int(part, 16) for part in span.split("-"))
            rest = b""
            while start < stop:
                try:
                    memory.seek(start)
                    block = memory.read(min(stop - start, _BLOCK))
                except (OSError, ValueError, OverflowError):  # the kernel's own, or gone meanwhile
                    break
                if not block:
                    break
                yield rest + block
                rest, start = block[-overlap:], start + len(block)
