"""Somebody who is on no list, in a frame that is known again wherever a part of it lies."""

from __future__ import annotations

import base64
import re
import secrets
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import fft

from lfr.models import Model
from lfr.pipeline import Recogniser
from lfr.sources import decode_image
from lfr.sources.images import MIN_SIDE_PX
from lfr.types import Pixels
from tests.support.memory import marked_jpeg
from tests.support.served import STRANGER, walk

__all__ = ["OVERLAP", "Canary"]

OVERLAP = 1 << 14
"""Bytes that blocks of what is searched must share, so that nothing is missed between them."""
_BLOCK_PX, _CELL = 16, 16
_ALIKE = 0.9
_NEAR, _FIRST = 0.01, 8
_JPEG, _PNG = b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n"
_MOST_PICTURES = 200
_BACKGROUND = 90  # of `walk`
Floats = NDArray[np.float32]


@dataclass(frozen=True)
class _Shape:
    """A run of values as it lies in memory, in means of `_CELL` values, without its mean and of unit length."""

    name: str
    cells: Floats


class Canary:
    """A frame in which a stranger stands before a pattern of blocks, with a mark among its bytes.

    What of them lies anywhere is found by the mark (the encoded frame; as bytes, in hexadecimal digits and base64), by
    correlation with the pattern and with the face's aligned crop (pixels, whole numbers or float32, in rows or
    planes; and JPEG and PNG that were made of them again), and by nearness to the template (float32, float64, text).

    Parameters
    ----------
    model
        What the service runs, so that its templates are known.
    """

    def __init__(self, model: Model) -> None:
        self._mark, self._at = secrets.token_bytes(16), datetime.now(UTC)
        rng = np.random.default_rng(int.from_bytes(self._mark[:4], "big"))
        self._grid = rng.integers(0, 2, (23, 40)).astype(np.uint8)
        pattern = np.kron(self._grid * 90 + 60, np.ones((_BLOCK_PX, _BLOCK_PX), np.uint8))[:360]
        # One picture again and again, so that there is one crop and one template to look for.
        pixels = decode_image(next(walk(STRANGER)), name="a walk")
        free = (np.abs(pixels.astype(int) - _BACKGROUND).max(axis=2) < 12)[..., None]
        drawn = np.where(free, pattern[..., None], pixels).astype(np.uint8)
        self.jpeg = marked_jpeg(_encoded(drawn), self._mark)
        self.marks_each = self.jpeg.count(self._mark)
        self._recogniser = Recogniser(model)
        shown = decode_image(self.jpeg, name="a walk")
        crops, _ = self._recogniser.crops(shown, self._recogniser.detect(shown)[:1])
        self._template = self._recogniser.embed(crops).vectors[0]
        self._bytes = [_shape("picture", shown[:3]), _shape("crop", crops[0, 40:56])]
        self._bytes.append(_shape("plane", np.repeat(shown[:1, :, 0], 8, axis=0)))
        self._floats = [_shape("plane", np.repeat(shown[:1, :, 0], 8, axis=0))]
        encoded = [base64.b64encode(bytes(shift) + self._mark)[4:-4] for shift in range(3)]
        self._needles = [self._mark, self._mark.hex().encode(), *encoded]
        # Cut, not rounded, so that they begin as the whole numbers do; none so small that it is written otherwise.
        large = np.abs(self._template) > 0.01
        at = int(np.flatnonzero(large[:-1] & large[1:])[0])
        first, second = (f"{value:.9f}"[:6] for value in self._template[at : at + 2])
        self._text = re.compile(rf"{re.escape(first)}\d*(e-?\d+)?[,;\s\]\[]+{re.escape(second)}".encode())

    def stand(self, frames: int) -> Iterator[tuple[bytes, datetime]]:
        """The stranger stands there: so many frames, ten a second, each later than all before."""
        for _ in range(frames):
            self._at += timedelta(seconds=0.1)
            yield self.jpeg, self._at

    def marks(self, content: bytes) -> Counter[str]:
        """What of the canary lies in some bytes and needs no arithmetic: marks, and text."""
        found = Counter(mark=sum(content.count(needle) for needle in self._needles))
        found["text"] = len(self._text.findall(content))
        return +found

    def found(self, content: bytes) -> Counter[str]:
        """Count all of the canary that lies in some bytes."""
        found = self.marks(content)
        for shift in range(4):
            found["template"] += self._templates(np.frombuffer(content[shift:], np.uint8))
        found.update(self._pixels(content))
        found.update(self._pictures(content))
        return +found

    def bytes_in_memory(self, content: bytes) -> Counter[str]:
        """Count what of the canary lies in memory and takes little to find: marks and templates."""
        found = Counter(mark=content.count(self._mark))
        found["template"] += self._templates(np.frombuffer(content, np.uint8))
        return +found

    def found_in_memory(self, content: bytes) -> Counter[str]:
        """As `found`, of memory: arrays lie at multiples of their numbers' size, and nothing is spelt out."""
        found = self.bytes_in_memory(content)
        if np.frombuffer(content, np.uint8).any():  # most memory is blank
            found.update(self._pixels(content))
        return +found

    def shows(self, encoded: bytes) -> bool:
        """Whether a picture shows the stranger, so that a recogniser would know them."""
        pixels = decode_image(encoded, name="a picture")
        faces = self._recogniser.detect(pixels)
        if not len(faces):
            return False
        crops, _ = self._recogniser.crops(pixels, faces)
        return bool((self._recogniser.embed(crops).vectors @ self._template).max() > 0.5)

    def _templates(self, raw: NDArray[np.uint8]) -> int:
        count = 0
        for kind in (np.float32, np.float64):
            size = np.dtype(kind).itemsize
            values = raw[: len(raw) // size * size].view(kind)
            if len(values) < len(self._template):
                continue
            last = len(values) - len(self._template) + 1
            with np.errstate(all="ignore"):
                places = np.flatnonzero(np.abs(values[:last] - self._template[0]) < _NEAR)
                for offset in range(1, _FIRST):
                    places = places[np.abs(values[places + offset] - self._template[offset]) < _NEAR]
                for place in places:
                    run = values[place : place + len(self._template)].astype(np.float64)
                    count += bool(run @ self._template / (np.linalg.norm(run) + 1e-9) > _ALIKE)
        return count

    def _pixels(self, content: bytes) -> Counter[str]:
        found: Counter[str] = Counter()
        raw = np.frombuffer(content, np.uint8)
        found.update(_like(_cells(raw), self._bytes))
        floats = raw[: len(raw) // 4 * 4].view(np.float32)
        with np.errstate(all="ignore"):
            cells = _cells(floats)
            found.update(_like(np.where(np.abs(cells) < 256, cells, 0), self._floats))
        return found

    def _pictures(self, content: bytes) -> Counter[str]:
        """JPEG and PNG among the bytes that show the pattern or the person, made anew and at any size."""
        found: Counter[str] = Counter()
        places = [match.start() for match in re.finditer(re.escape(_JPEG) + b"|" + re.escape(_PNG), content)]
        for place in places[:_MOST_PICTURES]:
            picture = cv2.imdecode(np.frombuffer(content, np.uint8, offset=place), cv2.IMREAD_COLOR)
            if picture is None or min(picture.shape[:2]) < MIN_SIDE_PX:
                continue
            pixels: Pixels = picture.astype(np.uint8)
            grid = cv2.resize(pixels, (40, 23), interpolation=cv2.INTER_AREA).mean(axis=2)
            alike = np.corrcoef(grid.ravel(), self._grid.ravel())[0, 1] if grid.std() > 1 else 0.0
            if alike > 0.5 or self.shows(_encoded(pixels)):
                found["encoded again"] += 1
        return found


def _encoded(pixels: Pixels) -> bytes:
    done, data = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, 95])
    assert done
    return data.tobytes()


