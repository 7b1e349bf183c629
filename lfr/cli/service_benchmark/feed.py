"""A recording that the service reads itself, against the same recording read by the pipeline in one process."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx

from lfr.cli.service_benchmark.consumption import Consumption
from lfr.cli.service_benchmark.footage import Footage
from lfr.cli.service_benchmark.sides import OVER_HTTP, Run
from lfr.client import FieldUnit
from lfr.errors import ServiceError
from lfr.evaluation.made_up import MadeUpForce
from lfr.sources import open_source
from lfr.types import Frame

__all__ = ["SOURCE", "fed", "read_again"]

SOURCE = "recording"
"""What the service's configuration calls the recording."""

_LOOK_S = 0.25  # the times are the service's own, and looking costs it some
_PATIENCE_S = 300.0


def fed(force: MadeUpForce, url: str, footage: Footage, consumption: Consumption) -> Run:
    """Have the service read the recording for a camera, to its end.

    Its time runs from when the service had opened the file to when it had decided on the last frame, by the service's
    own clock.

    Parameters
    ----------
    force
        Whose deployment.
    url
        Of a service whose configuration has the recording as `SOURCE`.
    footage
        Of the recording; one frame of it is sent first, so that the camera's process is up.
    consumption
        Of the service's processes.

    Raises
    ------
    ServiceError
        It did not read the file to its end.
    """
    with FieldUnit(url, force.keys["field_unit"]) as unit, unit.frames(force.deployment_id, OVER_HTTP) as warm:
        list(warm.results([(footage.jpegs[0], datetime.now(UTC))]))
    deployment = f"/v1/deployments/{force.deployment_id}"
    with httpx.Client(base_url=url, headers=force.bearer("operator"), timeout=30.0) as operator:
        before, used = _health(operator, deployment), consumption.core_s()
        asked = operator.post(f"{deployment}/cameras", json={"camera": OVER_HTTP, "source": SOURCE})
        if asked.status_code != 201:
            raise ServiceError(f"the recording could not be begun: {asked.json().get('detail')}")
        reading_at: datetime | None = None
        until = time.monotonic() + _PATIENCE_S
        while (now := _health(operator, deployment))["feed"]["state"] in ("asked", "reading"):
            if now["feed"]["state"] == "reading":
                reading_at = datetime.fromisoformat(now["feed"]["changed_at"])
            if time.monotonic() > until:
                raise ServiceError(f"the recording was not read within {_PATIENCE_S:.0f} seconds")
            time.sleep(_LOOK_S)
        core_s, feed = consumption.core_s_since(used), now["feed"]
        if feed["state"] != "ended" or reading_at is None:
            raise ServiceError(f"the recording was not read to its end: {feed['state']}, {feed['reason']}")
        now = _settled(operator, deployment)
        alerts = operator.get(f"{deployment}/alerts").json()["alerts"]
    return Run(
        (),
        (datetime.fromisoformat(feed["changed_at"]) - reading_at).total_seconds(),
        core_s,
        0,
        now["faces_seen"] - before["faces_seen"],
        tuple(sorted(alert["subject_id"] for alert in alerts if alert["camera_id"] == OVER_HTTP)),
        now["frames"] - before["frames"],
    )


def read_again(path: Path) -> Iterator[Frame]:
    """Yield the recording's frames, the first of them taken now."""
    began_at = time.time()
    with open_source(path) as source:
        for frame in source:
            yield Frame(frame.index, began_at + frame.time_s, frame.pixels)


def _health(operator: httpx.Client, deployment: str) -> dict[str, Any]:
    found = operator.get(f"{deployment}/camera-health").raise_for_status().json()["cameras"]
    camera: dict[str, Any] = next(one for one in found if one["camera"] == OVER_HTTP)
    return camera


def _settled(operator: httpx.Client, deployment: str) -> dict[str, Any]:
    """Return how the camera does once its counters stand: the end of a stream is decided and counted after its feed."""
    last = _health(operator, deployment)
    while True:
        time.sleep(1.0)
        now = _health(operator, deployment)
        if (now["frames"], now["faces_seen"]) == (last["frames"], last["faces_seen"]):
            return now
        last = now
