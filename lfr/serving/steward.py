"""Keeps actors as the database's list of live deployments wants them, and sweeps what is due."""

from __future__ import annotations

import logging
import threading
import time

from lfr.errors import LfrError
from lfr.oversight import Sweeper
from lfr.serving.fleet import Fleet
from lfr.serving.logs import log_json
from lfr.serving.opening import ServedModel, ServedShadow, open_service_store
from lfr.serving.settings import AppArgs
from lfr.serving.starting import Opened

__all__ = ["Steward"]

_LOG = logging.getLogger(__name__)
_EVERY_S = 1.0


class Steward:
    """One process of it; Serve starts it again where it ends.

    Parameters
    ----------
    args, model, shadow
        Of the app.
    """

    def __init__(self, args: AppArgs, model: ServedModel, shadow: ServedShadow | None = None) -> None:
        reached = time.time()
        log_json()
        self._store = open_service_store(args)
        self._fleet = Fleet(args, model, shadow)
        self._sweeper = Sweeper(self._store, every_s=args.sweep_every_s)
        self._stop = threading.Event()
        self._sweeper.__enter__()
        self._thread = threading.Thread(target=self._run, name="steward", daemon=True)
        self._thread.start()
        self._opened = Opened(reached, time.time())

    def opened(self) -> Opened:
        """Return when this process had opened what it needs."""
        return self._opened

    def check_health(self) -> None:
        """Raise where the work has ended, so that Serve starts another."""
        if not self._thread.is_alive():
            raise RuntimeError("the steward's thread has ended")

    def __del__(self) -> None:
        self._stop.set()

    def _run(self) -> None:
        said = ""
        while not self._stop.wait(_EVERY_S):
            try:
                self._fleet.reconcile(self._store)
                said = ""
            except LfrError as error:
                if str(error) != said:  # once, not twice a second
                    said = str(error)
                    _LOG.error("reconcile: %s", said)
            except Exception:  # noqa: BLE001 # the next turn tries again
                _LOG.exception("reconcile")
