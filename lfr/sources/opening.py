"""From what a person writes to a source: a file, a folder, a stream's URL, a device."""

from __future__ import annotations

import re
import stat
from collections.abc import Callable
from pathlib import Path

from lfr.errors import SourceError
from lfr.sources.images import IMAGE_SUFFIXES
from lfr.sources.live import LiveSource, SourceEvent
from lfr.sources.recorded import PictureSource, VideoSource
from lfr.sources.source import Source

__all__ = ["check_source", "is_recorded", "open_source", "source_name"]

_STREAM_SCHEMES = ("rtsp", "rtsps")
_URL_PARTS = re.compile(r"([^/?#]*)([^?#]*)(.*)", re.DOTALL)


def open_source(
    spec: str | Path,
    *,
    prefetch: int = 2,
    connect_timeout_s: float = 10.0,
    read_timeout_s: float = 5.0,
    give_up_s: float | None = None,
    on_event: Callable[[SourceEvent], None] | None = None,
) -> Source:
    """Open a source of frames.

    Parameters
    ----------
    spec
        A picture, a folder of pictures, a video file; or, live, an ``rtsp://``
        or ``rtsps://`` URL or a device (``0`` or ``/dev/video0``).
    prefetch
        Frames of a video decoded ahead at most.
    connect_timeout_s, read_timeout_s, give_up_s, on_event
        Of a live source, as for `LiveSource`.

    Raises
    ------
    SourceError
        Nothing there, or nothing that can be read; the message names it without credentials.
    ImageError
        The picture cannot be used.
    """
    text = str(spec).strip()
    check_source(text)
    if _scheme(text) is not None or _is_device(text):
        return LiveSource(
            text,
            name=source_name(text),
            connect_timeout_s=connect_timeout_s,
            read_timeout_s=read_timeout_s,
            give_up_s=give_up_s,
            on_event=on_event,
        )
    path = Path(spec)
    if (mode := _mode(path)) is None:
        raise SourceError(f"{source_name(spec)}: no such file or folder")
    if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
        raise SourceError(f"{source_name(spec)}: neither a file nor a folder nor a camera")
    if path.is_dir() or path.suffix.lower() in IMAGE_SUFFIXES:
        return PictureSource(path)
    return VideoSource(path, prefetch=prefetch)


def check_source(spec: str) -> None:
    """Raise SourceError for an address that `open_source` never opens, without looking whether anything is there."""
    text = spec.strip()
    if not text:
        raise SourceError("the source has no name")
    if _scheme(text) is not None or _is_device(text):
        _check_live(text)


def is_recorded(spec: str | Path) -> bool:
    """Whether the source is, or if it existed would be, a file or folder: no URL, device, pipe or link to one."""
    text = str(spec).strip()
    if _scheme(text) is not None or _is_device(text):
        return False
    mode = _mode(Path(spec))
    return mode is None or stat.S_ISREG(mode) or stat.S_ISDIR(mode)


def source_name(spec: str | Path) -> str:
    """Return what a message may call the source: a URL loses user, password and query.

    Where it cannot be told which part is the password, only the scheme is left.
    """
    # In one line, whatever the name holds; a space before a URL must not keep its password from being seen.
    text = "".join(c if c.isprintable() else "?" for c in str(spec).strip())
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
    if text.isdecimal():
        return True
    # Below /dev there are files too, in /dev/shm.
    mode = _mode(Path(text)) if text.startswith("/dev/") else None
    return text.startswith("/dev/") and not (mode is not None and (stat.S_ISREG(mode) or stat.S_ISDIR(mode)))


def _mode(path: Path) -> int | None:
    """The file mode of what is at the path; None where nothing is, or no path could be that."""
    try:
        return path.stat().st_mode
    except (OSError, ValueError):
        return None


def _check_live(text: str) -> None:
    """Raise for a URL that is not to be opened."""
    scheme = _scheme(text)
    if scheme is not None and scheme not in _STREAM_SCHEMES:
        raise SourceError(f"{source_name(text)}: {scheme} streams are not read; known are {', '.join(_STREAM_SCHEMES)}")
    if scheme is not None and not re.match(r"[A-Za-z]+://", text):
        raise SourceError(f"{source_name(text)}: not a URL that can be opened; give it as text, with two slashes")
    if not text.isprintable() or " " in text:  # a line's end would begin a request of its own
        raise SourceError(f"{source_name(text)}: a URL holds no spaces or control characters")
