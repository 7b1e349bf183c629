"""Cards: what a data set or a model is, where it is from, and what it may not be used for; checked, not only read."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Literal, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from lfr.errors import RegistryError
from lfr.registry.bundle import Bundle, read_bundle
from lfr.registry.evidence import evidence_card, find_evidence
from lfr.registry.installed import installed_folder
from lfr.registry.tracking import Tracking
from lfr.registry.versions import RegisteredVersion, bundle_folder
from lfr.types import problems_of

__all__ = [
    "CARDS",
    "DataCard",
    "ModelCard",
    "card_problems",
    "files_digest",
    "model_cards",
    "read_data_card",
    "read_model_card",
]

CARDS = installed_folder("data_cards")
"""Where the cards of this installation lie."""

_FRONT = re.compile(r"\A---\n(.*?)\n---\n", re.DOTALL)
_DIGEST = r"^[0-9a-f]{64}$"


class _Card(BaseModel):
    """What every card says in its front matter."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(min_length=1, description="How evidence names it; the file's name.")
    provenance: str = Field(min_length=1, description="Where it is from.")
    licence: str = Field(min_length=1, description="Under which terms it may be used.")
    consent: str = Field(min_length=1, description="What the people whose pictures these are agreed to.")
    known_gaps: tuple[str, ...] = Field(min_length=1, description="What it cannot show or do.")
    forbidden_uses: tuple[str, ...] = Field(min_length=1, description="What it must not be used for.")
    digest: str = Field(pattern=_DIGEST, description="Of what the card is about.")


class DataCard(_Card):
    """The front matter of a data set's card; its digest is the one that every evaluation prints."""

    kind: Literal["faces", "detection", "video"] = Field(description="What it can be used to evaluate.")
    collection: str = Field(min_length=1, description="How it was made.")
    images: int = Field(ge=1, description="Pictures or videos.")
    subjects: int | None = Field(ge=1, description="People; null where nobody knows.")
    groups: dict[str, dict[str, int]] = Field(description="Pictures by label, by group column; empty: no labels.")
    simulated: bool = Field(description="Whether the people in it are made up.")


class ModelCard(_Card):
    """The front matter of a model's card.

    The digest is the SHA-256 of a network's weight file; for the recogniser, that of the default version.
    """

    role: Literal["detector", "embedder", "recogniser"] = Field(
        description="A network of the recogniser, or all of it."
    )
    training_data: str = Field(min_length=1, description="What it was trained on, as far as it is known.")
    input: str = Field(min_length=1, description="What goes in, with shape and units.")
    output: str = Field(min_length=1, description="What comes out, with shape and units.")
    intended_uses: tuple[str, ...] = Field(min_length=1, description="What it is here for.")


AnyCard = TypeVar("AnyCard", DataCard, ModelCard)


def read_data_card(name: str, *, folder: Path = CARDS) -> DataCard:
    """Read a data set's card by name.

    Raises
    ------
    RegistryError
        There is none, or its front matter is malformed or incomplete.
    """
    return _read(DataCard, folder / "datasets", name)


def read_model_card(name: str, *, folder: Path = CARDS) -> ModelCard:
    """Read a model's card by name; raises as `read_data_card`."""
    return _read(ModelCard, folder / "models", name)


def model_cards(bundle: Bundle, *, folder: Path = CARDS) -> tuple[dict[str, ModelCard], tuple[str, ...]]:
    """Cards of a recogniser's networks by role, found by the digest of the weights; and what is missing, a line each.

    Raises
    ------
    RegistryError
        A card is malformed.
    """
    every = [read_model_card(path.stem, folder=folder) for path in sorted((folder / "models").glob("*.md"))]
    found: dict[str, ModelCard] = {}
    missing = []
    for role, part in (("detector", bundle.detector), ("embedder", bundle.embedder)):
        card = next((card for card in every if (card.role, card.digest) == (role, part.sha256)), None)
        if card is None:
            missing.append(f"no model card of the {role} with SHA-256 {part.sha256[:12]} ({part.file})")
        else:
            found[role] = card
    return found, tuple(missing)


def card_problems(tracking: Tracking, version: RegisteredVersion, *, folder: Path = CARDS) -> tuple[str, ...]:
    """What is wrong with the cards of a version's networks and of the data that its evidence is from, a line each."""
    problems: list[str] = []
    try:
        problems += model_cards(read_bundle(bundle_folder(tracking, version)), folder=folder)[1]
    except RegistryError as error:
        problems.append(str(error))
    for kind, digest in find_evidence(tracking, version).data_digests.items():
        try:
            card = read_data_card(evidence_card(tracking, version, kind), folder=folder)
        except RegistryError as error:
            problems.append(str(error))
            continue
        if card.digest != digest:
            problems.append(f"card '{card.name}' is of data {card.digest[:12]}, the {kind} evidence of {digest[:12]}")
    return tuple(problems)


def files_digest(files: Iterable[Path], *, root: Path) -> str:
    """Digest of a set that has no manifest: SHA-256 over each file's own and its name below ``root``, in order.

    Raises
    ------
    RegistryError
        A file cannot be read.
    """
    whole = hashlib.sha256()
    for path in sorted(files):
        try:
            content = path.read_bytes()
        except OSError as error:
            raise RegistryError(f"{path}: cannot read it: {error.strerror}") from error
        whole.update(f"{hashlib.sha256(content).hexdigest()}  {path.relative_to(root).as_posix()}\n".encode())
    return whole.hexdigest()


def _read(kind: type[AnyCard], folder: Path, name: str) -> AnyCard:
    path = folder / f"{name}.md"
    if not re.fullmatch(r"[a-z0-9_]+", name):
        raise RegistryError(f"card '{name}': a name of small letters, digits and _ is wanted")
    try:
        found = _FRONT.match(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise RegistryError(f"card '{name}': cannot read {path}: {error.strerror}") from error
    if found is None:
        raise RegistryError(f"{path}: no front matter between two lines of ---")
    try:
        card = kind.model_validate(yaml.safe_load(found.group(1)))
    except (yaml.YAMLError, RecursionError) as error:
        raise RegistryError(f"{path}: not YAML: {str(error).splitlines()[0]}") from error
    except ValidationError as error:
        raise RegistryError(f"{path}: {problems_of(error)}") from error
    if card.name != name:
        raise RegistryError(f"{path}: its card is of '{card.name}'")
    return card
