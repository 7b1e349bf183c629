"""Machines are reckoned from what one was measured with."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from lfr.errors import InputError
from lfr.evaluation.benchmarks import Wanted, plan, search_core_ms

SPENT = {"camera": 20.0, "detector": 60.0, "interface": 10.0, "matcher": 5.0, "embedder": 5.0, "raylet": 10.0}
RESIDENT = {"camera": 512.0, "detector": 256.0, "embedder": 256.0, "interface": 512.0, "matcher": 100.0, "gcs": 24.0}
WANTED = Wanted(cameras=1_000, fps=5.0, references=20_000, node_cores=32, node_gib=128.0, core_hour=0.05)


def measured(**more: Any) -> dict[str, Any]:
    """Made up: 10 frames a second with 1.1 of 2 cores busy, 0.1 of them whatever comes in."""
    row = {
        "kind": "http",
        "name": "100 JPEGs",
        "data": "a street",
        "ours": 10.0,
        "core_ms_per_frame": [SPENT, {}],
        "searches_per_frame": 0.5,
    }
    sizing = {
        "resident_mib": RESIDENT,
        "matcher_mib_per_10000_entries": 30.0,
        "search_core_ms_per_million": 0.0,
        **more,
    }
    return {"rows": [row], "sizing": sizing, "machine": {"cores": 2}}


def test_cores_decide_where_memory_is_left() -> None:
    found = plan(measured(), WANTED)
    assert (found.frame_core_ms, found.idle_cores) == (100.0, 0.1)
    # 0.5 cores for a camera, and 32 * 0.7 - 0.1 = 22.3 for cameras: 44 on each machine.
    assert (found.nodes, found.bound) == (23, "cores")
    assert found.cores == pytest.approx(1_000 * 0.5 + 23 * 0.1)
    assert found.camera_hour == pytest.approx(23 * 32 * 0.05 / 1_000)
    assert found.list_gib == pytest.approx((100 + 60) / 1024, abs=0.01)


def test_memory_decides_where_it_is_short() -> None:
    # 16 pairs of 1,024 MiB, 160 MiB of list and 24 of the GCS leave 7.8 GiB of 24, for 15 cameras of 512 MiB.
    found = plan(measured(), replace(WANTED, node_gib=24.0))
    assert (found.nodes, found.bound) == (67, "memory")


def test_it_says_of_the_measured_machine_what_it_should_have_done() -> None:
    found = plan(measured(), WANTED)
    assert (found.measured_frames_s, found.reckoned_frames_s) == (10.0, 19.0)


def test_twice_the_cameras_or_frames_take_twice_the_cores() -> None:
    one = plan(measured(), WANTED)
    for more in (replace(WANTED, cameras=2_000), replace(WANTED, fps=10.0)):
        assert plan(measured(), more).cores == pytest.approx(2 * one.cores, rel=0.02)


def test_without_a_price_no_cost_is_told() -> None:
    assert plan(measured(), replace(WANTED, core_hour=None)).camera_hour is None


def test_a_search_takes_longer_of_a_longer_list() -> None:
    slow = measured(search_core_ms_per_million=40.0)
    # Half a search a frame, of 40 ms for a million.
    assert plan(slow, replace(WANTED, references=1_000_000)).search_core_ms == 20.0
    long = plan(slow, replace(WANTED, references=5_000_000))
    assert (long.search_core_ms, long.frame_core_ms) == (100.0, 200.0)
    # 1 core for a camera: 22 on each machine. What the measured machine did is of its own list.
    assert (long.nodes, long.reckoned_frames_s) == (46, 19.0)


def test_the_work_of_a_search_grows_with_the_list() -> None:
    assert search_core_ms(400_000) > 4 * search_core_ms(10_000) > 0


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        (replace(WANTED, node_gib=8.0), "does not hold the list"),
        (replace(WANTED, node_cores=1, fps=25.0), "one camera at 25 frames a second takes 2.50 cores"),
    ],
)
def test_a_machine_that_is_too_small_for_one_camera_is_refused(wanted: Wanted, said: str) -> None:
    with pytest.raises(InputError, match=said):
        plan(measured(), wanted)


@pytest.mark.parametrize("document", [{}, {"rows": []}, {**measured(), "rows": [{"ours": "x"}]}])
def test_another_document_is_refused(document: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="no document of `lfr bench serve --json`"):
        plan(document, WANTED)


def test_a_list_too_short_to_tell_its_memory_is_refused() -> None:
    with pytest.raises(InputError, match="too short a list"):
        plan(measured(matcher_mib_per_10000_entries=None), WANTED)
