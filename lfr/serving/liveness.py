"""Whether a deployment is live, asked of the database a few times a second and not for each frame."""

from __future__ import annotations

import time

from lfr.database import Store
from lfr.deployments import check_live

__all__ = ["LIVE_FOR_S", "Liveness"]

LIVE_FOR_S = 0.25
"""Seconds for which the answer that a deployment is live is believed."""


class Liveness:
    """What a part of the service asks before it does anything for a deployment.

    Parameters
    ----------
    store, deployment_id
        Which deployment.
    """

    def __init__(self, store: Store, deployment_id: str) -> None:
        self._store, self._deployment_id = store, deployment_id
        self._asked_at = float("-inf")

    def check(self) -> None:
        """Raise NotAuthorisedError unless it was live within the last `LIVE_FOR_S`."""
        if time.monotonic() - self._asked_at > LIVE_FOR_S:
            check_live(self._store, self._deployment_id)
            self._asked_at = time.monotonic()
