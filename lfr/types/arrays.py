"""Arrays with stated shapes.

Pixels are BGR ``uint8`` as OpenCV decodes them. Boxes are ``xyxy`` in
pixels of the frame they belong to: left, top, right, bottom, with the
right and bottom edges outside the box.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

__all__ = ["BoolArray", "Candidates", "Embeddings", "Faces", "FloatArray", "Frame", "IntArray", "Pixels", "Tracks"]

Pixels = NDArray[np.uint8]
FloatArray = NDArray[np.float32]
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]


def _expect(name: str, array: NDArray[np.generic], shape: tuple[int | None, ...], dtype: type[np.generic]) -> None:
    """Raise ``ValueError`` unless ``array`` has ``shape`` (None: any length) and ``dtype``."""
    fits = array.ndim == len(shape) and all(want in (None, got) for want, got in zip(shape, array.shape, strict=True))
    if not fits or array.dtype != np.dtype(dtype):
        wanted = tuple("n" if length is None else length for length in shape)
        raise ValueError(f"{name}: expected {np.dtype(dtype)} of shape {wanted}, got {array.dtype} of {array.shape}")


@dataclass(frozen=True, eq=False)
class Frame:
    """One picture of a source.

    Attributes
    ----------
    index
        Position in the source, from 0. A live source that dropped frames skips numbers.
    time_s
        Seconds on the source's own clock: media time of a file, seconds since
        the epoch at capture for a live source. Never falls within a source.
    pixels
        (height, width, 3) BGR.
    """

    index: int
    time_s: float
    pixels: Pixels

    def __post_init__(self) -> None:
        _expect("Frame.pixels", self.pixels, (None, None, 3), np.uint8)

    @property
    def resolution_wh(self) -> tuple[int, int]:
        """Width and height in pixels."""
        return self.pixels.shape[1], self.pixels.shape[0]


@dataclass(frozen=True, eq=False)
class Faces:
    """Faces found in one image.

    Attributes
    ----------
    xyxy
        (n, 4) boxes in pixels.
    landmarks
        (n, 5, 2) x and y of right eye, left eye, nose tip, right and left
        mouth corner; right and left are the person's own.
    score
        (n,) detector confidence in 0..1.
    """

    xyxy: FloatArray
    landmarks: FloatArray
    score: FloatArray

    def __post_init__(self) -> None:
        n = len(self.xyxy)
        _expect("Faces.xyxy", self.xyxy, (n, 4), np.float32)
        _expect("Faces.landmarks", self.landmarks, (n, 5, 2), np.float32)
        _expect("Faces.score", self.score, (n,), np.float32)

    @classmethod
    def empty(cls) -> Faces:
        """No faces."""
        return cls(np.zeros((0, 4), np.float32), np.zeros((0, 5, 2), np.float32), np.zeros(0, np.float32))

    def __len__(self) -> int:
        return len(self.xyxy)

    def __getitem__(self, index: BoolArray | IntArray | slice) -> Faces:
        """The faces a mask, an index array or a slice selects."""
        return Faces(self.xyxy[index], self.landmarks[index], self.score[index])

    @property
    def size_px(self) -> FloatArray:
        """(n,) shorter side of each box in pixels."""
        sides: FloatArray = self.xyxy[:, 2:] - self.xyxy[:, :2]
        return sides.min(axis=1) if len(self) else np.zeros(0, np.float32)


@dataclass(frozen=True, eq=False)
class Embeddings:
    """Templates of one model.

    Attributes
    ----------
    vectors
        (n, d) rows of unit length, so that a dot product is a cosine.
    model_digest
        Digest of the model version that made them. Templates of different
        digests are never compared.
    """

    vectors: FloatArray = field(repr=False)
    model_digest: str

    def __post_init__(self) -> None:
        _expect("Embeddings.vectors", self.vectors, (None, None), np.float32)

    def __len__(self) -> int:
        return len(self.vectors)

    def __getitem__(self, index: BoolArray | IntArray | slice) -> Embeddings:
        """The templates a mask, an index array or a slice selects."""
        return Embeddings(self.vectors[index], self.model_digest)


@dataclass(frozen=True, eq=False)
class Candidates:
    """The best references for each probe, best first.

    Attributes
    ----------
    index
        (probes, k) row of the reference in the snapshot that was searched.
    score
        (probes, k) cosine similarity, higher is more alike, non-increasing along k.
    """

    index: IntArray
    score: FloatArray

    def __post_init__(self) -> None:
        _expect("Candidates.index", self.index, (None, None), np.int64)
        _expect("Candidates.score", self.score, self.index.shape, np.float32)

    def __len__(self) -> int:
        return len(self.index)


@dataclass(frozen=True, eq=False)
class Tracks:
    """The tracks of one camera after one frame.

    Attributes
    ----------
    track_id
        (n,) number of each current track; never used twice by one tracker.
    xyxy
        (n, 4) box in this frame, predicted where no face was assigned.
    face_index
        (n,) row of the assigned face in the ``Faces`` given, or -1.
    confirmed
        (n,) whether the track has enough detections to count as a person's pass.
    ended
        (k,) numbers of the confirmed tracks that ended with this frame.
    """

    track_id: IntArray
    xyxy: FloatArray
    face_index: IntArray
    confirmed: BoolArray
    ended: IntArray

    def __post_init__(self) -> None:
        n = len(self.track_id)
        _expect("Tracks.track_id", self.track_id, (n,), np.int64)
        _expect("Tracks.xyxy", self.xyxy, (n, 4), np.float32)
        _expect("Tracks.face_index", self.face_index, (n,), np.int64)
        _expect("Tracks.confirmed", self.confirmed, (n,), np.bool_)
        _expect("Tracks.ended", self.ended, (None,), np.int64)

    def __len__(self) -> int:
        return len(self.track_id)
