"""Ask for a deployment, and have it authorised by somebody else."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from lfr.access import ForcePolicy, Principal, policy_of, record
from lfr.database import Store
from lfr.database.store import new_id
from lfr.database.tables import Calibration as CalibrationRow
from lfr.database.tables import Camera, Deployment, Entry, Force, Person, Watchlist
from lfr.deployments.approval import check_model_approved
from lfr.deployments.calibrations import check_calibration, served_fpir
from lfr.deployments.request import DeploymentRequest
from lfr.deployments.rows import deployment_digest, held, held_list, require_state, utc_text
from lfr.errors import ConflictError, InputError, RefusedError
from lfr.types import Calibration

__all__ = ["DEMO_WINDOW", "authorise", "check_draft", "create_deployment"]

DEMO_WINDOW = timedelta(hours=1)
"""Longest window of a deployment that is a demonstration."""


def create_deployment(store: Store, principal: Principal, request: DeploymentRequest) -> str:
    """Keep a request as a draft, after checking that it could be authorised.

    Parameters
    ----------
    store, principal
        Where, and who asks: the author, who cannot authorise it.
    request
        What is asked for.

    Returns
    -------
    The deployment's id.

    Raises
    ------
    InputError
        The window is over or longer than the force's policy allows, or a category is not in it.
    ConflictError
        The watchlist is not sealed, has another digest, or serves another deployment.
    ModelMismatchError
        The watchlist was enrolled with another model than was calibrated.
    RefusedError
        The list is too large, holds entries of a category not asked for, or the calibration does not cover this.
    AccessDeniedError
        The principal's role may not, or is no person's.
    """
    principal.require("deployment.create", what="deployment")
    author = principal.require_person()
    deployment_id = new_id("deployment")
    calibration = request.calibration
    shots, fusion = request.shots or calibration.shots, request.fusion or calibration.fusion
    fpir = served_fpir(calibration, shots=shots, fusion=fusion)
    with store.database.write() as session:
        _check_controller(session, principal, request.controller_force)
        policy = policy_of(session, principal.force_id)
        _check_window(
            request.starts_at, request.ends_at, demo=request.demo, policy=policy, now=store.now(), name=request.name
        )
        watchlist = held_list(session, principal, request.watchlist)
        size = _check_list(session, watchlist, request.categories, policy=policy, digest=request.watchlist_digest)
        taken = session.scalar(select(Deployment.id).where(Deployment.watchlist_id == watchlist.id))
        if taken is not None:
            raise ConflictError(
                f"{watchlist.id}: serves {taken}, and a sealed list serves one deployment; copy it for another"
            )
        check_calibration(
            calibration,
            demo=request.demo,
            list_id=watchlist.id,
            list_size=size,
            list_model_digest=watchlist.model_digest,
        )
        if session.get(CalibrationRow, calibration.digest) is None:
            session.add(CalibrationRow(id=calibration.digest, document=calibration.document, added_at=store.now()))
            session.flush()
        deployment = Deployment(
            id=deployment_id,
            force_id=principal.force_id,
            name=request.name,
            state="draft",
            demo=request.demo,
            request={**request.document, "shots": shots, "fusion": fusion, "served_fpir": fpir},
            starts_at=request.starts_at,
            ends_at=request.ends_at,
            watchlist_id=watchlist.id,
            watchlist_digest=watchlist.digest,
            watchlist_size=size,
            model_version=calibration.model_version,
            model_digest=calibration.model_digest,
            calibration_id=calibration.digest,
            created_by=author,
            created_at=store.now(),
        )
        session.add(deployment)
        session.flush()
        session.add_all(
            Camera(deployment_id=deployment_id, camera_id=camera, faces_seen=0, frames=0) for camera in request.cameras
        )
        record(
            store,
            session,
            principal,
            "deployment.create",
            deployment_id,
            after=deployment_digest(deployment),
            details=_references(deployment),
        )
    return deployment_id


def authorise(store: Store, principal: Principal, deployment_id: str, *, reasons: str) -> None:
    """Authorise a draft, as an officer of the policy's rank who is not its author.

    Parameters
    ----------
    store, principal
        Where, and the authorising officer.
    deployment_id
        The draft.
    reasons
        The officer's own, on necessity and proportionality.

    Raises
    ------
    ConflictError
        It is no draft, or its watchlist is no longer the sealed one it was made with.
    RefusedError
        The officer is its author, is not of the rank, the policy or the calibration does not cover it any more, or
        its model is not the one that was promoted to the field.
    InputError
        There are no reasons, or the window is over.
    AccessDeniedError, NotFoundError
        As everywhere.
    """
    principal.require("deployment.authorise", what=deployment_id)
    officer = principal.require_person()
    if not reasons.strip():
        raise InputError(f"deployment {deployment_id}: an authorisation needs the officer's reasons")
    with store.database.write() as session:
        deployment = held(session, principal, deployment_id)
        require_state(deployment, "draft", to="authorised")
        policy = policy_of(session, principal.force_id)
        person = session.get(Person, officer)
        if officer == deployment.created_by:
            raise RefusedError(f"deployment {deployment_id}: {officer} wrote it; another officer must authorise it")
        if person is None or not person.name.strip() or person.rank not in policy.authorising_ranks:
            rank = person.rank if person and person.name.strip() else "without name and rank"
            raise RefusedError(
                f"deployment {deployment_id}: {officer} is {rank}; the force's policy wants "
                f"{', '.join(policy.authorising_ranks)}"
            )
        check_draft(session, principal, deployment, policy=policy, now=store.now())
        before = deployment_digest(deployment)
        deployment.state = "authorised"
        deployment.authorised_by, deployment.authorised_at = officer, store.now()
        deployment.authorisation = {
            "officer": officer,
            "name": person.name,
            "rank": person.rank,
            "reasons": reasons.strip(),
            "at": utc_text(store.now()),
        }
        session.flush()
        record(
            store,
            session,
            principal,
            "deployment.authorise",
            deployment_id,
            before=before,
            after=deployment_digest(deployment),
            details={**_references(deployment), "rank": person.rank},
        )


def check_draft(
    session: Session, principal: Principal, deployment: Deployment, *, policy: ForcePolicy, now: datetime
) -> None:
    """Check all of a stored deployment again: list, policy and time may have moved since it was made."""
    request = deployment.request
    _check_window(
        deployment.starts_at, deployment.ends_at, demo=deployment.demo, policy=policy, now=now, name=deployment.id
    )
    watchlist = held_list(session, principal, deployment.watchlist_id)
    size = _check_list(
        session, watchlist, tuple(request["categories"]), policy=policy, digest=deployment.watchlist_digest
    )
    row = session.get(CalibrationRow, deployment.calibration_id)
    calibration = Calibration.from_document(
        {**row.document, "digest": row.id} if row is not None else None, name=f"calibration {deployment.calibration_id}"
    )
    served_fpir(calibration, shots=request["shots"], fusion=request["fusion"])
    check_calibration(
        calibration,
        demo=deployment.demo,
        list_id=watchlist.id,
        list_size=size,
        list_model_digest=watchlist.model_digest,
    )
    check_model_approved(session, deployment)


def _check_controller(session: Session, principal: Principal, controller: str) -> None:
    force = session.get(Force, principal.force_id)
    if force is None or controller.casefold() not in {force.id.casefold(), force.name.casefold()}:
        raise InputError(
            f"controller_force {controller}: the deployment belongs to force {principal.force_id}, its controller"
        )


def _check_window(
    starts_at: datetime, ends_at: datetime, *, demo: bool, policy: ForcePolicy, now: datetime, name: str
) -> None:
    window = ends_at - starts_at
    if ends_at <= now:
        raise InputError(
            f"{name}: the window is in the past: it ends at {utc_text(ends_at)}, and it is {utc_text(now)}"
        )
    if window > timedelta(hours=policy.max_window_hours):
        raise InputError(
            f"{name}: a window of {window.total_seconds() / 3600:g} hours; "
            f"the force's policy allows {policy.max_window_hours:g}"
        )
    if demo and window > DEMO_WINDOW:
        raise RefusedError(f"{name}: a window of {window.total_seconds() / 3600:g} hours; a demo has one at most")


def _check_list(
    session: Session, watchlist: Watchlist, categories: tuple[str, ...], *, policy: ForcePolicy, digest: str | None
) -> int:
    """Return the number of entries of a list that may be used for the categories."""
    unknown = sorted(set(categories) - set(policy.categories))
    if unknown:
        raise InputError(
            f"category {', '.join(unknown)}: not in the force's policy, which has {', '.join(policy.categories)}"
        )
    if watchlist.state != "sealed" or watchlist.digest is None:
        raise ConflictError(f"{watchlist.id}: is {watchlist.state}, and only a sealed watchlist can be used")
    if digest is not None and digest != watchlist.digest:
        raise ConflictError(f"{watchlist.id}: has digest {watchlist.digest}, the deployment is for {digest}")
    if watchlist.destroy_after is not None:
        raise ConflictError(f"{watchlist.id}: is to be destroyed after {utc_text(watchlist.destroy_after)}")
    found = session.execute(select(Entry.id, Entry.category).where(Entry.watchlist_id == watchlist.id)).all()
    others = sorted({category for _, category in found} - set(categories))
    if others:
        raise RefusedError(
            f"{watchlist.id}: has entries of category {', '.join(others)}, which the deployment does not ask for"
        )
    if not found:
        raise InputError(f"{watchlist.id}: has no entries, so there is nobody to look for")
    if len(found) > policy.max_watchlist:
        raise RefusedError(f"{watchlist.id}: {len(found)} entries; the force's policy allows {policy.max_watchlist}")
    return len(found)


def _references(deployment: Deployment) -> dict[str, Any]:
    request = deployment.request
    return {
        "watchlist": deployment.watchlist_id,
        "watchlist_digest": deployment.watchlist_digest,
        "watchlist_size": deployment.watchlist_size,
        "model": deployment.model_digest,
        "calibration": deployment.calibration_id,
        "starts_at": utc_text(deployment.starts_at),
        "ends_at": utc_text(deployment.ends_at),
        "categories": list(request["categories"]),
        "cameras": list(request["cameras"]),
        "shots": request["shots"],
        "fusion": request["fusion"],
        "served_fpir": request["served_fpir"],
        "demo": deployment.demo,
    }
