"""Data cards: what a data set is, where it is from, and what it may not be used for, checked against the evidence."""

from __future__ import annotations

import re
from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from lfr.errors import RegistryError
from lfr.registry.evidence import evidence_card, find_evidence
from lfr.registry.tracking import Tracking
from lfr.registry.versions import RegisteredVersion
from lfr.types import problems_of

__all__ = ["CARDS", "DataCard", "card_problems", "read_card"]

CARDS = Path(__file__).parents[2] / "data_cards" / "datasets"
"""Where the cards of this installation lie."""

_FRONT = re.compile(r"\A---\n(.*?)\n---\n", re.DOTALL)


class DataCard(BaseModel):
    """The front matter of a card."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(min_length=1, description="How evidence names it.")
    provenance: str = Field(min_length=1, description="Where it is from.")
    licence: str = Field(min_length=1, description="Under which terms it may be used.")
    consent: str = Field(min_length=1, description="What the people in it agreed to.")
    collection: str = Field(min_length=1, description="How it was made.")
    images: int = Field(ge=1, description="Pictures.")
    subjects: int = Field(ge=1, description="People.")
    groups: dict[str, dict[str, int]] = Field(description="Pictures by label, by group column.")
    known_gaps: tuple[str, ...] = Field(min_length=1, description="What it cannot show.")
    forbidden_uses: tuple[str, ...] = Field(min_length=1, description="What it must not be used for.")
    simulated: bool = Field(description="Whether the people in it are made up.")
    digest: str = Field(pattern=r"^[0-9a-f]{64}$", description="Data digest, as every evaluation prints it.")


def read_card(name: str, *, folder: Path = CARDS) -> DataCard:
    """Read a card by name.

    Raises
    ------
    RegistryError
        There is none, or its front matter is malformed or incomplete.
    """
    path = folder / f"{name}.md"
    if not re.fullmatch(r"[a-z0-9_]+", name):
        raise RegistryError(f"data card '{name}': a name of small letters, digits and _ is wanted")
    try:
        found = _FRONT.match(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise RegistryError(f"data card '{name}': cannot read {path}: {error.strerror}") from error
    if found is None:
        raise RegistryError(f"{path}: no front matter between two lines of ---")
    try:
        return DataCard.model_validate(yaml.safe_load(found.group(1)))
    except yaml.YAMLError as error:
        raise RegistryError(f"{path}: not YAML: {str(error).splitlines()[0]}") from error
    except ValidationError as error:
        raise RegistryError(f"{path}: {problems_of(error)}") from error


def card_problems(tracking: Tracking, version: RegisteredVersion, *, folder: Path = CARDS) -> tuple[str, ...]:
    """What is wrong with the card of the data that a version's fairness evidence is from, a line each."""
    fairness = find_evidence(tracking, version).fairness
    if fairness is None:
        return ()
    try:
        card = read_card(evidence_card(tracking, version, "fairness"), folder=folder)
    except RegistryError as error:
        return (str(error),)
    if card.digest != fairness.data_digest:
        return (f"card '{card.name}' is of data {card.digest[:12]}, the evidence is of {fairness.data_digest[:12]}",)
    return ()
