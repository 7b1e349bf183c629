"""The operator's view: alerts, their images, and what people decide about them."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import cv2
from anyio import from_thread
from fastapi import APIRouter, Path, Query, Response

from lfr.alerts import (
    adjudicate,
    count_other_references,
    envelope_for_passphrase,
    hand_over,
    hold,
    list_alerts,
    read_probe,
    read_reference_image,
    record_outcome,
    release_hold,
    retract,
    show_alert,
)
from lfr.alerts.states import AlertState
from lfr.errors import LfrError
from lfr.pipeline import portrait
from lfr.serving.api.guard import BEARER, Acting, Guarded, Serving, may
from lfr.serving.api.problems import PROBLEMS
from lfr.serving.api.schemas import Adjudication, HandOverRequest, HoldRequest, Outcome, Reason
from lfr.serving.api.service import Service
from lfr.sources import decode_image

__all__ = ["router"]

router = APIRouter(route_class=Guarded, dependencies=[BEARER], responses=PROBLEMS, tags=["alerts"])

AlertId = Annotated[str, Path(max_length=100, examples=["alert-0f9c41d07ab35e18"])]
_NO_STORE = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}


@router.get("/deployments/{deployment_id}/alerts", summary="List alerts", openapi_extra=may("alert.list"))
def alerts(
    deployment_id: str,
    principal: Acting,
    service: Serving,
    state: Annotated[AlertState | None, Query(description="Only those in this state.")] = None,
    before: Annotated[
        str | None, Query(max_length=100, description="Only those that follow this alert: `next` of the page before.")
    ] = None,
    limit: Annotated[int, Query(ge=1, le=1_000, description="At most so many, newest first.")] = 100,
) -> dict[str, Any]:
    """Return a deployment's alerts, newest first; a device sees those it raised and no others.

    `next` is the `before` of the page that follows; null where there is none.
    """
    found = list_alerts(service.store, principal, deployment_id=deployment_id, state=state, before=before, limit=limit)
    return {"alerts": [alert.as_dict() for alert in found], "next": found[-1].id if len(found) == limit else None}


@router.get("/alerts/{alert_id}", summary="Show an alert", openapi_extra=may("alert.list"))
def alert(alert_id: AlertId, principal: Acting, service: Serving) -> dict[str, Any]:
    """Return one alert with everything that was decided about it."""
    summary, history = show_alert(service.store, principal, alert_id)
    others = count_other_references(service.store, principal, alert_id)
    return {**summary.as_dict(), "other_references": others, "history": history.as_dict()}


@router.get(
    "/alerts/{alert_id}/images/{which}",
    summary="Look at an image",
    response_class=Response,
    responses={200: {"content": {"image/jpeg": {}, "image/png": {}}, "description": "The image."}},
    openapi_extra=may("alert.image"),
)
def image(
    alert_id: AlertId,
    which: Literal["probe", "reference"],
    principal: Acting,
    service: Serving,
    purpose: Annotated[str, Query(min_length=1, max_length=4_000, description="Why; the audit log keeps it.")],
    number: Annotated[
        int, Query(ge=0, le=1_000, description="Of references: 0 the one it resembles, from 1 the person's others.")
    ] = 0,
    aligned: Annotated[
        bool, Query(description="The face upright, at the same place and scale in both images; else as it is kept.")
    ] = False,
) -> Response:
    """Return an alert's probe, or the reference it resembles. Every look is an entry in the audit log.

    Where no face can be found again, `aligned` gives the image as it is kept, without `X-Aligned: yes`.
    """
    if which == "probe":
        content = read_probe(service.store, principal, alert_id, purpose=purpose)
    else:
        content = read_reference_image(service.store, principal, alert_id, purpose=purpose, number=number)
    if aligned and (turned := _portrait(service, content)) is not None:
        return Response(turned, media_type="image/jpeg", headers={**_NO_STORE, "X-Aligned": "yes"})
    kind = "image/png" if content.startswith(b"\x89PNG") else "image/jpeg"
    return Response(content, media_type=kind, headers=_NO_STORE)


@router.post("/alerts/{alert_id}/adjudication", summary="Adjudicate", openapi_extra=may("alert.adjudicate"))
def adjudication(alert_id: AlertId, asked: Adjudication, principal: Acting, service: Serving) -> dict[str, Any]:
    """Decide whether an alert is viable; it can be taken back for ten seconds."""
    state = adjudicate(service.store, principal, alert_id, **asked.model_dump())
    service.metrics.adjudications.labels(asked.decision).inc()
    return {"alert": alert_id, "state": state}


@router.post("/alerts/{alert_id}/retraction", summary="Take back", openapi_extra=may("alert.retract"))
def retraction(alert_id: AlertId, principal: Acting, service: Serving) -> dict[str, Any]:
    """Take back one's own adjudication within ten seconds."""
    return {"alert": alert_id, "state": retract(service.store, principal, alert_id)}


@router.post("/alerts/{alert_id}/outcome", summary="Record an outcome", openapi_extra=may("alert.outcome"))
def outcome(alert_id: AlertId, asked: Outcome, principal: Acting, service: Serving) -> dict[str, Any]:
    """Record that a person was engaged or not, and whether the alert proved true."""
    return {"alert": alert_id, "state": record_outcome(service.store, principal, alert_id, **asked.model_dump())}


@router.post(
    "/alerts/{alert_id}/hand-over",
    summary="Hand over as evidence",
    response_class=Response,
    responses={200: {"content": {"application/octet-stream": {}}, "description": "The encrypted evidence file."}},
    openapi_extra=may("alert.hand-over"),
)
def handing_over(alert_id: AlertId, asked: HandOverRequest, principal: Acting, service: Serving) -> Response:
    """Return an encrypted, signed evidence file; to whom and why is logged."""
    envelope = envelope_for_passphrase(asked.passphrase.get_secret_value())
    made = hand_over(
        service.store, principal, alert_id, recipient=asked.recipient, reason=asked.reason, envelope=envelope
    )
    headers = {**_NO_STORE, "X-Hand-Over": made.id, "X-Digest": made.digest}
    return Response(made.content, media_type="application/octet-stream", headers=headers)


@router.post("/alerts/{alert_id}/hold", status_code=201, summary="Hold images", openapi_extra=may("alert.hold"))
def holding(alert_id: AlertId, asked: HoldRequest, principal: Acting, service: Serving) -> dict[str, Any]:
    """Keep an alert's images beyond their clocks until a review."""
    made = hold(service.store, principal, alert_id, reason=asked.reason, review_on=asked.review_on)
    return {"alert": alert_id, "hold": made}


@router.delete("/alerts/{alert_id}/hold", summary="Release a hold", openapi_extra=may("alert.release"))
def releasing(alert_id: AlertId, asked: Reason, principal: Acting, service: Serving) -> dict[str, Any]:
    """End a hold; the image's own clock then counts again."""
    release_hold(service.store, principal, alert_id, reason=asked.reason)
    return {"alert": alert_id, "held": False}


def _portrait(service: Service, content: bytes) -> bytes | None:
    try:
        faces = from_thread.run(service.cameras.faces, content)
        shown = portrait(decode_image(content, name="image"), faces)
    except LfrError:  # it is seen as it is kept
        return None
    if shown is None:
        return None
    done, data = cv2.imencode(".jpg", shown, [cv2.IMWRITE_JPEG_QUALITY, 92])
    return data.tobytes() if done else None
