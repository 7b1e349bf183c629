"""A benchmark keeps frames for as long as it runs, so it takes none of a live source."""

from __future__ import annotations

from pathlib import Path

from lfr.errors import RefusedError
from lfr.sources import is_recorded, source_name

__all__ = ["check_recorded"]


def check_recorded(source: str | Path) -> None:
    """Raise RefusedError unless a source is a file or a folder, naming it without credentials."""
    if not is_recorded(source):
        raise RefusedError(f"{source_name(source)}: a benchmark takes recorded files only, and this is a live source")
