"""How far the audit log has come, looked up once for everybody who waits."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass, field

from fastapi.concurrency import run_in_threadpool

from lfr.access import Principal
from lfr.alerts import last_sequence
from lfr.database import Store

__all__ = ["Heads"]

_LOOK_S = 0.1


@dataclass
class _Watch:
    """A force's chain while somebody waits for it."""

    waiting: int = 0
    head: int = -1  # none seen yet
    moved: asyncio.Future[None] = field(default_factory=lambda: asyncio.get_running_loop().create_future())
    looking: asyncio.Task[None] | None = None


class Heads:
    """The last sequence of each force's audit chain: one looks, ten times a second, and wakes those who wait."""

    def __init__(self) -> None:
        self._watches: dict[str, _Watch] = {}

    async def past(self, store: Store, principal: Principal, head: int, *, within_s: float) -> int:
        """Return the chain's last sequence once it is another than ``head``, or ``head`` after ``within_s``.

        Raises
        ------
        LfrError
            It cannot be looked up.
        """
        watch = self._watches.setdefault(principal.force_id, _Watch())
        watch.waiting += 1
        try:
            if watch.looking is None:
                watch.looking = asyncio.create_task(self._look(store, principal, watch))
            if watch.head in (head, -1):
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(asyncio.shield(watch.moved), within_s)
            return head if watch.head == -1 else watch.head
        finally:
            watch.waiting -= 1

    async def _look(self, store: Store, principal: Principal, watch: _Watch) -> None:
        try:
            while watch.waiting:
                head = await run_in_threadpool(last_sequence, store, principal)
                if head != watch.head:
                    watch.head = head
                    watch.moved.set_result(None)
                    watch.moved = asyncio.get_running_loop().create_future()
                await asyncio.sleep(_LOOK_S)
        except Exception as error:  # noqa: BLE001 - whoever waits gets it
            watch.moved.set_exception(error)
            watch.moved.exception()  # seen, where nobody waits any more
        finally:
            # Who comes next looks anew: what was last seen may be long ago by then.
            del self._watches[principal.force_id]
