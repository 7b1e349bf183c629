"""How far the audit log has come, looked up once for everybody who waits."""

from __future__ import annotations

import asyncio

from fastapi.concurrency import run_in_threadpool

from lfr.access import Principal
from lfr.alerts import last_sequence
from lfr.database import Store

__all__ = ["LOOK_S", "Heads"]

LOOK_S = 0.1
"""Seconds between two looks."""


class Heads:
    """The last sequence of each force's audit chain, looked up once for everybody who waits for it."""

    def __init__(self) -> None:
        self._looked: dict[str, tuple[float, int]] = {}
        self._locks: dict[str, asyncio.Lock] = {}

    async def of(self, store: Store, principal: Principal) -> int:
        """Return the last sequence as it was at most `LOOK_S` ago."""
        clock, force = asyncio.get_running_loop().time, principal.force_id
        async with self._locks.setdefault(force, asyncio.Lock()):
            at, head = self._looked.get(force, (float("-inf"), 0))
            if clock() - at >= LOOK_S:
                head = await run_in_threadpool(last_sequence, store, principal)
                self._looked[force] = clock(), head
            return head
