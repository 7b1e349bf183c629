"""Every card: complete, about what it says it is about, and with no figure that nobody measured."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

from lfr.evaluation import Manifest, open_manifest
from lfr.evaluation.manifest import data_digest, image_digests
from lfr.models import load_model
from lfr.models.pack import SFACE, YUNET
from lfr.registry.cards import CARDS, DataCard, files_digest, read_data_card, read_model_card
from lfr.training.config import TrainingConfig
from lfr.training.kinds import QuantisationConfig, read_experiment
from lfr.training.split import split_subjects

DATA = sorted(path.stem for path in (CARDS / "datasets").glob("*.md"))
MODELS = sorted(path.stem for path in (CARDS / "models").glob("*.md"))


def prose(folder: str, name: str) -> str:
    return (CARDS / folder / f"{name}.md").read_text(encoding="utf-8").split("\n---\n", 1)[1]


def test_there_is_a_card_for_all_that_is_measured_with_and_registered() -> None:
    assert {"lfw", "demo_faces", "wider_subset", "street_clips", "event_clip"} <= set(DATA)
    assert {"yunet", "sface", "lfr_recogniser"} <= set(MODELS)


@pytest.mark.parametrize("name", DATA)
def test_a_data_card_is_complete_and_has_prose(name: str) -> None:
    card = read_data_card(name)
    for labels in card.groups.values():
        assert sum(labels.values()) == card.images, f"{name}: {labels} are not {card.images} pictures"
    assert re.search(r"^# \S", prose("datasets", name), re.MULTILINE)


@pytest.mark.parametrize("name", MODELS)
def test_a_model_card_is_complete_and_links_to_what_is_there(name: str) -> None:
    read_model_card(name)
    for target in re.findall(r"\]\(([^)#]+)\)", prose("models", name)):
        assert "://" in target or (CARDS / "models" / target).exists(), target


def test_the_recognisers_card_is_of_the_default_version_and_states_no_figure() -> None:
    assert read_model_card("lfr_recogniser").digest == load_model(threads=1).digest
    assert not re.findall(r"\d+(\.\d+)?\s*%|\b0\.\d+", prose("models", "lfr_recogniser"))


@pytest.mark.parametrize("name", ["yunet", "sface"])
def test_a_networks_card_is_of_the_weights_that_are_used(name: str) -> None:
    role, weights = {"yunet": ("detector", YUNET), "sface": ("embedder", SFACE)}[name]
    card = read_model_card(name)
    assert (card.role, card.digest) == (role, weights.sha256)


def test_the_card_of_the_demo_faces_is_of_those_that_ship() -> None:
    check_faces("demo_faces", dataset="demo")


def test_the_card_of_lfw_is_of_the_evaluation_data(eval_data: Path) -> None:
    check_faces("lfw", dataset="lfw", root=eval_data / "lfw")


def test_the_card_of_the_measuring_half_is_of_those_who_measure_by_every_experiment(eval_data: Path) -> None:
    lfw = open_manifest(dataset="lfw", root=eval_data / "lfw")
    for name in ("02_low_resolution", "03_fast_student", "04_int8"):
        config = read_experiment(CARDS.parent / "experiments" / name)
        assert isinstance(config, TrainingConfig | QuantisationConfig)
        split = split_subjects(lfw, config.data)
        check(read_data_card("lfw_measuring_half"), split.manifest[split.measure])


def check_faces(name: str, *, dataset: str, root: Path | str = "") -> None:
    check(read_data_card(name), open_manifest(dataset=dataset, root=root))


def check(card: DataCard, manifest: Manifest) -> None:
    assert (card.images, card.subjects) == (len(manifest), len(set(manifest.subject_id)))
    assert card.groups == {column: Counter(labels.tolist()) for column, labels in manifest.groups.items()}
    assert card.digest == data_digest(manifest, image_digests(manifest))


def test_the_cards_of_clips_and_of_wider_are_of_the_evaluation_data(eval_data: Path) -> None:
    video, wider = eval_data / "video", eval_data / "detection" / "wider_subset200"
    street = ("street_crowd_1080p.mp4", "face-demographics-walking-and-pause.gif", "one_by_one_no_faces.mp4")
    portraits = sorted(path for path in (video / "hamilton_enrol").rglob("*") if path.is_file())
    assert read_data_card("street_clips").digest == files_digest([video / name for name in street], root=video)
    assert read_data_card("event_clip").digest == files_digest([video / "hamilton_360p.mp4", *portraits], root=video)
    files = [path for path in wider.rglob("*") if path.is_file()]
    assert read_data_card("wider_subset").digest == files_digest(files, root=wider)
