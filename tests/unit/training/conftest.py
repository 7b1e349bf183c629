"""The demo faces, cut out and embedded once for all tests of training."""

from __future__ import annotations

from pathlib import Path

import pytest

from lfr.evaluation import demo_faces
from lfr.models import Model
from lfr.training.config import TrainingConfig
from lfr.training.kinds import validated
from lfr.training.training import Prepared, TrainingFiles, plan_training, prepare

TINY = {
    "kind": "training",
    "question": "does a small network learn anything",
    "data": {"dataset": "demo"},
    "backbone": {"name": "test_efficientnet", "initial": "random", "head": "pool", "keep_resolution": False},
    "objective": {"kind": "distillation"},
    "augmentation": {"flip": False},
    "optimiser": {"learning_rate": 3e-3},
    "epochs": 3,
    "batch_size": 8,
    "loaders": 0,
    "threads": 1,
    "licence": "none",
}


@pytest.fixture(scope="session")
def prepared(model: Model, tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    """What training on the demo faces reads."""
    home = tmp_path_factory.mktemp("home")
    return prepare(demo_faces(), tiny().data, model, home, mirrored=False, shown=lambda items, _, __: items)


@pytest.fixture
def files(prepared: Prepared, tmp_path: Path) -> TrainingFiles:
    """The same, with a checkpoint of its own."""
    return plan_training(prepared, tmp_path, mirrored=False)


def tiny(**changes: object) -> TrainingConfig:
    """A training that takes a second."""
    config = validated({**TINY, **changes}, where="a test")
    assert isinstance(config, TrainingConfig)
    return config
