"""The end: the record with the truth beside it, the log, the purge, and what is left."""

from __future__ import annotations

import json
import os
import time
from datetime import timedelta
from pathlib import Path

import psutil
from sqlalchemy import func, select

from lfr.access import record
from lfr.alerts import counts
from lfr.audit import INSTALLATION_CHAIN, Verdict, export_chain, force_chain, verify_export
from lfr.audit.chain import canonical
from lfr.client import FieldUnit
from lfr.database.keys import verify_signature
from lfr.database.tables import Alert, Entry, Reference
from lfr.demonstration.checklist import Finding, is_refused
from lfr.demonstration.desk import Desk
from lfr.demonstration.stage import CAMERA, Stage
from lfr.demonstration.street import PREVIEW_FPS
from lfr.deployments import end, show_deployment
from lfr.errors import LfrError, NotAuthorisedError, NotFoundError, ServiceError
from lfr.evaluation.scene_report import write_report
from lfr.oversight import deployment_record, purge, write_record

__all__ = ["audit", "ending", "purging", "stopping"]

_COUNTED_S = 10.0
_PUBLIC_KEY, _LOG, _INSTALLATION_LOG, _PROOF = (
    "audit-signing-key.pub",
    "audit.jsonl",
    "installation.jsonl",
    "purge.json",
)


def ending(stage: Stage) -> Finding:
    """Log who walked as a field trial, end the deployment, and write its record and report."""
    street, store = stage.street, stage.store
    if street is None or stage.supervisor is None:
        raise NotFoundError("nothing was streamed")
    truth = stage.truth = street.score(faces_seen=stage.faces_seen)
    checks: dict[str, bool] = {}
    if _state(stage) == "live":
        with Desk(stage.supervisor.url, stage.force.keys["operator"]) as desk:
            _log_passes(stage, desk)
            desk.call("POST", f"/v1/deployments/{stage.deployment_id}/end")
        checks["a frame that comes after the end is refused"] = _late_frame_is_refused(stage)
        _wait_for_counters(stage)
        checks["the record counts the faces that the service counted"] = _counted(stage) == stage.faces_seen
    made = stage.record = deployment_record(store, stage.who("auditor"), stage.deployment_id)
    total = made.total.counts
    right = sum(alert.subject_id == one.subject_id for one in truth.passes for alert in one.alerts)
    checks["the record counts every alert"] = total.alerts == len(stage.alerts) == len(truth.alerts)
    if stage.auto:
        checks["right alerts are its true ones"] = total.true_alerts == total.confirmed_true == right
        checks["wrong alerts are its false ones"] = total.false_alerts == total.alerts - right
    stage.output.mkdir(parents=True, exist_ok=True)
    for kind in ("html", "json"):
        write_record(made, stage.output / f"record.{kind}", file_format=kind)
    stage.say("writing the report")
    facts = {
        "Model": f"{made.model}, digest {made.model_digest}, promoted under demo",
        "Threshold": f"{made.threshold:.4f}, calibration {made.calibration[:12]}, {_words(made.calibration_verdict)}",
        "Watchlist": f"{made.watchlist_size} made-up subjects",
        "Scene": f"{street.time_s:.0f} s, difficulty {stage.settings.difficulty:g}, seed {stage.settings.seed}",
        "Way": "frames and decisions over HTTP, through the service",
    }
    write_report(
        stage.output / "report.html", truth, pictures=stage.pictures, preview=list(street.preview),
        preview_fps=PREVIEW_FPS, facts=facts,
    )  # fmt: skip
    scored = truth.as_dict()
    return Finding(
        checks,
        said=(f"{stage.output / 'record.html'}, and the rehearsal's {stage.output / 'report.html'}",),
        facts={
            "record": made.as_dict(),
            "truth": {name: scored[name] for name in ("tpir", "fpir", "passes", "alerts")},
        },
    )


