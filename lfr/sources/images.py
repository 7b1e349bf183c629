"""Decode one still picture, whatever it is, or say in one line why not.

The header is read first, with Pillow, and decides: kind, size, animation.
Only then are pixels decoded, so a picture whose header promises more than the
limit never gets memory for them.
"""

from __future__ import annotations

import io
import re
import warnings
from pathlib import Path

import cv2
import numpy as np
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from lfr.errors import ImageError
from lfr.types import Pixels

__all__ = ["IMAGE_SUFFIXES", "MAX_PIXELS", "MIN_SIDE_PX", "decode_image", "read_image"]

IMAGE_SUFFIXES = frozenset({".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"})
MAX_PIXELS = 50_000_000
"""Largest picture that is decoded, in pixels: 150 MB of memory."""
MIN_SIDE_PX = 16
"""Smallest side in pixels that can hold a face the detector could find."""

_FORMATS = ("BMP", "GIF", "JPEG", "PNG", "TIFF", "WEBP")
_BACKGROUND = (255, 255, 255)
# No picture within the limit of pixels needs more: four channels of 16 bits, and room for metadata.
_BYTES_PER_PIXEL, _METADATA_BYTES = 8, 16_000_000
# A marker other than fill bytes, stuffed zeros and restarts, which belong to the entropy-coded data.
_JPEG_MARKER = re.compile(rb"\xff([\x01-\xcf\xd8-\xfe])", re.DOTALL)
_JPEG_END, _JPEG_WITHOUT_LENGTH = 0xD9, {0x01, 0xD8}


def read_image(path: Path, *, max_pixels: int = MAX_PIXELS) -> Pixels:
    """Return the picture in a file as (height, width, 3) BGR.

    EXIF orientation is applied; 16 bits become 8 by scaling; grey, palette
    and CMYK become colour; what is transparent becomes white. Damage inside
    a JPEG's compressed data cannot be told from a picture and passes; a JPEG
    without its end does not.

    Parameters
    ----------
    path
        The file.
    max_pixels
        Width times height from which the picture is refused before it is decoded.

    Raises
    ------
    ImageError
        Missing, empty, truncated, not a picture of a known kind, animated, too small or too large.
    """
    try:
        if path.exists() and not path.is_file() and not path.is_dir():
            raise ImageError(f"{path}: not a regular file")  # reading a pipe or a device may never end
        size = path.stat().st_size
        if size > _BYTES_PER_PIXEL * max_pixels + _METADATA_BYTES:
            raise ImageError(f"{path}: {size} bytes is more than any picture of {max_pixels} pixels")
        data = path.read_bytes()
    except OSError as error:
        raise ImageError(f"{path}: cannot read: {error.strerror}") from error
    return decode_image(data, name=str(path), max_pixels=max_pixels)


def decode_image(data: bytes, *, name: str, max_pixels: int = MAX_PIXELS) -> Pixels:
    """Return the picture in ``data`` as (height, width, 3) BGR; see `read_image`.

    Parameters
    ----------
    data
        A whole encoded picture.
    name
        What an error calls it.
    max_pixels
        As for `read_image`.

    Raises
    ------
    ImageError
        As for `read_image`.
    """
    if not data:
        raise ImageError(f"{name}: the file is empty")
    with warnings.catch_warnings():
        # What Pillow warns of (bombs, odd metadata) is either checked here or does not touch pixels. Only its
        # own warnings: filters belong to the process, and another thread may be left with this one.
        warnings.filterwarnings("ignore", module=r"PIL\.")
        try:
            with Image.open(io.BytesIO(data), formats=_FORMATS) as image:
                _check_header(image, name=name, max_pixels=max_pixels)
                if _is_plain_jpeg(image):
                    _check_end(image, data, name=name)
                    return _decode_plain_jpeg(image, data, name=name)
                image.load()
                _check_end(image, data, name=name)
                return _to_bgr(image)
        except ImageError:
            raise
        except UnidentifiedImageError as error:
            raise ImageError(f"{name}: not a picture (known: {', '.join(sorted(_FORMATS))})") from error
        except Image.DecompressionBombError as error:
            raise ImageError(f"{name}: over {max_pixels} pixels, which is the limit") from error
        # A decoder fed broken data raises whatever its format's code happens to raise.
        except Exception as error:
            reason = "truncated" if "truncated" in str(error).lower() else "broken"
            raise ImageError(f"{name}: the picture is {reason} ({_one_line(error)})") from error


