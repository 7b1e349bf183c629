"""From what a person writes to a source: a file, a folder, a stream's URL, a device."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from lfr.errors import SourceError
from lfr.sources.images import IMAGE_SUFFIXES
from lfr.sources.live import LiveSource
from lfr.sources.recorded import PictureSource, VideoSource
from lfr.sources.source import Source

__all__ = ["is_recorded", "open_source", "source_name"]

_STREAM_SCHEMES = ("rtsp", "rtsps")


def open_source(spec: str | Path) -> Source:
    """Open a source of frames.

    Parameters
    ----------
    spec
        A picture, a folder of pictures, a video file; or, live, an ``rtsp://``
        or ``rtsps://`` URL or a device (``0`` or ``/dev/video0``).

    Raises
    ------
    SourceError
        Nothing there, or nothing that can be read; the message names it without credentials.
    ImageError
        The picture cannot be used.
    """
    text = str(spec)
    if _scheme(text) is not None or _is_device(text):
        return _open_live(text)
    path = Path(text)
    if not path.exists():
        raise SourceError(f"{path}: no such file or folder")
    if path.is_dir() or path.suffix.lower() in IMAGE_SUFFIXES:
        return PictureSource(path)
    return VideoSource(path)


def is_recorded(spec: str | Path) -> bool:
    """Whether the source is a file or folder on this machine, not a stream, device or URL."""
    text = str(spec)
    return _scheme(text) is None and not _is_device(text)


def source_name(spec: str | Path) -> str:
    """Return what a message may call the source: a URL loses user, password and query."""
    text = str(spec)
    if _scheme(text) is None:
        return text
    parts = urlsplit(text)
    host = parts.netloc.rsplit("@", 1)[-1]
    return urlunsplit((parts.scheme, f"…@{host}" if "@" in parts.netloc else host, parts.path, "", ""))


def _scheme(text: str) -> str | None:
    match = re.match(r"([A-Za-z][A-Za-z0-9+.-]*)://", text)
    return match[1].lower() if match else None


def _is_device(text: str) -> bool:
    return text.isdecimal() or text.startswith("/dev/")


def _open_live(text: str) -> Source:
    scheme = _scheme(text)
    if scheme is not None and scheme not in _STREAM_SCHEMES:
        raise SourceError(f"{source_name(text)}: {scheme} streams are not read; known are {', '.join(_STREAM_SCHEMES)}")
    return LiveSource(text, name=source_name(text))
