"""What a field unit installs is counted from the packages' own metadata."""

from __future__ import annotations

import pytest

from lfr.cli.service_benchmark.installed import installed_row, needed_by
from lfr.errors import RuntimeUnavailableError


def test_the_client_needs_a_small_part_and_imports_with_nothing_else() -> None:
    found = installed_row()
    assert found["parity"] == {"ran": True}
    assert {"httpx", "httpcore", "anyio"} <= set(found["packages"])
    assert "numpy" not in found["packages"]
    assert 1 < found["ours"] < found["peer"] / 50


def test_what_is_needed_is_followed_through_extras_and_not_into_those_nobody_asked_for() -> None:
    everything = needed_by("lfr")
    assert {"torch", "ray", "h11", "psycopg-binary"} <= everything.keys()  # the last by `psycopg[binary]`
    assert not {"lfr", "jupyterlab", "pytest"} & everything.keys()


def test_a_package_that_is_not_there_is_an_error() -> None:
    with pytest.raises(RuntimeUnavailableError, match="no-such-package-of-anybody is missing"):
        needed_by("no-such-package-of-anybody")
