"""The sweep: what the clocks say must go, goes (R7); what broke off is finished.

It may run at any time, any number of times, beside everything else. Each
step is a transaction of its own, and finds what is due from the database and
the key store, so a sweep that was killed is finished by the next.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import exists, or_, select, update

from lfr.access import Principal, record
from lfr.alerts import lapse_overdue, standing_holds
from lfr.alerts.images import held_key_name
from lfr.audit import INSTALLATION_CHAIN
from lfr.database import Store
from lfr.database.tables import Alert, Deployment, Hold, Watchlist
from lfr.deployments import end_overdue
from lfr.errors import ConflictError, LfrError
from lfr.oversight.purge import finish_hold_key, purge
from lfr.watchlist import destroy

__all__ = ["SweepReport", "sweep"]

_LOG = logging.getLogger(__name__)
_ORPHAN_AGE_S = 3_600.0
_IMAGES_AT_ONCE = 500


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
    lists_destroyed
        Watchlists that were due.
    purged, closed
        Deployments purged because they were withdrawn or half purged, and because nothing was left to keep.
    keys_removed
        Keys that belonged to nothing.
    reviews_due
        Held alerts whose day of review has come: a person must release them or hold them anew.
    failed
        What could not be done, a line each; the next sweep tries again.
    """

    ended: tuple[str, ...] = ()
    lapsed: tuple[str, ...] = ()
    images_deleted: tuple[str, ...] = ()
    lists_destroyed: tuple[str, ...] = ()
    purged: tuple[str, ...] = ()
    closed: tuple[str, ...] = ()
    keys_removed: tuple[str, ...] = ()
    reviews_due: tuple[str, ...] = ()
    failed: tuple[str, ...] = ()

    @property
    def idle(self) -> bool:
        """Whether nothing was due that a sweep does."""
        return not any(values for name, values in asdict(self).items() if name != "reviews_due")

    def as_dict(self) -> dict[str, Any]:
        """Return the report as JSON has it."""
        return {name: list(values) for name, values in asdict(self).items()}


def sweep(store: Store, principal: Principal) -> SweepReport:
    """Do what is due for the principal's force.

    What the clocks demand, lfr does in the name of whoever calls this: an
    officer's sweep destroys a list that is due, though no officer may destroy
    one that is not.

    Returns
    -------
    What was done, and what could not be.

    Raises
    ------
    AccessDeniedError
        The principal's role may not.
    StoreUnavailableError
        The database cannot be reached or written.
    """
    principal.require("deployment.sweep")
    acting, failed = principal.as_system(), list[str]()
    return SweepReport(
        ended=end_overdue(store, acting),
        lapsed=_lapse(store, acting),
        images_deleted=_delete_images(store, acting),
        purged=_purge_stopped(store, acting, failed),
        lists_destroyed=_destroy_lists(store, acting, failed),
        closed=_purge_done(store, acting, failed),
        keys_removed=(*_finish_hold_keys(store, acting, failed), *_remove_orphans(store, acting, failed)),
        reviews_due=_reviews_due(store, acting),
        failed=tuple(failed),
    )


def _lapse(store: Store, principal: Principal) -> tuple[str, ...]:
    with store.database.write() as session:
        return lapse_overdue(store, session, principal)


def _delete_images(store: Store, principal: Principal) -> tuple[str, ...]:
    """Delete the alert images whose clock ran out or whose deployment is purged, and that nobody holds."""
    deleted: list[str] = []
    while some := _delete_some_images(store, principal):
        deleted += some
    return tuple(deleted)


def _delete_some_images(store: Store, principal: Principal) -> list[str]:
    standing = select(Hold.alert_id).where(Hold.released_at.is_(None))
    find = (
        select(Alert.id)
        .join(Deployment, Deployment.id == Alert.deployment_id)
        .where(Alert.force_id == principal.force_id, Alert.image.is_not(None), Alert.id.not_in(standing))
        .where(or_(Alert.image_expires_at <= store.now(), Deployment.state == "purged"))
        .order_by(Alert.id)
        .limit(_IMAGES_AT_ONCE)
        .with_for_update(of=Alert)
    )
    with store.database.write() as session:
        locked = session.scalars(find).all()
        if not locked:
            return []
        # Asked again under the locks: a hold may have been made while this waited for them.
        gone = session.scalars(
            update(Alert)
            .where(Alert.id.in_(locked), Alert.id.not_in(standing))
            .values(image=None, image_deleted_at=store.now())
            .returning(Alert.id)
            .execution_options(synchronize_session=False)
        ).all()
        if gone:
            details = {"images_deleted": sorted(gone)}
            record(store, session, principal, "deployment.sweep", principal.force_id, details=details)
        return sorted(gone)


