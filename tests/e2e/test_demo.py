"""``lfr demo`` as people run it: the whole use, and nothing left."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from lfr.audit import verify_export
from lfr.audit.verify import read_public_key
from lfr.demonstration import STEPS

SHARED = Path("/dev/shm")


def demo(*arguments: str | Path, folder: Path, before: str = "") -> subprocess.CompletedProcess[str]:
    """Run it with a temporary folder of its own, short enough for sockets."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith("LFR_")}
    command = [sys.executable, "-m", "lfr.cli", "demo", "--auto", "--json", *map(str, arguments)]
    return subprocess.run(
        ["bash", "-c", f'{before} exec "$@"', "bash", *command],
        capture_output=True, text=True, timeout=280, env=clean | {"TMPDIR": str(folder)}, check=False,
    )  # fmt: skip


@pytest.fixture
def short() -> Iterator[Path]:
    """A folder for temporary files whose path is short enough for the sockets of a service."""
    for number in range(256):
        folder = Path(f"/tmp/d{number:02x}")
        try:
            folder.mkdir(mode=0o700)
        except FileExistsError:
            continue
        yield folder
        shutil.rmtree(folder)
        return
    pytest.fail("there are too many folders")


def shared() -> set[str]:
    return {path.name for path in SHARED.iterdir()} if SHARED.is_dir() else set()


def processes_of(folder: Path) -> list[str]:
    """Commands that are still running and name a folder."""
    found = []
    for process in psutil.process_iter():
        try:
            words = " ".join(process.cmdline())
        except psutil.Error:
            continue
        if str(folder) in words:
            found.append(words)
    return found


def test_every_step_holds_and_nothing_is_left(short: Path, tmp_path: Path) -> None:
    output, before = tmp_path / "out", shared()
    ran = demo("--output", output, folder=short)
    assert ran.returncode == 0, f"{ran.stdout[-3000:]}\n{ran.stderr[-3000:]}"
    assert [path.name for path in short.iterdir()] == []
    assert processes_of(short) == []
    assert {name for name in shared() - before if "lfr" in name or "ray" in name or "plasma" in name} == set()
    document = json.loads(ran.stdout)
    assert (document["held"], document["failed"]) == (True, None)
    assert [step["name"] for step in document["steps"]] == [step.name for step in STEPS]
    assert all(step["held"] and all(step["checks"].values()) for step in document["steps"])
    facts = {step["name"]: step["facts"] for step in document["steps"]}
    assert facts["promote"]["demo"]["passed"] is True
    assert facts["promote"]["field"]["passed"] is False
    record, truth = facts["end"]["record"], facts["end"]["truth"]
    assert record["alerts"] == len(truth["alerts"]) == facts["stream"]["alerts"] >= 1
    assert record["true_alerts"] == sum(alert["correct"] for alert in truth["alerts"])
    assert record["unadjudicated"] == 0
    assert record["faces_seen"] == facts["stream"]["faces_seen"] >= 1
    assert record["tpir"]["of"] == truth["tpir"]["of"]
    assert truth["tpir"]["of"] + truth["fpir"]["of"] == len(truth["passes"])
    assert set(facts["purge"]["left"].values()) == {0}
    assert facts["purge"]["proof"]["before"]["alert_images"] == record["alerts"]
    assert facts["stop"]["processes_left"] == []
    assert facts["stop"]["processes_ended"] > 3
    # What stays can be checked without lfr's store, and holds no key.
    verdict = verify_export(output / "audit.jsonl", public_key=read_public_key(output / "audit-signing-key.pub"))
    assert (verdict.intact, verdict.complete) == (True, True)
    assert "lfr_" not in ran.stdout
    assert "lfr_" not in ran.stderr
    page = (output / "report.html").read_text(encoding="utf-8")
    assert "Not approved for field use" in page
    assert "http://" not in page.replace("http://www.w3.org", "")
    assert "https://" not in page
    assert "not approved for field use" in (output / "record.html").read_text(encoding="utf-8")


def test_without_room_on_the_disk_it_says_which_step_did_not_hold_and_exits_with_1(short: Path, tmp_path: Path) -> None:
    # No file may be larger than 4 MiB, and the embedder is.
    ran = demo("--output", tmp_path / "out", folder=short, before="ulimit -f 4096;")
    assert [path.name for path in short.iterdir()] == []
    assert ran.returncode == 1, ran.stderr[-2000:]
    document = json.loads(ran.stdout)
    assert (document["held"], document["failed"]) == (False, "register")
    assert "File too large" in document["why"]
    held = {step["name"]: step["held"] for step in document["steps"]}
    assert [name for name, one in held.items() if one] == ["purge", "stop"]
    assert document["steps"][5]["why"] == "not tried: register did not hold"


@pytest.mark.parametrize("where", ["a file", "a link to nowhere"])
def test_an_output_that_is_no_folder_is_refused_before_anything_is_done(where: str, tmp_path: Path) -> None:
    output = tmp_path / "out"
    if where == "a file":
        output.write_text("mine")
    else:
        output.symlink_to(tmp_path / "nowhere" / "else")
    ran = demo("--output", output, folder=tmp_path)
    assert ran.returncode == 2, ran.stderr
    assert ran.stdout == ""
    assert str(output) in ran.stderr
