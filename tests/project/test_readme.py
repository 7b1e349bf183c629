"""What README.md tells people to type, typed."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from lfr.evaluation.benchmarks import all_rows, benchmark_table, failed_parity, with_table
from tests.drills.catalogue import DRILLS

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", README, re.DOTALL | re.MULTILINE)
# What make itself runs is what CI runs; a test that ran it would run itself.
SCRIPT = "".join(text for kind, text in BLOCKS if kind == "sh" and not text.startswith("make "))
PYTHON = [text for kind, text in BLOCKS if kind == "python"]


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what the commands name, as a clone would have it."""
    folder = tmp_path_factory.mktemp("clone")
    shutil.copytree(ROOT / "lfr" / "sources" / "demo_faces", folder / "lfr" / "sources" / "demo_faces")
    return folder


def run(command: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    # The commands of this environment come first on the path; lfr itself is installed in it.
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    clean = {k: v for k, v in os.environ.items() if not k.startswith("LFR_")}
    return subprocess.run(
        command, cwd=folder, env=clean | {"PATH": path}, capture_output=True, text=True, timeout=580, check=False
    )


@pytest.mark.timeout(600)
def test_commands_and_python_run_one_after_another_as_printed(clone: Path) -> None:
    assert SCRIPT.count("lfr ") > 30
    # One shell from top to bottom, as somebody who reads it would have; it stops at the first command that fails.
    result = run(["bash", "-euc", SCRIPT], clone)
    assert result.returncode == 0, f"{result.stdout[-3000:]}\n{result.stderr[-3000:]}"
    assert "Traceback" not in result.stderr
    assert "intact and complete" in result.stdout
    assert [path.name for path in (clone / "lfr-data" / "keys").glob("*.key")] == []
    assert "not approved for field use" in (clone / "record.html").read_text(encoding="utf-8")
    assert (clone / "scene.mp4").stat().st_size > 0
    (snippet,) = PYTHON
    result = run([sys.executable, "-c", snippet], clone)
    assert result.returncode == 0, result.stderr
    assert re.search(r"^\d+ faces seen$", result.stdout, re.MULTILINE)


def test_what_it_links_to_is_there() -> None:
    links = [link for link in re.findall(r"\]\(([^)#]+)\)", README) if "://" not in link]
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []


def test_the_make_targets_it_names_exist() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    named = set(re.findall(r"\bmake ([a-z-]+)", README))
    assert {"demo", "test"} <= named
    assert named <= set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))


def test_every_promise_names_a_drill_and_every_drill_a_promise() -> None:
    table = README[README.index("| it promises | drill |") :].split("\n\n", 1)[0]
    named = re.findall(r"\| `(\w+)` \|$", table, re.MULTILINE)
    assert len(named) == len(table.splitlines()) - 2
    assert set(named) == set(DRILLS)


def test_the_figures_of_its_table_are_those_of_the_document_they_were_written_from() -> None:
    document, service = (
        json.loads((ROOT / "data_cards" / name).read_text(encoding="utf-8"))
        for name in ("benchmarks.json", "benchmarks_service.json")
    )
    document["service"] = service
    assert failed_parity(all_rows(document)) == []
    assert with_table(README, benchmark_table(document)) == README
