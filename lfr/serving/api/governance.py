"""Watchlists and deployments: narrowing, authorising, starting, ending, and the record."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Body, Query, Response

from lfr.alerts.shadow_counts import shadow_records
from lfr.deployments import (
    SHIPPED,
    create_deployment,
    end,
    list_deployments,
    request_from,
    show_deployment,
    start,
)
from lfr.errors import InputError
from lfr.oversight import deployment_record, purge, record_pass, withdraw_and_purge
from lfr.oversight.record_files import Format, record_text
from lfr.serving.api.guard import BEARER, Acting, Guarded, Serving, may
from lfr.serving.api.problems import PROBLEMS
from lfr.serving.api.schemas import PassRequest, Reason, Reasons
from lfr.types import Calibration
from lfr.watchlist import approve, destroy, lint, list_watchlists, seal, show, suspend

__all__ = ["router"]

router = APIRouter(route_class=Guarded, dependencies=[BEARER], responses=PROBLEMS)

_LISTS: list[str | Enum] = ["watchlists"]
_DEPLOYMENTS: list[str | Enum] = ["deployments"]
_DEPLOYMENT = "/deployments/{deployment_id}"
_LIST = "/watchlists/{watchlist_id}"
_RECORDS: dict[Format, str] = {"csv": "text/csv", "json": "application/json", "html": "text/html"}


@router.get("/watchlists", summary="List watchlists", tags=_LISTS, openapi_extra=may("watchlist.list"))
def watchlists(principal: Acting, service: Serving) -> dict[str, Any]:
    """Return the force's watchlists, without what is on them."""
    return {"watchlists": list_watchlists(service.store, principal)}


@router.get(_LIST, summary="Show a watchlist", tags=_LISTS, openapi_extra=may("watchlist.show"))
def watchlist(
    watchlist_id: str,
    principal: Acting,
    service: Serving,
    purpose: Annotated[str, Query(min_length=1, max_length=4_000, description="Why; the audit log keeps it.")],
) -> dict[str, Any]:
    """Return a list and its entries, without images."""
    return show(service.store, principal, watchlist_id, purpose=purpose)


@router.post(f"{_LIST}/approval", summary="Approve entries", tags=_LISTS, openapi_extra=may("watchlist.approve"))
def approval(watchlist_id: str, principal: Acting, service: Serving) -> dict[str, Any]:
    """Approve every entry that somebody else added; under-18s are authorised one by one on the command line."""
    return {"watchlist": watchlist_id, "approved": approve(service.store, principal, watchlist_id)}


@router.post(f"{_LIST}/lint", summary="Look a watchlist over", tags=_LISTS, openapi_extra=may("watchlist.lint"))
def looking_over(watchlist_id: str, principal: Acting, service: Serving) -> dict[str, Any]:
    """Return what stands against sealing: quality, look-alikes, dates, minors. Strangers: on the command line only."""
    return lint(service.store, principal, watchlist_id).as_dict()


@router.post(f"{_LIST}/seal", summary="Seal a watchlist", tags=_LISTS, openapi_extra=may("watchlist.seal"))
def sealing(watchlist_id: str, principal: Acting, service: Serving) -> dict[str, Any]:
    """Seal an open list: nothing on it changes any more, and it serves one deployment."""
    return {"watchlist": watchlist_id, "digest": seal(service.store, principal, watchlist_id)}


@router.post(
    f"{_LIST}/entries/{{entry_id}}/suspension",
    summary="Suspend an entry",
    tags=_LISTS,
    openapi_extra=may("watchlist.suspend"),
)
def suspension(watchlist_id: str, entry_id: str, asked: Reason, principal: Acting, service: Serving) -> dict[str, Any]:
    """End an entry's alerts within a second: found, warrant withdrawn, wrong person."""
    suspend(service.store, principal, watchlist_id, entry_id, reason=asked.reason)
    return {"watchlist": watchlist_id, "entry": entry_id, "suspended": True}


@router.delete(_LIST, summary="Destroy a watchlist", tags=_LISTS, openapi_extra=may("watchlist.destroy"))
def destruction(watchlist_id: str, principal: Acting, service: Serving) -> dict[str, Any]:
    """Destroy a list's key, templates and images."""
    return {"watchlist": watchlist_id, "images_destroyed": destroy(service.store, principal, watchlist_id)}


@router.get("/deployments", summary="List deployments", tags=_DEPLOYMENTS, openapi_extra=may("deployment.list"))
def deployments(
    principal: Acting,
    service: Serving,
    state: Annotated[str | None, Query(max_length=20, description="Only those in this state.")] = None,
) -> dict[str, Any]:
    """Return the force's deployments, newest window first."""
    return {"deployments": [one.as_dict() for one in list_deployments(service.store, principal, state=state)]}


@router.post(
    "/deployments",
    status_code=201,
    summary="Ask for a deployment",
    tags=_DEPLOYMENTS,
    openapi_extra=may("deployment.create"),
)
def creation(
    asked: Annotated[
        dict[str, Any],
        Body(description="As `lfr deployment create` takes; `calibration` is `shipped` or the whole document."),
    ],
    principal: Acting,
    service: Serving,
) -> dict[str, Any]:
    """Keep a request as a draft, after checking that it could be authorised."""
    calibration = asked.get("calibration")
    if calibration != SHIPPED:
        if not isinstance(calibration, dict):
            raise InputError(f"calibration: {SHIPPED!r} or its whole document; files are not read from here")
        asked = {**asked, "calibration": Calibration.from_document(calibration, name="the request's calibration")}
    request = request_from(asked, name="the request", folder=Path())
    return {"deployment": create_deployment(service.store, principal, request), "state": "draft"}


