"""One service on a real Ray node for every test in this folder."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from lfr.deployments import end, live_now
from lfr.models import Model, load_model
from tests.support.served import LISTED, Served, write_walk
from tests.support.service import RunningService, running_service

CLIP_FRAMES = 40


@pytest.fixture(scope="package")
def one_thread_model() -> Model:
    """What the service runs."""
    return load_model(threads=1)


@pytest.fixture(scope="package")
def service(one_thread_model: Model) -> Iterator[RunningService]:
    """A service that answers, with a recording to read.

    Its made-up list holds two, each with a matcher, so that all is done with a list in parts; and the same version
    looks on as a shadow, so that all is done beside one.
    """
    with tempfile.TemporaryDirectory() as folder:
        clip = write_walk(Path(folder) / "walk.avi", LISTED, frames=CLIP_FRAMES)
        sources = {"walk": str(clip)}
        with running_service(one_thread_model, matcher_entries=1, shadow="openvino-f32", sources=sources) as running:
            yield running


@pytest.fixture(autouse=True)
def _deployments_end_with_their_tests(request: pytest.FixtureRequest) -> Iterator[None]:
    """End what a test made live: each live deployment has processes of its own, which fill a small machine."""
    yield
    if "service" not in request.fixturenames:
        return
    made: Served = request.getfixturevalue("service").made
    store = made.open()
    try:
        operator = made.principal(store, "operator")
        for deployment in live_now(store):
            if deployment.id != made.deployment_id:
                end(store, operator, deployment.id)
    finally:
        store.close()
