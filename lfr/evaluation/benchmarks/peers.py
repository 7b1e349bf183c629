"""What benchmarks are measured against: the extra packages they need, and their numbers of threads."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

import cv2
import numpy as np

from lfr.errors import RuntimeUnavailableError
from lfr.evaluation.detection import Finder, opencv_finder
from lfr.models import onnx_bytes, weights_folder
from lfr.models.network import ImageNetwork
from lfr.models.weights import load_sface, load_yunet
from lfr.types import FloatArray, Pixels

__all__ = [
    "SCORE_THRESHOLD",
    "FaceEmbedder",
    "equal_threads",
    "extra",
    "opencv_detector",
    "opencv_recogniser",
    "quiet_opencv",
    "sface_onnx",
    "yunet_onnx",
]

FaceEmbedder = Callable[[Pixels], FloatArray]
"""Takes one (112, 112, 3) BGR crop and returns its (128,) template, not of unit length."""

SCORE_THRESHOLD = 0.7
"""Score from which both detectors count a face, which is the default of ours."""


def extra(name: str) -> ModuleType:
    """Import a package of the extra ``bench``.

    Raises
    ------
    RuntimeUnavailableError
        It is not installed.
    """
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise RuntimeUnavailableError(f"this benchmark needs {name}: pip install 'lfr[bench]'") from error


@contextmanager
def equal_threads(threads: int) -> Iterator[None]:
    """Give OpenCV, numpy's BLAS and OpenMP (faiss) the same number of threads, then as before.

    Model versions get theirs when they are loaded. Only libraries already loaded are told.

    Raises
    ------
    RuntimeUnavailableError
        A package of the extra ``bench`` is not installed.
    """
    threadpoolctl = extra("threadpoolctl")
    before = cv2.getNumThreads()
    cv2.setNumThreads(threads)
    try:
        with threadpoolctl.threadpool_limits(threads):
            yield
    finally:
        cv2.setNumThreads(before)


def sface_onnx(weights: Path | None = None) -> bytes:
    """Return SFace in float32 as ONNX, from a folder of weights or the installed pack.

    Raises
    ------
    RuntimeUnavailableError
        A package of the extra ``bench`` is not installed.
    """
    return _exported(load_sface(weights or weights_folder()))


def yunet_onnx(weights: Path | None = None) -> bytes:
    """Return YuNet in float32 as ONNX, from a folder of weights or the installed pack.

    Raises
    ------
    RuntimeUnavailableError
        A package of the extra ``bench`` is not installed.
    """
    return _exported(load_yunet(weights or weights_folder()))


def opencv_recogniser(graph: bytes) -> FaceEmbedder:
    """Return OpenCV's ``FaceRecognizerSF`` on an ONNX graph of SFace."""
    with quiet_opencv():
        recogniser = cv2.FaceRecognizerSF.create("onnx", np.frombuffer(graph, np.uint8), np.zeros(0, np.uint8))

    def embed(crop: Pixels) -> FloatArray:
        # What OpenCV returns is its own buffer, which its next call overwrites.
        return np.array(recogniser.feature(crop)[0], np.float32)

    return embed


def opencv_detector(graph: bytes) -> Finder:
    """Return OpenCV's ``FaceDetectorYN`` on an ONNX graph of YuNet, at `SCORE_THRESHOLD`."""
    with quiet_opencv():
        return opencv_finder(graph, score_threshold=SCORE_THRESHOLD)


def _exported(network: ImageNetwork) -> bytes:
    extra("onnxscript")
    return onnx_bytes(network)


@contextmanager
def quiet_opencv() -> Iterator[None]:
    """Silence what OpenCV's importer and decoder say of parts that are not used here."""
    before = cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_ERROR)
    try:
        yield
    finally:
        cv2.utils.logging.setLogLevel(before)
