"""One ground for the drills that need no Ray, and a table of what they found at the end."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.drills.ground import Ground, Interface


@pytest.fixture(scope="package")
def ground() -> Iterator[Ground]:
    """What drills work on, made when first asked for."""
    with Ground() as made:
        yield made


@pytest.fixture
def interface(ground: Ground) -> Interface:
    """The interface in this process."""
    return ground.interface