def _cells(values: NDArray[Any]) -> Floats:
    whole = values[: len(values) // _CELL * _CELL].reshape(-1, _CELL)
    means: Floats = whole @ np.full(_CELL, 1 / _CELL, np.float32)
    return means


def _shape(name: str, pixels: Pixels) -> _Shape:
    cells = _cells(np.ascontiguousarray(pixels).reshape(-1).astype(np.float32))
    cells = cells - cells.mean()
    return _Shape(name, cells / np.linalg.norm(cells))


def _like(cells: Floats, shapes: list[_Shape]) -> Counter[str]:
    """Count the places at which cells correlate with each shape (normalised cross-correlation)."""
    found: Counter[str] = Counter()
    if not len(cells):
        return found
    size = fft.next_fast_len(len(cells), real=True)  # what wraps round is cut off below
    spectrum = fft.rfft(cells, size)
    sums, squares = (np.concatenate([[0.0], np.cumsum(part, dtype=np.float64)]) for part in (cells, cells**2))
    for shape in shapes:
        length = len(shape.cells)
        if len(cells) < length:
            continue
        overlap = fft.irfft(spectrum * np.conj(fft.rfft(shape.cells, size)), size)[: len(cells) - length + 1]
        total = sums[length:] - sums[:-length]
        spread = squares[length:] - squares[:-length] - total**2 / length
        places = np.flatnonzero((overlap > _ALIKE * np.sqrt(np.maximum(spread, 0))) & (spread > length))
        found[shape.name] += 0 if not len(places) else 1 + int((np.diff(places) > length // 2).sum())
    return found
