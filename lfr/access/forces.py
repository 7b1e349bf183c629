"""Forces and the policy each has set for its use of lfr."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.orm import Session

from lfr.database.tables import Force
from lfr.errors import NotFoundError

__all__ = ["ForcePolicy", "policy_of"]


class ForcePolicy(BaseModel):
    """What a force allows itself; stricter than the defaults is always possible."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    categories: tuple[str, ...] = Field(
        default=(
            "wanted-on-warrant",
            "unlawfully-at-large",
            "suspected-of-priority-offence",
            "missing-at-risk",
            "subject-of-court-order",
        ),
        min_length=1,
        description="Why somebody may be on a watchlist.",
    )
    authorising_ranks: tuple[str, ...] = Field(
        default=("superintendent", "chief-superintendent", "assistant-chief-constable"),
        min_length=1,
        description="Ranks that may authorise a deployment.",
    )
    max_watchlist: int = Field(default=2_000, ge=1, description="Most entries of a watchlist (R3).")
    max_image_age_days: int = Field(default=3_650, ge=1, description="Days from which an image counts as old.")
    max_window_hours: float = Field(default=12.0, gt=0, le=72, description="Longest deployment.")
    alert_image_hours: float = Field(default=24.0, gt=0, le=24 * 31, description="Clock of an alert's image (R7).")
    watchlist_hours: float = Field(
        default=24.0, gt=0, le=24 * 31, description="Hours after a deployment's end until its list is destroyed (R7)."
    )
    two_person_rule: bool = Field(default=False, description="Whether two officers must call an alert viable (R6).")
    audit_years: int = Field(default=7, ge=1, le=100, description="Years the audit log is kept.")


def policy_of(session: Session, force_id: str) -> ForcePolicy:
    """Return a force's policy.

    Raises
    ------
    NotFoundError
        There is no such force.
    """
    force = session.get(Force, force_id)
    if force is None:
        raise NotFoundError(f"force {force_id}: there is none of that name")
    return ForcePolicy.model_validate(force.policy)
