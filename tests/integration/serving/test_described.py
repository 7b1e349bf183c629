"""The service holds to its own description over HTTP, through Ray's proxy."""

from __future__ import annotations

import httpx
import pytest
import schemathesis
from schemathesis import GenerationMode

from lfr.models import Model
from tests.integration.test_api_described import Described
from tests.support.service import RunningService


@pytest.mark.long
@pytest.mark.timeout(900)
@pytest.mark.parametrize("examples", [40])
@pytest.mark.parametrize("mode", list(GenerationMode))
def test_every_answer_is_one_that_is_described(
    service: RunningService, one_thread_model: Model, mode: GenerationMode, examples: int
) -> None:
    with httpx.Client(base_url=service.url, timeout=60) as http:
        described = Described(http, service.made.another(one_thread_model))
        schema = schemathesis.openapi.from_url(f"{service.url}/openapi.json")
        wrong = described.wrong_answers(schema, mode, examples=examples)
    assert not wrong, "\n\n".join(f"{label}: {what}" for label, what in wrong.items())
    assert described.answers.total() > 40
