"""Sweeps in the background of whatever runs for long: a service, a console."""

from __future__ import annotations

import logging
import threading
from typing import Self

from sqlalchemy import select

from lfr.access import Principal
from lfr.database import Store
from lfr.database.tables import Force
from lfr.errors import LfrError
from lfr.oversight.sweep import sweep

__all__ = ["Sweeper"]

_LOG = logging.getLogger(__name__)


class Sweeper:
    """Sweeps for every force from a thread, until it is closed.

    Parameters
    ----------
    store
        What to sweep.
    every_s
        Seconds between sweeps.
    """

    def __init__(self, store: Store, *, every_s: float = 60.0) -> None:
        self._store, self._every_s = store, every_s
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="sweeper", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while True:
            for force_id in _forces(self._store):
                try:
                    sweep(self._store, Principal.system(force_id))
                except Exception:  # noqa: BLE001 # the next sweep tries again; retention must not end with one failure
                    _LOG.exception("sweep of %s", force_id)
            if self._stop.wait(self._every_s):
                return


def _forces(store: Store) -> tuple[str, ...]:
    try:
        with store.database.read() as session:
            return tuple(session.scalars(select(Force.id).where(Force.destroyed_at.is_(None)).order_by(Force.id)))
    except LfrError as error:
        _LOG.error("sweep: %s", error)
        return ()
