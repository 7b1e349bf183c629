"""Each kind of experiment from its file to a run, in a form that takes seconds; what it found can be compared."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from lfr.cli.app import app
from lfr.errors import InputError, RegistryError, SettingsError
from lfr.evaluation import demo_faces, open_manifest, write_manifest
from lfr.registry import open_tracking
from lfr.training.checkpoints import read_checkpoint
from lfr.training.comparing import compare_runs
from lfr.training.experiment import Place, run_experiment
from lfr.training.kinds import read_experiment
from lfr.training.provenance import code_commit

EXPERIMENTS = Path(__file__).parents[2] / "experiments"
DEMO = {"dataset": "demo", "held_out_share": 0.4}
FEW_PEOPLE = {"fpir": 0.1, "mated_probes": 2, "listed": 6, "non_mated": 12}
QUICK = {**FEW_PEOPLE, "replicates": 100, "pairs": ""}
FEW = {"epochs": 1, "images_an_epoch": 16, "held_out_images": 4, "batch_size": 8, "loaders": 0, "threads": 1}
SCENE = {"duration_s": 12, "fps": 3, "people_per_minute": 90, "resolution_wh": [640, 360]}


def shipped(name: str, **changes: Any) -> dict[str, Any]:
    """An experiment of the project as its file has it, but for sizes and data."""
    content: dict[str, Any] = yaml.safe_load((EXPERIMENTS / name / "config.yaml").read_text(encoding="utf-8"))
    measuring = content.get("measuring", {}) | changes.pop("measuring", {})
    return {**content, **({"measuring": measuring} if measuring else {}), **changes}


def distilled(name: str = "02_low_resolution", **changes: Any) -> dict[str, Any]:
    return shipped(name, data=DEMO, measuring=QUICK, **{**FEW, **changes})


BASELINE = shipped(
    "01_baseline",
    data={"dataset": "demo"},
    measuring={
        **FEW_PEOPLE,
        "conditions": [
            {"name": "clean"},
            {"name": "face_24_to_40_px", "face_px": [24, 40], "defocus_px": [0.6, 1.1], "webp_quality": [50, 80],
             "noise": [2, 6]},
        ],
    },
    scenes=[{"duration_s": 6, "fps": 2, "resolution_wh": [480, 270]}],
)  # fmt: skip
INT8 = shipped(
    "04_int8",
    data=DEMO,
    by=["source_sex"],
    calibration_images=8,
    held_out_images=8,
    most_lost=0.5,
    measuring={**FEW_PEOPLE, "replicates": 100, "conditions": [{"name": "clean"}]},
    threads=1,
)
FUSION = shipped(
    "05_track_fusion",
    choosing=[{**SCENE, "seed": 1}],
    confirming=[{**SCENE, "seed": 2}],
    clips=None,
    fpir=0.2,
    replicates=100,
)


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
    found = ran(place, tmp_path, "02_low_resolution", distilled(), register=True)
    run = place.tracking.client.get_run(found["run"])
    assert run.info.status == "FINISHED"
    assert run.data.params["objective.ranking"] == "1.0"
    assert run.data.params["data_digest"] == found["data_digest"]
    assert run.data.params["environment.python"]
    assert run.data.tags["lfr.commits"] == code_commit()
    assert {"loss", "held_out_loss", "data_wait_share", "tpir.clean.student", "faces_per_s.student"} <= set(
        run.data.metrics
    )
    assert kept(place, found["run"]) == {
        "config.yaml", "figures/tpir.png", "figures/training.png", "result.json", "student.onnx"
    }  # fmt: skip
    shares = [blend["share"] for blend in found["training"]["blends"]]
    assert shares == [0.0, *distilled()["blend"]]
    assert found["training"]["kept_share"] in shares
    assert [row["condition"] for row in found["paired"]] == [
        one["name"] for one in distilled()["measuring"]["conditions"]
    ]
    assert found["registered"]["aliases"] == ["candidate"]


def test_a_baseline_is_printed_and_can_be_compared_in_a_table_and_a_picture(place: Place, tmp_path: Path) -> None:
    student = ran(place, tmp_path, "02_low_resolution", distilled())
    experiment = tmp_path / "01_baseline"
    experiment.mkdir()
    (experiment / "config.yaml").write_text(yaml.safe_dump(BASELINE), encoding="utf-8")
    home = {"LFR_HOME": str(place.home)}
    done = CliRunner().invoke(app, ["experiment", "run", str(experiment), "--threads", "1"], env=home)
    assert done.exit_code == 0, done.output
    assert "at FPIR 0.1; watchlist of " in done.stdout
    assert "simulated, difficulty 0.5: TPIR " in done.stdout
    picture = tmp_path / "compared.svg"
    options = ["--fpir", "0.1", "--replicates", "100"]
    runs = ["experiment", "compare", "01_baseline", student["run"][:12]]
    printed = CliRunner().invoke(app, [*runs, *options, "--plot", str(picture)], env=home)
    assert printed.exit_code == 0, printed.output
    assert "clean: FNIR of 02_low_resolution" in " ".join(printed.stdout.split())
    assert picture.read_text(encoding="utf-8").startswith("<svg")
    compared = json.loads(CliRunner().invoke(app, [*runs, *options, "--json"], env=home).stdout)
    same = [pair for pair in compared["paired"] if pair["second"].endswith("sface")]
    assert [pair["difference"]["value"] for pair in same] == [0.0, 0.0]
    assert len(compared["paired"]) == 4


def test_a_part_of_the_split_is_written_for_others_to_measure_with(place: Place, tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(distilled()), encoding="utf-8")
    half = tmp_path / "half.csv"
    done = CliRunner().invoke(
        app, ["experiment", "split", str(tmp_path), "--manifest", str(half)], env={"LFR_HOME": str(place.home)}
    )
    assert done.exit_code == 0, done.output
    counts = ran(place, tmp_path, "02_low_resolution", distilled())["split"]
    assert len(open_manifest(manifest=str(half), dataset="folder", root="")) == counts["measure_images"]


def test_a_trained_student_is_quantised_and_judged_beside_itself_in_float(place: Place, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="02_low_resolution has not been run to its end here"):
        (tmp_path / "02_low_resolution").mkdir()
        unseen = distilled(seed=404)
        (tmp_path / "02_low_resolution" / "config.yaml").write_text(yaml.safe_dump(unseen), encoding="utf-8")
        ran(place, tmp_path, "04_int8", INT8)
    # What makes its pictures small is no layer, and stays in float.
    backbone = shipped("03_fast_student")["backbone"]
    ran(place, tmp_path, "02_low_resolution", distilled(backbone=backbone))
    found = ran(place, tmp_path, "04_int8", INT8)
    assert {row["model"] for row in found["rows"]} == {"f32", "int8"}
    assert found["quantised"]["quantised_layers"] == found["quantised"]["layers"] == 28
    assert 0.9 < found["quantised"]["held_out_cosine"] < 1.0
    assert {"f32", "int8"} <= set(found["cost"]["speed"])
    assert set(found["fairness"]["models"]) == {"f32", "int8"}
    assert isinstance(found["fairness"]["unchanged"], bool)
    run = place.tracking.client.get_run(found["run"])
    assert "research only" in run.data.params["licence"]
    assert {"faces_per_s.int8", "held_out_cosine"} <= set(run.data.metrics)
    assert {"int8.xml", "int8.bin", "result.json"} <= kept(place, found["run"])


def test_a_student_over_smaller_faces_is_distilled_from_sface_and_so_is_a_timm_backbone(
    place: Place, tmp_path: Path
) -> None:
    found = ran(place, tmp_path, "03_fast_student", distilled("03_fast_student"))
    assert {row["model"] for row in found["rows"]} == {"sface", "student"}
    assert found["cost"]["multiply_adds"]["student"] < 0.34 * found["cost"]["multiply_adds"]["sface"]
    timm = {"name": "test_efficientnet", "initial": "random", "head": "pool"}
    found = ran(place, tmp_path, "of_timm", distilled("03_fast_student", backbone=timm, optimiser={}))
    assert {row["model"] for row in found["rows"]} == {"sface", "student"}


def test_a_rule_is_chosen_on_some_made_up_people_and_confirmed_on_others(place: Place, tmp_path: Path) -> None:
    found = ran(place, tmp_path, "05_track_fusion", FUSION)
    rules = {f"{rule['fusion']}_of_{rule['shots']}" for rule in FUSION["rules"]}
    assert found["simulated"]
    assert {row["second"] for row in found["choosing"]} <= rules
    assert found["chosen"] in rules
    assert f"fnir.choosing.{found['choosing'][0]['second']}" in place.tracking.client.get_run(found["run"]).data.metrics
    assert "figures/rules.png" in kept(place, found["run"])
    with pytest.raises(InputError, match="searched nothing"):
        compare_runs(place.tracking, place.home, [found["run"]], fpir=0.1, replicates=100)


def test_pictures_that_cannot_be_read_are_named_before_anything_is_trained(place: Place, tmp_path: Path) -> None:
    faces = demo_faces()
    experiment = tmp_path / "07_broken"
    experiment.mkdir()
    for name in faces.paths[-2:]:
        (experiment / Path(name).name).write_bytes(b"no picture")
    paths = [str(faces.root / path) for path in faces.paths[:-2]] + [Path(name).name for name in faces.paths[-2:]]
    write_manifest(replace(faces, paths=tuple(paths), root=experiment), experiment / "faces.csv")
    said: list[str] = []
    told = replace(place, said=said.append)
    content = distilled() | {"data": {**DEMO, "manifest": "faces.csv", "unreadable_share": 0.0}}
    with pytest.raises(InputError, match=r"images cannot be read, and 0\.0% of them may be"):
        ran(told, tmp_path, "07_broken", content)
    found = ran(told, tmp_path, "07_broken", content | {"data": {**content["data"], "unreadable_share": 0.2}})
    assert found["split"]["unreadable"] == 2
    (line,) = [line for line in said if "cannot be read" in line]
    assert all(Path(name).name in line for name in faces.paths[-2:])


def kept(place: Place, run_id: str) -> set[str]:
    """Files of a run."""
    client = place.tracking.client
    return {
        one.path
        for file in client.list_artifacts(run_id)
        for one in (client.list_artifacts(run_id, file.path) if file.is_dir else [file])
    }


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
    content = distilled(epochs=12)
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
