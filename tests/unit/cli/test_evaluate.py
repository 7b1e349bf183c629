"""``lfr evaluate``: one document for programs, a table for people, one line for what is wrong."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from lfr.cli import main
from tests.unit.evaluation.builders import lfw_of_demo_faces


def run(*arguments: str | Path, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(sys, "argv", ["lfr", *map(str, arguments)])
    with pytest.raises(SystemExit) as left:
        main()
    return int(left.value.code or 0)


def test_verification_gives_one_json_document_with_the_contracts_keys(
    tmp_path: Path, demo_faces: list[Path], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lfw = lfw_of_demo_faces(tmp_path, demo_faces)
    arguments = ("evaluate", "verification", "--lfw", lfw, "--threads", 1)
    assert run(*map(str, arguments), "--json", monkeypatch=monkeypatch) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["accuracy"] == 0.75
    assert document["failures_to_acquire"] == 1
    assert document["model"]["version"] == "openvino-f32"
    assert document["fnmr_at_fmr"] == []
    assert document["insufficient_data"] == [0.1, 0.01, 0.001, 0.0001]


def test_verification_tells_people_what_the_data_cannot_show(
    tmp_path: Path, demo_faces: list[Path], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lfw = lfw_of_demo_faces(tmp_path, demo_faces)
    assert run("evaluate", "verification", "--lfw", lfw, "--model", "torch-f32", monkeypatch=monkeypatch) == 0
    said = capsys.readouterr().out
    assert "accuracy 0.7500" in said
    assert "failures to acquire: 1" in said
    assert said.count("insufficient data") == 4


@pytest.mark.parametrize("arguments", [("verification", "--lfw"), ("detection", "--wider")])
def test_a_folder_that_is_not_there_is_named_in_one_line(
    arguments: tuple[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run("evaluate", *arguments, tmp_path / "gone", "--json", monkeypatch=monkeypatch) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert str(tmp_path / "gone") in captured.err.replace("\n", "")
    assert "Traceback" not in captured.err


def test_an_unknown_model_is_named_with_those_there_are(
    tmp_path: Path, demo_faces: list[Path], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lfw = lfw_of_demo_faces(tmp_path, demo_faces)
    assert run("evaluate", "verification", "--lfw", lfw, "--model", "sface", monkeypatch=monkeypatch) == 2
    assert "there are openvino-f32" in capsys.readouterr().err
