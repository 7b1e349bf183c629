"""The gate: evidence against a policy, check by check. A pure function, so that anybody can run it again."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from lfr.registry.documents import Evidence, FairnessEvidence, GroupEvidence
from lfr.registry.policy import Policy
from lfr.statistics import clopper_pearson_upper, subjects_needed
from lfr.types import Calibration

__all__ = ["Check", "GateResult", "gate"]

_UNLABELLED = "unlabelled"


@dataclass(frozen=True)
class Check:
    """One question of the gate.

    Attributes
    ----------
    name
        What is asked.
    required, found
        As people read them.
    passed
        Whether it is so.
    why
        What it means; for a check that failed, what is missing.
    """

    name: str
    required: str
    found: str
    passed: bool
    why: str


@dataclass(frozen=True)
class GateResult:
    """The answer.

    Attributes
    ----------
    policy
        Name of the policy.
    passed
        Whether every check did.
    checks
        In order.
    """

    policy: str
    passed: bool
    checks: tuple[Check, ...]

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why it did not pass, a line each."""
        return tuple(f"{check.name}: {check.why}" for check in self.checks if not check.passed)

    def as_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {
            "policy": self.policy,
            "passed": self.passed,
            "reasons": list(self.reasons),
            "checks": [vars(check) for check in self.checks],
        }


def gate(evidence: Evidence, policy: Policy, *, model_digest: str, now: datetime) -> GateResult:
    """Hold evidence against a policy.

    Parameters
    ----------
    evidence
        What is known of the version.
    policy
        What must be known.
    model_digest
        The version's, which all evidence must be of.
    now
        For how old the evidence is.
    """
    checks = [*_presence(evidence, model_digest)]
    if evidence.fairness is not None:
        checks += _accuracy(evidence.fairness, policy)
        checks += _sufficiency(evidence.fairness, policy)
        checks += _equity(evidence.fairness, policy)
    if evidence.calibration is not None:
        checks += _calibration(evidence.calibration, policy)
    if evidence.calibration is not None and evidence.fairness is not None:
        checks.append(_threshold(evidence.calibration, evidence.fairness))
    if evidence.parity is not None:
        found = evidence.parity.min_cosine
        checks.append(
            Check(
                "runtime parity",
                f"cosine of at least {policy.min_parity_cosine:g} to the torch reference",
                f"{found:.5f} at least, {evidence.parity.mean_cosine:.5f} on average, {evidence.parity.images} images",
                found >= policy.min_parity_cosine,
                "the runtime to be deployed gives the reference's templates"
                if found >= policy.min_parity_cosine
                else "the runtime to be deployed gives other templates than the reference",
            )
        )
    checks += _provenance(evidence, policy, now)
    return GateResult(policy.name, all(check.passed for check in checks), tuple(checks))


def _presence(evidence: Evidence, model_digest: str) -> Iterator[Check]:
    for kind, digest in evidence.model_digests.items():
        if digest is None:
            why = "there is none; `lfr registry evaluate VERSION` makes it"
            yield Check(f"{kind} evidence", "of this version", "none", passed=False, why=why)
        else:
            why = "it is of this version" if digest == model_digest else f"it is of model {digest}, not {model_digest}"
            yield Check(f"{kind} evidence", "of this version", f"of model {digest[:12]}", digest == model_digest, why)


def _accuracy(found: FairnessEvidence, policy: Policy) -> Iterator[Check]:
    size = found.watchlist_size
    enough = size >= policy.watchlist_size
    yield Check(
        "watchlist size",
        f"measured with at least {policy.watchlist_size:,} people listed",
        f"{size:,}",
        enough,
        "the size of use was measured" if enough else f"FPIR grows with the list; {size:,} says nothing of more",
    )
    low = found.tpir.low or 0.0
    yield Check(
        "TPIR",
        f"lower end of its interval at least {policy.min_tpir:g}",
        f"{low:.4f} ({found.tpir.count:,} of {found.tpir.of:,})",
        low >= policy.min_tpir,
        "listed people are found" if low >= policy.min_tpir else "too few of the listed people are surely found",
    )
    yield _fpir("FPIR", found.fpir.count, found.non_mated_subjects, policy)


def _fpir(name: str, count: int, people: int, policy: Policy) -> Check:
    """One-sided upper bound over people; several searches of one person count once at most."""
    upper = clopper_pearson_upper(min(count, people), people)
    needed = subjects_needed(policy.max_fpir)
    passed = upper <= policy.max_fpir
    if passed:
        why = "the bound is shown"
    elif people < needed:
        why = f"insufficient data: {people:,} non-mated subjects, {needed:,} needed"
    else:
        why = f"{count:,} false positives among {people:,} people are too many"
    return Check(name, f"upper bound of at most {policy.max_fpir:.3g}", f"{upper:.3g}", passed, why)


