"""What 8-bit numbers cost and bring: speed beside float, misses on people who only measure, verdicts of fairness."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from lfr.errors import SettingsError
from lfr.evaluation import EquityPolicy, Searches, evaluate_fairness, fairness_threshold
from lfr.evaluation.benchmarks import has_bf16
from lfr.models import Model, weights_folder
from lfr.models.network import ImageNetwork
from lfr.models.weights import load_sface
from lfr.training.blending import blended
from lfr.training.checkpoints import read_checkpoint, trained_weights
from lfr.training.config import TrainingConfig
from lfr.training.degradation import aligned
from lfr.training.int8 import Quantised, quantised
from lfr.training.kinds import QuantisationConfig, read_experiment
from lfr.training.networks import build_network
from lfr.training.provenance import training_digest
from lfr.training.students import as_model
from lfr.training.training import Prepared, plan_training
from lfr.types import IntArray, Pixels

__all__ = ["FLOAT", "INT8", "beside_float", "quantise", "trained_licence", "trained_network", "verdicts"]

FLOAT, INT8 = "f32", "int8"
_SFACE_LICENCE = "Apache-2.0"


def trained_network(config: QuantisationConfig, folder: Path, prepared: Prepared, home: Path) -> ImageNetwork:
    """Return the network that an experiment quantises: what is kept of a finished training, or SFace.

    Raises
    ------
    SettingsError
        The experiment beside it trains nothing, or has not been run to its end here.
    TrainingError
        It was trained on other people than this one's.
    """
    if not config.trained:
        return load_sface(weights_folder())
    beside, training = _trained(config, folder)
    checkpoint = home / "experiments" / f"{beside.name}-{training_digest(training)[:12]}" / "checkpoint.pt"
    found = read_checkpoint(checkpoint, made_from=prepared.made_from)
    if found is None or not found[1].finished:
        raise SettingsError(f"trained: {beside.name} has not been run to its end here: lfr experiment run {beside}")
    network = build_network(training.backbone, seed=training.seed)
    network.load_state_dict(trained_weights(found[0], blends=bool(training.blend)))
    if training.blend:
        files = plan_training(prepared, checkpoint.parent, mirrored=False)
        return blended(training, files, network.eval())[0]
    return network.eval()


def trained_licence(config: QuantisationConfig, folder: Path) -> str:
    """Return the terms of the weights that an experiment quantises; raises as `trained_network`."""
    return _trained(config, folder)[1].licence if config.trained else _SFACE_LICENCE


def _trained(config: QuantisationConfig, folder: Path) -> tuple[Path, TrainingConfig]:
    beside = folder.resolve().parent / config.trained
    training = read_experiment(beside)
    if not isinstance(training, TrainingConfig):
        raise SettingsError(f"trained: {beside.name} trains nothing")
    return beside, training


def quantise(config: QuantisationConfig, network: ImageNetwork, prepared: Prepared) -> Quantised:
    """Quantise a network: ranges from faces that train, what stays in float from held-out ones."""
    crops, split = prepared.crops, prepared.split

    def some(rows: IntArray, most: int) -> Pixels:
        chosen = np.flatnonzero(np.isin(crops.row, rows))
        chosen = chosen[:: max(1, len(chosen) // most)][:most]
        return np.stack([aligned(crops.pixels[at], crops.landmarks, mirrored=False) for at in chosen])

    calibration, held_out = some(split.train, config.calibration_images), some(split.held_out, config.held_out_images)
    return quantised(network, calibration, held_out, most_lost=config.most_lost)


def beside_float(network: ImageNetwork, made: Quantised, *, size: int, threads: int | None) -> dict[str, Model]:
    """Return the embedder in float32, in bf16 where the processor has it, and quantised."""
    models = {FLOAT: as_model(network, FLOAT, size=size, threads=threads)}
    if has_bf16():
        models["bf16"] = as_model(network, "bf16", size=size, precision="bf16", threads=threads)
    return models | {INT8: as_model(network, INT8, size=size, threads=threads, quantised=made)}


def verdicts(searches: Mapping[str, Searches], config: QuantisationConfig) -> dict[str, Any]:
    """Return what the fairness evaluation says of each model, each at its own threshold, and whether all say the same.

    Raises
    ------
    ManifestError
        A group column is not there, or has one label only.
    """
    said: dict[str, dict[str, Any]] = {}
    for name, table in searches.items():
        threshold, target, _ = fairness_threshold(table)
        result = evaluate_fairness(
            table, by=config.by, threshold=threshold, policy=EquityPolicy(max_fpir_difference=target),
            rng=np.random.default_rng([config.measuring.seed, 3]), replicates=config.measuring.replicates,
        )  # fmt: skip
        said[name] = {
            "verdict": result.verdict,
            "threshold": threshold,
            **{
                f"{rate}, by {grouping.name}": getattr(grouping.equity, rate).verdict
                for grouping in result.groupings
                for rate in ("tpir", "fpir")
            },
        }
    judged = [{key: value for key, value in row.items() if key != "threshold"} for row in said.values()]
    return {"unchanged": all(row == judged[0] for row in judged), "models": said}