def audit(stage: Stage) -> Finding:
    """Take both logs away and check the files, as anybody can; and see that a changed one is found."""
    verdicts = _exported(stage)
    log = stage.output / _LOG
    entries = [json.loads(line) for line in log.read_bytes().splitlines()]
    raised = {entry["object"] for entry in entries if entry.get("action") == "alert.raise"}
    checks = {
        f"{name} is intact and complete": verdict.intact and verdict.complete for name, verdict in verdicts.items()
    }
    checks["every alert is in it, and no other"] = raised == set(stage.alerts)
    checks["a changed copy is found"] = not _changed_copy(stage, log).intact
    return Finding(
        checks,
        said=tuple(f"{name}: {verdict.text}" for name, verdict in verdicts.items()),
        facts={name: verdict.as_dict() for name, verdict in verdicts.items()},
    )


def purging(stage: Stage) -> Finding:
    """Purge the deployment, and look in the database and the key store what is left."""
    if not stage.deployment_id:
        return Finding({"no deployment was made": True}, said=("there was nothing to purge",))
    store, officer = stage.store, stage.who("authorising_officer")
    if _state(stage) == "live":  # a step before did not hold
        end(store, stage.who("operator"), stage.deployment_id)
    proof = stage.proof = purge(store, officer, stage.deployment_id)
    left = _left(stage)
    signed = canonical({name: value for name, value in proof.items() if name != "signature"})
    before, gone = proof["before"], proof["keys_destroyed"]
    stage.output.mkdir(parents=True, exist_ok=True)
    (stage.output / _PROOF).write_text(json.dumps(proof, indent=2) + "\n", encoding="utf-8")
    verdicts = _exported(stage)
    return Finding(
        checks={
            "nobody is left on the list": left["entries"] == 0,
            "no template and no reference image is left": left["references"] == 0,
            "no image of an alert is left": left["alert_images"] == 0,
            "the keys are destroyed": left["keys"] == 0 and len(gone) == len(before["keys"]),
            "the proof is signed by this installation": verify_signature(
                store.signing.public_hex, str(proof["signature"]), signed
            ),
            "nobody is shown an image any more": _images_refused(stage),
            "the log with the purge in it is intact": all(one.intact and one.complete for one in verdicts.values()),
        },
        said=(
            f"{before['templates']} templates, {before['reference_images']} reference images, "
            f"{before['alert_images']} alert images, {len(before['keys'])} keys: now 0, 0, 0, 0; the proof is signed",
        ),
        facts={"proof": proof, "left": left},
    )


def stopping(stage: Stage) -> Finding:
    """Stop the service and remove the folder; then look for what is left."""
    supervisor = stage.supervisor
    session = stage.node_session
    began = len(_of_session(session))
    stage.close()
    left = [process.pid for process in _of_session(session)]
    spill = [] if supervisor is None else _spilled(supervisor.node.spill_folder)
    return Finding(
        checks={
            "no process of the service is left": not left,
            "the folder of store, keys, registry and node is gone": not stage.folder.exists(),
            "nothing was spilled": not spill,
        },
        said=(f"{began} processes ended; what stays is {stage.output}",),
        facts={"processes_ended": began, "processes_left": left, "spilled": spill, "output": str(stage.output)},
    )


def _state(stage: Stage) -> str:
    return show_deployment(stage.store, stage.who("operator"), stage.deployment_id).row.state


def _log_passes(stage: Stage, desk: Desk) -> None:
    """Log each listed person's pass once it is over, as in a field trial with people who agreed to it."""
    assert stage.truth is not None
    assert stage.street is not None
    began_at = stage.street.began_at
    over_at = began_at + timedelta(seconds=stage.street.time_s)
    while (wait_s := (over_at - stage.store.now()).total_seconds()) > 0:
        stage.say("waiting for the scene's clock, which ran ahead")
        time.sleep(wait_s)
    for walked in stage.truth.passes:
        if walked.listed:
            times = {
                name: (began_at + timedelta(seconds=time_s)).isoformat()
                for name, time_s in (("began_at", walked.first_s), ("ended_at", walked.last_s))
            }
            body = {"camera": CAMERA, "subject_id": walked.subject_id, **times}
            desk.call("POST", f"/v1/deployments/{stage.deployment_id}/passes", body)


