"""Files that only their owner may read, of people's faces, templates and scores: whole, or not at all."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import IO

__all__ = ["write_whole"]


def write_whole(path: Path, write: Callable[[IO[bytes]], object]) -> None:
    """Write a file with mode 0600 that is on the disk when this returns; what was there stays until it is whole.

    Parameters
    ----------
    path
        The file; its folder is there.
    write
        Writes the content into the open file.

    Raises
    ------
    OSError
        It cannot be written; what ``write`` raises is passed on.
    """
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)
