"""Which rows are a force's own."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import ColumnElement, select

from lfr.database.tables import (
    AccessKey,
    Adjudication,
    Alert,
    Base,
    Camera,
    Deployment,
    Entry,
    Force,
    HandOver,
    Hold,
    NominalReference,
    Outcome,
    Person,
    Reference,
    SeededPass,
    ShadowCount,
    Watchlist,
)

__all__ = ["rows_of_force"]


def rows_of_force(force_id: str) -> Iterator[tuple[type[Base], ColumnElement[bool]]]:
    """Yield each table with the condition on its rows, what refers to others first."""
    of_alert = select(Alert.id).where(Alert.force_id == force_id)
    of_deployment = select(Deployment.id).where(Deployment.force_id == force_id)
    of_list = select(Watchlist.id).where(Watchlist.force_id == force_id)
    yield Adjudication, Adjudication.alert_id.in_(of_alert)
    yield Outcome, Outcome.alert_id.in_(of_alert)
    yield Hold, Hold.alert_id.in_(of_alert)
    yield HandOver, HandOver.alert_id.in_(of_alert)
    yield Alert, Alert.force_id == force_id
    yield SeededPass, SeededPass.deployment_id.in_(of_deployment)
    yield ShadowCount, ShadowCount.deployment_id.in_(of_deployment)
    yield Camera, Camera.deployment_id.in_(of_deployment)
    yield Deployment, Deployment.force_id == force_id
    yield Reference, Reference.watchlist_id.in_(of_list)
    yield Entry, Entry.watchlist_id.in_(of_list)
    yield NominalReference, NominalReference.watchlist_id.in_(of_list)
    yield Watchlist, Watchlist.force_id == force_id
    yield AccessKey, AccessKey.force_id == force_id
    yield Person, Person.force_id == force_id
    yield Force, Force.id == force_id