def _late_frame_is_refused(stage: Stage) -> bool:
    """Send one more frame; it is refused as nothing that may be looked at, whatever is in it."""
    assert stage.supervisor is not None
    assert stage.street is not None
    with (
        FieldUnit(stage.supervisor.url, stage.force.keys["field_unit"]) as unit,
        unit.frames(stage.deployment_id, CAMERA) as camera,
    ):
        late = (stage.street.last_jpeg, stage.store.now())
        return is_refused(lambda: list(camera.results([late])), NotAuthorisedError)


def _counted(stage: Stage) -> int:
    with stage.store.database.read() as session:
        return counts(session, stage.deployment_id).faces_seen


def _wait_for_counters(stage: Stage) -> None:
    """A camera counts once a second, and a last time when it notices the end."""
    until = time.monotonic() + _COUNTED_S
    while _counted(stage) < stage.faces_seen and time.monotonic() < until:
        time.sleep(0.1)


def _words(verdict: str) -> str:
    return verdict.replace("_", " ")


def _exported(stage: Stage) -> dict[str, Verdict]:
    """Export the force's chain and the installation's as an auditor, with the public key, and check the files."""
    store, auditor = stage.store, stage.who("auditor")
    stage.output.mkdir(parents=True, exist_ok=True)
    (stage.output / _PUBLIC_KEY).write_text(f"{store.signing.public_hex}\n", encoding="ascii")
    verdicts = {}
    for name, chain, file in (
        ("the force's log", force_chain(auditor.force_id), _LOG),
        ("the installation's log", INSTALLATION_CHAIN, _INSTALLATION_LOG),
    ):
        with store.database.write() as session:
            record(store, session, auditor, "audit.export", chain)
        export_chain(store, chain, stage.output / file)
        verdicts[name] = verify_export(stage.output / file, public_key=store.signing.public_hex)
    return verdicts


def _changed_copy(stage: Stage, log: Path) -> Verdict:
    """Check a copy in which one word of one entry is another."""
    copy = stage.folder / "changed.jsonl"
    copy.write_bytes(log.read_bytes().replace(b'"action":"deployment.start"', b'"action":"deployment.stort"', 1))
    return verify_export(copy, public_key=stage.store.signing.public_hex)


def _left(stage: Stage) -> dict[str, int]:
    """Count what there is of the deployment and its list, in tables and key store."""
    queries = {
        "entries": select(func.count()).select_from(Entry),
        "references": select(func.count()).select_from(Reference),
        "alert_images": select(func.count()).select_from(Alert).where(Alert.image.is_not(None)),
    }
    with stage.store.database.read() as session:
        left = {name: int(session.scalar(query) or 0) for name, query in queries.items()}
    return {**left, "keys": len(stage.store.keys.names())}


def _images_refused(stage: Stage) -> bool:
    if stage.supervisor is None or not stage.alerts:
        return True
    with Desk(stage.supervisor.url, stage.force.keys["operator"]) as desk:
        for alert_id in stage.alerts:
            try:
                desk.image(alert_id, "probe", purpose="made up: to see that it is gone")
            except ServiceError:
                raise
            except LfrError:
                continue
            return False
    return True


def _of_session(session: int | None) -> list[psutil.Process]:
    """Return the processes of the node, which share a session."""
    return [] if session is None else [one for one in psutil.process_iter() if _session_of(one.pid) == session]


def _session_of(pid: int) -> int | None:
    try:
        return os.getsid(pid)
    except OSError:
        return None


def _spilled(folder: Path) -> list[str]:
    """Return what lies in the folder where Ray would spill, and remove that folder if nothing does."""
    if not folder.is_dir():
        return []
    found = sorted(path.name for path in folder.rglob("*") if path.is_file())
    if not found and not any(folder.iterdir()):
        folder.rmdir()
    return found
