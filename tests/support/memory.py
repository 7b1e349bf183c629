"""What lies in a process's memory, freed or not."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

__all__ = ["MARK_BYTES", "blocks", "marked_jpeg", "marks_in"]

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
    return sum(block.count(canary) for block in blocks(pid, overlap=len(canary) - 1))


def blocks(pid: int, *, overlap: int) -> Iterator[bytes]:
    """Read what a process has written to memory, a block after the other, each beginning with the end of the last."""
    with Path(f"/proc/{pid}/mem").open("rb", buffering=0) as memory:
        for start, stop in _written(pid):
            at, rest = start, b""
            while at < stop:
                try:
                    memory.seek(at)
                    block = memory.read(min(stop - at, _BLOCK))
                except (OSError, ValueError, OverflowError):  # the kernel's own, or gone meanwhile
                    break
                if not block:
                    break
                yield rest + block
                rest, at = block[-overlap:] if overlap else b"", at + len(block)


def _written(pid: int) -> Iterator[tuple[int, int]]:
    """Spans of a process's memory that hold anything, but for libraries as they lie on disk."""
    span, access, path = "", "", ""
    for line in Path(f"/proc/{pid}/smaps").read_text(encoding="utf-8", errors="replace").splitlines():
        first = line.split(None, 1)[0]
        if not first.endswith(":"):
            span, access, *rest = line.split(None, 5)
            path = rest[3] if len(rest) > 3 else ""
        elif first == "Rss:" and int(line.split()[1]) > 0 and "r" in access:
            on_disk = path.startswith("/") and "w" not in access and not path.endswith("(deleted)")
            if not on_disk:
                start, stop = span.split("-")
                yield int(start, 16), int(stop, 16)
