"""The gate refuses what is not shown, and says what is missing with the numbers."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lfr.errors import RegistryError
from lfr.evaluation import EquityPolicy, evaluate_fairness
from lfr.registry.documents import Evidence
from lfr.registry.gate import GateResult, gate
from lfr.registry.policy import POLICIES, Policy, read_policy
from tests.unit.evaluation.builders import counted_searches
from tests.unit.evaluation.test_fairness import ESSEX_94, ESSEX_300, NPL_056, Outcomes

DIGEST = "a" * 64
NOW = datetime(2026, 5, 1, tzinfo=UTC)


def fairness_document(outcomes: Outcomes, **changes: Any) -> dict[str, Any]:
    found = evaluate_fairness(
        counted_searches(outcomes),
        by=("group",),
        threshold=0.5,
        policy=EquityPolicy(max_fpir_difference=0.000166667),
        rng=np.random.default_rng(0),
        replicates=100,
    )
    about = {"model": {"digest": DIGEST}, "data_digest": "b" * 64, "created": NOW.isoformat(), "simulated": False}
    return {**found.as_dict(), **about, **changes}


PARITY = {
    "model_digest": DIGEST,
    "reference_digest": "c" * 64,
    "data_digest": "b" * 64,
    "created": NOW.isoformat(),
    "images": 100,
    "min_cosine": 0.9999,
    "mean_cosine": 1.0,
}


def judged(documents: Mapping[str, Any], policy: Policy, *, now: datetime = NOW) -> GateResult:
    return gate(Evidence.of(documents), policy, model_digest=DIGEST, now=now)


def failed(result: GateResult) -> dict[str, str]:
    return {check.name: check.why for check in result.checks if not check.passed}


@pytest.mark.parametrize(
    ("outcomes", "check", "why"),
    [
        (ESSEX_300, "TPIR equity by group", "TPIR differs between groups"),
        (NPL_056, "FPIR equity by group", "FPIR differs between groups"),
        (ESSEX_94, "TPIR equity by group", "insufficient data: nobody can tell whether TPIR is alike"),
    ],
)
def test_the_field_refuses_the_published_patterns(outcomes: Outcomes, check: str, why: str) -> None:
    result = judged({"fairness": fairness_document(outcomes), "parity": PARITY}, read_policy("field"))
    assert not result.passed
    assert failed(result)[check] == why
    # Each is refused for that reason by a policy that asks for nothing else, too.
    lenient = read_policy("demo").model_copy(
        update={"tpir_equity": ("equitable",), "fpir_equity": ("equitable", "not shown"), "min_tpir": 0.0}
    )
    assert not judged({"fairness": fairness_document(outcomes), "parity": PARITY}, lenient).passed
    assert check in failed(judged({"fairness": fairness_document(outcomes), "parity": PARITY}, lenient))


def test_too_few_people_are_said_with_the_number_that_is_needed() -> None:
    document = fairness_document({"a": (900, 850, 2000, 0), "b": (900, 850, 2069, 0)})
    result = judged({"fairness": document, "parity": PARITY}, read_policy("field"))
    assert failed(result)["FPIR"] == "insufficient data: 4,069 non-mated subjects, 17,973 needed"
    assert failed(result)["groups looked at"] == "insufficient data: no evidence by sex, ethnicity, age_band"
    assert failed(result)["calibration evidence"].startswith("there is none")


def test_what_is_missing_stale_of_another_model_or_made_up_does_not_pass() -> None:
    policy = read_policy("demo").model_copy(update={"simulated": False})
    document = fairness_document({"a": (90, 85, 200, 0), "b": (90, 85, 200, 0)}, simulated=True)
    other = {**PARITY, "model_digest": "d" * 64}
    late = judged({"fairness": document, "parity": other}, policy, now=NOW + timedelta(days=400))
    assert set(failed(late)) >= {"calibration evidence", "parity evidence", "freshness", "real people"}
    assert "dddd" in failed(late)["parity evidence"]
    assert DIGEST in failed(late)["parity evidence"]


def test_a_runtime_that_gives_other_templates_does_not_pass() -> None:
    far = judged({"parity": {**PARITY, "min_cosine": 0.95}}, read_policy("demo"))
    assert "runtime parity" in failed(far)


def test_a_card_problem_stops_it() -> None:
    evidence = Evidence.of({"parity": PARITY}, card_problems=["demo faces: no card"])
    assert "cards" in failed(gate(evidence, read_policy("demo"), model_digest=DIGEST, now=NOW))


@pytest.mark.parametrize("name", POLICIES)
def test_the_shipped_policies_say_where_each_bound_is_from(name: str) -> None:
    policy = read_policy(name)
    assert policy.name == policy.alias == name
    assert policy.field_use == (name == "field")
    assert len(policy.digest) == 64


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("name: x\nunknown: 1\n", "unknown: Extra inputs are not permitted"),
        ("- 1\n", "a mapping is wanted"),
        ("a: [\n", "not YAML"),
    ],
)
def test_a_malformed_policy_is_refused_by_name(tmp_path: Path, text: str, why: str) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    with pytest.raises(RegistryError, match=why):
        read_policy(path)
    with pytest.raises(RegistryError, match="cannot read it"):
        read_policy("nothing")
