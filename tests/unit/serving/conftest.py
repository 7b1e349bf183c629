"""Parts of the service refuse a process that is not of a node as lfr starts it; here they are made without a node."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from lfr.serving.node import NodeSettings, node_environment


@pytest.fixture(scope="module")
def as_on_a_node() -> Iterator[None]:
    """Have this process's environment be that of a node's process."""
    of_node = node_environment(NodeSettings(Path("/nowhere")), {})
    with pytest.MonkeyPatch.context() as patch:
        for name in ("MALLOC_PERTURB_", "GLIBC_TUNABLES", "RAY_USE_UVLOOP"):
            patch.setenv(name, of_node[name])
        yield
