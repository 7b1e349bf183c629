"""It refuses: to alert outside what was authorised, to rehearse on anything live, to load weights that were touched."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import func, select

from lfr.access import Principal
from lfr.alerts import RaisedAlert, Sighting, raise_alert
from lfr.database import Store, create_store
from lfr.database.tables import Alert
from lfr.deployments import end
from lfr.errors import LfrError
from lfr.models import SFACE, YUNET, load_model, weights_folder
from lfr.sources import is_recorded
from tests.drills.finding import Finding, Length, Problems
from tests.integration.alerts_scene import live_scene
from tests.integration.conftest import Clock, add_force, add_person
from tests.support.routes import every_route

__all__ = ["PROMISE", "Raise", "drills", "no_such_call", "touched_weights", "unauthorised"]

PROMISE = "What is not authorised is refused"
Raise = Callable[[Store, Principal, Sighting], RaisedAlert | None]
_LIVE = (
    "rtsp://camera.local/gate", "rtsps://camera.local/gate", "http://camera.local/a.mp4", "https://camera.local/a.mp4",
    "RTSP://camera.local/gate", "0", "1", "/dev/video0", "udp://239.0.0.1:1234", "file:///dev/video0",
)  # fmt: skip
_ENROLS = ("enrol", "search", "identify", "faces", "templates", "entries")


def drills(folder: Path, app: Any, length: Length) -> Iterator[Finding]:  # FastAPI
    """Ask for everything that was not authorised."""
    yield unauthorised(folder)
    yield no_such_call(app)
    yield live_rehearsals()
    yield touched_weights(folder, length)


def unauthorised(folder: Path, *, raised: Raise = raise_alert) -> Finding:
    """Raise alerts that differ from what was authorised in one thing each; ``raised`` is what is drilled."""
    problems = Problems(PROMISE, "alerts by another model, list, threshold, camera, role or force, early and late")
    clock = Clock()
    store = create_store(folder / "unauthorised", now=clock)
    try:
        for force in ("essex", "kent"):
            add_force(store, force)
        scene = live_scene(store)
        other = live_scene(store, force="kent")
        problems.expect(raised(store, scene.operator, scene.sighting()) is not None, "what was authorised is refused")
        wrong: dict[str, dict[str, object]] = {
            "another model": {"model_digest": "another"},
            "another list": {"watchlist_digest": "another"},
            "another calibration": {"calibration_id": other.calibration_id},
            "a calibration that there is not": {"calibration_id": "calibration-none"},
            "a score under the threshold": {"score": 0.49},
            "another camera": {"camera_id": "elsewhere"},
            "somebody on another list": {"entry_id": other.entry_ids[0]},
            "somebody on no list": {"entry_id": "entry-none"},
            "another force's deployment": {"deployment_id": other.deployment_id},
            "a deployment that there is not": {"deployment_id": "deployment-none"},
        }
        asked = [(what, scene.operator, scene.sighting(**one), clock.time) for what, one in wrong.items()]
        asked += [
            ("an auditor", add_person(store, "auditor"), scene.sighting(), clock.time),
            ("another force", other.operator, scene.sighting(), clock.time),
            ("before the window", scene.operator, scene.sighting(), clock.time - timedelta(seconds=1)),
            ("at the window's end", scene.operator, scene.sighting(), clock.time + timedelta(hours=4)),
        ]
        for what, principal, sighting, at in asked:
            now, clock.time = clock.time, at
            _refused(problems, what, lambda p=principal, s=sighting: raised(store, p, s))  # type: ignore[misc]
            clock.time = now
        end(store, scene.operator, scene.deployment_id)
        _refused(problems, "after the end", lambda: raised(store, scene.operator, scene.sighting()))
        with store.database.read() as session:
            kept = session.scalar(select(func.count()).select_from(Alert))
        problems.expect(kept == 1, f"{kept} alerts were kept of one that was authorised")
    finally:
        store.close()
    return problems.finding()


def no_such_call(app: Any) -> Finding:  # FastAPI
    """Look through the interface for a call that enrols, or that takes a face and says whose it is."""
    problems = Problems(PROMISE, "a call that enrols a face or searches for an unknown one")
    for route in every_route(app):
        fixed = [part for part in route.template.split("/") if part and not part.startswith("{")]
        changes = route.method in {"POST", "PUT", "PATCH"} and fixed[-1] in _ENROLS
        problems.expect(not changes, f"{route.method} {route.template}")
    return problems.finding("a frame is answered with alerts, and nothing else takes a picture")


def live_rehearsals() -> Finding:
    """Ask whether anything live is a recording."""
    problems = Problems(PROMISE, "a rehearsal on a stream, a device or an address")
    for source in _LIVE:
        problems.expect(not is_recorded(source), f"{source} is taken for a recording")
    return problems.finding()


def touched_weights(folder: Path, length: Length) -> Finding:
    """Flip single bits of the weights, anywhere, and load them."""
    problems, rng = Problems(PROMISE, "weights with one bit changed"), random.Random(20260302)
    pack = folder / "weights"
    pack.mkdir()
    for file in (YUNET, SFACE):
        shutil.copy(weights_folder() / file.file_name, pack)
    for number in range({"short": 6, "normal": 40, "long": 400}[length]):
        touched = (YUNET, SFACE)[number % 2]
        path = pack / touched.file_name
        good = path.read_bytes()
        at = rng.randrange(len(good))
        path.write_bytes(good[:at] + bytes([good[at] ^ (1 << rng.randrange(8))]) + good[at + 1 :])
        _refused(problems, f"{touched.name} with byte {at} changed", lambda: load_model(weights=pack, threads=1))
        path.write_bytes(good)
    return problems.finding()


def _refused(problems: Problems, what: str, act: Callable[[], object]) -> None:
    try:
        done = act()
    except LfrError:
        problems.expect(True, what)
    else:
        problems.expect(False, f"{what}: {'nothing was said' if done is None else 'it was done'}")
