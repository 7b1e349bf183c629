"""Whether a model may be used on people: only the one that two persons promoted to the field, last."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from lfr.database.log_tables import Promotion
from lfr.database.tables import Deployment
from lfr.errors import RefusedError

__all__ = ["FIELD", "check_model_approved"]

FIELD = "field"
"""Alias of the version that may be used on people."""


def check_model_approved(session: Session, deployment: Deployment) -> None:
    """Check a deployment's model against the latest promotion to the field; a demo needs none, and is marked for good.

    Raises
    ------
    RefusedError
        No model was promoted to the field, or another one was, which is named.
    """
    if deployment.demo:
        return
    entry = session.scalars(
        select(Promotion).where(Promotion.alias == FIELD).order_by(Promotion.number.desc()).limit(1)
    ).one_or_none()
    what = f"deployment {deployment.id}: model {deployment.model_digest}"
    if entry is None or not entry.field_use:
        raise RefusedError(
            f"{what} is not approved for field use: no model was promoted to the field "
            "(`lfr registry promote VERSION --policy field`; a demonstration is asked for with --demo)"
        )
    if entry.model_digest != deployment.model_digest:
        raise RefusedError(f"{what} is not the one in the field, {entry.model_digest} (promotion {entry.number})")
