"""Who looked, what is held, and what is handed over (R14, R15)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from datetime import date

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from sqlalchemy import select

from lfr.access import Principal
from lfr.alerts import (
    adjudicate,
    count_other_references,
    envelope_for_key,
    hand_over,
    hold,
    list_alerts,
    open_evidence,
    raise_alert,
    read_probe,
    read_reference_image,
    record_outcome,
    release_hold,
    show_alert,
    standing_holds,
)
from lfr.audit import entry_hash
from lfr.database import Store
from lfr.database.tables import Alert, AuditEntry, HandOver, Hold, Reference
from lfr.errors import AccessDeniedError, ConflictError, InputError, KeyFileError, NotFoundError
from tests.integration.alerts_scene import PROBE, REFERENCE, Scene, live_scene
from tests.integration.conftest import Clock, add_force, add_person

REVIEW = date(2026, 6, 1)


@pytest.fixture
def scene(store: Store) -> Scene:
    return live_scene(store)


@pytest.fixture
def alert_id(store: Store, scene: Scene) -> str:
    alert = raise_alert(store, scene.operator, scene.sighting())
    assert alert is not None
    return alert.id


@pytest.fixture
def officer(person: Callable[..., Principal]) -> Principal:
    return person("authorising_officer", rank="superintendent")


@pytest.fixture
def recipient() -> X25519PrivateKey:
    return X25519PrivateKey.generate()


def handed(store: Store, officer: Principal, alert_id: str, recipient: X25519PrivateKey) -> bytes:
    envelope = envelope_for_key(recipient.public_key().public_bytes_raw().hex().encode())
    given = hand_over(
        store, officer, alert_id, recipient="prosecution, case 42/26", reason="disclosure", envelope=envelope
    )
    assert given.digest == hashlib.sha256(given.content).hexdigest()
    return given.content


def entries(store: Store, alert_id: str) -> list[AuditEntry]:
    find = select(AuditEntry).where(AuditEntry.object == alert_id).order_by(AuditEntry.sequence)
    with store.database.read() as session:
        return list(session.scalars(find))


def test_r14_every_look_at_an_image_is_logged_with_its_purpose(
    store: Store, scene: Scene, alert_id: str, clock: Clock
) -> None:
    clock.advance(seconds=5)
    assert read_probe(store, scene.operator, alert_id, purpose="adjudication") == PROBE
    assert read_reference_image(store, scene.operator, alert_id, purpose=" adjudication ") == REFERENCE
    _, probe, reference = entries(store, alert_id)
    assert (probe.action, probe.actor, probe.time) == ("alert.image", scene.operator.id, clock())
    assert probe.details == {"image": "probe", "purpose": "adjudication"}
    assert reference.details["image"] == "reference"
    assert reference.details["reference"].startswith("reference-")


def test_r14_other_images_of_the_person_are_seen_one_by_one_and_each_look_is_logged(
    store: Store, scene: Scene, alert_id: str
) -> None:
    assert count_other_references(store, scene.operator, alert_id) == 0
    key, other = store.keys.load(scene.watchlist_id), "reference-other"
    with store.database.write() as session:
        session.add(
            Reference(
                id=other,
                entry_id=scene.entry_ids[0],
                watchlist_id=scene.watchlist_id,
                ordinal=1,
                image_digest="e",
                image=key.encrypt(b"the other one", row=f"{other}:image"),
                template=b"t",
                model_digest="model-digest",
                quality={},
            )
        )
    assert count_other_references(store, scene.operator, alert_id) == 1
    assert read_reference_image(store, scene.operator, alert_id, purpose="to decide") == REFERENCE
    shown = read_reference_image(store, scene.operator, alert_id, purpose="to decide", number=1)
    assert shown == b"the other one"
    assert [entry.details.get("reference") for entry in entries(store, alert_id)][-1] == other
    for number in (2, -1):
        with pytest.raises(NotFoundError, match="other images 1 to 1"):
            read_reference_image(store, scene.operator, alert_id, purpose="to decide", number=number)


def test_r14_no_purpose_no_role_no_image(
    store: Store, scene: Scene, alert_id: str, person: Callable[..., Principal]
) -> None:
    with pytest.raises(InputError, match="purpose is missing"):
        read_probe(store, scene.operator, alert_id, purpose=" ")
    with pytest.raises(InputError, match="4000 are the most"):
        read_probe(store, scene.operator, alert_id, purpose="x" * 4001)
    for role in ("auditor", "field_unit", "admin", "watchlist_manager", "mlops"):
        with pytest.raises(AccessDeniedError, match=r"alert\.image"):
            read_reference_image(store, person(role), alert_id, purpose="curiosity")
    assert len(entries(store, alert_id)) == 1


def test_an_image_past_its_clock_is_not_shown_even_before_a_sweep(
    store: Store, scene: Scene, alert_id: str, clock: Clock
) -> None:
    clock.advance(hours=24)
    for read in (read_probe, read_reference_image):
        with pytest.raises(ConflictError, match="clock ran out at 2026-03-03T09:00"):
            read(store, scene.operator, alert_id, purpose="adjudication")


def test_without_its_key_an_image_does_not_open(store: Store, scene: Scene, alert_id: str) -> None:
    store.keys.destroy(scene.deployment_id)
    with pytest.raises(KeyFileError, match="is gone"):
        read_probe(store, scene.operator, alert_id, purpose="adjudication")
    assert len(entries(store, alert_id)) == 1


def test_r15_a_named_person_holds_an_image_for_a_reason_until_a_review(
    store: Store, scene: Scene, alert_id: str, clock: Clock
) -> None:
    hold_id = hold(store, scene.operator, alert_id, reason="investigation 42/26", review_on=REVIEW)
    last = entries(store, alert_id)[-1]
    assert (last.action, last.actor) == ("alert.hold", scene.operator.id)
    assert last.details == {"hold": hold_id, "reason": "investigation 42/26", "review_on": "2026-06-01"}
    with store.database.read() as session:
        (kept,) = standing_holds(session, force_id="essex", deployment_id=scene.deployment_id)
        assert (kept.person_id, kept.reason, kept.review_on) == (scene.operator.id, "investigation 42/26", REVIEW)
        assert standing_holds(session, force_id="kent") == ()
    # It outlives the image's clock, the watchlist's key and its rows.
    clock.advance(days=30)
    store.keys.destroy(scene.watchlist_id)
    assert read_probe(store, scene.operator, alert_id, purpose="review") == PROBE
    assert read_reference_image(store, scene.operator, alert_id, purpose="review") == REFERENCE
    (listed,) = list_alerts(store, scene.operator)
    assert (listed.held, listed.image_until) == (True, None)


def test_r15_what_is_gone_held_or_badly_said_is_not_held(
    store: Store, scene: Scene, alert_id: str, clock: Clock, officer: Principal
) -> None:
    with pytest.raises(InputError, match="reason is missing"):
        hold(store, scene.operator, alert_id, reason="", review_on=REVIEW)
    with pytest.raises(InputError, match="must come after today, 2026-03-02"):
        hold(store, scene.operator, alert_id, reason="x", review_on=clock().date())
    device = Principal("device-1", "essex", frozenset({"operator"}))
    with pytest.raises(AccessDeniedError, match="a person must do this"):
        hold(store, device, alert_id, reason="x", review_on=REVIEW)
    hold(store, scene.operator, alert_id, reason="x", review_on=REVIEW)
    with pytest.raises(ConflictError, match=f"held already by {scene.operator.id}, review on 2026-06-01"):
        hold(store, officer, alert_id, reason="y", review_on=REVIEW)
    other = raise_alert(store, scene.operator, scene.sighting(track_id=2))
    assert other is not None
    clock.advance(hours=24)
    with pytest.raises(ConflictError, match="clock ran out"):
        hold(store, officer, other.id, reason="too late", review_on=REVIEW)


def test_r15_a_release_lets_the_clock_count_again(
    store: Store, scene: Scene, alert_id: str, clock: Clock, officer: Principal, person: Callable[..., Principal]
) -> None:
    with pytest.raises(ConflictError, match="is not held"):
        release_hold(store, officer, alert_id, reason="over")
    hold(store, scene.operator, alert_id, reason="x", review_on=REVIEW)
    with pytest.raises(AccessDeniedError, match="they or an authorising officer"):
        release_hold(store, person("operator"), alert_id, reason="over")
    release_hold(store, officer, alert_id, reason="case closed")
    assert read_probe(store, scene.operator, alert_id, purpose="review") == PROBE
    with store.database.read() as session:
        row = session.scalars(select(Hold)).one()
    assert (row.released_by, row.reference_image) == (officer.id, None)
    released = next(entry for entry in entries(store, alert_id) if entry.action == "alert.release")
    assert released.details["reason"] == "case closed"
    clock.advance(hours=24)
    with pytest.raises(ConflictError, match="clock ran out"):
        read_probe(store, scene.operator, alert_id, purpose="review")


def test_r15_what_is_handed_over_opens_elsewhere_for_its_recipient_and_is_complete(
    store: Store, scene: Scene, alert_id: str, officer: Principal, recipient: X25519PrivateKey
) -> None:
    adjudicate(
        store,
        scene.operator,
        alert_id,
        decision="viable",
        subject_factors="same scar",
        system_factors="sharp",
        environmental_factors="daylight",
    )
    record_outcome(store, scene.operator, alert_id, state="engaged")
    record_outcome(store, scene.operator, alert_id, state="confirmed_true", kind="arrest")
    before = entries(store, alert_id)
    content = handed(store, officer, alert_id, recipient)
    assert PROBE not in content
    assert b"subject-1" not in content

    opened = open_evidence(
        content, private_key=recipient.private_bytes_raw().hex().encode(), signed_by=store.signing.public_hex
    )
    assert sorted(opened.files) == ["alert.json", "audit.jsonl", "probe.jpg", "readme.txt", "reference.jpg"]
    assert (opened.files["probe.jpg"], opened.files["reference.jpg"]) == (PROBE, REFERENCE)
    assert opened.manifest["recipient"] == "prosecution, case 42/26"
    assert (opened.manifest["by"], opened.manifest["reason"]) == (officer.id, "disclosure")
    alert = json.loads(opened.files["alert.json"])
    assert alert["alert"]["subject_id"] == "subject-1"
    assert alert["adjudications"][0]["subject_factors"] == "same scar"
    assert [made["state"] for made in alert["outcomes"]] == ["engaged", "confirmed_true"]
    lines = [json.loads(line) for line in opened.files["audit.jsonl"].splitlines()]
    assert [line["sequence"] for line in lines] == [entry.sequence for entry in before]
    for line in lines:
        assert line.pop("hash") == entry_hash(line)
    assert opened.manifest["alert_digest"] == before[-1].after
    assert lines[0]["details"]["probe_sha256"] == hashlib.sha256(opened.files["probe.jpg"]).hexdigest()


def test_r14_a_hand_over_is_logged_with_recipient_purpose_and_digest(
    store: Store, scene: Scene, alert_id: str, officer: Principal, recipient: X25519PrivateKey
) -> None:
    content = handed(store, officer, alert_id, recipient)
    last = entries(store, alert_id)[-1]
    assert (last.action, last.actor) == ("alert.hand-over", officer.id)
    assert last.after == hashlib.sha256(content).hexdigest()
    assert (last.details["recipient"], last.details["purpose"]) == ("prosecution, case 42/26", "disclosure")
    with store.database.read() as session:
        assert session.scalars(select(HandOver)).one().export_digest == last.after
    _, history = show_alert(store, officer, alert_id)
    assert history.hand_overs[0]["export_digest"] == last.after


def test_r15_a_held_alert_is_handed_over_after_its_clock_and_its_list_are_gone(
    store: Store, scene: Scene, alert_id: str, officer: Principal, recipient: X25519PrivateKey, clock: Clock
) -> None:
    hold(store, scene.operator, alert_id, reason="x", review_on=REVIEW)
    clock.advance(days=3)
    store.keys.destroy(scene.watchlist_id)
    opened = open_evidence(
        handed(store, officer, alert_id, recipient), private_key=recipient.private_bytes_raw().hex().encode()
    )
    assert opened.files["reference.jpg"] == REFERENCE


def test_r15_what_cannot_be_handed_over_leaves_no_trace(
    store: Store, scene: Scene, alert_id: str, officer: Principal, recipient: X25519PrivateKey, clock: Clock
) -> None:
    envelope = envelope_for_key(recipient.public_key().public_bytes_raw().hex().encode())
    with pytest.raises(AccessDeniedError, match=r"alert\.hand-over.*authorising_officer"):
        hand_over(store, scene.operator, alert_id, recipient="x", reason="x", envelope=envelope)
    with pytest.raises(InputError, match="recipient is missing"):
        hand_over(store, officer, alert_id, recipient=" ", reason="x", envelope=envelope)
    add_force(store, "kent")
    with pytest.raises(NotFoundError):
        stranger = add_person(store, "authorising_officer", force="kent")
        hand_over(store, stranger, alert_id, recipient="x", reason="x", envelope=envelope)
    clock.advance(hours=24)
    with pytest.raises(ConflictError, match="clock ran out"):
        hand_over(store, officer, alert_id, recipient="x", reason="x", envelope=envelope)
    with store.database.write() as session:
        alert = session.get_one(Alert, alert_id)
        alert.image, alert.image_deleted_at = None, clock()
    with pytest.raises(ConflictError, match="clock ran out at 2026-03-03T09:00"):
        hand_over(store, officer, alert_id, recipient="x", reason="x", envelope=envelope)
    assert len(entries(store, alert_id)) == 1
    with store.database.read() as session:
        assert session.scalars(select(HandOver)).all() == []
