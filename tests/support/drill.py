"""What a kill drill kills: a process that imports, alerts, sweeps or purges on a store of its own."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from multiprocessing.connection import Connection
from pathlib import Path

import cv2
import numpy as np

import lfr
from lfr.access import Principal
from lfr.alerts import Sighting, raise_alert
from lfr.database import Store, open_store
from lfr.models import load_model
from lfr.oversight import purge, sweep
from lfr.watchlist import EntryRow, import_entries

__all__ = ["ENTRY", "PROBE", "clock", "rows_to_import", "victim"]

PROBE = cv2.imencode(".jpg", np.full((48, 48, 3), 120, np.uint8))[1].tobytes()
FACES = Path(lfr.__file__).parent / "sources" / "demo_faces"
ENTRY = {
    "category": "wanted-on-warrant",
    "reason": "warrant",
    "legal_basis": "PACE s.24",
    "image_source": "custody",
    "lawfully_held": "yes",
    "image_date": "2025-06-01",
    "expires_at": "2099-12-31",
    "under_18": "no",
}


def clock(ahead_s: float) -> Callable[[], datetime]:
    """A clock that goes, so many seconds ahead of the machine's."""
    return lambda: datetime.now(UTC) + timedelta(seconds=ahead_s)


def rows_to_import(count: int) -> list[EntryRow]:
    """Entries of made-up people."""
    pictures = sorted(FACES.glob("s0*_a.jpg"))[:count]
    return [EntryRow(p.stem, {"subject_id": p.stem, **ENTRY}, (p,)) for p in pictures]


def victim(
    work: str,
    home: Path,
    url: str,
    ahead_s: float,
    principal: Principal,
    about: str,
    sighting: Sighting | None,
    told: Connection,
) -> None:
    """Do the work until it is done or this process is killed; say when it begins, and each alert once it is told."""
    store = open_store(home, url=url, now=clock(ahead_s))
    if work == "import":
        model = load_model("openvino-f32", threads=1)
        told.send("begins")
        import_entries(store, principal, about, rows_to_import(8), model)
    elif work == "alerts":
        assert sighting is not None
        told.send("begins")
        _alert(store, principal, sighting, told)
    elif work == "sweep":
        told.send("begins")
        sweep(store, principal)
    else:
        told.send("begins")
        purge(store, principal, about)
    told.send("done")


def _alert(store: Store, principal: Principal, sighting: Sighting, told: Connection) -> None:
    for _ in range(400):
        raised = raise_alert(store, principal, sighting)
        assert raised is not None
        told.send(raised.id)