def _sufficiency(found: FairnessEvidence, policy: Policy) -> Iterator[Check]:
    columns = {column for grouping in found.groupings for column in grouping.by}
    missing = [column for column in policy.columns if column not in columns]
    yield Check(
        "groups looked at",
        ", ".join(policy.columns) or "any",
        ", ".join(sorted(columns)),
        not missing,
        "every column was looked at" if not missing else f"insufficient data: no evidence by {', '.join(missing)}",
    )
    labelled = [group for group in found.groups if _UNLABELLED not in group.group.values()]
    if policy.min_mated_subjects_per_group:
        least = min(labelled, key=lambda group: group.mated_subjects, default=None)
        people = 0 if least is None else least.mated_subjects
        passed = people >= policy.min_mated_subjects_per_group
        yield Check(
            "listed people per group",
            f"at least {policy.min_mated_subjects_per_group:,}",
            f"{people:,} ({_name(least)})",
            passed,
            "each group has enough"
            if passed
            else f"insufficient data: {people:,} mated subjects of {_name(least)}, "
            f"{policy.min_mated_subjects_per_group:,} needed",
        )
    if policy.non_mated_subjects_per_group:
        for group in labelled:
            yield _fpir(f"FPIR of {_name(group)}", group.fpir.count, group.non_mated_subjects, policy)


def _equity(found: FairnessEvidence, policy: Policy) -> Iterator[Check]:
    for name, allowed in (("tpir", policy.tpir_equity), ("fpir", policy.fpir_equity)):
        for grouping in found.groupings:
            verdict = getattr(grouping, name).verdict
            by = " x ".join(grouping.by)
            passed = verdict in allowed
            why = {
                "equitable": f"{name.upper()} is alike in every pair of groups",
                "not shown": f"insufficient data: nobody can tell whether {name.upper()} is alike",
                "not equitable": f"{name.upper()} differs between groups",
            }[verdict]
            yield Check(f"{name.upper()} equity by {by}", " or ".join(allowed), verdict, passed, why)
    bound = found.policy.max_fpir_difference
    passed = bound <= policy.max_fpir_difference * (1 + 1e-9)
    yield Check(
        "bound of FPIR equity",
        f"judged by a difference of at most {policy.max_fpir_difference:.3g}",
        f"{bound:.3g}",
        passed,
        "judged as strictly" if passed else "the evidence calls groups equal that this policy would not",
    )


def _calibration(found: Calibration, policy: Policy) -> Iterator[Check]:
    passed = policy.calibration == "any" or found.verdict == "sufficient"
    yield Check(
        "calibration",
        "sufficient data" if policy.calibration == "sufficient" else "one of this version",
        found.verdict.replace("_", " "),
        passed,
        "a threshold with its bound"
        if passed
        else f"insufficient data: {found.non_mated_subjects:,} non-mated subjects for FPIR {found.target_fpir:g} "
        f"at a watchlist of {found.watchlist_size:,}",
    )
    enough = found.watchlist_size >= policy.watchlist_size
    yield Check(
        "calibrated watchlist size",
        f"at least {policy.watchlist_size:,}",
        f"{found.watchlist_size:,}",
        enough,
        "it holds for the size of use" if enough else "a deployment of this size could not use it",
    )


def _threshold(calibration: Calibration, fairness: FairnessEvidence) -> Check:
    passed = math.isclose(fairness.threshold, calibration.threshold, rel_tol=1e-6)
    return Check(
        "one threshold",
        f"groups compared at the calibrated threshold, {calibration.threshold:.4f}",
        f"{fairness.threshold:.4f}",
        passed,
        "groups were compared as they would be treated"
        if passed
        else "equity belongs to a threshold; this one is not the one of use",
    )


def _provenance(evidence: Evidence, policy: Policy, now: datetime) -> Iterator[Check]:
    kinds = (evidence.evaluation, evidence.calibration, evidence.fairness, evidence.parity, evidence.benchmark)
    created = [found.created for found in kinds if found is not None]
    if created:
        days = (now - min(created)).days
        passed = days <= policy.max_age_days
        why = "the evidence is fresh" if passed else "evaluate the version again"
        yield Check("freshness", f"at most {policy.max_age_days} days old", f"{days} days", passed, why)
    simulated = [
        name
        for name, found in (
            ("evaluation", evidence.evaluation),
            ("calibration", evidence.calibration),
            ("fairness", evidence.fairness),
        )
        if found is not None and found.simulated
    ]
    passed = policy.simulated or not simulated
    yield Check(
        "real people",
        "evidence from made-up faces counts" if policy.simulated else "no evidence from made-up faces",
        f"made-up faces in {', '.join(simulated)}" if simulated else "none made up",
        passed,
        "as the policy wants it" if passed else "made-up faces show nothing of real ones",
    )
    problems: Sequence[str] = evidence.card_problems
    yield Check(
        "cards",
        "of the data and of the model, complete and of the same digest",
        "complete" if not problems else f"{len(problems)} missing or wrong",
        not problems,
        "; ".join(problems) or "what was measured is written down",
    )


def _name(group: GroupEvidence | None) -> str:
    return "no group" if group is None else ", ".join(group.group.values())
