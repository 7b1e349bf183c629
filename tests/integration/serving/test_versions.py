"""On a real Ray node: a version in the shadow, and rolling from one set of processes to the next."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial

import httpx
from sqlalchemy import select

from lfr.client import FieldUnit
from lfr.database.tables import AuditEntry
from lfr.deployments import end
from lfr.models import Model
from tests.support.served import LISTED, STRANGER
from tests.support.service import RunningService, alerts_of, requests, seen, stream, until


def test_a_shadow_counts_what_it_would_have_alerted_and_ends_with_its_deployment(
    service: RunningService, one_thread_model: Model
) -> None:
    made = service.made.another(one_thread_model)
    url = f"{service.url}/v1/deployments/{made.deployment_id}/shadow"

    def counts(name: str) -> int:
        shadows = httpx.get(url, headers=made.bearer("mlops"), timeout=30).json()["shadows"]
        return sum(shadow[name] for shadow in shadows)

    seen(service, made, STRANGER)
    patience_s = max(60.0, 2 * service.started_in_s)
    until(lambda: counts("frames") + counts("skipped") == 12, timeout_s=patience_s)
    walks = 0
    for pace_s in (0.1, 0.5, 2.0):  # a shadow skips what it has no time for, which depends on the machine
        with (
            FieldUnit(service.url, made.keys["field_unit"]) as unit,
            unit.frames(made.deployment_id, "north") as camera,
        ):
            for jpeg, at in stream(LISTED):
                camera.send(jpeg, captured_at=at)
                time.sleep(pace_s)
            camera.finish()
        walks += 1
        until(partial(_settled, counts, walks), timeout_s=patience_s)
        if counts("both"):
            break
    assert counts("both") == 1
    assert (counts("only_shadow"), counts("failed")) == (0, 0)
    assert alerts_of(made) == [LISTED] * walks
    shadow = httpx.get(f"{service.url}/v1/models", headers=made.bearer("mlops")).json()["shadow"]
    assert shadow["digest"] == one_thread_model.digest
    before = len(service.processes("ray::Shadow"))
    store = made.open()
    end(store, made.principal(store, "operator"), made.deployment_id)
    until(lambda: len(service.processes("ray::Shadow")) < before, timeout_s=patience_s)
    with store.database.read() as session:
        said = session.scalars(select(AuditEntry.details).where(AuditEntry.object == made.deployment_id)).all()
    store.close()
    (ends,) = [details for details in said if details.get("use") == "shadow ends"]
    assert (ends["both"], ends["only_field"], ends["frames"] + ends["skipped"]) == (1, walks - 1, 12 + 12 * walks)


def test_a_roll_drops_no_request_and_one_to_another_model_is_refused_while_a_deployment_is_live(
    service: RunningService,
) -> None:
    supervisor, said, digest = service.supervisor, service.said, service.supervisor.runs["model"]["digest"]
    starts, before = supervisor.starts, {process.pid for process in service.processes("ServeReplica:lfr:")}
    with requests(service.url) as statuses:
        supervisor.ask_to_roll()
        until(lambda: said[-1].startswith(("rolled", "not rolled")), timeout_s=max(120.0, 4 * service.started_in_s))
    assert said[-1].startswith(f"rolled from openvino-f32 ({digest[:12]})")
    assert before.isdisjoint(process.pid for process in service.processes("ServeReplica:lfr:"))
    assert len(statuses) > 100
    assert set(statuses) == {200}
    own = supervisor.args
    supervisor.args = own.model_copy(update={"model": "torch-f32", "shadow": None})
    try:
        assert not supervisor.roll()
    finally:
        supervisor.args = own
    assert f"is live with model {digest}" in said[-1]
    assert "not rolled, openvino-f32" in said[-1]
    models = httpx.get(f"{service.url}/v1/models", headers=service.made.bearer("mlops")).json()["models"]
    assert [model["digest"] for model in models] == [digest]
    assert supervisor.starts == starts


def _settled(counts: Callable[[str], int], walks: int) -> bool:
    return counts("both") + counts("only_field") == walks
