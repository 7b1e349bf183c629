"""The model: registered, evaluated, held against the policies, promoted."""

from __future__ import annotations

from datetime import UTC, datetime

from lfr.demonstration.checklist import Finding, is_refused
from lfr.demonstration.stage import Stage
from lfr.errors import ConflictError, NotFoundError
from lfr.models import load_model
from lfr.registry import (
    RegisteredVersion,
    Tracking,
    find_evidence,
    gate,
    load_version,
    open_tracking,
    promote,
    read_policy,
    record_evaluation,
    resolve,
)
from lfr.registry import register as registered
from lfr.registry.cards import card_problems
from lfr.registry.documents import KINDS
from lfr.registry.evaluating import evaluate_version

__all__ = ["evaluate", "promotion", "register"]

_DATA = {"dataset": "demo", "root": "", "manifest": ""}
_GROUPS = "source_sex,source_ethnicity"
_FPIR = 0.01


def register(stage: Stage) -> Finding:
    """Register the default version in a registry of the demonstration's own."""
    stage.say("running it once, and writing its files into the registry")
    stage.tracking = open_tracking(stage.home)
    version = stage.version = registered(stage.tracking)
    digest = load_version(stage.tracking, version).digest
    return Finding(
        checks={
            "what the registry gives back is the model that came with lfr": digest == load_model().digest,
            "its digest is the registered one": digest == version.model_digest,
        },
        said=(f"version {version.number}: {version.name}, model {digest[:12]}",),
        facts={"version": version.number, "name": version.name, "model_digest": digest},
    )


def evaluate(stage: Stage) -> Finding:
    """Run the calibration and fairness notebooks on it, and log what they write."""
    tracking, version = _registered(stage)
    evaluate_version(
        tracking, version, home=stage.home, data=_DATA, by=_GROUPS, fpir=_FPIR, watchlist_size=None, said=stage.say,
    )  # fmt: skip
    evidence = stage.evidence = find_evidence(tracking, version, card_problems=card_problems(tracking, version))
    record_evaluation(stage.store, stage.who("mlops"), version, evidence.digests)
    fairness = evidence.fairness
    if fairness is None:
        raise NotFoundError("there is no fairness evidence after the evaluation")
    rates = {"tpir": fairness.tpir.model_dump(), "fpir": fairness.fpir.model_dump()}
    return Finding(
        checks={
            f"there is {kind} evidence of this model": found == version.model_digest
            for kind, found in evidence.model_digests.items()
        },
        said=(
            f"{fairness.tpir.count} of {fairness.tpir.of} searches for listed people find them (TPIR), "
            f"{fairness.fpir.count} of {fairness.fpir.of} others raise an alert (FPIR)",
        ),
        facts={"evidence": dict(evidence.digests), "kinds": list(KINDS), **rates},
    )


def promotion(stage: Stage) -> Finding:
    """Hold the evidence against both policies; promote under ``demo``, with two persons."""
    tracking, version = _registered(stage)
    evidence = stage.evidence or find_evidence(tracking, version, card_problems=card_problems(tracking, version))
    field = gate(evidence, read_policy("field"), model_digest=version.model_digest, now=datetime.now(UTC))
    evaluator, officer, demo = stage.who("mlops"), stage.who("authorising_officer"), read_policy("demo")
    made, result = promote(stage.store, tracking, evaluator, officer, version, evidence=evidence, policy=demo)
    against = [check for check in field.checks if not check.passed]
    facts = {
        "demo": {"passed": result.passed, "checks": len(result.checks), "why": list(result.reasons)},
        "field": {"passed": field.passed, "checks": len(field.checks), "why": list(field.reasons)},
    }
    checks = {
        "the gate passes it for a demonstration": result.passed,
        "the gate refuses it the field": not field.passed,
    }
    if made is not None:
        checks["nobody approves on evidence of their own"] = is_refused(
            lambda: promote(stage.store, tracking, officer, evaluator, version, evidence=evidence, policy=demo),
            ConflictError,
        )
        stage.model = resolve(stage.store, tracking, "demo").load()
        checks["what the alias loads is what was promoted"] = stage.model.digest == version.model_digest
    verdict = f"passes all {len(result.checks)} checks" if result.passed else f"refused: {result.reasons[0]}"
    return Finding(
        checks,
        said=(
            f"policy demo: {verdict}",
            f"policy field: {'PASSES' if field.passed else 'refused, as it must be on made-up faces'}, "
            f"{len(against)} of {len(field.checks)} checks say no",
        ),
        facts=facts,
    )


def _registered(stage: Stage) -> tuple[Tracking, RegisteredVersion]:
    if stage.tracking is None or stage.version is None:
        raise NotFoundError("no version was registered")
    return stage.tracking, stage.version
