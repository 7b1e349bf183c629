"""Let go of what requests leave behind: objects that refer to each other hold frames until Python looks for such."""

from __future__ import annotations

import gc
import threading
import time

from lfr.serving.node import check_process

__all__ = ["keep_tidy"]

_EVERY_S = 1.0


def keep_tidy() -> None:
    """Look for what nobody can reach any more every second, from now on, in a thread of this process.

    Python does so by itself after some thousands of new objects, which an idle process makes in hours. What is there
    now is not looked at again, so that a look takes milliseconds.

    Raises
    ------
    RefusedError
        This process is of a node that was not started as lfr starts one, and keeps what libraries free.
    """
    check_process()
    gc.collect()
    gc.freeze()
    threading.Thread(target=_tidy, name="tidy", daemon=True).start()


def _tidy() -> None:
    while True:
        time.sleep(_EVERY_S)
        gc.collect()
