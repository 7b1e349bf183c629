"""``lfr evaluate``: one document for programs, a table for people, one line for what is wrong."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from lfr.cli import main
from lfr.evaluation import write_templates
from lfr.vision import MEASURES
from tests.unit.evaluation.builders import calibratable, lfw_of_demo_faces, made_manifest, made_templates

LFW = ("evaluate", "verification", "--dataset", "lfw", "--root")
RATE = {"value", "low", "high", "count", "of", "method"}


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the commands keep templates."""
    monkeypatch.setenv("LFR_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def run(*arguments: str | Path | int, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(sys, "argv", ["lfr", *map(str, arguments)])
    with pytest.raises(SystemExit) as left:
        main()
    return int(left.value.code or 0)


def test_verification_gives_one_json_document_with_the_contracts_keys(
    tmp_path: Path, demo_faces: list[Path], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lfw = lfw_of_demo_faces(tmp_path, demo_faces)
    assert run(*LFW, lfw, "--threads", "1", "--json", monkeypatch=monkeypatch) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["accuracy"] == 0.75
    assert document["failures_to_acquire"] == 1
    assert document["model"]["version"] == "openvino-f32"
    assert document["fnmr_at_fmr"] == []
    assert document["insufficient_data"] == [0.1, 0.01, 0.001, 0.0001, 0.00001, 0.000001]


def test_verification_tells_people_what_the_data_cannot_show(
    tmp_path: Path, demo_faces: list[Path], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lfw = lfw_of_demo_faces(tmp_path, demo_faces)
    assert run(*LFW, lfw, "--model", "torch-f32", monkeypatch=monkeypatch) == 0
    said = capsys.readouterr().out
    assert "accuracy 0.7500" in said
    assert "failures to acquire: 1" in said
    assert said.count("insufficient data") == 6


@pytest.mark.parametrize("arguments", [LFW[1:], ("detection", "--wider")])
def test_a_folder_that_is_not_there_is_named_in_one_line(
    arguments: tuple[str, ...],
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
    assert run(*LFW, lfw, "--model", "sface", monkeypatch=monkeypatch) == 2
    assert "there are openvino-f32" in capsys.readouterr().err


def test_identification_of_the_demo_faces_gives_the_contracts_keys(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ("evaluate", "identification", "--dataset", "demo")
    assert run(*command, "--json", monkeypatch=monkeypatch) == 0
    document = json.loads(capsys.readouterr().out)
    counted = [document[name] for name in ("watchlist_size", "mated", "non_mated", "failures_to_acquire")]
    assert counted == [19, 37, 80, 0]
    assert document["failures_to_enrol"] == 0
    assert [point["fpir"] for point in document["points"]] == [0.1, 0.03]
    for point in document["points"]:
        assert set(point) == {"fpir", "tpir", "fpir_observed", "threshold"}
        assert set(point["tpir"]) == set(point["fpir_observed"]) == RATE
    (kept,) = (home / "evaluation").glob("*.parquet")
    # Embedded once: from now on the file serves, by itself too.
    assert run(*command, "--watchlist-size", 10, "--json", monkeypatch=monkeypatch) == 0
    drawn = json.loads(capsys.readouterr().out)
    assert (drawn["watchlist_size"], drawn["mated"] + drawn["non_mated"]) == (10, 117)
    assert run("evaluate", "identification", "--templates", kept, monkeypatch=monkeypatch) == 0
    said = capsys.readouterr().out
    assert "watchlist of 19 subjects" in said
    assert said.count("insufficient") == 3


def test_all_pairs_of_a_file_of_templates_by_group(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = home.parent / "demo.parquet"
    assert run("evaluate", "embed", "--dataset", "demo", "-o", file, "--json", monkeypatch=monkeypatch) == 0
    made = json.loads(capsys.readouterr().out)
    assert (made["file"], made["images"], made["subjects"]) == (str(file), 136, 99)
    command = ("evaluate", "verification", "--templates", file, "--by", "source_sex")
    assert run(*command, "--json", monkeypatch=monkeypatch) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["accuracy"] is None
    assert (document["mated"], document["non_mated"]) == (56, 136 * 135 // 2 - 56)
    assert [cell["groups"] for cell in document["all_pairs"]["cells"]] == [["F", "F"], ["F", "M"], ["M", "M"]]
    assert [point["fmr"] for point in document["fnmr_at_fmr"]] == [0.1, 0.01, 0.001]
    assert run(*command, monkeypatch=monkeypatch) == 0
    said = capsys.readouterr().out
    assert "equal error rate" in said
    assert "F x M" in said


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ((), "give one of --manifest, --dataset and --templates"),
        (("--dataset", "demo", "--manifest", "M.csv"), "give one of --manifest, --dataset and --templates"),
        (("--dataset", "lfw"), "--dataset lfw needs --root"),
        (("--manifest", "M.csv"), "M.csv: cannot read the manifest"),
        (("--templates", "T.parquet"), "T.parquet: cannot read the templates"),
        (("--dataset", "demo", "--watchlist-size", "20"), "19 subjects have a reference"),
    ],
)
def test_data_that_cannot_be_used_is_said_in_one_line(
    arguments: tuple[str, ...],
    complaint: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run("evaluate", "identification", *arguments, "--json", monkeypatch=monkeypatch) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert complaint in captured.err
    assert "\n" not in captured.err.strip()


def test_templates_of_another_model_are_refused_naming_both(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    manifest = made_manifest(["ann", "ann", "bob"], references=1)
    write_templates(made_templates(manifest, np.eye(3)), home.parent / "T.parquet")
    command = ("evaluate", "identification", "--templates", home.parent / "T.parquet")
    assert run(*command, monkeypatch=monkeypatch) == 0
    capsys.readouterr()
    assert run(*command, "--model", "openvino-f32", monkeypatch=monkeypatch) == 2
    assert "made by model digest of a model, not by" in capsys.readouterr().err


def test_detection_of_a_manifest_says_whose_faces_are_missed(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    vectors = np.eye(4)
    vectors[3] = np.nan
    manifest = made_manifest(["ann", "ann", "bob", "cid"], references=1, groups={"sex": [*"FFMM"]})
    write_templates(made_templates(manifest, vectors), home.parent / "T.parquet")
    command = ("evaluate", "detection", "--templates", home.parent / "T.parquet", "--by", "sex")
    assert run(*command, "--json", monkeypatch=monkeypatch) == 0
    rows = json.loads(capsys.readouterr().out)["groups"]
    assert [row["group"] for row in rows] == [{}, {"sex": "F"}, {"sex": "M"}]
    assert [row["failures_to_acquire"]["count"] for row in rows] == [1, 0, 1]
    assert set(rows[0]["refused"]) == RATE
    assert run(*command, monkeypatch=monkeypatch) == 0
    assert "everybody" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [((), "give --wider, or one of"), (("--wider", "W", "--by", "sex"), "--by names columns of a manifest")],
)
def test_detection_of_nothing_is_refused(
    arguments: tuple[str, ...],
    complaint: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run("evaluate", "detection", *arguments, monkeypatch=monkeypatch) == 2
    assert complaint in capsys.readouterr().err.replace("\n", " ")


def test_quality_says_first_whether_the_gate_earns_its_place(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file, plot = home.parent / "T.parquet", home.parent / "q.png"
    write_templates(calibratable(), file)
    command = ("evaluate", "quality", "--templates", file)
    assert run(*command, "--plot", plot, "--json", monkeypatch=monkeypatch) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["gate"]["verdict"] == "not shown"
    assert document["threshold_source"] == "the smallest with an FPIR of at most 0.01 on this data"
    assert {row["measure"] for row in document["measures"]} == {*MEASURES, "shot score"}
    assert plot.read_bytes().startswith(b"\x89PNG")
    assert run(*command, "--threshold", "0.99", monkeypatch=monkeypatch) == 0
    said = capsys.readouterr().out
    assert said.startswith("the gate search-1: not shown")
    assert "nobody was missed, or everybody" in said
    assert run(*command, "--threshold", "0.85", monkeypatch=monkeypatch) == 0
    assert "gain over" in capsys.readouterr().out
