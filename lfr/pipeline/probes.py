"""The picture of a face that an officer will see, held in memory only until its track has been decided."""

from __future__ import annotations

from dataclasses import dataclass, field

import cv2
import numpy as np

from lfr.errors import ImageError
from lfr.geometry import clip_xyxy
from lfr.pipeline.preview import draw_preview
from lfr.pipeline.stream import FrameResult
from lfr.types import Faces, FloatArray, Pixels, Tracks

__all__ = ["Probes"]

_MARGIN = 0.5
_LONGEST_SIDE_PX = 512
_JPEG_QUALITY = 92


@dataclass(eq=False)
class Probes:
    """One crop for each current track: of the frame that is being decided on.

    A track that no frame has decided may be decided by its end, when its
    person is gone from the picture, so the last crop with a face stays until
    then. Others in it are blurred. What is dropped is overwritten.
    """

    _crops: dict[int, Pixels] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self._crops)

    def update(self, pixels: Pixels, result: FrameResult) -> None:
        """Take the crops of a frame's confirmed tracks that have a face in it."""
        tracks = result.tracks
        for row in np.flatnonzero(tracks.confirmed & (tracks.face_index >= 0)).tolist():
            self._drop(int(tracks.track_id[row]))
            self._crops[int(tracks.track_id[row])] = _crop(pixels, row, result.faces, tracks)

    def jpeg(self, track_id: int) -> bytes:
        """Return a track's crop as a JPEG.

        Raises
        ------
        ImageError
            There is none, or it cannot be encoded.
        """
        crop = self._crops.get(track_id)
        if crop is None:
            raise ImageError(f"track {track_id}: no picture of its face is held")
        encoded, data = cv2.imencode(".jpg", crop, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
        if not encoded:
            raise ImageError(f"track {track_id}: its face cannot be encoded")
        return data.tobytes()

    def forget_ended(self, tracks: Tracks) -> None:
        """Overwrite and drop the crops of tracks that are no longer current."""
        self.keep_only(set(tracks.track_id.tolist()))

    def keep_only(self, track_ids: set[int]) -> None:
        """Overwrite and drop the crops of every other track."""
        for track_id in [t for t in self._crops if t not in track_ids]:
            self._drop(track_id)

    def forget(self) -> None:
        """Overwrite and drop every crop."""
        for track_id in list(self._crops):
            self._drop(track_id)

    def _drop(self, track_id: int) -> None:
        crop = self._crops.pop(track_id, None)
        if crop is not None:
            crop[:] = 0


def _crop(pixels: Pixels, row: int, faces: Faces, tracks: Tracks) -> Pixels:
    face = tracks.xyxy[row]
    rows, columns = _cells(pixels, face, margin=_MARGIN)
    corner = np.array([columns.start, rows.start] * 2, np.float32)
    others = np.arange(len(tracks)) != row
    rest = np.arange(len(faces)) != tracks.face_index[row]
    part = np.ascontiguousarray(pixels[rows, columns])
    moved = Tracks(
        tracks.track_id[others],
        tracks.xyxy[others] - corner,
        np.full(int(others.sum()), -1, np.int64),
        tracks.confirmed[others],
        np.zeros(0, np.int64),
    )
    beside = Faces(faces.xyxy[rest] - corner, faces.landmarks[rest], faces.score[rest])
    shown = draw_preview(part, faces=beside, tracks=moved, alerted={})
    # A neighbour's blur reaches beyond their box; this face itself stays as it was.
    own = _cells(part, face - corner, margin=0.0)
    shown[own] = part[own]
    longest = max(shown.shape[:2])
    if longest > _LONGEST_SIDE_PX:
        scale = _LONGEST_SIDE_PX / longest
        size = (max(1, round(shown.shape[1] * scale)), max(1, round(shown.shape[0] * scale)))
        small = np.asarray(cv2.resize(shown, size, interpolation=cv2.INTER_AREA), np.uint8)
        shown[:] = 0
        shown = small
    part[:] = 0
    return shown


def _cells(pixels: Pixels, xyxy: FloatArray, *, margin: float) -> tuple[slice, slice]:
    """The rows and columns of a box grown by a share of its sides, at least one of each."""
    width, height = xyxy[2] - xyxy[0], xyxy[3] - xyxy[1]
    grown = xyxy + np.array([-width, -height, width, height], np.float32) * np.float32(margin)
    left, top, right, bottom = clip_xyxy(grown[None], (pixels.shape[1], pixels.shape[0]))[0].astype(int).tolist()
    left, top = min(left, pixels.shape[1] - 1), min(top, pixels.shape[0] - 1)
    return slice(top, max(top + 1, bottom)), slice(left, max(left + 1, right))
