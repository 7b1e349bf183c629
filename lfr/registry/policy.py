"""What a version must show before it may be promoted: a file that people read, agree on and sign off."""

from __future__ import annotations

import hashlib
import json
from importlib.resources import files
from pathlib import Path
from typing import Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from lfr.errors import RegistryError
from lfr.types import problems_of

__all__ = ["POLICIES", "Policy", "read_policy"]

POLICIES = ("field", "shadow", "demo")
"""Policies that come with lfr."""

Allowed = tuple[Literal["equitable", "not shown", "not equitable"], ...]


class Policy(BaseModel):
    """Bounds of one gate; the files that come with lfr say where each is from."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    name: str = Field(min_length=1, description="What it is called.")
    alias: Literal["field", "shadow", "demo"] = Field(description="Alias that a version gets which passes.")
    field_use: bool = Field(description="Whether what passes may be used on people.")
    watchlist_size: int = Field(ge=1, description="Watchlist that the evidence was measured with, at least.")
    min_tpir: float = Field(ge=0, le=1, description="Least lower end of TPIR's two-sided 95% interval.")
    max_fpir: float = Field(gt=0, lt=1, description="Most that FPIR's one-sided 95% upper bound may be.")
    columns: tuple[str, ...] = Field(description="Group columns that the fairness evidence must have; empty: any one.")
    min_mated_subjects_per_group: int = Field(ge=0, description="People on the list, of each labelled group.")
    non_mated_subjects_per_group: bool = Field(
        description="Whether each labelled group must have the people that show max_fpir."
    )
    tpir_equity: Allowed = Field(min_length=1, description="Verdicts on TPIR that pass.")
    fpir_equity: Allowed = Field(min_length=1, description="Verdicts on FPIR that pass.")
    max_fpir_difference: float = Field(gt=0, lt=1, description="Most that equity was judged by.")
    calibration: Literal["sufficient", "any"] = Field(description="Verdict that the calibration must have.")
    simulated: bool = Field(description="Whether evidence from made-up faces counts.")
    min_parity_cosine: float = Field(ge=0, le=1, description="Least cosine of a template to the torch reference's.")
    max_age_days: int = Field(ge=1, description="Days after which evidence is stale.")

    @property
    def digest(self) -> str:
        """SHA-256 over the content as canonical JSON."""
        text = json.dumps(self.model_dump(mode="json"), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()


def read_policy(name: str | Path) -> Policy:
    """Read a policy by name, or from a file.

    Raises
    ------
    RegistryError
        There is none, or it has an unknown key, lacks one, or a bound is out of range.
    """
    path = Path(str(files("lfr.registry") / "policies" / f"{name}.yaml")) if name in POLICIES else Path(name)
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise RegistryError(
            f"policy {name}: cannot read it: {error.strerror}; there are {', '.join(POLICIES)}, or give a file"
        ) from error
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        raise RegistryError(f"policy {name}: not YAML: {str(error).splitlines()[0]}") from error
    if not isinstance(content, dict):
        raise RegistryError(f"policy {name}: a mapping is wanted")
    try:
        return Policy.model_validate_json(json.dumps(content))
    except ValidationError as error:
        raise RegistryError(f"policy {name}: {problems_of(error)}") from error
