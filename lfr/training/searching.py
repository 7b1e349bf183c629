"""Ray Tune over any field of a training experiment: which values lose least on the held-out subjects."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
import yaml

from lfr.errors import SettingsError, TrainingError
from lfr.training.checkpoints import Progressed, read_checkpoint
from lfr.training.config import TrainingConfig
from lfr.training.kinds import validated
from lfr.training.node import local_node
from lfr.training.provenance import training_digest
from lfr.training.ray_workers import root_of
from lfr.training.training import TrainingFiles, fit

__all__ = ["combinations", "read_grid", "search", "with_values"]

_OF_THE_TASK = ("kind", "data", "held_out_images", "measuring", "question", "licence")
_WHOLE = ("objective", "objective.kind")  # another kind's held-out loss is another number


def read_grid(options: Sequence[str]) -> dict[str, list[Any]]:
    """Return the values of each field, from options like ``optimiser.learning_rate=1e-4,3e-4``.

    Values are YAML between commas, so that one that is a list has brackets:
    ``augmentation.face_px=[16,48],[24,64]``.

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
        grid[field] = _values(values, option)
    return grid


def with_values(config: TrainingConfig, values: Mapping[str, Any]) -> TrainingConfig:
    """Return an experiment with other values in some fields, checked as those of its file are.

    Raises
    ------
    SettingsError
        There is no such field, it does not take the value, or trials that differ in it are not of one task.
    """
    for field in values:
        if field.partition(".")[0] in _OF_THE_TASK or field in _WHOLE:
            raise SettingsError(f"--over {field}: all trials have it in common, since they are compared on one task")
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


def combinations(
    config: TrainingConfig, grid: Mapping[str, Sequence[Any]]
) -> list[tuple[dict[str, Any], TrainingConfig]]:
    """Return every combination of values once, with the experiment that it makes; raises as `with_values`."""
    made = [dict(zip(grid, values, strict=True)) for values in itertools.product(*grid.values())]
    trials = [(values, with_values(config, values)) for values in made]
    return list({training_digest(trial): (values, trial) for values, trial in trials}.values())


def search(
    config: TrainingConfig,
    files: TrainingFiles,
    folder: Path,
    grid: Mapping[str, Sequence[Any]],
    *,
    at_once: int = 1,
    said: Callable[[str], None] = lambda _: None,
) -> list[dict[str, Any]]:
    """Train once with every combination of values, with Ray Tune, and return the combinations, the best first.

    All of them are scored on the held-out faces as ``config`` draws and
    degrades them, whatever the trial trains on. A trial that failed is the
    last, with what went wrong under ``failed``.

    Parameters
    ----------
    config, files
        As for `lfr.training.training.fit`.
    folder
        Where each combination has its checkpoint, by its own digest; one that is finished there is not trained again.
    grid
        Values by field.
    at_once
        Trials that run side by side.
    said
        Told each epoch of each trial in a line.

    Raises
    ------
    SettingsError
        A field is unknown or does not take a value.
    TrainingError
        No trial came to its end.
    """
    made = combinations(config, grid)
    trials: list[dict[str, Any]] = []
    names: dict[str, str] = {}
    for number, (values, trial) in enumerate(made, start=1):
        place = folder / f"trial-{training_digest(trial)[:16]}"
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
        told_as = ", ".join(f"{field} {value}" for field, value in values.items())
        names[place.name] = f"trial {number} of {len(made)}, {told_as}"
        of_trial = {**asdict(files), "checkpoint": str(place / "checkpoint.pt")}
        trials.append({"config": trial.model_dump_json(), "task": config.model_dump_json(), "files": of_trial})
    # Ray hides a GPU from a trial that asks for none, which would then train on the CPU.
    gpus = min(1.0, torch.cuda.device_count() / at_once)
    with local_node(at_once + 1) as kept:
        from ray import tune  # noqa: PLC0415

        tuner = tune.Tuner(
            tune.with_resources(_try, {"cpu": 1, "gpu": gpus} if gpus else {"cpu": 1}),
            param_space={
                "trial": tune.grid_search(trials),
                "threads": max(1, (os.cpu_count() or 1) // at_once),
            },
            tune_config=tune.TuneConfig(max_concurrent_trials=at_once, trial_dirname_creator=_named),
            run_config=tune.RunConfig(storage_path=str(kept), verbose=0, callbacks=[_telling(names, said)]),
        )
        results = tuner.fit()
        failed = {
            Path(result.path).name: root_of(result.error)
            for result in map(results.__getitem__, range(len(results)))
            if result.error
        }
    found = []
    for (values, _), told in zip(made, trials, strict=True):
        checkpoint = told["files"]["checkpoint"]
        done = read_checkpoint(Path(checkpoint), made_from=files.made_from)
        progressed = Progressed() if done is None else done[1]
        loss = progressed.best_loss if done is not None else None
        reason = failed.get(Path(checkpoint).parent.name, "" if progressed.finished else "ended before its end")
        found.append({**values, "held_out_loss": loss, "epochs": progressed.epoch, "failed": reason})
    if all(row["failed"] for row in found):
        raise TrainingError(f"no trial came to its end: {found[0]['failed']}")
    return sorted(found, key=lambda row: (bool(row["failed"]), row["held_out_loss"] or 0.0))


def _telling(names: Mapping[str, str], said: Callable[[str], None]) -> Any:  # noqa: ANN401 # Ray's
    """What Ray Tune calls in this process after each epoch of a trial."""
    from ray import tune  # noqa: PLC0415

    class Telling(tune.Callback):
        def on_trial_result(self, *_: Any, **told: Any) -> None:  # noqa: ANN401
            loss, epoch = told["result"]["held_out_loss"], told["result"]["training_iteration"] - 1
            said(f"{names[_named(told['trial'])]}: epoch {epoch}: held_out_loss {loss:.4g}")

    return Telling()


def _named(trial: Any) -> str:  # noqa: ANN401 # Ray's trial
    """Ray's folder of a trial is called as ours is, so that what it says is found again."""
    return Path(trial.config["trial"]["files"]["checkpoint"]).parent.name


def _try(told: dict[str, Any]) -> None:
    """What each trial runs."""
    from ray import tune  # noqa: PLC0415

    torch.set_num_threads(told["threads"])
    config = TrainingConfig.model_validate_json(told["trial"]["config"])
    files = TrainingFiles(**told["trial"]["files"])
    task = TrainingConfig.model_validate_json(told["trial"]["task"])
    fit(config, files, task=task, said=lambda _, figures: tune.report(figures))


def _values(text: str, option: str) -> list[Any]:
    try:
        return [_number(value) for value in yaml.safe_load(f"[{text}]")]
    except yaml.YAMLError as error:
        raise SettingsError(f"--over {option}: {text} is no list of values") from error


def _number(value: Any) -> Any:  # noqa: ANN401 # whatever YAML has
    """YAML takes 1e-4 for text, because it has no point; a list's numbers too."""
    if isinstance(value, list):
        return [_number(one) for one in value]
    with suppress(TypeError, ValueError):
        return float(value) if isinstance(value, str) else value
    return value
