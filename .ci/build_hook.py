"""Leaves the demo faces out of a wheel when ``LFR_BUILD_WITHOUT_DEMO_FACES=1`` is set.

They are not under the project's licence (data_cards/datasets/demo_faces.md),
so whoever cannot accept their terms can build without them.
"""

from __future__ import annotations

import os
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

VARIABLE = "LFR_BUILD_WITHOUT_DEMO_FACES"
FOLDER = "/lfr/sources/demo_faces"


class DemoFacesHook(BuildHookInterface):
    """Adds the folder to the wheel's exclusions before its files are chosen."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002
        wanted = os.environ.get(VARIABLE, "0")
        if wanted not in {"", "0", "1"}:
            raise ValueError(f"{VARIABLE} must be 0 or 1, not {wanted!r}")
        if wanted == "1" and version != "editable":
            self.build_config.target_config.setdefault("exclude", []).append(FOLDER)
