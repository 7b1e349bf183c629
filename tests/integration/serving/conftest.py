"""One service on a real Ray node for every test in this folder."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from lfr.models import Model, load_model
from tests.support.service import RunningService, running_service


@pytest.fixture(scope="package")
def one_thread_model() -> Model:
    """What the service runs."""
    return load_model(threads=1)


@pytest.fixture(scope="package")
def service(one_thread_model: Model) -> Iterator[RunningService]:
    """A service that answers; its made-up list holds two, each with a matcher, so all is done with a list in parts."""
    with running_service(one_thread_model, matcher_entries=1) as running:
        yield running
