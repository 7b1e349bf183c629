"""All benchmarks on a page and in the README, and what is said where a parity does not hold."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from lfr.cli.app import app
from lfr.errors import InputError
from lfr.evaluation.benchmarks import (
    Aim,
    Timing,
    aims,
    benchmark_html,
    benchmark_row,
    benchmark_table,
    failed_parity,
    machine_facts,
    with_table,
)
from lfr.evaluation.benchmarks.report import BEGIN, END
from lfr.evaluation.benchmarks.roofline import Peaks, Work, roofline


def row(parity: dict[str, Any], *, version: str = "openvino-f32", **more: Any) -> dict[str, Any]:
    timing = Timing((0.5, 0.4, 0.6), (1.0, 1.1, 0.9), more.pop("other_load", 0.0))
    made = benchmark_row(
        "embed, batch 8", timing, items=8, unit="faces", peer_name="the peer", parity=parity, version=version, threads=2
    )
    return made | more


@pytest.mark.parametrize(
    ("parity", "version", "holds"),
    [
        ({"cosine_min": 0.99995, "cosine_mean": 0.999999}, "openvino-f32", True),
        ({"cosine_min": 0.997, "cosine_mean": 0.9999}, "openvino-f32", False),
        ({"cosine_min": 0.997, "cosine_mean": 0.9999}, "openvino-bf16", True),
        ({"matched": 0.99}, "openvino-f32", True),
        ({"matched": 0.97}, "openvino-bf16", False),
        ({"same": 0.999}, "none", False),
        ({"exact": True, "same_as_float32": False}, "none", False),
        ({"coverage": 0.98, "same_alerts": True}, "openvino-f32", True),
        ({"coverage": 0.98, "same_alerts": False}, "openvino-f32", False),
        ({"coverage": None, "same_alerts": True}, "openvino-f32", True),
        ({"same_fmr": True}, "none", True),
        ({"same_fmr": False}, "none", False),
        ({"max_end_difference_in_widths": 0.5}, "none", False),
        ({"cosine_min": float("nan")}, "openvino-f32", False),
        ({"frames": 3}, "openvino-f32", False),
    ],
)
def test_a_parity_that_does_not_hold_is_named(parity: dict[str, Any], version: str, holds: bool) -> None:
    failed = failed_parity([row(parity, version=version)])
    assert bool(failed) is not holds
    assert all(line.startswith("embed, batch 8: ") for line in failed)


def test_time_is_never_a_reason_to_fail() -> None:
    slow = benchmark_row(
        "match",
        Timing((9.0,), (0.1,)),
        items=1,
        unit="probes",
        peer_name="p",
        parity={"same": 1.0},
        version="n",
        threads=1,
    )
    assert slow["ratio"] < 0.02
    assert failed_parity([slow]) == []


def document(**more: Any) -> dict[str, Any]:
    limit = roofline(Work(100.0, 1.0), Peaks(3_200.0, 100.0, "f32"), items_s=16.0)
    grown = row(
        {"same_as_float32": True, "exact": True}, version="none", references=1_000, memory_mib=1.0, screen_mib=0.2
    )
    grown |= {"p50_ms": 0.1, "p99_ms": 0.2, "peer_p50_ms": 0.3}
    return {"rows": [row({"cosine_min": 1.0}, roofline=limit, **more), grown], "machine": machine_facts()}


def test_the_table_has_a_line_for_each_row_and_names_the_machine() -> None:
    lines = benchmark_table(document()).splitlines()
    first = lines.index("| --- | --- | --- | --- | --- | --- |") + 1
    assert lines[first] == (
        "| embed, batch 8, `openvino-f32` | 16.0 faces/s | the peer: 8.0 | 2.00 | 50% of arithmetic | cosine min 1 |"
    )
    assert lines[first + 1].startswith("| embed, batch 8 | ")
    assert machine_facts()["processor"] in lines[-1]
    assert "cores busy" not in lines[-1]
    assert "up to 0.7 cores busy" in benchmark_table(document(other_load=0.7))


def test_the_page_stands_alone_and_says_what_failed() -> None:
    page = benchmark_html(document())
    assert "Every parity holds" in page
    assert "1,000" in page
    assert "http" not in page
    assert "cores busy" not in page
    assert "up to 0.7 cores busy" in benchmark_html(document(other_load=0.7))
    broken = document()
    broken["rows"][0]["parity"] = {"cosine_min": 0.5}
    assert "Parity does not hold: embed, batch 8: cosine_min is 0.5" in benchmark_html(broken)


def test_the_command_puts_the_table_between_the_comments_and_nowhere_else(tmp_path: Path) -> None:
    measured, page = tmp_path / "measured.json", tmp_path / "README.md"
    measured.write_text(json.dumps(document()), encoding="utf-8")
    page.write_text(f"above\n{BEGIN}\nold\n{END}\nbelow\n", encoding="utf-8")
    result = CliRunner().invoke(app, ["bench", "table", str(measured), "--into", str(page)])
    assert result.exit_code == 0, result.output
    assert page.read_text(encoding="utf-8") == f"above\n{BEGIN}\n\n{benchmark_table(document())}\n{END}\nbelow\n"
    printed = CliRunner().invoke(app, ["bench", "table", str(measured)])
    assert printed.stdout == benchmark_table(document())


def test_a_document_without_the_comments_or_that_is_no_benchmark_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no place"):
        with_table("nothing here", "| a |")
    other = tmp_path / "other.json"
    other.write_text("[]", encoding="utf-8")
    result = CliRunner().invoke(app, ["bench", "table", str(other)])
    assert isinstance(result.exception, InputError)
    assert "not a benchmark document" in str(result.exception)


def of_aim(what: str, rows: list[dict[str, Any]]) -> Aim:
    (found,) = [aim for aim in aims({"rows": rows}) if what in aim.what]
    return found


def recording(rate: float, *, coverage: float = 0.98, alerts: bool = True) -> dict[str, Any]:
    made = row({"coverage": coverage, "same_alerts": alerts}, embedded_faces=50)
    return made | {"name": "street_crowd_1080p", "ours": rate}


@pytest.mark.parametrize(
    ("found", "verdict"),
    [
        (recording(25.0), "reached"),
        (recording(24.9), "missed"),
        (recording(40.0, coverage=0.94), "missed"),
        (recording(40.0, alerts=False), "missed"),
    ],
)
def test_an_aim_is_reached_only_with_its_parity(found: dict[str, Any], verdict: str) -> None:
    aim = of_aim("one stream", [found])
    assert aim.verdict == verdict
    assert f"{found['ours']:.1f} frames/s" in aim.measured


def test_every_aim_is_named_and_what_was_not_measured_says_so() -> None:
    named = aims({"rows": []})
    assert len(named) >= 10
    assert {aim.verdict for aim in named} == {"not measured"}
    assert all(aim.aim and aim.done for aim in named)


def test_an_embedder_is_held_against_its_own_precision_and_its_lower_batch() -> None:
    def at(batch: int, version: str, share: float) -> dict[str, Any]:
        limit = roofline(Work(100.0, 1.0), Peaks(100.0 * 16.0 / share, 100.0, "f32"), items_s=16.0)
        return row({"cosine_min": 1.0}, version=version, roofline=limit) | {"name": f"embed, batch {batch}"}

    rows = [at(8, "openvino-f32", 0.6), at(32, "openvino-f32", 0.7), at(8, "openvino-bf16", 0.4)]
    assert of_aim("embedder `openvino-f32`", rows).verdict == "reached"
    assert "60% and 70%" in of_aim("embedder `openvino-f32`", rows).measured
    assert of_aim("embedder `openvino-bf16`", rows).verdict == "missed"


def test_cameras_are_told_by_the_best_number_of_them_for_each_stride() -> None:
    def many(count: int, carried: int, stride: int) -> dict[str, Any]:
        made = row({"same_as_alone": True}, cameras=count, at_12_fps=carried, detect_every=stride)
        return made | {"ours": 12.0 * carried}

    rows = [many(1, 2, 1), many(16, 3, 1), many(16, 5, 2)]
    assert of_aim("process, faces found in every frame", rows).measured.startswith("3 on 2 cores")
    assert of_aim("process, faces found in every 2nd frame", rows).measured.startswith("5 on 2 cores")


def test_a_command_that_starts_too_late_is_missed() -> None:
    def begun(took_s: float) -> list[dict[str, Any]]:
        return [row({"ran": True}, took_s=took_s, peak_mib=40.0) | {"name": "lfr --help"}]

    assert of_aim("lfr --help", begun(0.29)).verdict == "reached"
    assert of_aim("lfr --help", begun(0.31)).verdict == "missed"
    assert "| **missed** |" in benchmark_table({"rows": begun(0.31), "machine": machine_facts()})


def on_device(name: str, rate: float, device: str) -> dict[str, Any]:
    return row({"cosine_min": 1.0}, version="torch-cuda-bf16", device=device) | {"name": name, "ours": rate}


@pytest.mark.parametrize(
    ("what", "name", "over"),
    [
        ("faces embedded, batch 256", "device: embed, batch 256", 80_000.0),
        ("1080p through detector and alignment", "device: 1920x1080, detect and align", 2_000.0),
        ("4,096 probes against 17,000 references", "device: match, 4,096 of 17,000", 4_096_000.0),
    ],
)
def test_an_aim_for_a_gpu_is_reached_on_a_gpu_only(what: str, name: str, over: float) -> None:
    def verdict(rate: float, device: str) -> str:
        return of_aim(what, [on_device(name, rate, device)]).verdict

    assert verdict(over + 1, "A GPU") == "reached"
    assert verdict(over, "A GPU") == "missed"
    assert verdict(over + 1, "cpu") == "not measured"
    assert "on A GPU" in of_aim(what, [on_device(name, over, "A GPU")]).measured
