"""``lfr calibrate``: a file that a deployment takes, a document for programs, words for people."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from lfr.cli import main
from lfr.evaluation import write_templates
from lfr.types import Calibration, ScoreMap
from tests.unit.evaluation.builders import calibratable

MADE = ("--fpir", "0.01", "--watchlist-size", "10")


@pytest.fixture
def templates(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LFR_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("COLUMNS", "200")
    write_templates(calibratable(), tmp_path / "T.parquet")
    return tmp_path / "T.parquet"


def run(*arguments: str | Path, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(sys, "argv", ["lfr", "calibrate", *map(str, arguments)])
    with pytest.raises(SystemExit) as left:
        main()
    return int(left.value.code or 0)


def test_the_document_is_the_file_with_what_stands_behind_it(
    templates: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("--templates", templates, *MADE, "--json", monkeypatch=monkeypatch) == 0
    document = json.loads(capsys.readouterr().out)
    written = Calibration.read(Path(document["file"]))
    assert written.digest == document["digest"]
    assert {**document, **written.document} == document
    assert set(document) - set(written.document) >= {"needed", "reasons", "fpir_upper", "expected_false_alerts"}
    assert document["verdict"] == "sufficient"


def test_people_read_the_verdict_first_and_the_numbers_needed(
    templates: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    plot = templates.with_suffix(".svg")
    words = ("--fpir", "0.001", "--watchlist-size", "1000", "--plot", plot, "-o", templates.with_suffix(".json"))
    assert run("--templates", templates, *words, monkeypatch=monkeypatch) == 0
    said = capsys.readouterr().out
    assert said.startswith("insufficient data: threshold 0.")
    assert "2,995 without a false alert are needed to show 0.001, 2,595 more" in said
    assert "980 more are needed" in said
    assert "expected false alerts per 10,000 faces" in said
    assert plot.read_text().startswith("<svg")


def test_a_score_map_is_written_with_how_far_it_is_off(
    templates: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = templates.with_suffix(".map.json")
    words = ("--templates", templates, *MADE, "--score-map", file, "--listed-share", "0.01")
    assert run(*words, "--json", monkeypatch=monkeypatch) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["score_map"]["digest"] == ScoreMap.read(file).digest
    assert document["score_map"]["calibration_digest"] == document["digest"]
    assert run(*words, monkeypatch=monkeypatch) == 0
    assert "one passer-by in 100 listed" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("--fpir", "1.5", "--watchlist-size", "10"), "--fpir 1.5: expected a share between 0 and 1"),
        ((*MADE, "--listed-share", "0"), "--listed-share 0.0: expected a share"),
        ((*MADE, "--shots", "3"), "no probe has a track_id"),
        ((*MADE, "--plot", "f.gif"), "--plot f.gif: expected a name that ends in .svg"),
        ((*MADE, "-o", "nowhere/c.json"), "cannot write the calibration"),
    ],
)
def test_what_cannot_be_done_is_one_line_and_exit_code_2(
    arguments: tuple[str, ...],
    complaint: str,
    templates: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run("--templates", templates, *arguments, "--json", monkeypatch=monkeypatch) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert complaint in captured.err
    assert "\n" not in captured.err.strip()
