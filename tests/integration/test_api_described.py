"""The interface holds to its own description, whatever is sent: what schemathesis makes of `/openapi.json`."""

from __future__ import annotations

import itertools
from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import schemathesis
from fastapi import FastAPI
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import FailureGroup
from schemathesis.core.result import Ok
from schemathesis.schemas import BaseSchema
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from lfr.access import PERMISSIONS
from lfr.models import load_model
from lfr.serving.api import Service, create_app
from lfr.serving.opening import ServedModel
from lfr.serving.settings import Limits
from tests.support.local_cameras import LocalCameras, LocalReader
from tests.support.served import LISTED, ROLES, Served, served, walk

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
ENDS_IT = ("/end", "/withdrawal", "/purge", "/events", "/preview")
"""What real ids are kept from: these end the deployment that the others need, or never end themselves."""


class Described:
    """An interface over a real store with an alert in it, and a key of each role."""

    def __init__(self, http: httpx.Client | TestClient, made: Served) -> None:
        self.http, self.made = http, made
        self.ids = {"deployment_id": made.deployment_id, "camera_id": "north", "stream": "a", **self._alert()}
        self._turn: defaultdict[str, Iterator[int]] = defaultdict(itertools.count)
        self.answers: Counter[int] = Counter()

    def _alert(self) -> dict[str, str]:
        url = f"/v1/deployments/{self.made.deployment_id}/cameras/north/frames"
        headers = {"Content-Type": "image/jpeg", **self.made.bearer("field_unit")}
        found: list[dict[str, Any]] = []
        for jpeg in walk(LISTED):
            found += self.http.post(url, content=jpeg, headers=headers).json()["alerts"]
        (alert,) = found
        return {"alert_id": alert["alert"], "entry_id": alert["entry"], "watchlist_id": self.made.watchlist_id}

    def prepare(self, case: schemathesis.Case[Any]) -> None:
        """Give the case a key in turn, and in every second turn ids of what is there."""
        operation = case.operation
        turn = next(self._turn[operation.label])
        permission = operation.definition.raw.get("x-lfr-permission")
        if permission:
            allowed = [role for role in ROLES if role in PERMISSIONS[permission]]
            denied = [role for role in ROLES if role not in PERMISSIONS[permission]]
            role = denied[turn // 5 % len(denied)] if denied and turn % 5 == 4 else allowed[turn % len(allowed)]
            case.headers.update(self.made.bearer(role))
        if turn % 2 and not operation.path.endswith(ENDS_IT) and operation.method != "delete":
            case.path_parameters.update({k: v for k, v in self.ids.items() if k in case.path_parameters})

    def wrong_answers(self, schema: BaseSchema, mode: GenerationMode, *, examples: int) -> dict[str, str]:
        """Send so many requests to each operation, and return what was not as described."""
        wrong: dict[str, str] = {}
        operations = [result.ok() for result in schema.get_all_operations() if isinstance(result, Ok)]
        assert len(operations) > 30
        for operation in operations:

            @seed(20260302)
            @settings(
                max_examples=examples,
                deadline=None,
                database=None,
                phases=[Phase.explicit, Phase.generate],
                suppress_health_check=list(HealthCheck),
            )
            @given(operation.as_strategy(generation_mode=mode))
            def holds(case: schemathesis.Case[Any]) -> None:
                self.prepare(case)
                response = case.call()
                self.answers[response.status_code] += 1
                case.validate_response(response, checks=CHECKS)

            try:
                holds()
            except Unsatisfiable:  # an operation that takes nothing cannot be asked wrongly
                assert mode is GenerationMode.NEGATIVE
            except (FailureGroup, AssertionError) as failure:
                parts = failure.exceptions if isinstance(failure, FailureGroup) else [failure]
                wrong[operation.label] = "; ".join(str(part) for part in parts)
        return wrong


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Served:
    return served(tmp_path_factory.mktemp("described") / "home", load_model(threads=1))


@pytest.fixture(scope="module")
def app(made: Served) -> Iterator[FastAPI]:
    model, store = load_model(threads=1), made.open()
    limits = Limits(requests_per_second=10_000, frames_per_second=1_000, frame_bytes=1 << 20, body_bytes=1 << 14)
    cameras = LocalCameras(store, LocalReader(model), limits=limits)
    served_model = ServedModel("openvino-f32", "openvino-f32", model.digest)
    yield create_app(Service(store, cameras, served_model, limits))
    store.close()


@pytest.fixture(scope="module")
def described(app: FastAPI, made: Served) -> Described:
    return Described(TestClient(app, raise_server_exceptions=False), made)


@pytest.mark.parametrize("examples", [15, pytest.param(300, marks=pytest.mark.long)])
@pytest.mark.parametrize("mode", list(GenerationMode))
def test_every_answer_is_one_that_is_described(
    app: FastAPI, described: Described, mode: GenerationMode, examples: int
) -> None:
    schema = schemathesis.openapi.from_asgi("/openapi.json", app)
    wrong = described.wrong_answers(schema, mode, examples=examples)
    assert not wrong, "\n\n".join(f"{label}: {what}" for label, what in wrong.items())


@pytest.mark.parametrize(
    ("method", "path", "headers", "content"),
    [
        ("GET", "/v1/deployments/none%00/alerts", {}, b""),
        ("GET", "/v1/deployments?state=live%00", {}, b""),
        ("GET", "/v1/alerts/{alert_id}/images/probe?purpose=%00", {}, b""),
        ("GET", "/v1/deployments/{deployment_id}/events", {"Last-Event-ID": "9" * 20}, b""),
        ("GET", "/v1/deployments/{deployment_id}/events?after=" + "9" * 400, {}, b""),
        ("GET", "/v1/deployments/{deployment_id}/alerts?limit=" + "9" * 400, {}, b""),
        ("GET", "/v1/deployments/{deployment_id}/alerts?limit=-1", {}, b""),
        ("POST", "/v1/alerts/{alert_id}/outcome", {}, b'{"state": "engaged", "note": "a\\u0000b"}'),
        ("POST", "/v1/alerts/{alert_id}/outcome", {}, b'{"state": "engaged", "note": "\\ud800"}'),
        ("POST", "/v1/deployments", {}, b'{"calibration": "shipped", "name": "\\udc00"}'),
        ("POST", "/v1/alerts/{alert_id}/outcome", {}, b"\xff\xfe{}"),
        ("POST", "/v1/alerts/{alert_id}/outcome", {}, b"[" * 10_000),
        ("POST", "/v1/alerts/{alert_id}/outcome", {"Content-Type": "text/xml"}, b"<a/>"),
    ],
)
def test_what_no_database_takes_is_refused_with_its_reason(
    described: Described, method: str, path: str, headers: dict[str, str], content: bytes
) -> None:
    operator = {"Content-Type": "application/json", **described.made.bearer("operator"), **headers}
    response = described.http.request(method, path.format(**described.ids), headers=operator, content=content)
    assert response.status_code == 422, response.text
    assert response.json()["detail"]


def test_what_was_sent_reached_the_work_and_not_only_the_door(described: Described) -> None:
    assert described.answers.total() > 300
    assert {200, 401, 403, 404, 409, 422} <= set(described.answers), described.answers
