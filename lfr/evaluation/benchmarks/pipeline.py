"""The whole pipeline on a video, or a folder of its frames, against OpenCV's own way: every face of every frame.

Both decode the same file, with the same number of threads, in turn. Speed
alone proves nothing, so the same run checks that the pipeline covers the
faces OpenCV finds, and raises the alerts that embedding every face of every
frame would raise.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import cv2
import numpy as np

from lfr.errors import ImageError
from lfr.evaluation.benchmarks.peers import quiet_opencv
from lfr.geometry import iou_matrix
from lfr.matching import DecisionRule, Snapshot
from lfr.models import CROP_SIDE, export_models
from lfr.pipeline import FrameResult, Recogniser, StreamProcessor, StreamSettings, find_ahead
from lfr.sources import open_source, recorded_pictures
from lfr.sources.quiet import quiet_decoder
from lfr.tracking import Tracker
from lfr.types import Embeddings, Faces, FloatArray, Frame, Pixels
from lfr.vision import ENROLMENT_POLICY, assess

__all__ = ["bench_pipeline"]

PEER_SCORE = 0.7
COVERED_PX, COVERED_IOU = 40.0, 0.5
DISTRACTOR_SEED = 20_230_417
_FOLDER_FPS = 25.0


@dataclass(frozen=True, eq=False)
class _PeerFrame:
    """What OpenCV found in one frame: (n, 4) boxes, (n, 15) raw rows, (n, 112, 112, 3) crops, (n, d) unit templates."""

    xyxy: FloatArray
    raw: FloatArray
    crops: Sequence[Pixels]
    vectors: FloatArray


class _Peer:
    """OpenCV's detector and recogniser, used as its documentation shows."""

    def __init__(self, folder: Path, resolution_wh: tuple[int, int]) -> None:
        with quiet_opencv():
            self._detector = cv2.FaceDetectorYN.create(
                str(folder / "yunet.onnx"), "", resolution_wh, PEER_SCORE, 0.3, 5000
            )
            self._recogniser = cv2.FaceRecognizerSF.create(str(folder / "sface.onnx"), "")

    def run(self, path: Path, references: FloatArray) -> list[tuple[_PeerFrame, FloatArray]]:
        """Return for every frame what was found and each face's score with every reference."""
        frames: list[tuple[_PeerFrame, FloatArray]] = []
        for pixels in _read(path):
            found = self._detector.detect(pixels)[1]
            raw: FloatArray = np.zeros((0, 15), np.float32) if found is None else np.asarray(found, np.float32)
            crops = [np.asarray(self._recogniser.alignCrop(pixels, row), np.uint8) for row in raw]
            features = [np.asarray(self._recogniser.feature(crop))[0] for crop in crops]
            vectors = np.array(features, np.float32).reshape(len(raw), references.shape[1])
            vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
            xyxy: FloatArray = np.concatenate([raw[:, :2], raw[:, :2] + raw[:, 2:4]], axis=1)
            scores = vectors @ references.T if len(raw) else np.zeros((0, len(references)), np.float32)
            frames.append((_PeerFrame(xyxy, raw, crops, vectors), scores))
        return frames


def _read(path: Path) -> Iterator[Pixels]:
    """Yield the frames of a video, or the pictures of a folder, as OpenCV reads them."""
    if path.is_dir():
        for picture in recorded_pictures(path):
            pixels = cv2.imread(str(picture), cv2.IMREAD_COLOR)
            if pixels is None:
                raise ImageError(f"{picture}: OpenCV cannot read it")
            yield np.asarray(pixels, np.uint8)
        return
    with quiet_decoder():
        capture = cv2.VideoCapture(str(path))
    while True:
        more, frame = capture.read()
        if not more:
            return
        yield np.asarray(frame, np.uint8)


