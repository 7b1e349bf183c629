"""Ray Tune over any field of a training experiment: which values lose least on the held-out subjects."""

from __future__ import annotations

import itertools
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
import yaml

from lfr.errors import SettingsError, TrainingError
from lfr.training.checkpoints import read_checkpoint
from lfr.training.config import TrainingConfig
from lfr.training.kinds import validated
from lfr.training.node import local_node
from lfr.training.training import TrainingFiles, fit

__all__ = ["read_grid", "search", "with_values"]


def read_grid(options: Sequence[str]) -> dict[str, list[Any]]:
    """Return the values of each field, from options like ``optimiser.learning_rate=1e-4,3e-4``.

    Raises
    ------
    SettingsError
        An option is not of that form.
    """
    grid: dict[str, list[Any]] = {}
    for option in options:
        field, found, values = option.partition("=")
        if not found or not field or not values:
            raise SettingsError(f"--over {option}: write it as optimiser.learning_rate=0.0001,0.0003")
        grid[field] = [_value(text) for text in values.split(",")]
    return grid


def with_values(config: TrainingConfig, values: Mapping[str, Any]) -> TrainingConfig:
    """Return an experiment with other values in some fields, checked as those of its file are.

    Raises
    ------
    SettingsError
        There is no such field, or it does not take the value.
    """
    content = config.model_dump(mode="json")
    for field, value in values.items():
        *path, last = field.split(".")
        place: Any = content
        for name in path:
            place = place.get(name) if isinstance(place, dict) else None
        if not isinstance(place, dict) or last not in place:
            raise SettingsError(f"--over {field}: the experiment has no such field")
        place[last] = value
    made = validated(content, where="--over")
    assert isinstance(made, TrainingConfig)
    return made


def search(
    config: TrainingConfig, files: TrainingFiles, folder: Path, grid: Mapping[str, Sequence[Any]], *, at_once: int = 1
) -> list[dict[str, Any]]:
    """Train once with every combination of values, with Ray Tune, and return the combinations, the best first.

    Parameters
    ----------
    config, files
        As for `lfr.training.training.fit`.
    folder
        Where each combination has its checkpoint; one that is finished there is not trained again.
    grid
        Values by field.
    at_once
        Trials that run side by side.

    Raises
    ------
    SettingsError
        A field is unknown or does not take a value.
    TrainingError
        No trial came to its end.
    """
    combinations = [dict(zip(grid, values, strict=True)) for values in itertools.product(*grid.values())]
    trials = []
    for number, values in enumerate(combinations):
        place = folder / f"trial-{number:03d}"
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
        of_trial = {**asdict(files), "checkpoint": str(place / "checkpoint.pt")}
        trials.append({"config": with_values(config, values).model_dump_json(), "files": of_trial})
    with local_node(at_once + 1) as kept:
        from ray import tune  # noqa: PLC0415

        tuner = tune.Tuner(
            tune.with_resources(_try, {"cpu": 1}),
            param_space={
                "trial": tune.grid_search(trials),
                "threads": max(1, (os.cpu_count() or 1) // at_once),
            },
            tune_config=tune.TuneConfig(max_concurrent_trials=at_once),
            run_config=tune.RunConfig(storage_path=str(kept), verbose=0),
        )
        tuner.fit()
    found = []
    for values, trial in zip(combinations, trials, strict=True):
        done = read_checkpoint(Path(trial["files"]["checkpoint"]))  # type: ignore[index] # a mapping of names
        if done is not None:
            found.append({**values, "held_out_loss": done[1].best_loss, "epochs": done[1].epoch})
    if not found:
        raise TrainingError("no trial came to the end of an epoch")
    return sorted(found, key=lambda row: row["held_out_loss"])


def _try(told: dict[str, Any]) -> None:
    """What each trial runs."""
    from ray import tune  # noqa: PLC0415

    torch.set_num_threads(told["threads"])
    config = TrainingConfig.model_validate_json(told["trial"]["config"])
    files = TrainingFiles(**told["trial"]["files"])
    fit(config, files, said=lambda _, figures: tune.report(figures))


def _value(text: str) -> Any:  # noqa: ANN401
    try:
        return yaml.safe_load(text) if "e" not in text else float(text)
    except (ValueError, yaml.YAMLError):
        return text
