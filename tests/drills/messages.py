"""No input hurts, over the wire: mutated WebSocket messages, and requests made of the interface's description."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from datetime import UTC, datetime

import schemathesis
from schemathesis import GenerationMode

from lfr.serving.api.stream import HEADER
from tests.drills.finding import Finding, Length, Problems
from tests.drills.ground import Interface
from tests.drills.inputs import PROMISE, mutated
from tests.integration.test_api_described import Described
from tests.support.served import STRANGER, walk

__all__ = ["drills", "websocket"]

_AT_ONCE = 40


def drills(at: Interface, length: Length) -> Iterator[Finding]:
    """Send what is wrong; the short form leaves the description to the tests of it."""
    yield websocket(at, seconds={"short": 3.0, "normal": 20.0, "long": 120.0}[length])
    if length != "short":
        yield described(at, examples={"normal": 25, "long": 300}[length])


def websocket(at: Interface, *, seconds: float) -> Finding:
    """Send mutated messages: each is answered in turn, what is wrong by a problem, a good one as ever."""
    problems, rng = Problems(PROMISE, "mutated: WebSocket messages"), random.Random(20260302)
    other, refused = at.made.another(at.model), 0
    url = f"/v1/deployments/{other.deployment_id}/cameras/north/stream"
    jpeg = next(walk(STRANGER, frames=1))
    until = time.monotonic() + seconds
    while not problems.tries or time.monotonic() < until:
        with at.http.websocket_connect(url, headers=other.bearer("field_unit")) as socket:
            for index in range(_AT_ONCE):
                good = _now() + jpeg
                socket.send_bytes(good if index == _AT_ONCE - 1 else mutated(rng, [good, _now(), b"\0" * 16]))
                answer = socket.receive_json()
                is_problem = str(answer.get("type", "")).startswith("urn:lfr:problem:")
                refused += is_problem
                problems.expect(answer["index"] == index, f"message {index} is answered as {answer['index']}")
                problems.expect(is_problem or "faces" in answer, f"answered with {answer}")
            problems.expect(answer.get("faces") == 1, f"a good frame after bad ones: {answer}")
    return problems.finding(f"{refused:,} refused, the rest looked at")


def described(at: Interface, *, examples: int) -> Finding:
    """Send every operation what schemathesis makes of its description, right and wrong; every answer is described."""
    problems = Problems(PROMISE, "requests made of the interface's own description")
    asks = Described(at.http, at.made.another(at.model))
    schema = schemathesis.openapi.from_asgi("/openapi.json", at.app)
    for mode in GenerationMode:
        for where, what in asks.wrong_answers(schema, mode, examples=examples).items():
            problems.expect(False, f"{where}: {what}")
    problems.tries = asks.answers.total()
    return problems.finding(f"{len(asks.answers)} kinds of answers, all as described")


def _now() -> bytes:
    return HEADER.pack(int(datetime.now(UTC).timestamp() * 1_000_000))
