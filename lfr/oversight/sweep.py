"""The sweep: what the clocks say must go, goes (R7); what broke off is finished.

It may run at any time, any number of times, beside everything else. Each
step is a transaction of its own, and finds what is due from the database and
the key store, so a sweep that was killed is finished by the next.
"""

from __future__ import annotations

import logging
import threading
from dataclasses import asdict, dataclass
from typing import Any, Self

from sqlalchemy import select

from lfr.access import Principal, record
from lfr.alerts import lapse_overdue
from lfr.alerts.images import held_key_name
from lfr.database import Store
from lfr.database.tables import Alert, Deployment, Force, Hold, Watchlist
from lfr.deployments import end_overdue
from lfr.errors import ConflictError, LfrError
from lfr.oversight.purge import finish_hold_key, purge
from lfr.watchlist import destroy

__all__ = ["SweepReport", "Sweeper", "sweep"]

_LOG = logging.getLogger(__name__)
_ORPHAN_AGE_S = 3_600.0


@dataclass(frozen=True)
class SweepReport:
    """What a sweep did; everything empty where nothing was due.

    Attributes
    ----------
    ended
        Deployments whose window had closed.
    lapsed
        Alerts that nobody adjudicated in time.
    images_deleted
        Alerts whose image's clock had run out.
    lists_destroyed, purged
        Watchlists that were due, and deployments that were withdrawn or half purged.
    keys_removed
        Keys that belonged to nothing.
    """

    ended: tuple[str, ...] = ()
    lapsed: tuple[str, ...] = ()
    images_deleted: tuple[str, ...] = ()
    lists_destroyed: tuple[str, ...] = ()
    purged: tuple[str, ...] = ()
    keys_removed: tuple[str, ...] = ()

    @property
    def idle(self) -> bool:
        """Whether nothing was due."""
        return not any(asdict(self).values())

    def as_dict(self) -> dict[str, Any]:
        """Return the report as JSON has it."""
        return {name: list(values) for name, values in asdict(self).items()}


def sweep(store: Store, principal: Principal) -> SweepReport:
    """Do what is due for the principal's force."""
    principal.require("deployment.sweep")
    return SweepReport(
        ended=end_overdue(store, principal),
        lapsed=_lapse(store, principal),
        images_deleted=_delete_images(store, principal),
        purged=_purge(store, principal),
        lists_destroyed=_destroy_lists(store, principal),
        keys_removed=_remove_orphans(store),
    )


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
                except LfrError as error:  # the next sweep tries again; retention must not end with one failure
                    _LOG.error("sweep of %s: %s", force_id, error)
            if self._stop.wait(self._every_s):
                return


def _forces(store: Store) -> tuple[str, ...]:
    try:
        with store.database.read() as session:
            return tuple(session.scalars(select(Force.id).where(Force.destroyed_at.is_(None)).order_by(Force.id)))
    except LfrError as error:
        _LOG.error("sweep: %s", error)
        return ()


def _lapse(store: Store, principal: Principal) -> tuple[str, ...]:
    with store.database.write() as session:
        return lapse_overdue(store, session, principal)


def _delete_images(store: Store, principal: Principal) -> tuple[str, ...]:
    """Delete the alert images whose clock ran out and that nobody holds, and the keys of holds that ended."""
    held = select(Hold.alert_id).where(Hold.released_at.is_(None))
    find = select(Alert).where(
        Alert.force_id == principal.force_id,
        Alert.image.is_not(None),
        Alert.image_expires_at <= store.now(),
        Alert.id.not_in(held),
    )
    with store.database.write() as session:
        alerts = session.scalars(find.order_by(Alert.id).with_for_update()).all()
        for alert in alerts:
            alert.image, alert.image_deleted_at = None, store.now()
        session.flush()
        if alerts:
            details = {"images_deleted": [alert.id for alert in alerts]}
            record(store, session, principal, "deployment.sweep", principal.force_id, details=details)
    names = set(store.keys.names())
    with store.database.write() as session:
        purged = select(Deployment).where(Deployment.force_id == principal.force_id, Deployment.state == "purged")
        for deployment in session.scalars(purged):
            if held_key_name(deployment.id) in names and finish_hold_key(store, session, deployment):
                record(
                    store, session, principal, "deployment.sweep", deployment.id, details={"held_key_destroyed": True}
                )
    return tuple(alert.id for alert in alerts)


def _purge(store: Store, principal: Principal) -> tuple[str, ...]:
    """Purge what was withdrawn, and finish purges that broke off."""
    names = set(store.keys.names())
    with store.database.read() as session:
        candidates = session.scalars(
            select(Deployment)
            .where(Deployment.force_id == principal.force_id, Deployment.state.in_(("ended", "withdrawn")))
            .order_by(Deployment.id)
        ).all()
    due = [
        deployment.id
        for deployment in candidates
        if deployment.state == "withdrawn"
        or deployment.purge_proof is not None
        or (deployment.started_at is not None and deployment.id not in names)
    ]
    for deployment_id in due:
        purge(store, principal, deployment_id)
    return tuple(due)


def _destroy_lists(store: Store, principal: Principal) -> tuple[str, ...]:
    """Destroy the lists whose time has come, and finish destructions that broke off."""
    names, now = set(store.keys.names()), store.now()
    with store.database.read() as session:
        lists = session.scalars(
            select(Watchlist)
            .where(Watchlist.force_id == principal.force_id, Watchlist.state != "destroyed")
            .order_by(Watchlist.id)
        ).all()
    destroyed = []
    for watchlist in lists:
        if watchlist.id in names and (watchlist.destroy_after is None or watchlist.destroy_after > now):
            continue
        try:
            destroy(store, principal, watchlist.id)
        except ConflictError as error:  # in use again, or another sweep was faster
            _LOG.warning("sweep: %s", error)
            continue
        destroyed.append(watchlist.id)
    return tuple(destroyed)


def _remove_orphans(store: Store) -> tuple[str, ...]:
    """Remove keys of lists and deployments that never came to be; young ones may be about to."""
    # Names first: what is made after this was not in the list.
    names = [
        name
        for name in store.keys.names()
        if name.startswith(("watchlist-", "deployment-")) and store.keys.age_s(name) > _ORPHAN_AGE_S
    ]
    with store.database.read() as session:
        known = set(session.scalars(select(Watchlist.id))) | set(session.scalars(select(Deployment.id)))
    removed = [name for name in names if name not in known]
    for name in removed:
        store.keys.destroy(name)
    return tuple(removed)
