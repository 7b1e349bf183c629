"""A person decides on an alert, once; what came of it; and the figures of the record."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import select

from lfr.access import ForcePolicy, Principal
from lfr.alerts import (
    AlertCounts,
    adjudicate,
    count_faces,
    counts,
    counts_by_camera,
    lapse_all,
    lapse_overdue,
    list_alerts,
    raise_alert,
    raise_alerts,
    record_outcome,
    retract,
    show_alert,
)
from lfr.audit import entry_hash
from lfr.audit.chain import canonical, entry_document
from lfr.database import Store
from lfr.database.tables import Adjudication, Alert, AuditEntry, Deployment, Force
from lfr.errors import AccessDeniedError, ConflictError, InputError, NotAuthorisedError, NotFoundError
from lfr.statistics import clopper_pearson
from tests.integration.alerts_scene import Scene, live_scene
from tests.integration.conftest import Clock, add_force, add_person

FACTORS = {
    "subject_factors": "same scar",
    "system_factors": "sharp, well over the threshold",
    "environmental_factors": "daylight",
}


@pytest.fixture
def scene(store: Store) -> Scene:
    return live_scene(store)


@pytest.fixture
def alert_id(store: Store, scene: Scene) -> str:
    return raised(store, scene)


def raised(store: Store, scene: Scene, **changes: object) -> str:
    alert = raise_alert(store, scene.operator, scene.sighting(**changes))
    assert alert is not None
    return alert.id


def call(store: Store, principal: Principal, alert_id: str, decision: Any = "viable") -> str:
    return adjudicate(store, principal, alert_id, decision=decision, **FACTORS)


def state_of(store: Store, alert_id: str) -> str:
    with store.database.read() as session:
        return session.get_one(Alert, alert_id).state


def logged(store: Store, alert_id: str) -> list[AuditEntry]:
    find = select(AuditEntry).where(AuditEntry.object == alert_id).order_by(AuditEntry.sequence)
    with store.database.read() as session:
        return list(session.scalars(find))


def figures(store: Store, scene: Scene) -> AlertCounts:
    with store.database.read() as session:
        return counts(session, scene.deployment_id)


def two_persons(store: Store) -> None:
    with store.database.write() as session:
        session.get_one(Force, "essex").policy = ForcePolicy(two_person_rule=True).model_dump(mode="json")


@pytest.mark.parametrize("decision", ["viable", "not_viable"])
def test_r6_who_decided_when_and_on_what_is_kept(
    store: Store, scene: Scene, alert_id: str, decision: str, clock: Clock
) -> None:
    clock.advance(seconds=20)
    assert call(store, scene.operator, alert_id, decision) == decision
    with store.database.read() as session:
        made = session.scalars(select(Adjudication)).one()
    assert (made.person_id, made.decision, made.made_at) == (scene.operator.id, decision, clock())
    assert (made.subject_factors, made.environmental_factors) == ("same scar", "daylight")
    assert made.system_factors.startswith("sharp")


def test_r8_the_log_says_who_verified_and_no_words_of_theirs(store: Store, scene: Scene, alert_id: str) -> None:
    call(store, scene.operator, alert_id)
    raising, deciding = logged(store, alert_id)
    assert (deciding.action, deciding.actor, deciding.role) == ("alert.adjudicate", scene.operator.id, "operator")
    assert (deciding.details["from"], deciding.details["to"]) == ("new", "viable")
    assert deciding.before == raising.after
    assert deciding.after not in (None, deciding.before)
    assert deciding.hash == entry_hash(entry_document(deciding))
    assert b"scar" not in canonical(entry_document(deciding))


def test_r6_a_device_or_another_role_cannot_decide(
    store: Store, scene: Scene, alert_id: str, person: Callable[..., Principal]
) -> None:
    device = Principal("device-1", "essex", frozenset({"operator"}))
    with pytest.raises(AccessDeniedError, match="a person must do this"):
        call(store, device, alert_id)
    for role in ("field_unit", "auditor", "authorising_officer", "admin", "watchlist_manager"):
        with pytest.raises(AccessDeniedError, match=r"alert\.adjudicate"):
            call(store, person(role), alert_id)
    assert state_of(store, alert_id) == "new"


@pytest.mark.parametrize("factor", sorted(FACTORS))
def test_r6_each_kind_of_factor_must_be_said(store: Store, scene: Scene, alert_id: str, factor: str) -> None:
    with pytest.raises(InputError, match=f"{factor.replace('_', ' ')} is missing"):
        adjudicate(store, scene.operator, alert_id, decision="viable", **(FACTORS | {factor: "  "}))
    with pytest.raises(InputError, match="viable and not_viable are the choices"):
        call(store, scene.operator, alert_id, "perhaps")


@pytest.mark.parametrize("first", ["viable", "not_viable"])
def test_a_second_adjudication_is_refused(
    store: Store, scene: Scene, alert_id: str, first: str, person: Callable[..., Principal]
) -> None:
    call(store, scene.operator, alert_id, first)
    for who in (scene.operator, person("operator")):
        with pytest.raises(ConflictError, match=f"is {first} since 2026-03-02T09:00.*cannot be adjudicated again"):
            call(store, who, alert_id, "not_viable")
    assert len(logged(store, alert_id)) == 2


def test_of_two_officers_at_once_one_decides(store: Store, scene: Scene) -> None:
    officers = [add_person(store, "operator") for _ in range(4)]
    for _ in range(4):
        alert_id = raised(store, scene)
        start = threading.Barrier(len(officers))
        results: list[str] = []

        def work(officer: Principal, decision: str, alert_id: str, start: threading.Barrier, into: list[str]) -> None:
            start.wait()
            try:
                into.append(call(store, officer, alert_id, decision))
            except ConflictError:
                into.append("refused")

        workers = [
            threading.Thread(target=work, args=(officer, decision, alert_id, start, results))
            for officer, decision in zip(officers, ("viable", "not_viable") * 2, strict=True)
        ]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        assert results.count("refused") == 3
        assert state_of(store, alert_id) in results
        assert len(logged(store, alert_id)) == 2


def test_r6_two_different_persons_must_say_viable_where_the_policy_asks(
    store: Store, scene: Scene, alert_id: str, person: Callable[..., Principal]
) -> None:
    two_persons(store)
    second = person("operator")
    assert call(store, scene.operator, alert_id) == "new"
    assert figures(store, scene).unadjudicated == 1
    with pytest.raises(ConflictError, match="must be another person"):
        call(store, scene.operator, alert_id)
    # Another key of the same person is the same person.
    with pytest.raises(ConflictError, match="must be another person"):
        call(store, Principal(scene.operator.id, "essex", frozenset({"operator"}), scene.operator.id), alert_id)
    with pytest.raises(ConflictError, match="must be adjudicated first"):
        record_outcome(store, scene.operator, alert_id, state="engaged")
    assert call(store, second, alert_id) == "viable"
    assert figures(store, scene).true_alerts == 1


def test_r6_one_not_viable_decides_under_the_two_person_rule(
    store: Store, scene: Scene, alert_id: str, person: Callable[..., Principal]
) -> None:
    two_persons(store)
    call(store, scene.operator, alert_id)
    assert call(store, person("operator"), alert_id, "not_viable") == "not_viable"


def test_r6_two_officers_who_say_viable_at_once_both_count(
    store: Store, scene: Scene, alert_id: str, person: Callable[..., Principal]
) -> None:
    two_persons(store)
    officers = [scene.operator, person("operator")]
    workers = [threading.Thread(target=call, args=(store, officer, alert_id)) for officer in officers]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert state_of(store, alert_id) == "viable"


def test_the_officer_takes_it_back_within_ten_seconds_and_decides_anew(
    store: Store, scene: Scene, alert_id: str, clock: Clock
) -> None:
    call(store, scene.operator, alert_id)
    assert figures(store, scene).true_alerts == 1
    clock.advance(seconds=10)
    assert retract(store, scene.operator, alert_id) == "new"
    assert figures(store, scene).true_alerts == 0
    assert call(store, scene.operator, alert_id, "not_viable") == "not_viable"
    _, history = show_alert(store, scene.operator, alert_id)
    assert [made["decision"] for made in history.adjudications] == ["viable", "retracted", "not_viable"]
    assert [entry.action for entry in logged(store, alert_id)] == [
        "alert.raise",
        "alert.adjudicate",
        "alert.retract",
        "alert.adjudicate",
    ]


def test_after_ten_seconds_it_stands(store: Store, scene: Scene, alert_id: str, clock: Clock) -> None:
    call(store, scene.operator, alert_id)
    clock.advance(seconds=10, microseconds=1)
    with pytest.raises(ConflictError, match="for 10 seconds only"):
        retract(store, scene.operator, alert_id)
    assert state_of(store, alert_id) == "viable"


def test_nobody_else_takes_it_back_and_nothing_is_taken_back_twice(
    store: Store, scene: Scene, alert_id: str, person: Callable[..., Principal]
) -> None:
    with pytest.raises(ConflictError, match="no adjudication to retract"):
        retract(store, scene.operator, alert_id)
    call(store, scene.operator, alert_id)
    with pytest.raises(AccessDeniedError, match="only the officer who adjudicated"):
        retract(store, person("operator"), alert_id)
    retract(store, scene.operator, alert_id)
    with pytest.raises(ConflictError, match="no adjudication to retract"):
        retract(store, scene.operator, alert_id)


def test_what_was_acted_on_is_not_taken_back(store: Store, scene: Scene, alert_id: str) -> None:
    call(store, scene.operator, alert_id)
    record_outcome(store, scene.operator, alert_id, state="engaged")
    with pytest.raises(ConflictError, match="is engaged; its adjudication cannot be retracted"):
        retract(store, scene.operator, alert_id)


def test_outcomes_follow_each_other_as_drawn(store: Store, scene: Scene, alert_id: str) -> None:
    with pytest.raises(ConflictError, match="is new and cannot become engaged"):
        record_outcome(store, scene.operator, alert_id, state="engaged")
    call(store, scene.operator, alert_id)
    with pytest.raises(ConflictError, match="engaged or not_engaged can follow"):
        record_outcome(store, scene.operator, alert_id, state="confirmed_true")
    with pytest.raises(InputError, match=r"kind 'beaten'.*arrest"):
        record_outcome(store, scene.operator, alert_id, state="engaged", kind="beaten")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="outcome 'gone'"):
        record_outcome(store, scene.operator, alert_id, state="gone")  # type: ignore[arg-type]
    record_outcome(store, scene.operator, alert_id, state="engaged", kind="other", note="spoke with them")
    record_outcome(store, scene.operator, alert_id, state="confirmed_true", kind="arrest")
    with pytest.raises(ConflictError, match="nothing follows"):
        record_outcome(store, scene.operator, alert_id, state="confirmed_false")
    _, history = show_alert(store, scene.operator, alert_id)
    assert [made["state"] for made in history.outcomes] == ["engaged", "confirmed_true"]
    assert logged(store, alert_id)[-1].details["kind"] == "arrest"


def test_an_alert_nobody_decided_lapses_with_its_images_clock(
    store: Store, scene: Scene, alert_id: str, clock: Clock
) -> None:
    decided = raised(store, scene, track_id=2)
    call(store, scene.operator, decided)
    system = Principal.system("essex")
    with store.database.write() as session:
        assert lapse_overdue(store, session, system) == ()
    clock.advance(hours=24)
    with pytest.raises(ConflictError, match=r"ran out.*unadjudicated; it is lapsed"):
        call(store, scene.operator, alert_id)
    for lapsed in ((alert_id,), ()):
        with store.database.write() as session:
            assert lapse_overdue(store, session, system) == lapsed
    assert (state_of(store, alert_id), state_of(store, decided)) == ("lapsed", "viable")
    last = logged(store, alert_id)[-1]
    assert (last.action, last.actor, last.role) == ("alert.lapse", "system", "system")
    with pytest.raises(ConflictError, match="is lapsed"):
        call(store, scene.operator, alert_id)
    assert (figures(store, scene).unadjudicated, figures(store, scene).lapsed) == (1, 1)


def test_lapsing_is_of_one_force_and_a_purge_lapses_one_deployment(store: Store, scene: Scene, clock: Clock) -> None:
    add_force(store, "kent")
    theirs, mine = live_scene(store, force="kent"), live_scene(store)
    of_theirs, of_mine, of_scene = raised(store, theirs), raised(store, mine), raised(store, scene)
    with store.database.write() as session:
        assert lapse_all(store, session, Principal.system("essex"), mine.deployment_id) == (of_mine,)
        assert lapse_all(store, session, Principal.system("essex"), theirs.deployment_id) == ()
    clock.advance(hours=25)
    with store.database.write() as session:
        assert lapse_overdue(store, session, Principal.system("essex")) == (of_scene,)
    assert state_of(store, of_theirs) == "new"


@pytest.mark.parametrize("state", ["withdrawn", "purged"])
def test_nothing_comes_of_an_alert_whose_authorisation_was_withdrawn(
    store: Store, scene: Scene, alert_id: str, state: str
) -> None:
    with store.database.write() as session:
        session.get_one(Deployment, scene.deployment_id).state = state
    with pytest.raises(NotAuthorisedError, match=f"is {state}"):
        call(store, scene.operator, alert_id)


def test_another_forces_alert_is_as_if_it_were_not_there(store: Store, scene: Scene, alert_id: str) -> None:
    add_force(store, "kent")
    stranger = add_person(store, "operator", "authorising_officer", force="kent")
    for attempt in (
        lambda which: call(store, stranger, which),
        lambda which: retract(store, stranger, which),
        lambda which: record_outcome(store, stranger, which, state="engaged"),
        lambda which: show_alert(store, stranger, which),
    ):
        with pytest.raises(NotFoundError) as theirs:
            attempt(alert_id)
        with pytest.raises(NotFoundError) as missing:
            attempt("alert-0")
        assert str(theirs.value) == str(missing.value).replace("alert-0", alert_id)
    assert list_alerts(store, stranger) == ()


def test_a_device_sees_the_alerts_it_raised_and_an_officer_all(store: Store, scene: Scene, alert_id: str) -> None:
    device = Principal("device-1", "essex", frozenset({"field_unit"}))
    own = raise_alert(store, device, scene.sighting())
    assert own is not None
    assert [alert.id for alert in list_alerts(store, device)] == [own.id]
    assert {alert.id for alert in list_alerts(store, scene.operator)} == {own.id, alert_id}
    with pytest.raises(NotFoundError):
        show_alert(store, device, alert_id)
    call(store, scene.operator, alert_id)
    (viable,) = list_alerts(store, scene.operator, deployment_id=scene.deployment_id, state="viable")
    assert viable.id == alert_id
    with pytest.raises(NotFoundError, match="none of that name"):
        list_alerts(store, scene.operator, deployment_id="deployment-0")
    with pytest.raises(InputError, match="are the choices"):
        list_alerts(store, scene.operator, state="old")
    with pytest.raises(InputError, match="limit 0"):
        list_alerts(store, scene.operator, limit=0)


def test_the_records_columns_are_counted_as_defined(store: Store, scene: Scene, clock: Clock) -> None:
    north = [
        (),
        ("not_viable",),
        ("viable",),
        ("viable", "not_engaged"),
        ("viable", "engaged"),
        ("viable", "engaged", "confirmed_true"),
        ("viable", "engaged", "confirmed_false"),
    ]
    for steps in north:
        alert_id = raised(store, scene)
        for step in steps:
            if step in ("viable", "not_viable"):
                call(store, scene.operator, alert_id, step)
            else:
                kind = {"confirmed_true": "arrest", "confirmed_false": "no-further-action"}.get(step)
                record_outcome(store, scene.operator, alert_id, state=step, kind=kind)  # type: ignore[arg-type]
    lapsing = raised(store, scene, camera_id="south")
    clock.advance(seconds=11)
    with store.database.write() as session:
        session.get_one(Alert, lapsing).image_expires_at = clock()
        lapse_overdue(store, session, Principal.system("essex"))
    count_faces(store, scene.deployment_id, "north", faces_seen=900, frames=1000)
    count_faces(store, scene.deployment_id, "south", faces_seen=100, frames=50)

    whole = figures(store, scene)
    assert whole == AlertCounts(
        faces_seen=1000,
        frames=1050,
        alerts=8,
        true_alerts=5,
        false_alerts=1,
        confirmed_true=1,
        confirmed_false=1,
        engagements=3,
        unadjudicated=2,
        lapsed=1,
        outcomes={"arrest": 1, "no-further-action": 1},
    )
    assert (whole.arrests, whole.other_outcomes) == (1, 1)
    assert whole.alerts == whole.true_alerts + whole.false_alerts + whole.unadjudicated
    assert whole.false_alerts_per_face == clopper_pearson(2, 1000)
    assert whole.false_alerts_per_alert == clopper_pearson(2, 8)
    document = whole.as_dict()
    assert document["false_alerts_per_face"]["method"] == "clopper-pearson"
    with store.database.read() as session:
        cameras = counts_by_camera(session, scene.deployment_id)
        assert counts(session, "deployment-0") == AlertCounts()
    assert (cameras["north"].alerts, cameras["south"].alerts) == (7, 1)
    assert cameras["south"].false_alerts_per_face == clopper_pearson(0, 100)


def test_an_alert_counts_under_the_last_kind_recorded_for_it(store: Store, scene: Scene, alert_id: str) -> None:
    call(store, scene.operator, alert_id)
    record_outcome(store, scene.operator, alert_id, state="engaged", kind="other")
    assert figures(store, scene).outcomes == {"other": 1}
    record_outcome(store, scene.operator, alert_id, state="confirmed_true", kind="arrest")
    assert figures(store, scene).outcomes == {"arrest": 1}


def test_where_faces_were_not_counted_there_is_no_share_of_them(store: Store, scene: Scene, alert_id: str) -> None:
    call(store, scene.operator, alert_id, "not_viable")
    share = figures(store, scene).false_alerts_per_face
    assert (share.value, share.low, share.high, share.count, share.of) == (None, None, None, 1, 0)


def test_counters_of_a_camera_never_fall(store: Store, scene: Scene, clock: Clock) -> None:
    for _ in range(2):
        count_faces(store, scene.deployment_id, "north", faces_seen=3, frames=25)
    assert (figures(store, scene).faces_seen, figures(store, scene).frames) == (6, 50)
    with pytest.raises(ValueError, match="never fall"):
        count_faces(store, scene.deployment_id, "north", faces_seen=-1, frames=0)
    with pytest.raises(NotFoundError, match="camera west"):
        count_faces(store, scene.deployment_id, "west", faces_seen=1, frames=1)
    for state, counted in (("ended", True), ("withdrawn", True), ("draft", False), ("purged", False)):
        with store.database.write() as session:
            session.get_one(Deployment, scene.deployment_id).state = state
        before = figures(store, scene).faces_seen
        if counted:
            count_faces(store, scene.deployment_id, "north", faces_seen=1, frames=1)
        else:
            with pytest.raises(ConflictError, match="once it is live and until it is purged"):
                count_faces(store, scene.deployment_id, "north", faces_seen=1, frames=1)
        assert figures(store, scene).faces_seen == before + counted


def test_several_writers_lose_no_face(store: Store, scene: Scene) -> None:
    def work() -> None:
        for _ in range(10):
            count_faces(store, scene.deployment_id, "north", faces_seen=1, frames=2)

    workers = [threading.Thread(target=work) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert figures(store, scene).faces_seen == 40


def test_a_batch_lists_newest_first(store: Store, scene: Scene, clock: Clock) -> None:
    old = raised(store, scene)
    clock.advance(minutes=1)
    new = raise_alerts(store, scene.operator, [scene.sighting(track_id=9)])[0]
    assert new is not None
    assert [alert.id for alert in list_alerts(store, scene.operator)] == [new.id, old]
    assert [alert.id for alert in list_alerts(store, scene.operator, limit=1)] == [new.id]


def test_pages_of_a_list_hold_each_alert_once_also_those_of_one_moment(
    store: Store, scene: Scene, clock: Clock
) -> None:
    batches = []
    for minute in range(3):
        sightings = [scene.sighting(track_id=10 * minute + one) for one in range(3)]
        batches.append({alert.id for alert in raise_alerts(store, scene.operator, sightings) if alert is not None})
        clock.advance(minutes=10)
    whole = [alert.id for alert in list_alerts(store, scene.operator)]
    pages: list[str] = []
    while page := list_alerts(store, scene.operator, before=pages[-1] if pages else None, limit=2):
        assert len(page) <= 2
        pages += [alert.id for alert in page]
    assert pages == whole
    assert set(whole) == set().union(*batches)
    with pytest.raises(NotFoundError, match="alert-0"):
        list_alerts(store, scene.operator, before="alert-0")
