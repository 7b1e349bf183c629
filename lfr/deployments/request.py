"""What is asked for: everything that an authorisation must carry."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    field_validator,
    model_validator,
)

from lfr.deployments.calibrations import SHIPPED, calibration_named
from lfr.errors import InputError
from lfr.types import Calibration, problems_of

__all__ = ["REQUEST_TEMPLATE", "DeploymentRequest", "read_request", "request_from"]

Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=8_000)]
Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]


class DeploymentRequest(BaseModel):
    """A deployment as its author asks for it.

    What the law and guidance want of an authorisation is required here, so
    that none can be asked for without it (R1, R16). Nothing of it can be
    changed later: another request is another deployment.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Text = Field(description="What people call it.")
    purpose: Text = Field(description="The policing purpose.")
    necessity: Text = Field(description="Why it is necessary, and what less intrusive means would not do.")
    proportionality: Text = Field(description="Why the intrusion is in proportion to the purpose.")
    place: Text = Field(description="Where.")
    why_there: Text = Field(description="Why this place: the intelligence or information behind the choice.")
    signage: Text = Field(description="How people are told before they come into view.")
    controller_force: Text = Field(description="The force that is controller of the data: its id or name.")
    dpia: Text = Field(description="Reference of the data protection impact assessment.")
    appropriate_policy_document: Text = Field(description="Reference of the appropriate policy document.")
    equality_impact_assessment: Text = Field(description="Reference of the equality impact assessment.")
    starts_at: AwareDatetime = Field(description="From when, with its zone.")
    ends_at: AwareDatetime = Field(description="Until when, with its zone.")
    categories: tuple[Text, ...] = Field(min_length=1, description="Who may be looked for.")
    cameras: tuple[Name, ...] = Field(min_length=1, description="The cameras, by name.")
    watchlist: Text = Field(description="Id of the sealed watchlist.")
    watchlist_digest: str | None = Field(default=None, description="Digest that it must have; null: what it has.")
    calibration: Calibration = Field(description="Where the threshold comes from.")
    shots: int | None = Field(default=None, ge=1, description="Most faces compared a track; null: as calibrated.")
    fusion: Literal["max", "mean"] | None = Field(default=None, description="As calibrated where null.")
    demo: bool = Field(default=False, description="A demonstration, marked as not approved for field use for good.")

    @field_validator("categories", "cameras")
    @classmethod
    def _each_once(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(names)) < len(names):
            raise ValueError("each may be named once")
        return names

    @model_validator(mode="after")
    def _ends_after_it_starts(self) -> Self:
        if self.ends_at <= self.starts_at:
            raise ValueError(f"ends_at {self.ends_at.isoformat()} is not after starts_at {self.starts_at.isoformat()}")
        return self

    @property
    def document(self) -> dict[str, Any]:
        """The request as JSON; of the calibration its id alone."""
        return {**self.model_dump(mode="json", exclude={"calibration"}), "calibration": self.calibration.digest}


def read_request(path: Path, *, changes: Mapping[str, Any] | None = None) -> DeploymentRequest:
    """Read a request file, TOML by its suffix and JSON otherwise.

    Parameters
    ----------
    path
        The file. Its ``calibration`` is ``shipped`` or the path of a
        calibration file, relative to the request's folder.
    changes
        Fields that replace those of the file.

    Raises
    ------
    InputError
        The file cannot be read, or a field is missing, unknown or wrong; every such field is named.
    CalibrationError
        The calibration cannot be used.
    """
    try:
        text = path.read_text(encoding="utf-8")
        fields = tomllib.loads(text) if path.suffix.lower() == ".toml" else json.loads(text)
    except OSError as error:
        raise InputError(f"{path}: cannot read the request: {error.strerror}") from error
    except (ValueError, RecursionError) as error:  # the latter of brackets within brackets
        raise InputError(f"{path}: no request: {error}") from error
    if not isinstance(fields, dict):
        raise InputError(f"{path}: no request: an object with its fields is wanted")
    return request_from({**fields, **(changes or {})}, name=str(path), folder=path.parent)


def request_from(fields: Mapping[str, Any], *, name: str, folder: Path) -> DeploymentRequest:
    """Return a request from its fields.

    Parameters
    ----------
    fields
        As in a request file.
    name
        What an error calls them.
    folder
        What the path of a calibration is relative to.

    Raises
    ------
    InputError
        A field is missing, unknown or wrong; every such field is named.
    CalibrationError
        The calibration cannot be used.
    """
    content = dict(fields)
    if isinstance(content.get("calibration"), str):
        content["calibration"] = calibration_named(content["calibration"], folder=folder)
    try:
        return DeploymentRequest.model_validate(content)
    except ValidationError as error:
        raise InputError(f"{name}: the request cannot be used: {problems_of(error)}") from error


REQUEST_TEMPLATE = f"""\
# A request for a deployment. Fill in every field, then: lfr deployment create FILE
name = ""
purpose = ""                      # the policing purpose
necessity = ""                    # why it is needed, and what less intrusive means would not do
proportionality = ""              # why the intrusion is in proportion
place = ""
why_there = ""                    # the intelligence or information behind the choice of place
signage = ""                      # how people are told before they come into view
controller_force = ""             # id or name of your force
dpia = ""                         # reference of the data protection impact assessment
appropriate_policy_document = ""  # its reference
equality_impact_assessment = ""   # its reference

starts_at = 2026-01-31T10:00:00Z  # with its zone; or leave both to --for
ends_at = 2026-01-31T11:00:00Z
categories = ["wanted-on-warrant"]
cameras = ["north"]
watchlist = "watchlist-"          # a sealed one: lfr watchlist seal

calibration = "{SHIPPED}"           # from simulated passes of made-up people, for demo only; or the path of one
demo = true                       # never approved for field use, one hour at most
# shots = 5                       # as calibrated unless given
# fusion = "max"
"""
