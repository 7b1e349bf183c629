"""Each kind of experiment from its file to a run, in a form that takes seconds; what it found can be compared."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from lfr.cli.app import app
from lfr.errors import InputError, RegistryError, SettingsError
from lfr.registry import open_tracking
from lfr.training.checkpoints import read_checkpoint
from lfr.training.comparing import compare_runs
from lfr.training.experiment import Place, run_experiment
from lfr.training.kinds import read_experiment

MEASURING = {
    "fpir": 0.1,
    "replicates": 100,
    "conditions": [{"name": "clean"}, {"name": "small", "face_px": [24, 40], "webp_quality": [50, 80]}],
}
DISTILLED = {
    "kind": "training",
    "question": "does the whole way work?",
    "data": {"dataset": "demo"},
    "backbone": {"frozen_layers": 24},
    "objective": {"kind": "distillation", "relation": 1.0},
    "augmentation": {"flip": False},
    "optimiser": {"train_norms": False},
    "epochs": 1,
    "images_an_epoch": 16,
    "held_out_images": 4,
    "batch_size": 8,
    "loaders": 0,
    "threads": 1,
    "measuring": MEASURING,
    "licence": "none",
}
FAST = {
    **DISTILLED,
    "backbone": {"name": "test_efficientnet", "initial": "random", "head": "pool"},
    "optimiser": {},
}
BASELINE = {
    "kind": "robustness",
    "question": "where does it break?",
    "data": {"dataset": "demo"},
    "measuring": {name: value for name, value in MEASURING.items() if name != "replicates"},
    "scenes": [{"duration_s": 6, "fps": 2, "resolution_wh": [480, 270]}],
}
INT8 = {
    "kind": "quantisation",
    "question": "what do 8 bits cost?",
    "data": {"dataset": "demo"},
    "trained": "02_low_resolution",
    "calibration_images": 8,
    "held_out_images": 8,
    "most_lost": 0.5,
    "measuring": {**MEASURING, "conditions": [{"name": "clean"}]},
    "threads": 1,
}
SCENE = {"duration_s": 12, "fps": 3, "people_per_minute": 90, "resolution_wh": [640, 360]}
FUSION = {
    "kind": "fusion",
    "question": "which rule?",
    "rules": [
        {"fusion": "max", "shots": 3, "threshold": 0.45},
        {"fusion": "mean", "shots": 3, "threshold": 0.45},
    ],
    "choosing": [{**SCENE, "seed": 1}],
    "confirming": [{**SCENE, "seed": 2}],
    "fpir": 0.2,
    "replicates": 100,
}


ENVIRONMENT = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    home = tmp_path_factory.mktemp("experiments-home")
    return Place(home, open_tracking(home), threads=1)


def ran(place: Place, folder: Path, name: str, content: dict[str, Any], **how: Any) -> dict[str, Any]:
    experiment = folder / name
    experiment.mkdir(exist_ok=True)
    (experiment / "config.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")
    return run_experiment(read_experiment(experiment), experiment, place, **how)


def test_an_experiment_is_one_run_with_what_it_needs_to_be_believed_and_a_candidate(
    place: Place, tmp_path: Path
) -> None:
    found = ran(place, tmp_path, "02_low_resolution", DISTILLED, register=True)
    run = place.tracking.client.get_run(found["run"])
    assert run.info.status == "FINISHED"
    assert run.data.params["objective.kind"] == "distillation"
    assert run.data.params["data_digest"] == found["data_digest"]
    assert run.data.params["environment.python"]
    assert run.data.tags["lfr.commits"]
    assert {"loss", "held_out_loss", "data_wait_share", "tpir.clean.student"} <= set(run.data.metrics)
    kept = {file.path for file in place.tracking.client.list_artifacts(found["run"])}
    assert kept == {"figures", "result.json", "student.onnx"}
    assert [row["condition"] for row in found["paired"]] == ["clean", "small"]
    assert found["registered"]["aliases"] == ["candidate"]

    baseline = ran(place, tmp_path, "01_baseline", BASELINE)
    assert {row["model"] for row in baseline["rows"]} == {"openvino-f32"}
    assert [scene["simulated"] for scene in baseline["scenes"]] == [True]
    printed = CliRunner().invoke(
        app,
        ["experiment", "compare", "01_baseline", found["run"][:12], "--fpir", "0.1", "--replicates", "100", "--json"],
        env={"LFR_HOME": str(place.home)},
    )
    compared = json.loads(printed.stdout)
    same = [pair for pair in compared["paired"] if pair["second"].endswith("sface")]
    assert [pair["difference"]["value"] for pair in same] == [0.0, 0.0]
    assert len(compared["paired"]) == 4


def test_a_trained_student_is_quantised_and_judged_beside_itself_in_float(place: Place, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="02_low_resolution has not been run to its end here"):
        (tmp_path / "02_low_resolution").mkdir()
        unseen = {**DISTILLED, "seed": 404}
        (tmp_path / "02_low_resolution" / "config.yaml").write_text(yaml.safe_dump(unseen), encoding="utf-8")
        ran(place, tmp_path, "04_int8", INT8)
    # What makes its pictures small is no layer, and stays in float.
    ran(place, tmp_path, "02_low_resolution", {**DISTILLED, "backbone": {"frozen_layers": 24, "input_px": 64}})
    found = ran(place, tmp_path, "04_int8", INT8)
    assert {row["model"] for row in found["rows"]} == {"f32", "int8"}
    assert found["quantised"]["quantised_layers"] == found["quantised"]["layers"] == 28
    assert 0.9 < found["quantised"]["held_out_cosine"] < 1.0
    assert {"f32", "int8"} <= set(found["cost"]["speed"])
    kept = {file.path for file in place.tracking.client.list_artifacts(found["run"])}
    assert {"int8.xml", "int8.bin", "result.json"} <= kept


def test_any_timm_backbone_can_be_distilled(place: Place, tmp_path: Path) -> None:
    found = ran(place, tmp_path, "03_fast_student", FAST)
    assert {row["model"] for row in found["rows"]} == {"sface", "student"}


def test_a_rule_is_chosen_on_some_made_up_people_and_confirmed_on_others(place: Place, tmp_path: Path) -> None:
    found = ran(place, tmp_path, "05_track_fusion", FUSION)
    assert found["simulated"]
    assert {row["second"] for row in found["choosing"]} == {"max_of_3", "mean_of_3"}
    assert found["chosen"] in {"max_of_3", "mean_of_3"}
    with pytest.raises(InputError, match="searched nothing"):
        compare_runs(place.tracking, place.home, [found["run"]], fpir=0.1, replicates=100)


def test_the_loop_is_timed_beside_a_plain_one_that_trains_the_same() -> None:
    words = [sys.executable, "-m", "lfr.cli", "bench", "train"]
    options = ["--images", "16", "--repeats", "1", "--threads", "1", "--json"]
    done = subprocess.run([*words, *options], env=ENVIRONMENT, capture_output=True, text=True, check=True, timeout=250)
    (row,) = json.loads(done.stdout)["rows"]
    assert row["ours"] > 0 < row["peer"]
    assert row["parity"]["loss_difference"] < 1e-4


@pytest.mark.long
@pytest.mark.timeout(600)
def test_a_run_that_was_killed_goes_on_as_the_same_run(tmp_path: Path) -> None:
    experiment = tmp_path / "06_killed"
    experiment.mkdir()
    content = {**DISTILLED, "epochs": 12, "patience": 12}
    (experiment / "config.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")
    words = [sys.executable, "-m", "lfr.cli", "experiment", "run", str(experiment), "--threads", "1", "--json"]
    environment = {**ENVIRONMENT, "LFR_HOME": str(tmp_path / "home")}

    def checkpoint() -> list[Path]:
        return list((tmp_path / "home" / "experiments").glob("06_killed-*/checkpoint.pt"))

    with subprocess.Popen(words, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as killed:
        while killed.poll() is None and not checkpoint():
            time.sleep(0.02)
        killed.kill()
    assert killed.returncode == -signal.SIGKILL
    read = read_checkpoint(checkpoint()[0])
    assert read is not None
    assert 0 < read[1].epoch < 12
    before = read[1].history
    resumed = subprocess.run(words, env=environment, capture_output=True, text=True, check=True, timeout=500)
    found = json.loads(resumed.stdout)
    assert found["training"]["epochs"] == 12
    assert found["training"]["history"][: len(before)] == before
    runs = open_tracking(tmp_path / "home").client.search_runs([open_tracking(tmp_path / "home").experiment_id])
    assert [run.info.run_id for run in runs] == [found["run"]]


def test_a_run_that_is_not_there_is_named_with_those_that_are(place: Place) -> None:
    with pytest.raises(RegistryError, match="no run 'nothing'"):
        compare_runs(place.tracking, place.home, ["nothing"], fpir=0.1)


def test_an_experiment_on_other_data_than_its_file_names_is_refused(place: Place, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="the experiment is about"):
        ran(place, tmp_path, "other_data", {**BASELINE, "data": {"dataset": "demo", "digest": "0" * 64}})