def _destroy_lists(store: Store, principal: Principal, failed: list[str]) -> tuple[str, ...]:
    """Destroy the lists whose time has come, and finish destructions that broke off."""
    names, now = set(store.keys.names()), store.now()
    with store.database.read() as session:
        lists = session.execute(
            select(Watchlist.id, Watchlist.destroy_after)
            .where(Watchlist.force_id == principal.force_id, Watchlist.state != "destroyed")
            .order_by(Watchlist.id)
        ).all()
    due = [name for name, after in lists if name not in names or (after is not None and after <= now)]
    return _each(due, lambda name: destroy(store, principal, name), failed)


def _purge_stopped(store: Store, principal: Principal, failed: list[str]) -> tuple[str, ...]:
    """Purge what was withdrawn (R13), and finish purges that broke off."""
    names = set(store.keys.names())
    with store.database.read() as session:
        stopped = session.execute(
            select(Deployment.id, Deployment.state, Deployment.started_at, Deployment.purge_proof)
            .where(Deployment.force_id == principal.force_id, Deployment.state.in_(("ended", "withdrawn")))
            .order_by(Deployment.id)
        ).all()
    due = [
        deployment_id
        for deployment_id, state, started_at, begun in stopped
        if state == "withdrawn" or begun is not None or (started_at is not None and deployment_id not in names)
    ]
    return _each(due, lambda name: purge(store, principal, name), failed)


def _purge_done(store: Store, principal: Principal, failed: list[str]) -> tuple[str, ...]:
    """Purge what has ended and of which no list and no image is left that may be kept.

    Only its key is left then, which opens its images in every copy of the database.
    """
    standing = select(Hold.alert_id).where(Hold.released_at.is_(None))
    image_left = exists().where(
        Alert.deployment_id == Deployment.id, Alert.image.is_not(None), Alert.id.not_in(standing)
    )
    with store.database.read() as session:
        due = session.scalars(
            select(Deployment.id)
            .join(Watchlist, Watchlist.id == Deployment.watchlist_id)
            .where(Deployment.force_id == principal.force_id, Deployment.state == "ended")
            .where(Watchlist.state == "destroyed", ~image_left)
            .order_by(Deployment.id)
        ).all()
    return _each(due, lambda name: purge(store, principal, name), failed)


def _finish_hold_keys(store: Store, principal: Principal, failed: list[str]) -> tuple[str, ...]:
    """Destroy the keys of what was held of purged deployments, where nothing is held any more."""
    names = set(store.keys.names())
    with store.database.read() as session:
        purged = select(Deployment.id).where(Deployment.force_id == principal.force_id, Deployment.state == "purged")
        due = [name for name in session.scalars(purged.order_by(Deployment.id)) if held_key_name(name) in names]
    gone: list[str] = []

    def finish(deployment_id: str) -> None:
        with store.database.write() as session:
            if finish_hold_key(store, session, session.get_one(Deployment, deployment_id)):
                details = {"held_key_destroyed": True}
                record(store, session, principal, "deployment.sweep", deployment_id, details=details)
                gone.append(held_key_name(deployment_id))

    _each(due, finish, failed)
    return tuple(gone)


def _remove_orphans(store: Store, principal: Principal, failed: list[str]) -> tuple[str, ...]:
    """Remove keys of lists and deployments that never came to be; young ones may be about to."""
    # Names first: what is made after this was not in the list.
    names = [
        name
        for name in store.keys.names()
        if name.startswith(("watchlist-", "deployment-", "held-")) and store.keys.age_s(name) > _ORPHAN_AGE_S
    ]
    with store.database.read() as session:
        known = set(session.scalars(select(Watchlist.id))) | set(session.scalars(select(Deployment.id)))
    stray = [name for name in names if name.removeprefix("held-") not in known]
    removed = _each(stray, store.keys.destroy, failed)
    if removed:
        with store.database.write() as session:
            details = {"keys_removed": list(removed)}
            record(store, session, principal, "deployment.sweep", "keys", details=details, chain=INSTALLATION_CHAIN)
    return removed


def _reviews_due(store: Store, principal: Principal) -> tuple[str, ...]:
    today = store.now().date()
    with store.database.read() as session:
        holds = standing_holds(session, force_id=principal.force_id)
        return tuple(hold.alert_id for hold in holds if hold.review_on <= today)


def _each(names: Iterable[str], act: Callable[[str], object], failed: list[str]) -> tuple[str, ...]:
    """Do one after the other, so that what cannot be done keeps nothing else; return what was."""
    done = []
    for name in names:
        try:
            act(name)
        except ConflictError as error:  # in use after all, or another sweep was faster
            _LOG.warning("sweep: %s", error)
        except (LfrError, OSError) as error:
            _LOG.error("sweep: %s: %s", name, error)
            failed.append(f"{name}: {error}")
        else:
            done.append(name)
    return tuple(done)
