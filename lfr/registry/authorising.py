"""Authorise a deployment: on people only with the version in the field, checked from its entry down to its files."""

from __future__ import annotations

from collections.abc import Callable

from lfr.access import Principal
from lfr.database import Store
from lfr.deployments import FIELD, authorise, show_deployment
from lfr.registry.promotion import resolve
from lfr.registry.tracking import Tracking

__all__ = ["authorise_deployment"]


def authorise_deployment(
    store: Store, registry: Callable[[], Tracking], principal: Principal, deployment_id: str, *, reasons: str
) -> None:
    """Authorise a draft, after checking that the alias ``field`` still points to what was promoted.

    Parameters
    ----------
    store, principal, deployment_id, reasons
        As for `lfr.deployments.authorise`, which checks that the draft's model is the one in the field.
    registry
        Opens the registry; not called for a demo, which is never approved for field use.

    Raises
    ------
    RegistryError
        Nothing is in the field, or the alias or the files are not what was promoted: both are named.
    LfrError
        As `lfr.deployments.authorise`.
    """
    principal.require("deployment.authorise", what=deployment_id)
    if not show_deployment(store, principal, deployment_id).row.demo:
        resolve(store, registry(), FIELD)
    authorise(store, principal, deployment_id, reasons=reasons)
