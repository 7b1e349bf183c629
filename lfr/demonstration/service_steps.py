"""The service: started, streamed to, and asked by an operator."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import datetime
from typing import Any

import cv2
import numpy as np

from lfr.client import FieldUnit, RemoteAlert
from lfr.demonstration.checklist import Finding
from lfr.demonstration.desk import Desk
from lfr.demonstration.stage import CAMERA, Stage
from lfr.demonstration.street import Seen, Street
from lfr.deployments import show_deployment
from lfr.errors import LfrError, NotFoundError, ServiceError
from lfr.evaluation.scene_report import AlertPicture
from lfr.oversight import read_log
from lfr.pipeline import AlertProposal
from lfr.serving.node import NodeSettings, free_port
from lfr.serving.settings import AppArgs
from lfr.serving.supervisor import Supervisor
from lfr.sources import decode_image, read_image
from lfr.types import Pixels

__all__ = ["adjudication", "serve", "streaming"]

_FACE_WH = (224, 224)
_SAY_EVERY_S = 0.5
_FIRST_PORT, _PORTS = 20_000, 10_000  # under 32,768, from where Linux hands out ports


def serve(stage: Stage) -> Finding:
    """Start a Ray node and the service on it, with the model under ``demo``."""
    # The registry that it asks is the one in its own home.
    args = AppArgs(home=stage.home, model="demo")
    node = NodeSettings(stage.node_folder, port=free_port())
    stage.supervisor = Supervisor(args, node, port=_quiet_port(), say=stage.say)
    node.prepare()
    stage.supervisor.start()
    url = stage.supervisor.url
    with Desk(url, stage.force.keys["operator"]) as desk:
        (served,) = desk.call("GET", "/v1/models")["models"]
        ready = desk.call("GET", "/v1/readyz")["status"] == "ready"
        page = desk.page("/console")
    version = stage.version
    stage.ready(url, stage.force.keys)
    return Finding(
        checks={
            "it is ready": ready,
            "it runs the model that was promoted": version is not None and served["digest"] == version.model_digest,
            "the console is there": "<html" in page,
        },
        said=(f"{url}, on a Ray node of its own",),
        facts={"url": url, "console": f"{url}/console", "model": served},
    )


def streaming(stage: Stage) -> Finding:
    """Send the street frame by frame, as a field unit does, until it ends or whoever watches has had enough."""
    url = _url(stage)
    street = stage.street = _street(stage)
    began, answered, demo = time.monotonic(), 0, True
    over = ""
    with (
        FieldUnit(url, stage.force.keys["field_unit"]) as unit,
        unit.frames(stage.deployment_id, CAMERA, on_event=stage.say) as camera,
        Desk(url, stage.force.keys["operator"]) as desk,
    ):
        try:
            for result in camera.results(_until_enough(stage, street)):
                answered += result.index >= 0
                stage.faces_seen = result.faces_seen
                for alert in result.alerts:
                    demo = demo and alert.demo
                    _note(stage, street, desk, alert)
        except LfrError as error:
            state = show_deployment(stage.store, stage.who("operator"), stage.deployment_id).row.state
            if stage.auto or state == "live":
                raise
            over = f"it was {state} in the console: {error}"  # by the person who stayed
        seconds = time.monotonic() - began
        listed = desk.call("GET", f"/v1/deployments/{stage.deployment_id}/alerts?limit=1000")["alerts"]
    checks = {"an alert is marked as not approved for field use": demo}
    if not over:
        checks |= {
            "every frame was answered": answered == street.frames > 0,
            "the alerts in the answers are those the operator is shown": {one["id"] for one in listed}
            == {*stage.alerts},
        }
    if stage.auto:
        checks |= {"people were seen": stage.faces_seen > 0, "somebody listed was recognised": bool(stage.alerts)}
    rate = f"{answered / seconds:.0f} frames a second" if seconds else ""
    return Finding(
        checks,
        said=(
            f"{answered} frames ({street.time_s:.0f} s of street) over HTTP, {rate}: "
            f"{stage.faces_seen} faces seen, {len(stage.alerts)} alerts",
            *((over,) if over else ()),
        ),
        facts={
            "frames": answered,
            "scene_s": round(street.time_s, 1),
            "frames_per_s": round(answered / seconds, 1) if seconds else None,
            "faces_seen": stage.faces_seen,
            "alerts": len(stage.alerts),
            "ended_in_console": bool(over),
        },
    )


def adjudication(stage: Stage) -> Finding:
    """Decide about each alert as an operator who sees the person; or count what the person at the console decided."""
    street = stage.street
    if street is None:
        raise NotFoundError("nothing was streamed")
    wrong: list[str] = []
    with Desk(_url(stage), stage.force.keys["operator"]) as desk:
        for alert_id, pass_id in stage.alerts.items() if stage.auto else ():
            stage.say(f"deciding about {alert_id}")
            right = desk.call("GET", f"/v1/alerts/{alert_id}")["subject_id"] == street.subject_of(pass_id)
            if desk.decide(alert_id, right=right) != ("confirmed_true" if right else "not_viable"):
                wrong.append(alert_id)
        states = {alert_id: desk.call("GET", f"/v1/alerts/{alert_id}")["state"] for alert_id in stage.alerts}
    decided = [alert_id for alert_id, state in states.items() if state not in {"new", "lapsed"}]
    log = read_log(stage.store, stage.who("auditor"), action="alert.adjudicate", limit=500)
    logged = {entry["object"] for entry in log.entries}
    checks = {"every decision is in the audit log": logged >= set(decided)}
    if stage.auto:
        checks["every alert was decided, and is what was decided"] = not wrong and len(decided) == len(states)
    viable = sum(state not in {"new", "lapsed", "not_viable"} for state in states.values())
    by = "the demonstration, which knows who walked" if stage.auto else "you"
    return Finding(
        checks,
        said=(f"{len(decided)} of {len(states)} decided by {by}: {viable} viable, {len(decided) - viable} not viable",),
        facts={
            "alerts": len(states),
            "decided": len(decided),
            "viable": viable,
            "by": "auto" if stage.auto else "person",
        },
    )


def _quiet_port() -> int:
    """Return a free port that the system gives to nobody by itself, since half a minute goes by before it is used."""
    for number in range(_PORTS):
        port = _FIRST_PORT + (os.getpid() + number) % _PORTS
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise ServiceError(f"every port from {_FIRST_PORT} to {_FIRST_PORT + _PORTS - 1} is taken")


def _url(stage: Stage) -> str:
    if stage.supervisor is None:
        raise ServiceError("the service was not started")
    return stage.supervisor.url


def _street(stage: Stage) -> Street:
    row = show_deployment(stage.store, stage.who("operator"), stage.deployment_id).row
    # In a hurry the scene's clock runs ahead of the day's; it begins as early as the deployment allows.
    began_at = row.started_at if stage.auto and row.started_at is not None else stage.store.now()
    listed = tuple(stage.force.people)
    return Street(stage.setup.walkers, stage.settings, listed=listed, began_at=began_at)


def _until_enough(stage: Stage, street: Street) -> Iterator[tuple[bytes, datetime]]:
    said_at = 0.0
    for frame in street.stream(paced=not stage.auto):
        if stage.enough():
            return
        if time.monotonic() - said_at >= _SAY_EVERY_S:
            said_at = time.monotonic()
            of = f" of {stage.settings.duration_s:.0f}" if stage.auto else ""
            stage.say(f"{street.time_s:.0f}{of} s of street, {stage.faces_seen} faces seen, {len(stage.alerts)} alerts")
        yield frame


def _note(stage: Stage, street: Street, desk: Desk, alert: RemoteAlert) -> None:
    """Look at an alert's picture, and find in the street whom it shows."""
    probe = desk.image(alert.id, "probe", purpose="made up: whom it shows, for the truth beside the record")
    seen = street.find(probe, alert.captured_at)
    shots = desk.call("GET", f"/v1/alerts/{alert.id}")["history"]["alert"]["shots_used"]
    proposal = _proposal(street, alert, seen, shots=int(shots))
    street.add_alert(proposal, seen.pass_id)
    stage.alerts[alert.id] = seen.pass_id
    face = decode_image(probe, name=alert.id)
    stage.pictures.append(
        AlertPicture(proposal, _sized(face), _sized(read_image(stage.force.people[alert.subject_id])))
    )
    stage.tell(_told(alert, proposal))


def _proposal(street: Street, alert: RemoteAlert, seen: Seen, *, shots: int) -> AlertProposal:
    time_s = (alert.captured_at - street.began_at).total_seconds()
    return AlertProposal(
        track_id=alert.track_id,
        subject_id=alert.subject_id,
        score=alert.score,
        shots_used=shots,
        frame_index=round(time_s * street.fps),
        time_s=time_s,
        first_seen_s=street.first_s(seen.pass_id),
        xyxy=seen.xyxy,
    )


def _told(alert: RemoteAlert, proposal: AlertProposal) -> Mapping[str, Any]:
    return {"time_s": proposal.time_s, "subject_id": alert.subject_id, "score": alert.score, "alert": alert.id}


def _sized(pixels: Pixels) -> Pixels:
    return np.asarray(cv2.resize(pixels, _FACE_WH, interpolation=cv2.INTER_AREA), np.uint8)
