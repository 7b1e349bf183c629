"""Detector precision and recall against labelled boxes."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from lfr.errors import ManifestError
from lfr.geometry import iou_matrix
from lfr.sources import read_image
from lfr.statistics import Rate, rates_over_subjects
from lfr.types import BoolArray, Faces, FloatArray, IntArray, Pixels

__all__ = [
    "ALL_SCORES",
    "MIN_WIDTH_PX",
    "DetectionResult",
    "Finder",
    "LabelledImage",
    "evaluate_detection",
    "find_faces",
    "opencv_finder",
    "precision_recall",
    "read_wider",
]

Finder = Callable[[Pixels], Faces]
"""Takes a (height, width, 3) BGR picture and returns its faces, for example ``Detector.detect``."""

ALL_SCORES = 0.02
"""Score threshold for a detector whose whole precision-recall curve is wanted."""

MIN_WIDTH_PX = 10.0
_MATCH_IOU = 0.5
_ROUNDING_PX = 1e-3
_STORED_SIDE = 416


@dataclass(frozen=True, eq=False)
class LabelledImage:
    """A picture with its true faces.

    Attributes
    ----------
    path
        The file as stored.
    resolution_wh
        Width and height that the picture is brought to before it is looked at.
    xyxy
        (n, 4) true boxes at that resolution.
    ignored
        (n,) boxes that a detector may find or miss without it counting.
    """

    path: Path
    resolution_wh: tuple[int, int]
    xyxy: FloatArray
    ignored: BoolArray

    def pixels(self) -> Pixels:
        """Read the picture at ``resolution_wh``.

        Raises
        ------
        ImageError
            The file is missing or no image.
        """
        stored = read_image(self.path)
        if (stored.shape[1], stored.shape[0]) == self.resolution_wh:
            return stored
        restored: Pixels = cv2.resize(stored, self.resolution_wh, interpolation=cv2.INTER_AREA).astype(np.uint8)
        return restored


@dataclass(frozen=True, eq=False)
class DetectionResult:
    """The precision-recall curve of a detector.

    Attributes
    ----------
    score
        (k,) detections that count, highest first: element i accepts detections 0 to i.
    correct
        (k,) whether each is a true face.
    image
        (k,) picture of each, as a row of ``faces_in``.
    faces_in
        (pictures,) true faces in each that count; at least 1 in all.
    """

    score: FloatArray
    correct: BoolArray
    image: IntArray
    faces_in: IntArray

    @property
    def faces(self) -> int:
        """True faces that count."""
        return int(self.faces_in.sum())

    @property
    def recall(self) -> NDArray[np.float64]:
        """(k,) share of the true faces found."""
        return np.cumsum(self.correct) / self.faces

    @property
    def precision(self) -> NDArray[np.float64]:
        """(k,) share of the detections that are true faces."""
        return np.cumsum(self.correct) / np.arange(1, len(self.correct) + 1)

    @property
    def average_precision(self) -> float:
        """Area under precision over recall, interpolated at all points.

        Precision at a recall is the best at that recall or a higher one:
        Everingham et al., "The PASCAL Visual Object Classes Challenge 2010
        development kit", section 3.4.1. 0 where nothing was found.
        """
        best_from_here = np.maximum.accumulate(self.precision[::-1])[::-1]
        steps = np.diff(self.recall, prepend=0.0)
        return float(np.sum(steps * best_from_here))

    def at(self, score_threshold: float) -> tuple[Rate, Rate]:
        """Precision and recall of the detections at or over a score, with intervals over pictures."""
        taken = self.score.astype(np.float64) >= score_threshold
        pictures = len(self.faces_in)
        found = np.bincount(self.image[taken], minlength=pictures)
        right = np.bincount(self.image[taken & self.correct], minlength=pictures)
        precision, recall = (rates_over_subjects(right, of)[0] for of in (found, self.faces_in))
        return precision, recall

    def as_dict(self) -> dict[str, Any]:
        """Return the documented JSON form."""
        return {"faces": self.faces, "average_precision": self.average_precision}


def read_wider(folder: Path, *, min_width_px: float = MIN_WIDTH_PX) -> list[LabelledImage]:
    """Read the WIDER FACE subset: ``gt.csv`` and ``images``, stored stretched to 416x416.

    The aspect is restored by the height, so that every picture is 416 pixels
    wide and a box keeps its stored width.

    Parameters
    ----------
    folder
        Holds ``gt.csv`` and ``images``.
    min_width_px
        Narrower boxes are ignored, as are those the data set marks invalid.

    Raises
    ------
    ManifestError
        ``gt.csv`` cannot be read, lacks a column or holds a value that is not a number; the line is named.
    """
    path = folder / "gt.csv"
    boxes: dict[str, list[list[float]]] = {}
    heights: dict[str, int] = {}
    try:
        with path.open(newline="", encoding="utf-8") as file:
            for number, row in enumerate(csv.DictReader(file), start=2):
                try:
                    x, y, width, height = (float(row[name]) for name in ("x416", "y416", "w416", "h416"))
                    aspect = float(row["orig_h"]) / float(row["orig_w"])
                    invalid = float(row["invalid"])
                    boxes.setdefault(row["image"], []).append(
                        [x, y * aspect, x + width, (y + height) * aspect, invalid]
                    )
                except (KeyError, TypeError, ValueError, ZeroDivisionError) as error:
                    raise ManifestError(f"{path}, line {number}: missing or not a number: {error}") from error
                heights[row["image"]] = max(1, round(_STORED_SIDE * aspect))
    except OSError as error:
        raise ManifestError(f"{path}: cannot read the labels: {error.strerror}") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise ManifestError(f"{path}: not a CSV file in UTF-8: {error}") from error
    images = []
    for name, rows in boxes.items():
        table = np.array(rows, np.float32)
        too_narrow = table[:, 2] - table[:, 0] < min_width_px - _ROUNDING_PX
        images.append(
            LabelledImage(
                folder / "images" / name,
                (_STORED_SIDE, heights[name]),
                table[:, :4],
                too_narrow | (table[:, 4] != 0),
            )
        )
    return images


def evaluate_detection(
    images: Sequence[LabelledImage],
    finder: Finder,
    *,
    min_width_px: float = MIN_WIDTH_PX,
    progress: Callable[[Iterable[LabelledImage]], Iterable[LabelledImage]] = iter,
) -> DetectionResult:
    """Run a detector over labelled pictures.

    Parameters
    ----------
    images
        Pictures and their boxes.
    finder
        The detector, with a score threshold as low as the curve is to reach, for example `ALL_SCORES`.
    min_width_px
        A detection narrower than this that finds no counted face does not count either.
    progress
        Wraps the pictures, to show progress.

    Raises
    ------
    ImageError
        A picture is missing or broken.
    """
    return precision_recall(find_faces(images, finder, progress=progress), images, min_width_px=min_width_px)


def find_faces(
    images: Sequence[LabelledImage],
    finder: Finder,
    *,
    progress: Callable[[Iterable[LabelledImage]], Iterable[LabelledImage]] = iter,
) -> list[Faces]:
    """Run a detector over labelled pictures: what it found in each, for `precision_recall` over several sizes.

    Parameters and errors are those of `evaluate_detection`.
    """
    return [finder(image.pixels()) for image in progress(images)]


def precision_recall(
    found: Sequence[Faces],
    images: Sequence[LabelledImage],
    *,
    min_width_px: float = MIN_WIDTH_PX,
    max_width_px: float = np.inf,
) -> DetectionResult:
    """Match detections with true boxes at an IoU of at least 0.5.

    In each picture, from the highest score down, a detection takes the counted
    true box that it overlaps most and that none has taken. One that takes none
    is a false detection, unless it overlaps an ignored box as much or its
    width is not in the range asked for: then it does not count.

    Parameters
    ----------
    found, images
        Detections and truth, picture by picture.
    min_width_px, max_width_px
        True boxes of at least the one and under the other count; others are ignored.

    Raises
    ------
    ManifestError
        No true face counts, so there is nothing to find.
    """

    def outside(xyxy: FloatArray, slack_px: float = 0.0) -> BoolArray:
        width = xyxy[:, 2] - xyxy[:, 0] + slack_px
        return np.asarray((width < min_width_px) | (width >= max_width_px))

    # Float32 of a labelled 10 px is not always 10.
    ignored = [image.ignored | outside(image.xyxy, _ROUNDING_PX) for image in images]
    faces_in = np.array([np.count_nonzero(~left_out) for left_out in ignored], np.int64)
    if not faces_in.any():
        raise ManifestError("detection: no labelled face is large enough to count")
    scores, correct, counted_in = [np.zeros(0, np.float32)], [np.zeros(0, np.bool_)], [np.zeros(0, np.int64)]
    for number, (faces, image, left_out) in enumerate(zip(found, images, ignored, strict=True)):
        ordered = faces[np.argsort(-faces.score, kind="stable")]
        is_true = _matched(ordered.xyxy, image.xyxy[~left_out])
        on_ignored = iou_matrix(ordered.xyxy, image.xyxy[left_out]).max(axis=1, initial=0.0) >= _MATCH_IOU
        counts = is_true | ~(on_ignored | outside(ordered.xyxy))
        scores.append(ordered.score[counts])
        correct.append(is_true[counts])
        counted_in.append(np.full(int(counts.sum()), number))
    score = np.concatenate(scores)
    order = np.argsort(-score, kind="stable")
    return DetectionResult(score[order], np.concatenate(correct)[order], np.concatenate(counted_in)[order], faces_in)


def opencv_finder(graph: bytes, *, score_threshold: float = ALL_SCORES, nms_iou: float = 0.3) -> Finder:
    """Return OpenCV's ``FaceDetectorYN`` on an ONNX graph of YuNet, to compare with.

    Parameters
    ----------
    graph
        Serialised ONNX, as `lfr.models.onnx_bytes` gives it.
    score_threshold, nms_iou
        As for `lfr.vision.Detector`.
    """
    level = cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_ERROR)  # it warns of a target it sets itself
    try:
        detector = cv2.FaceDetectorYN.create(
            "onnx", np.frombuffer(graph, np.uint8), np.zeros(0, np.uint8), (32, 32), score_threshold, nms_iou, 5000
        )
    finally:
        cv2.utils.logging.setLogLevel(level)

    def find(pixels: Pixels) -> Faces:
        detector.setInputSize((pixels.shape[1], pixels.shape[0]))
        rows: object = detector.detect(pixels)[1]  # None where there is no face, whatever OpenCV's stubs say
        table = np.zeros((0, 15), np.float32) if rows is None else np.asarray(rows, np.float32)
        xyxy = np.concatenate([table[:, :2], table[:, :2] + table[:, 2:4]], axis=1)
        return Faces(xyxy, table[:, 4:14].reshape(-1, 5, 2), table[:, 14])

    return find


def _matched(detected: FloatArray, truth: FloatArray) -> BoolArray:
    """(n,) whether each detection, best first, takes a true box."""
    iou = iou_matrix(detected, truth)
    takes = np.zeros(len(detected), np.bool_)
    if not len(truth):
        return takes
    for row, overlap in enumerate(iou):
        best = int(overlap.argmax())
        if overlap[best] >= _MATCH_IOU:
            takes[row] = True
            iou[:, best] = 0.0
    return takes
