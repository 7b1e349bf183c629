"""Frames a second through the detector, against OpenCV's on the same network in float32."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Any

import cv2
import numpy as np

from lfr.errors import InputError
from lfr.evaluation.benchmarks.peers import SCORE_THRESHOLD, equal_threads
from lfr.evaluation.benchmarks.timing import Progress, benchmark_row, interleave
from lfr.evaluation.detection import Finder
from lfr.geometry import iou_matrix
from lfr.models import Model
from lfr.types import Faces, Frame, Pixels
from lfr.vision import Detector

__all__ = ["FRAME_WH", "bench_detect", "box_parity", "read_frames"]

FRAME_WH = (1280, 736)
"""Both sides are multiples of 32, so neither detector pads."""

PARITY_IOU = 0.9
_TIMED_FRAMES = 16


def read_frames(frames: Iterable[Frame], *, most: int = 120) -> list[Pixels]:
    """Return the first ``most`` frames at 1280x736.

    Raises
    ------
    InputError
        There is no frame.
    """
    pictures = [_resized(frame.pixels) for frame in islice(frames, most)]
    if not pictures:
        raise InputError("there is no frame to detect faces in")
    return pictures


def bench_detect(
    model: Model,
    frames: Sequence[Pixels],
    *,
    peer: Finder,
    threads: int,
    repeats: int = 5,
    progress: Progress = iter,
) -> list[dict[str, Any]]:
    """Time the detector against OpenCV's ``FaceDetectorYN`` on the same frames.

    Both detect at the frame's own size, at a score of 0.7 and over. Parity is
    over all frames; up to 16 of them, evenly chosen, are timed.

    Parameters
    ----------
    model
        The version to measure, made with ``threads`` threads.
    frames
        (height, width, 3) BGR pictures, all of one size with sides that are multiples of 32.
    peer
        OpenCV's detector at `SCORE_THRESHOLD`: `lfr.evaluation.benchmarks.peers.opencv_detector`.
    threads
        Threads that OpenCV gets.
    repeats
        As for `lfr.evaluation.benchmarks.timing.interleave`.
    progress
        Wraps the turns.

    Returns
    -------
    One row of the benchmark document.

    Raises
    ------
    RuntimeUnavailableError
        A package of the extra ``bench`` is not installed.
    """
    ours = Detector(model.detector, score_threshold=SCORE_THRESHOLD).detect
    height, width = frames[0].shape[:2]
    with equal_threads(threads):
        parity = box_parity([ours(pixels) for pixels in frames], [peer(pixels) for pixels in frames])
        timed = [frames[i] for i in np.unique(np.linspace(0, len(frames) - 1, _TIMED_FRAMES).round().astype(int))]
        timing = interleave(
            lambda: [ours(pixels) for pixels in timed],
            lambda: [peer(pixels) for pixels in timed],
            repeats=repeats,
            progress=progress,
        )
    row = benchmark_row(
        f"detect, {width}x{height}",
        timing,
        items=len(timed),
        unit="frames",
        peer_name="OpenCV FaceDetectorYN, float32",
        parity=parity,
        version=model.version.name,
        threads=threads,
    )
    return [row]


def box_parity(ours: Sequence[Faces], peer: Sequence[Faces]) -> dict[str, Any]:
    """Compare what two detectors found, frame by frame.

    Parameters
    ----------
    ours, peer
        Faces of each frame.

    Returns
    -------
    ``matched``: share of the peer's boxes that one of ours overlaps with an IoU of at least 0.9, None
    without any; ``boxes``: how many boxes of the peer there are; ``ours_only``: how many of ours overlap
    none of the peer's so; ``frames``.
    """
    matched = boxes = ours_only = 0
    for found, expected in zip(ours, peer, strict=True):
        same = iou_matrix(expected.xyxy, found.xyxy) >= PARITY_IOU
        boxes += len(expected)
        matched += int(same.any(axis=1).sum())
        ours_only += int((~same.any(axis=0)).sum())
    share = round(matched / boxes, 4) if boxes else None
    return {"matched": share, "iou": PARITY_IOU, "boxes": boxes, "ours_only": ours_only, "frames": len(ours)}


def _resized(pixels: Pixels) -> Pixels:
    if (pixels.shape[1], pixels.shape[0]) == FRAME_WH:
        return pixels
    resized: Pixels = cv2.resize(pixels, FRAME_WH, interpolation=cv2.INTER_AREA).astype(np.uint8)
    return resized
