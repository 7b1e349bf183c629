"""What it takes to begin is timed in processes of their own, and one that fails shows."""

from __future__ import annotations

from lfr.evaluation.benchmarks import bench_start, failed_parity, start


def test_commands_are_run_and_both_detectors_find_as_many_faces() -> None:
    rows = bench_start(repeats=1)
    assert [row["name"] for row in rows] == ["lfr --help", "import lfr", "lfr detect, one picture"]
    assert failed_parity(rows) == []
    for row in rows:
        assert row["took_s"] > 0
        assert row["peak_mib"] > 5
    helps, imports, detects = rows
    assert imports["peak_mib"] < helps["peak_mib"] < detects["peak_mib"]
    assert detects["parity"]["same_faces"] is True


def test_a_command_that_fails_is_no_start() -> None:
    row = start._row("lfr --help", ("-c", "import sys; sys.exit(3)"), "Python alone", ("-c", "pass"), repeats=1)
    assert row["parity"] == {"ran": False}
    assert failed_parity([row]) == ["lfr --help: ran is False"]
