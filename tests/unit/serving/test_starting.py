"""The time to the first answer is told in stages that add up to it."""

from __future__ import annotations

import json
from dataclasses import asdict

import pytest

from lfr.serving.starting import DeployTimes, Opened, StartTimes


def started(*, prepared: float) -> StartTimes:
    deploy = DeployTimes(prepared, 112.0, 118.0, {"Detector": Opened(115.0, 117.5)})
    # As it comes from the deploying process.
    return StartTimes(100.0, 106.0, 118.5, DeployTimes.from_document(json.loads(json.dumps(asdict(deploy)))))


@pytest.mark.parametrize(("prepared", "imports", "serve"), [(104.0, 0.0, 6.0), (109.0, 3.0, 3.0)])
def test_imports_count_only_where_the_node_was_up_before_them(prepared: float, imports: float, serve: float) -> None:
    stages = started(prepared=prepared).stages_s
    assert stages == {
        "ray_node": 6.0, "imports_beyond_that": imports, "serve_and_proxy": serve, "parts": 6.0, "first_answer": 0.5,
    }  # fmt: skip


def test_stages_add_up_to_the_whole_and_parts_stand_beside_them() -> None:
    document = started(prepared=104.0).as_dict()
    assert sum(document["stages_s"].values()) == document["total_s"] == 18.5
    assert document["parts_s"] == {"Detector": {"process": 3.0, "opening": 2.5}}
    assert started(prepared=104.0).said() == (
        "Ray node 6.0 s, imports beyond that 0.0 s, Serve and proxy 6.0 s, parts and their models 6.0 s, "
        "first answer 0.5 s"
    )
