"""Promotion: the entry is the proof, the alias a pointer; what does not agree is refused with both digests."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import select

from lfr.access import Principal
from lfr.audit import INSTALLATION_CHAIN, export_chain, verify_export
from lfr.database import Store
from lfr.database.log_tables import AuditEntry, Promotion
from lfr.deployments import create_deployment, shipped_calibration, show_deployment
from lfr.errors import AccessDeniedError, ConflictError, ModelMismatchError, RegistryError
from lfr.registry import (
    Evidence,
    RegisteredVersion,
    Tracking,
    find_version,
    list_versions,
    open_tracking,
    promote,
    read_policy,
    record_evaluation,
    register,
    resolve,
    rollback,
)
from lfr.registry.authorising import authorise_deployment
from lfr.registry.documents import KINDS
from lfr.registry.evidence import find_evidence, log_evidence
from lfr.registry.policy import Policy
from lfr.registry.tracking import MODEL_NAME
from lfr.serving.opening import resolve_shadow
from lfr.serving.settings import AppArgs
from lfr.types import Calibration
from tests.integration.conftest import add_person
from tests.integration.deployments_scene import calibration, cast_of, request, sealed_list
from tests.unit.registry.test_gate import PARITY, fairness_document


@pytest.fixture(scope="module")
def registered(tmp_path_factory: pytest.TempPathFactory) -> Tracking:
    """Two versions of the default recogniser, on runtimes of their own."""
    tracking = open_tracking(tmp_path_factory.mktemp("promotion") / "lfr-data")
    for name in ("openvino-f32", "torch-f32"):
        register(tracking, version=name)
    return tracking


@pytest.fixture
def tracking(registered: Tracking) -> Tracking:
    """The same, with no alias that an earlier test moved."""
    for alias in ("field", "previous", "demo"):
        if any(alias in version.aliases for version in list_versions(registered)):
            registered.client.delete_registered_model_alias(MODEL_NAME, alias)
    return registered


@pytest.fixture
def persons(store: Store) -> tuple[Principal, Principal]:
    return add_person(store, "mlops"), add_person(store, "authorising_officer")


def lenient(alias: str = "field") -> Policy:
    """A policy that asks for parity and fairness evidence and little of them."""
    demo = read_policy("demo").model_dump()
    return Policy.model_validate({**demo, "alias": alias, "field_use": alias == "field", "max_fpir_difference": 0.5})


def logged(
    store: Store, tracking: Tracking, version: RegisteredVersion, *, evaluator: Principal | None = None
) -> Evidence:
    """Evidence that passes: made of counts, logged and found as any other, by somebody who is on record for it."""
    fairness = fairness_document({"a": (90, 85, 200, 0), "b": (90, 85, 200, 0)}, **digest_of(version))
    log_evidence(tracking, version, "fairness", fairness, card="demo_faces")
    parity = {**PARITY, "model_digest": version.model_digest}
    log_evidence(tracking, version, "parity", parity, card="demo_faces")
    log_evidence(tracking, version, "calibration", calibration_of(version), card="demo_faces")
    about = {**digest_of(version), "data_digest": "b" * 64, "created": PARITY["created"], "simulated": True}
    counts = {"watchlist_size": 10, "mated_subjects": 10, "non_mated_subjects": 80, "failures_to_acquire": 0}
    log_evidence(tracking, version, "evaluation", {**about, **counts, "points": []}, card="demo_faces")
    speed = {"frames_per_s": 10.0, "faces_per_s": 100.0, "machine": {}}
    timed = {"model_digest": version.model_digest, "created": PARITY["created"], **speed}
    log_evidence(tracking, version, "benchmark", timed, card="demo_faces")
    found = find_evidence(tracking, version)
    record_evaluation(store, evaluator or add_person(store, "mlops"), version, found.digests)
    return found


def digest_of(version: RegisteredVersion) -> dict[str, dict[str, str]]:
    return {"model": {"digest": version.model_digest}}


def calibration_of(version: RegisteredVersion) -> dict[str, object]:
    about = {"model_digest": version.model_digest, "threshold": 0.5}
    made = Calibration.model_validate({**shipped_calibration().model_dump(), **about})
    return {"digest": made.digest, **made.document}


def test_a_version_that_passes_gets_its_alias_and_an_entry_in_the_log(
    store: Store, tracking: Tracking, persons: tuple[Principal, Principal], tmp_path: Path
) -> None:
    version = find_version(tracking, "1")
    made, result = promote(
        store, tracking, *persons, version, evidence=logged(store, tracking, version), policy=lenient()
    )
    assert result.passed, result.reasons
    assert made is not None
    found = resolve(store, tracking, "field")
    assert (found.number, found.version.number, found.notice) == (made.number, 1, "")
    assert found.load(threads=1).digest == version.model_digest
    with store.database.read() as session:
        entry = session.scalars(select(AuditEntry).where(AuditEntry.action == "registry.promote")).one()
        row = session.scalars(select(Promotion)).one()
    assert (entry.chain, entry.after) == (INSTALLATION_CHAIN, version.model_digest)
    assert entry.details["approved_by"] == persons[1].id
    assert set(row.evidence) == set(KINDS)
    export_chain(store, INSTALLATION_CHAIN, tmp_path / "chain.jsonl")
    assert verify_export(tmp_path / "chain.jsonl", public_key=store.signing.public_hex).complete


def test_a_version_that_does_not_pass_moves_no_alias_and_is_logged(
    store: Store, tracking: Tracking, persons: tuple[Principal, Principal]
) -> None:
    version = find_version(tracking, "1")
    made, result = promote(
        store, tracking, *persons, version, evidence=logged(store, tracking, version), policy=read_policy("field")
    )
    assert made is None
    assert any("insufficient data" in reason for reason in result.reasons)
    with pytest.raises(RegistryError, match="no version was ever promoted to it"):
        resolve(store, tracking, "field")
    with store.database.read() as session:
        entry = session.scalars(select(AuditEntry).where(AuditEntry.action == "registry.promote")).one()
    assert entry.details["passed"] is False


def test_it_takes_two_persons_who_may(store: Store, tracking: Tracking, persons: tuple[Principal, Principal]) -> None:
    version = find_version(tracking, "1")
    evidence = logged(store, tracking, version)
    with pytest.raises(ConflictError, match="it takes two persons"):
        promote(store, tracking, persons[0], persons[0], version, evidence=evidence, policy=lenient())
    with pytest.raises(AccessDeniedError, match=r"registry\.promote"):
        promote(
            store, tracking, persons[0], add_person(store, "operator"), version, evidence=evidence, policy=lenient()
        )


def test_whoever_made_the_evidence_does_not_approve_it(
    store: Store, tracking: Tracking, persons: tuple[Principal, Principal]
) -> None:
    version, evaluator = find_version(tracking, "1"), add_person(store, "mlops")
    evidence = logged(store, tracking, version, evaluator=evaluator)
    with pytest.raises(ConflictError, match=f"{evaluator.id} made its .*fairness.* somebody else approves it"):
        promote(store, tracking, persons[0], evaluator, version, evidence=evidence, policy=lenient())
    # To propose what one evaluated is the ordinary way.
    made, _ = promote(store, tracking, evaluator, persons[1], version, evidence=evidence, policy=lenient())
    assert made is not None
    with store.database.read() as session:
        entries = session.scalars(select(AuditEntry).where(AuditEntry.action == "registry.promote")).all()
    assert [entry.details["passed"] for entry in entries] == [False, True]


def test_evidence_that_nobody_is_on_record_for_is_for_demonstrations_only(
    store: Store, tracking: Tracking, persons: tuple[Principal, Principal]
) -> None:
    version = find_version(tracking, "1")
    logged(store, tracking, version)
    speed = {"frames_per_s": 20.0, "faces_per_s": 200.0, "machine": {}}
    again = {"model_digest": version.model_digest, "created": PARITY["created"], **speed}
    log_evidence(tracking, version, "benchmark", again, card="demo_faces")
    evidence = find_evidence(tracking, version)
    with pytest.raises(ConflictError, match="nobody is on record for its benchmark evidence"):
        promote(store, tracking, *persons, version, evidence=evidence, policy=lenient())
    made, _ = promote(store, tracking, *persons, version, evidence=evidence, policy=lenient("demo"))
    assert made is not None
    with pytest.raises(AccessDeniedError, match=r"registry\.evaluate"):
        record_evaluation(store, add_person(store, "operator"), version, evidence.digests)


def test_a_shadow_is_promoted_by_two_persons_and_resolved_with_the_calibration_of_its_evidence(
    store: Store, registered: Tracking, persons: tuple[Principal, Principal], tmp_path: Path
) -> None:
    version, args = find_version(registered, "2"), AppArgs(home=tmp_path, tracking_uri=registered.uri, shadow="shadow")
    with pytest.raises(RegistryError, match="no version was ever promoted to it"):
        resolve_shadow(args, store)
    evidence = logged(store, registered, version)
    made, result = promote(store, registered, *persons, version, evidence=evidence, policy=read_policy("shadow"))
    assert result.passed, result.reasons
    assert made is not None
    assert made.notice == "not approved for field use"
    found = resolve_shadow(args, store)
    assert found is not None
    assert (found.model.alias, found.model.digest) == ("shadow", version.model_digest)
    assert found.calibration == evidence.calibration
    file = tmp_path / "other.json"
    shipped_calibration().write(file)
    with pytest.raises(ModelMismatchError) as refused:
        resolve_shadow(args.model_copy(update={"shadow_calibration": file}), store)
    assert version.model_digest in str(refused.value)
    assert shipped_calibration().model_digest in str(refused.value)


def test_an_alias_that_somebody_moved_is_refused_and_both_are_named(
    store: Store, tracking: Tracking, persons: tuple[Principal, Principal]
) -> None:
    first, second = find_version(tracking, "1"), find_version(tracking, "2")
    promote(store, tracking, *persons, first, evidence=logged(store, tracking, first), policy=lenient())
    tracking.client.set_registered_model_alias(MODEL_NAME, "field", "2")
    with pytest.raises(RegistryError, match="points to version 2") as refused:
        resolve(store, tracking, "field")
    assert first.model_digest in str(refused.value)
    assert second.model_digest in str(refused.value)


def test_r9_a_deployment_is_authorised_only_while_the_alias_points_to_what_was_promoted(
    store: Store, tracking: Tracking, persons: tuple[Principal, Principal]
) -> None:
    version, cast = find_version(tracking, "1"), cast_of(store)
    promote(store, tracking, *persons, version, evidence=logged(store, tracking, version), policy=lenient())
    watchlist_id = sealed_list(store, cast.manager, model_digest=version.model_digest)
    asked = request(store, watchlist_id, calibration=calibration(model_digest=version.model_digest))
    made = create_deployment(store, cast.author, asked)
    tracking.client.set_registered_model_alias(MODEL_NAME, "field", "2")
    with pytest.raises(RegistryError, match="points to version 2"):
        authorise_deployment(store, lambda: tracking, cast.officer, made, reasons="because")
    tracking.client.set_registered_model_alias(MODEL_NAME, "field", "1")
    authorise_deployment(store, lambda: tracking, cast.officer, made, reasons="because")
    assert show_deployment(store, cast.officer, made).state == "authorised"


def test_a_version_whose_files_were_changed_is_not_promoted_and_that_is_logged(
    store: Store, persons: tuple[Principal, Principal], tmp_path: Path
) -> None:
    tracking = open_tracking(tmp_path / "registry")
    version = register(tracking)
    evidence = logged(store, tracking, version)
    weights = next((tmp_path / "registry" / "artifacts").rglob("face_recognition*.onnx"))
    weights.write_bytes(weights.read_bytes()[:-1])
    with pytest.raises(RegistryError, match="changed since it was registered"):
        promote(store, tracking, *persons, version, evidence=evidence, policy=lenient())
    assert find_version(tracking, "1").aliases == ("candidate",)
    with store.database.read() as session:
        entry = session.scalars(select(AuditEntry).where(AuditEntry.action == "registry.promote")).one()
    assert entry.details["passed"] is False
    assert "changed since it was registered" in entry.details["why"][0]


def test_two_promotions_at_once_come_one_after_the_other(
    store: Store, tracking: Tracking, persons: tuple[Principal, Principal]
) -> None:
    versions = [find_version(tracking, number) for number in ("1", "2")]
    evidence = [logged(store, tracking, version) for version in versions]
    ready = threading.Barrier(2)

    def one(at: int) -> int:
        ready.wait()
        made, _ = promote(store, tracking, *persons, versions[at], evidence=evidence[at], policy=lenient())
        assert made is not None
        return made.number

    with ThreadPoolExecutor(2) as threads:
        numbers = list(threads.map(one, range(2)))
    assert sorted(numbers) == [1, 2]
    last = versions[numbers.index(2)]
    assert resolve(store, tracking, "field").version.number == last.number
    assert find_version(tracking, "previous").number == versions[numbers.index(1)].number


def test_a_promotion_that_broke_off_is_repaired_by_running_it_again(
    store: Store, tracking: Tracking, persons: tuple[Principal, Principal]
) -> None:
    version = find_version(tracking, "1")
    evidence = logged(store, tracking, version)
    made, _ = promote(store, tracking, *persons, version, evidence=evidence, policy=lenient())
    # As if it had been killed after the entry and before the alias.
    tracking.client.delete_registered_model_alias(MODEL_NAME, "field")
    with pytest.raises(RegistryError):
        resolve(store, tracking, "field")
    again, _ = promote(store, tracking, *persons, version, evidence=evidence, policy=lenient())
    assert made is not None
    assert again is not None
    assert again.number == made.number
    assert resolve(store, tracking, "field").version.number == 1
    with store.database.read() as session:
        assert len(session.scalars(select(Promotion)).all()) == 1


def test_a_rollback_goes_back_to_the_version_before_with_its_evidence(
    store: Store, tracking: Tracking, persons: tuple[Principal, Principal]
) -> None:
    first, second = find_version(tracking, "1"), find_version(tracking, "2")
    with pytest.raises(ConflictError, match="no earlier version"):
        rollback(store, tracking, *persons, reason="worse")
    promote(store, tracking, *persons, first, evidence=logged(store, tracking, first), policy=lenient())
    promote(store, tracking, *persons, second, evidence=logged(store, tracking, second), policy=lenient())
    assert find_version(tracking, "previous").number == 1
    with pytest.raises(ConflictError, match="needs its reason"):
        rollback(store, tracking, *persons, reason=" ")
    made = rollback(store, tracking, *persons, reason="more false alerts than measured")
    assert (made.version.number, resolve(store, tracking, "field").version.number) == (1, 1)
    with store.database.read() as session:
        rows = session.scalars(select(Promotion).order_by(Promotion.number)).all()
        entry = session.scalars(select(AuditEntry).where(AuditEntry.action == "registry.rollback")).one()
    assert [row.version for row in rows] == [1, 2, 1]
    assert (rows[2].returns_to, rows[2].evidence) == (rows[0].number, rows[0].evidence)
    assert entry.details["returns_to"] == rows[0].number


def test_what_passed_the_demo_policy_is_marked_for_good(
    store: Store, tracking: Tracking, persons: tuple[Principal, Principal]
) -> None:
    version = find_version(tracking, "1")
    promote(store, tracking, *persons, version, evidence=logged(store, tracking, version), policy=lenient("demo"))
    assert resolve(store, tracking, "demo").notice == "not approved for field use"