def bench_pipeline(
    path: Path,
    recogniser: Recogniser,
    *,
    threads: int,
    references: int = 10_000,
    threshold: float = 0.45,
    shots: int = 5,
    detect_every: int = 2,
    repeats: int = 3,
    weights: Path | None = None,
    progress: Callable[[str], None] = lambda _: None,
) -> dict[str, Any]:
    """Time the pipeline and OpenCV on one video, in turn.

    The watchlist is every second person of the video itself whose best face
    passes the enrolment gate, among random unit vectors; the alerts that must
    agree are those of every face of every frame scored by OpenCV.

    Parameters
    ----------
    path
        The video, or a folder of its frames as pictures of one size, which are taken to be 25 a second; it stays in
        memory frame by frame and nothing of it is kept.
    recogniser
        The version to measure, made with ``threads`` threads and as many streams of the detector.
    threads
        Threads both sides get for their networks; ours looks for faces in as many frames at once.
    references
        Size of the watchlist.
    threshold, shots, detect_every
        Decision rule and detection stride of ours.
    repeats
        Runs of each side after one to warm up; medians count.
    weights
        Folder of the weight pack; None takes the installed one.
    progress
        Told what runs.

    Returns
    -------
    One row of the benchmark document.
    """
    cv2.setNumThreads(threads)
    with TemporaryDirectory() as folder, open_source(path) as source:
        progress("exporting the networks for OpenCV")
        export_models(Path(folder), to="onnx", weights=weights)
        peer = _Peer(Path(folder), source.resolution_wh)
    fps = source.fps or _FOLDER_FPS
    progress("warming up OpenCV, which also says who is in the video")
    found = [frame for frame, _ in peer.run(path, np.zeros((1, 128), np.float32))]
    snapshot, peer_references = _watchlists(found, recogniser, fps=fps, size=references)
    rule = DecisionRule(threshold=threshold, shots=shots)
    settings = StreamSettings(detect_every=detect_every)
    ours = partial(_run, path, recogniser, snapshot, rule, settings=settings, workers=threads)
    ours()
    ours_s, peer_s = [], []
    for i in range(repeats):
        progress(f"run {i + 1} of {repeats}")
        started = time.perf_counter()
        results = ours()
        ours_s.append(time.perf_counter() - started)
        started = time.perf_counter()
        every_face = peer.run(path, peer_references)
        peer_s.append(time.perf_counter() - started)
    expected = {
        snapshot.subject_ids[column]
        for _, scores in every_face
        for column in np.flatnonzero((scores >= threshold).any(axis=0))
    }
    raised = {proposal.subject_id for result in results for proposal in result.proposals}
    covered, faces = _coverage(found, results)
    our_rate, peer_rate = len(results) / median(ours_s), len(found) / median(peer_s)
    return {
        "name": path.stem,
        "ours": round(our_rate, 2),
        "peer": round(peer_rate, 2),
        "peer_name": "OpenCV FaceDetectorYN + FaceRecognizerSF, every face of every frame",
        "ratio": round(our_rate / peer_rate, 2),
        "unit": "frames/s",
        "parity": {
            "coverage": round(covered / faces, 4) if faces else None,
            "faces": faces,
            "same_alerts": raised == expected,
            "alerts": len(raised),
            "missing": sorted(expected - raised),
            "extra": sorted(raised - expected),
        },
        "version": recogniser.model.version.name,
        "threads": threads,
        "references": references,
        "detect_every": detect_every,
        "shots": shots,
        "threshold": threshold,
        "repeats": repeats,
        "ours_spread": [round(len(results) / s, 2) for s in (max(ours_s), min(ours_s))],
        "peer_spread": [round(len(found) / s, 2) for s in (max(peer_s), min(peer_s))],
        "embedded_faces": sum(result.embedded for result in results),
        "detected_faces": sum(len(frame.xyxy) for frame in found),
    }


def _run(
    path: Path,
    recogniser: Recogniser,
    snapshot: Snapshot,
    rule: DecisionRule,
    *,
    settings: StreamSettings,
    workers: int,
) -> list[FrameResult]:
    """Process the frames; those of a folder, which has no clock, are taken to be 25 a second."""
    processor = StreamProcessor(recogniser, snapshot, rule, settings=settings)
    with open_source(path) as source:
        timed = (Frame(f.index, f.index / _FOLDER_FPS, f.pixels) for f in source) if source.fps is None else source
        found = find_ahead(timed, recogniser.detect, workers=workers, detect_every=settings.detect_every)
        return [processor.process(frame, faces=faces) for frame, faces in found]


def _watchlists(
    found: Sequence[_PeerFrame], recogniser: Recogniser, *, fps: float, size: int
) -> tuple[Snapshot, FloatArray]:
    """Return the watchlist as our snapshot and as OpenCV's matrix: the same images, each with its own model.

    Every second person whose best face in the video passes the enrolment gate, among random unit vectors.
    """
    tracker = Tracker()
    best: dict[int, tuple[float, Pixels, FloatArray]] = {}
    for i, frame in enumerate(found):
        faces = Faces(frame.xyxy, frame.raw[:, 4:14].reshape(-1, 5, 2).copy(), frame.raw[:, 14].copy())
        quality = assess(faces, np.array(frame.crops, np.uint8).reshape(-1, CROP_SIDE, CROP_SIDE, 3))
        usable = ENROLMENT_POLICY.passed(quality)
        tracks = tracker.update(faces, time_s=i / fps)
        for track, row, confirmed in zip(tracks.track_id.tolist(), tracks.face_index, tracks.confirmed, strict=True):
            if confirmed and row >= 0 and usable[row] and quality.shot[row] > best.get(track, (-1.0,))[0]:
                best[track] = (float(quality.shot[row]), frame.crops[row], frame.vectors[row])
    enrolled = [(crop, vector) for _, (_, crop, vector) in sorted(best.items())][::2]
    noise = np.random.default_rng(DISTRACTOR_SEED).standard_normal((size - len(enrolled), 128)).astype(np.float32)
    noise /= np.linalg.norm(noise, axis=1, keepdims=True)
    subjects = tuple([f"person-{i}" for i in range(len(enrolled))] + [f"random-{i}" for i in range(len(noise))])
    crops = np.array([crop for crop, _ in enrolled], np.uint8).reshape(-1, CROP_SIDE, CROP_SIDE, 3)
    ours = np.concatenate([recogniser.embed(crops).vectors, noise])
    theirs = np.concatenate([*[vector[None] for _, vector in enrolled], noise])
    return Snapshot(Embeddings(ours, recogniser.model.digest), subjects), theirs


def _coverage(found: Sequence[_PeerFrame], results: Sequence[FrameResult]) -> tuple[int, int]:
    """Return how many of OpenCV's faces of 40 px and more ours has a face or a track on, and how many there are."""
    covered = faces = 0
    for frame, result in zip(found, results, strict=True):
        wanted = frame.xyxy[frame.xyxy[:, 3] - frame.xyxy[:, 1] >= COVERED_PX]
        ours = np.concatenate([result.faces.xyxy, result.tracks.xyxy])
        faces += len(wanted)
        if len(wanted) and len(ours):
            covered += int((iou_matrix(wanted, ours).max(axis=1) >= COVERED_IOU).sum())
    return covered, faces