def _check_header(image: Image.Image, *, name: str, max_pixels: int) -> None:
    width, height = image.size
    frames = getattr(image, "n_frames", 1) if image.format in {"GIF", "PNG", "TIFF", "WEBP"} else 1
    if width * height > max_pixels:
        raise ImageError(f"{name}: {width}x{height} is over {max_pixels} pixels, which is the limit")
    if min(width, height) < MIN_SIDE_PX:
        raise ImageError(f"{name}: {width}x{height} is too small; each side needs at least {MIN_SIDE_PX} pixels")
    if frames > 1 and image.format == "TIFF":
        raise ImageError(f"{name}: holds {frames} pages; a picture of one page is wanted")
    if frames > 1:
        raise ImageError(f"{name}: animated, with {frames} frames; a still picture is wanted")


def _check_end(image: Image.Image, data: bytes, *, name: str) -> None:
    """Refuse what Pillow decodes without a word although its end is missing or a checksum is wrong."""
    if image.format in {"JPEG", "MPO"} and not _jpeg_has_end(data):
        raise ImageError(f"{name}: the picture is truncated (no end-of-image marker)")
    if image.format == "PNG":
        with Image.open(io.BytesIO(data), formats=("PNG",)) as again:
            again.verify()  # leaves an image unusable, so not the one that was decoded


def _jpeg_has_end(data: bytes) -> bool:
    """Whether the end-of-image marker is met, walking from segment to segment (ITU-T T.81, annex B)."""
    at = 2
    while found := _JPEG_MARKER.search(data, at):
        marker = found[1][0]
        if marker == _JPEG_END:
            return True
        at = found.end()
        if marker not in _JPEG_WITHOUT_LENGTH:
            at += int.from_bytes(data[at : at + 2], "big")
    return False


def _is_plain_jpeg(image: Image.Image) -> bool:
    """Whether it is what cameras send: three channels, the right way up."""
    upright = image.getexif().get(ExifTags.Base.Orientation, 1) not in range(2, 9)
    return image.format == "JPEG" and image.mode == "RGB" and upright


def _decode_plain_jpeg(image: Image.Image, data: bytes, *, name: str) -> Pixels:
    """Decode what was opened, to the pixels that Pillow gives, without its copies of the whole."""
    width, height = image.size
    decoded = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
    if decoded is None or decoded.shape != (height, width, 3):
        raise ImageError(f"{name}: the picture is broken")
    return np.asarray(decoded, np.uint8)


def _to_bgr(image: Image.Image) -> Pixels:
    # Pillow copies a whole picture at each step, also where there is nothing to do: such steps are left out.
    ImageOps.exif_transpose(image, in_place=True)
    if image.mode.startswith("I") or image.mode == "F":
        grey = _eight_bits(np.asarray(image), sixteen=image.mode.startswith("I;16"))
        rgb = np.repeat(grey[:, :, None], 3, axis=2)
    elif "A" in image.getbands() or "transparency" in image.info:
        opaque = Image.new("RGBA", image.size, (*_BACKGROUND, 255))
        rgb = np.asarray(Image.alpha_composite(opaque, image.convert("RGBA")).convert("RGB"))
    else:
        rgb = np.asarray(image if image.mode == "RGB" else image.convert("RGB"))
    return np.asarray(cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR), np.uint8)  # several times as fast as a reversed copy


def _eight_bits(grey: np.ndarray[tuple[int, ...], np.dtype[np.generic]], *, sixteen: bool) -> Pixels:
    """Scale grey values: 16-bit files use all of 0..65535, others the least usual range that holds their values."""
    values = np.nan_to_num(grey.astype(np.float64), posinf=0.0, neginf=0.0)
    most = float(values.max(initial=0.0))
    usual = (65535.0,) if sixteen else (1.0, 255.0, 65535.0) if grey.dtype.kind == "f" else (255.0, 65535.0)
    full = next((full for full in usual if most <= full), most)
    scaled: Pixels = (np.clip(values / full, 0.0, 1.0) * 255.0).round().astype(np.uint8)
    return scaled


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:120] or type(error).__name__
