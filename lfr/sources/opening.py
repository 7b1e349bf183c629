"""From what a person writes to a source: a file, a folder, a stream's URL, a device."""

from __future__ import annotations

import re
from pathlib import Path

from lfr.errors import SourceError
from lfr.sources.images import IMAGE_SUFFIXES
from lfr.sources.live import LiveSource
from lfr.sources.recorded import PictureSource, VideoSource
from lfr.sources.source import Source

__all__ = ["is_recorded", "open_source", "source_name"]

_STREAM_SCHEMES = ("rtsp", "rtsps")
_URL_PARTS = re.compile(r"([^/?#]*)([^?#]*)(.*)", re.DOTALL)


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
    """Return what a message may call the source: a URL loses user, password and query.

    Where it cannot be told which part is the password, only the scheme is left.
    """
    text = str(spec)
    scheme = _scheme(text)
    if scheme is None:
        return text
    rest = text[len(scheme) + 1 :].lstrip("/")
    authority, path, after = _URL_PARTS.fullmatch(rest).groups()  # type: ignore[union-attr] # it matches any text
    # A password that was not escaped may hold "/", "?" or "#", so that its end is not in the authority.
    if "@" in path or "@" in after:
        return f"{scheme}://…"
    user, _, host = authority.rpartition("@")
    # Some cameras take /user=…&password=… as the path.
    return f"{scheme}://{'…@' if user else ''}{host}{'/…' if '=' in path else path}"


def _scheme(text: str) -> str | None:
    # One slash too, which is what `Path` leaves of two; two letters at least, so that C:/ is no URL.
    match = re.match(r"([A-Za-z][A-Za-z0-9+.-]+):/", text)
    return match[1].lower() if match else None


def _is_device(text: str) -> bool:
    return text.isdecimal() or text.startswith("/dev/")


def _open_live(text: str) -> Source:
    scheme = _scheme(text)
    if scheme is not None and scheme not in _STREAM_SCHEMES:
        raise SourceError(f"{source_name(text)}: {scheme} streams are not read; known are {', '.join(_STREAM_SCHEMES)}")
    if scheme is not None and not re.match(r"[A-Za-z]+://", text):
        raise SourceError(f"{source_name(text)}: not a URL that can be opened; give it as text, with two slashes")
    return LiveSource(text, name=source_name(text))