@router.get(_DEPLOYMENT, summary="Show a deployment", tags=_DEPLOYMENTS, openapi_extra=may("deployment.list"))
def deployment(deployment_id: str, principal: Acting, service: Serving) -> dict[str, Any]:
    """Return a deployment with everything that was authorised."""
    return show_deployment(service.store, principal, deployment_id).as_dict()


@router.post(
    f"{_DEPLOYMENT}/authorisation", summary="Authorise", tags=_DEPLOYMENTS, openapi_extra=may("deployment.authorise")
)
def authorisation(deployment_id: str, asked: Reasons, principal: Acting, service: Serving) -> dict[str, Any]:
    """Authorise a draft, as an officer of the policy's rank who is not its author.

    Unless it is a demonstration, its model must be the one that was promoted to the field.
    """
    from lfr.registry.authorising import authorise_deployment  # noqa: PLC0415 # MLflow, only for this

    authorise_deployment(service.store, service.open_registry, principal, deployment_id, reasons=asked.reasons)
    return {"deployment": deployment_id, "state": "authorised"}


@router.post(f"{_DEPLOYMENT}/start", summary="Start", tags=_DEPLOYMENTS, openapi_extra=may("deployment.start"))
def starting(deployment_id: str, principal: Acting, service: Serving) -> dict[str, Any]:
    """Make an authorised deployment live, inside its window; once."""
    start(service.store, principal, deployment_id)
    return {"deployment": deployment_id, "state": "live"}


@router.post(f"{_DEPLOYMENT}/end", summary="End", tags=_DEPLOYMENTS, openapi_extra=may("deployment.end"))
def ending(deployment_id: str, principal: Acting, service: Serving) -> dict[str, Any]:
    """End a live deployment; frames are refused within a second."""
    end(service.store, principal, deployment_id)
    return {"deployment": deployment_id, "state": "ended"}


@router.post(
    f"{_DEPLOYMENT}/withdrawal", summary="Withdraw", tags=_DEPLOYMENTS, openapi_extra=may("deployment.withdraw")
)
def withdrawal(deployment_id: str, asked: Reason, principal: Acting, service: Serving) -> dict[str, Any]:
    """Withdraw an authorisation: use ends at once and all of it is purged; the answer has the signed proof."""
    return withdraw_and_purge(service.store, principal, deployment_id, reason=asked.reason).as_dict()


@router.post(f"{_DEPLOYMENT}/purge", summary="Purge", tags=_DEPLOYMENTS, openapi_extra=may("deployment.purge"))
def purging(deployment_id: str, principal: Acting, service: Serving) -> dict[str, Any]:
    """Destroy templates, alert images and keys, and return the signed proof."""
    return purge(service.store, principal, deployment_id)


@router.get(f"{_DEPLOYMENT}/record", summary="The record", tags=_DEPLOYMENTS, openapi_extra=may("deployment.record"))
def the_record(deployment_id: str, principal: Acting, service: Serving) -> dict[str, Any]:
    """Return the deployment's record: faces seen, alerts and what became of them."""
    return deployment_record(service.store, principal, deployment_id).as_dict()


@router.get(
    f"{_DEPLOYMENT}/record.{{file_format}}",
    summary="The record as a file",
    tags=_DEPLOYMENTS,
    response_class=Response,
    responses={200: {"content": {kind: {} for kind in _RECORDS.values()}, "description": "The file."}},
    openapi_extra=may("deployment.record"),
)
def record_file(deployment_id: str, file_format: Format, principal: Acting, service: Serving) -> Response:
    """Return the deployment's record as a table, a document, or a page to print."""
    found = deployment_record(service.store, principal, deployment_id)
    headers = {
        "Content-Disposition": f'attachment; filename="{found.deployment_id}.{file_format}"',
        "Cache-Control": "no-store",
        "Content-Security-Policy": "sandbox; default-src 'none'; style-src 'unsafe-inline'",
        "X-Content-Type-Options": "nosniff",
    }
    return Response(record_text(found, file_format), media_type=_RECORDS[file_format], headers=headers)


@router.get(
    f"{_DEPLOYMENT}/shadow",
    summary="What a version in the shadow came to",
    tags=_DEPLOYMENTS,
    openapi_extra=may("deployment.shadow"),
)
def shadow(deployment_id: str, principal: Acting, service: Serving) -> dict[str, Any]:
    """Return counts only: frames, passes, and alerts that both versions, the field's or the shadow's would raise."""
    found = shadow_records(service.store, principal, deployment_id)
    return {"deployment": deployment_id, "shadows": [one.as_dict() for one in found]}


@router.post(
    f"{_DEPLOYMENT}/passes",
    status_code=201,
    summary="Log a pass of a field trial",
    tags=_DEPLOYMENTS,
    openapi_extra=may("deployment.pass"),
)
def passes(deployment_id: str, asked: PassRequest, principal: Acting, service: Serving) -> dict[str, Any]:
    """Log that a consenting subject of the list walked past a camera, whether or not there was an alert."""
    made = record_pass(
        service.store,
        principal,
        deployment_id,
        asked.camera,
        subject_id=asked.subject_id,
        began_at=asked.began_at,
        ended_at=asked.ended_at,
    )
    return {"deployment": deployment_id, "pass": made}
