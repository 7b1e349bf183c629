"""An experiment's file says everything or is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from lfr.errors import SettingsError
from lfr.training.config import Backbone, TrainingConfig
from lfr.training.kinds import read_experiment, validated
from lfr.training.networks import build_network
from lfr.training.provenance import config_digest, training_digest
from lfr.training.searching import combinations, read_grid, with_values

EXPERIMENTS = Path(__file__).parents[3] / "experiments"

MINIMAL: dict[str, Any] = {
    "kind": "training",
    "question": "does it read",
    "data": {"dataset": "demo"},
    "objective": {"kind": "distillation"},
    "epochs": 1,
    "licence": "none",
}


def training(**changes: object) -> TrainingConfig:
    config = validated({**MINIMAL, **changes}, where="a test")
    assert isinstance(config, TrainingConfig)
    return config


@pytest.mark.parametrize("folder", sorted(EXPERIMENTS.glob("*/")), ids=lambda folder: folder.name)
def test_every_experiment_of_the_project_can_be_read(folder: Path) -> None:
    assert read_experiment(folder).question.endswith("?")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"epocs": 3}, "epocs"),
        ({"augmentation": {"blurr": 0.5}}, "augmentation.blurr"),
        ({"epochs": 0}, "epochs"),
        ({"objective": {"kind": "triplet"}}, "objective"),
        ({"kind": "guess"}, "kind|guess"),
        ({"backbone": {"name": "lcnet_050"}}, "initial: random"),
        ({"backbone": {"embedding_size": 64}}, "128 numbers"),
        ({"backbone": {"initial": "random", "frozen_layers": 3}}, "must be trained"),
        ({"backbone": {"input_px": 100}}, "multiple of 16"),
        ({"backbone": {"name": "resnet18", "initial": "random", "input_px": 64}}, "takes pictures of 112 px"),
        ({"data": {"dataset": "lfw"}}, "research only"),
        ({"measuring": {"conditions": [{"name": "a"}, {"name": "a"}]}}, "names of their own"),
    ],
)
def test_a_file_with_a_wrong_key_or_value_is_refused_by_name(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        training(**changes)


@pytest.mark.parametrize("text", ["- a list", "key: [unclosed", ""])
def test_a_file_that_is_no_mapping_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "config.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(SettingsError, match=r"config\.yaml"):
        read_experiment(tmp_path)


def test_a_folder_without_a_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="cannot read the experiment"):
        read_experiment(tmp_path)


def test_a_backbone_that_timm_does_not_have_is_refused_with_those_of_like_name() -> None:
    with pytest.raises(SettingsError, match=r"no model 'lcnet_05'.*lcnet_050"):
        build_network(Backbone(name="lcnet_05", initial="random"), seed=0)


@pytest.mark.parametrize("name", ["test_vit", "test_mambaout"])  # tokens; channels last
def test_a_backbone_that_gives_no_map_of_an_aligned_crop_is_refused(name: str) -> None:
    with pytest.raises(SettingsError, match="gives no map"):
        build_network(Backbone(name=name, initial="random", keep_resolution=False), seed=0)


def test_the_same_seed_makes_the_same_random_weights() -> None:
    wanted = Backbone(name="test_efficientnet", initial="random", head="pool")
    first, again, other = (build_network(wanted, seed=seed).state_dict() for seed in (1, 1, 2))
    assert all(first[name].equal(again[name]) for name in first)
    assert not all(first[name].equal(other[name]) for name in first)


def test_a_search_puts_values_into_fields_and_checks_them_as_a_file_is() -> None:
    grid = read_grid(["optimiser.learning_rate=1e-4,3e-4", "batch_size=8"])
    assert grid == {"optimiser.learning_rate": [1e-4, 3e-4], "batch_size": [8]}
    changed = with_values(training(), {"optimiser.learning_rate": 3e-4, "batch_size": 8})
    assert (changed.optimiser.learning_rate, changed.batch_size) == (3e-4, 8)
    with pytest.raises(SettingsError, match="no such field"):
        with_values(training(), {"optimiser.rate": 1.0})
    with pytest.raises(SettingsError, match="learning_rate"):
        with_values(training(), {"optimiser.learning_rate": -1.0})
    with pytest.raises(SettingsError, match="write it as"):
        read_grid(["batch_size"])


def test_a_search_takes_values_that_are_lists_or_words() -> None:
    grid = read_grid(["augmentation.face_px=[16,4.8e1],[24,64]", "optimiser.name=adamw,sgd", "blend=[2.5e-1,1],[]"])
    assert grid == {
        "augmentation.face_px": [[16, 48.0], [24, 64]],
        "optimiser.name": ["adamw", "sgd"],
        "blend": [[0.25, 1], []],
    }
    changed = with_values(training(), {"augmentation.face_px": [16, 48.0], "blend": [0.25, 1]})
    assert (changed.augmentation.face_px, changed.blend) == ((16.0, 48.0), (0.25, 1.0))
    with pytest.raises(SettingsError, match="is no list of values"):
        read_grid(["augmentation.face_px=[16,48"])


def test_what_measures_the_students_is_the_same_so_that_they_can_be_compared() -> None:
    """`lfr experiment compare 02_low_resolution 03_fast_student` needs the very same faces."""
    low, fast = (read_experiment(EXPERIMENTS / name) for name in ("02_low_resolution", "03_fast_student"))
    assert isinstance(low, TrainingConfig)
    assert isinstance(fast, TrainingConfig)
    conditions = {condition.name: condition for condition in low.measuring.conditions}
    assert all(conditions[condition.name] == condition for condition in fast.measuring.conditions)
    draws = ("fpir", "listed", "mated_probes", "non_mated", "seed")
    assert all(getattr(low.measuring, name) == getattr(fast.measuring, name) for name in draws)
    assert (low.data.measure_share, low.data.seed) == (fast.data.measure_share, fast.data.seed)


@pytest.mark.parametrize("field", ["objective.kind", "data.seed", "data", "objective", "held_out_images", "licence"])
def test_a_search_does_not_vary_what_its_trials_are_compared_on(field: str) -> None:
    with pytest.raises(SettingsError, match=rf"--over {field}: all trials have it in common"):
        with_values(training(), {field: 1})


def test_a_combination_that_comes_twice_is_one_trial() -> None:
    trials = combinations(training(), {"batch_size": [8, 16, 8], "optimiser.learning_rate": [1e-4]})
    assert [values["batch_size"] for values, _ in trials] == [8, 16]
    assert [trial.batch_size for _, trial in trials] == [8, 16]


@pytest.mark.parametrize("idle", [{"pairs": "pairs.txt"}, {"replicates": 100}])
def test_a_setting_that_a_kind_makes_nothing_of_is_refused(idle: dict[str, Any]) -> None:
    content = {"kind": "robustness", "question": "does it break", "data": {"dataset": "demo"}, "measuring": idle}
    with pytest.raises(SettingsError, match=rf"measuring\.{next(iter(idle))}: does nothing here"):
        validated(content, where="a test")


def test_what_is_said_about_a_training_does_not_train_it_again() -> None:
    assert training_digest(training()) == training_digest(training(question="is it another question", licence="MIT"))
    assert training_digest(training()) != training_digest(training(seed=1))


def test_a_setting_that_came_later_leaves_what_was_trained_before_where_it_is_found() -> None:
    # As commit 8d0668f has them, which knows neither `input_px` nor `blend`.
    assert training_digest(training()).startswith("f0532e133e8e")
    assert config_digest(training()).startswith("02d1ce481458")
    small = training(backbone={"input_px": 64})
    assert training_digest(small) != training_digest(training())


def test_settings_survive_being_written_and_read(tmp_path: Path) -> None:
    config = training(backbone={"frozen_layers": 4})
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(config.model_dump(mode="json")), encoding="utf-8")
    assert read_experiment(tmp_path) == config
