"""The kinds of experiment, and how a folder's ``config.yaml`` becomes one."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import Field, TypeAdapter, ValidationError, model_validator

from lfr.errors import SettingsError
from lfr.matching import DecisionRule
from lfr.sources import SceneSettings
from lfr.training.config import Data, Measuring, Section, TrainingConfig
from lfr.types import problems_of

__all__ = ["Clips", "ExperimentConfig", "FusionConfig", "QuantisationConfig", "RobustnessConfig", "read_experiment"]


class RobustnessConfig(Section):
    """Where do model versions break: no training."""

    kind: Literal["robustness"]
    question: str = Field(min_length=1, description="What it is to answer.")
    data: Data
    models: tuple[str, ...] = Field(default=("openvino-f32",), min_length=1, description="Versions, `lfr models list`.")
    measuring: Measuring
    scenes: tuple[SceneSettings, ...] = Field(default=(), description="Simulated scenes of made-up people.")
    threshold: float = Field(default=0.45, ge=-1.0, le=1.0, description="In the scenes.")

    @model_validator(mode="after")
    def _compares_nothing(self) -> RobustnessConfig:
        idle = [name for name in ("pairs", "replicates") if getattr(self.measuring, name) != getattr(Measuring(), name)]
        if idle:
            raise ValueError(f"measuring.{idle[0]}: does nothing here: no two models are compared, nor pairs verified")
        return self


class Clips(Section):
    """Recordings of real people, below the data's folder, as far as it is known who is in them."""

    references: str = Field(description="Folder of references, as `lfr rehearse --watchlist` takes it.")
    present: dict[str, tuple[str, ...]] = Field(min_length=1, description="Clips, and the listed people in each.")
    absent: tuple[str, ...] = Field(min_length=1, description="Clips in which nobody is listed.")


class FusionConfig(Section):
    """Which rule over a track's shots finds most people at the same FPIR: no training."""

    kind: Literal["fusion"]
    question: str = Field(min_length=1, description="What it is to answer.")
    model: str = Field(default="openvino-f32", description="Version.")
    rules: tuple[DecisionRule, ...] = Field(min_length=2, description="Of which the first is today's default.")
    choosing: tuple[SceneSettings, ...] = Field(min_length=1, description="Scenes that the best rule is chosen on.")
    confirming: tuple[SceneSettings, ...] = Field(min_length=1, description="Other scenes, which confirm it or not.")
    clips: Clips | None = Field(default=None, description="Recordings that may speak against the best rule.")
    fpir: float = Field(default=0.1, gt=0.0, lt=1.0, description="At which rules are compared.")
    replicates: int = Field(default=2000, ge=100, description="Of the bootstrap over subjects.")
    seed: int = Field(default=0, ge=0, description="Of the bootstrap, and of who is in which half.")


class QuantisationConfig(Section):
    """How much faster is an embedder of 8-bit numbers, and does it judge as before: no training."""

    kind: Literal["quantisation"]
    question: str = Field(min_length=1, description="What it is to answer.")
    data: Data
    trained: str = Field(
        default="", pattern=r"^\w*$", description="Folder beside this one whose student it is about; '': SFace."
    )
    calibration_images: int = Field(default=300, ge=8, description="Training faces that the ranges are taken from.")
    held_out_images: int = Field(default=256, ge=8, description="Most held-out faces that decide what stays as it is.")
    most_lost: float = Field(
        default=0.002, gt=0.0, lt=1.0, description="Of the mean cosine to the templates of float32, on those."
    )
    measuring: Measuring
    by: tuple[str, ...] = Field(default=(), description="Group columns of the fairness evaluation.")
    threads: int | None = Field(default=None, ge=1, description="Of the networks that are timed; null: as asked for.")


ExperimentConfig = TrainingConfig | RobustnessConfig | FusionConfig | QuantisationConfig

_ANY: TypeAdapter[ExperimentConfig] = TypeAdapter(Annotated[ExperimentConfig, Field(discriminator="kind")])


def read_experiment(folder: Path) -> ExperimentConfig:
    """Return the experiment that a folder describes.

    Raises
    ------
    SettingsError
        ``config.yaml`` cannot be read, a key is unknown or missing, or a value is not one that it takes; the key is
        named.
    """
    path = folder / "config.yaml"
    return validated(_read(path), where=str(path))


def validated(content: dict[str, Any], *, where: str) -> ExperimentConfig:
    """Return the experiment that keys and values describe; raises as `read_experiment`."""
    try:
        return _ANY.validate_python(content)
    except ValidationError as error:
        raise SettingsError(f"{where}: {problems_of(error)}") from error


def _read(path: Path) -> dict[str, Any]:
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"{path}: cannot read the experiment: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        raise SettingsError(f"{path}: not YAML: {str(error).splitlines()[0]}") from error
    if not isinstance(content, dict):
        raise SettingsError(f"{path}: expected keys and values")
    return content
