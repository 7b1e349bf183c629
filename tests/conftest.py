"""What tests of every kind share: loaded models, the demo faces, and evaluation data where there is any."""

from __future__ import annotations

import faulthandler
import io
import logging
import os
import sys
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import cv2
import numpy as np
import pytest
from rich.console import Console

import lfr
from lfr.models import VERSIONS, Export, Model, export_models, load_model
from lfr.models.runtimes import OnnxNetwork
from lfr.sources.quiet import quiet_decoder
from lfr.types import Pixels
from lfr.vision import Detector, align
from tests.drills.finding import table
from tests.support.findings import Findings

DEMO_FACES = Path(lfr.__file__).parent / "sources" / "demo_faces"


@pytest.fixture(scope="session", autouse=True)
def _silent_ffmpeg() -> None:
    """Have FFmpeg silent from the start, because it asks once a process, and tests write videos with OpenCV's own."""
    with quiet_decoder():
        pass


@pytest.fixture(scope="session", autouse=True)
def _cache_of_its_own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep what commands keep for the next time out of the user's cache, and what is there out of the tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        patch.delenv("LFR_CACHE", raising=False)
        yield


@pytest.fixture(autouse=True)
def _logging_as_in_the_library() -> Iterator[None]:
    """Undo what a part of the service does to logging, here or in a fixture: in a test it has no process of its own."""
    _log_as_the_library_does()
    yield
    _log_as_the_library_does()


def _log_as_the_library_does() -> None:
    logger = logging.getLogger("lfr")
    logger.handlers.clear()
    logger.setLevel(logging.NOTSET)
    logger.propagate = True


@pytest.fixture(scope="session")
def findings(request: pytest.FixtureRequest) -> Findings:
    """What drills find, for the table at the end."""
    found: Findings = request.config.lfr_findings  # type: ignore[attr-defined]
    return found


@pytest.fixture(scope="session")
def load(request: pytest.FixtureRequest) -> Callable[[str], Model]:
    """Load a model version on one thread, once a session."""

    @cache
    def load_once(name: str) -> Model:
        if name != "onnxruntime-f32":
            return load_model(name, threads=1)
        # By name it would export for seconds what the session has exported already.
        exports: dict[str, Export] = request.getfixturevalue("onnx_exports")
        detector, embedder = (
            OnnxNetwork(exports[network].path.read_bytes(), rgb=rgb, threads=1)
            for network, rgb in (("yunet", False), ("sface", True))
        )
        return Model(VERSIONS[name], "digest of the exported files", detector, embedder)

    return load_once


@pytest.fixture(scope="session")
def model(load: Callable[[str], Model]) -> Model:
    """The version that lfr uses unless told."""
    return load("openvino-f32")


@pytest.fixture(scope="session")
def reference_model(load: Callable[[str], Model]) -> Model:
    """The version that the others are compared with."""
    return load("torch-f32")


@pytest.fixture(scope="session")
def onnx_exports(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Export]:
    """Both networks as ONNX files, by network."""
    return {export.network: export for export in export_models(tmp_path_factory.mktemp("onnx"), to="onnx")}


@pytest.fixture(scope="session")
def demo_faces() -> list[Path]:
    """The portraits of made-up people that come with the package, in order of name."""
    return sorted(DEMO_FACES.glob("*.jpg"))


@pytest.fixture(scope="session")
def demo_crops(demo_faces: list[Path], reference_model: Model) -> Pixels:
    """(24, 112, 112, 3) aligned crops of demo faces, three or so of each subject."""
    detector = Detector(reference_model.detector)
    pictures = [picture(path) for path in demo_faces[:24]]
    return np.concatenate([align(pixels, detector.detect(pixels)[:1].landmarks) for pixels in pictures])


@pytest.fixture(scope="session")
def eval_data() -> Path:
    """The folder of evaluation data. Skips by name without one, but fails in CI, where a part may not be missing."""
    folder = os.environ.get("LFR_EVAL_DATA")
    if not folder:
        if os.environ.get("CI"):
            pytest.fail("LFR_EVAL_DATA is not set, and CI must have the evaluation data")
        pytest.skip("LFR_EVAL_DATA is not set")
    assert Path(folder).is_dir(), f"LFR_EVAL_DATA names {folder}, which is not a folder"
    return Path(folder)


def picture(path: Path) -> Pixels:
    """Read a picture that is known to be good."""
    pixels = cv2.imread(str(path))
    assert pixels is not None, path
    return pixels.astype(np.uint8)


def pytest_configure(config: pytest.Config) -> None:
    """Keep the real standard error, which is not captured yet, and a place for what drills find."""
    config.lfr_stderr = os.dup(2)  # type: ignore[attr-defined]
    config.lfr_findings = Findings()  # type: ignore[attr-defined]


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Have a crash say where on the real standard error: Ray points faulthandler to where a test's output goes."""
    faulthandler.enable(file=item.config.lfr_stderr)  # type: ignore[attr-defined]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print the table of the drills that ran."""
    found: Findings = config.lfr_findings  # type: ignore[attr-defined]
    if found.found:
        terminalreporter.section("drills")
        with io.StringIO() as text:
            Console(file=text, width=160).print(table(found.found))
            terminalreporter.write(text.getvalue())


@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config: pytest.Config) -> None:
    """End at once with what the tests came to, once everything is said.

    Ray, OpenVINO, OpenCV and torch in one process each have threads of their own, and taking the interpreter apart
    under them crashes now and then after the last test has passed; the process's status must be the tests'.
    """
    status = getattr(config, "lfr_status", None)
    if status is not None:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Keep what the tests came to."""
    session.config.lfr_status = int(exitstatus)  # type: ignore[attr-defined]
