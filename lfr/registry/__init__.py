"""Registered versions of the recogniser, and what a version must show before it goes to the field."""

from lfr.registry.bundle import Bundle, load_bundle, read_bundle, write_bundle
from lfr.registry.documents import Evidence
from lfr.registry.evaluators import record_evaluation
from lfr.registry.evidence import find_evidence, log_evidence
from lfr.registry.gate import Check, GateResult, gate
from lfr.registry.policy import POLICIES, Policy, read_policy
from lfr.registry.promotion import Promoted, promote, resolve, rollback
from lfr.registry.tracking import MODEL_NAME, Tracking, open_tracking
from lfr.registry.versions import (
    ALIASES,
    RegisteredVersion,
    find_version,
    list_versions,
    load_version,
    register,
)

__all__ = [
    "ALIASES",
    "MODEL_NAME",
    "POLICIES",
    "Bundle",
    "Check",
    "Evidence",
    "GateResult",
    "Policy",
    "Promoted",
    "RegisteredVersion",
    "Tracking",
    "find_evidence",
    "find_version",
    "gate",
    "list_versions",
    "load_bundle",
    "load_version",
    "log_evidence",
    "open_tracking",
    "promote",
    "read_bundle",
    "read_policy",
    "record_evaluation",
    "register",
    "resolve",
    "rollback",
    "write_bundle",
]
