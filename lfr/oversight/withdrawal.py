"""Withdraw an authorisation and purge at once what it allowed (R13)."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any

from lfr.access import Principal
from lfr.database import Store
from lfr.deployments import withdraw
from lfr.errors import LfrError
from lfr.oversight.purge import purge

__all__ = ["Withdrawal", "withdraw_and_purge"]

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Withdrawal:
    """What a withdrawal came to; that use has ended is certain in any case.

    Attributes
    ----------
    deployment_id
        Of what.
    proof
        The signed proof of the purge; None where it broke off.
    problem
        Why it broke off, in a line; None where it did not. The next sweep finishes it.
    """

    deployment_id: str
    proof: dict[str, Any] | None
    problem: str | None = None

    @property
    def state(self) -> str:
        """Of the deployment: ``purged``, or ``withdrawn`` where the purge broke off."""
        return "withdrawn" if self.proof is None else "purged"

    def as_dict(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        return {"deployment": self.deployment_id, "state": self.state, "proof": self.proof, "problem": self.problem}


def withdraw_and_purge(store: Store, principal: Principal, deployment_id: str, *, reason: str) -> Withdrawal:
    """Withdraw an authorisation; once that is committed, purge the deployment.

    The withdrawal stands on its own: where the purge breaks off, by an error
    or because the process ends, the next sweep finishes it.

    Raises
    ------
    ConflictError, InputError, AccessDeniedError, NotFoundError
        As `lfr.deployments.withdraw`: nothing was withdrawn.
    """
    withdraw(store, principal, deployment_id, reason=reason)
    try:
        return Withdrawal(deployment_id, purge(store, principal, deployment_id))
    except LfrError as error:
        _LOG.error("purge of withdrawn %s: %s", deployment_id, error)
        return Withdrawal(deployment_id, None, str(error))
