"""Deployments: who may ask, authorise, start, end and withdraw, and everything that is refused."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select, text

from lfr.access import Principal
from lfr.audit import force_chain
from lfr.database import Store
from lfr.database.tables import AuditCheckpoint, AuditEntry, Deployment, Person, Watchlist
from lfr.deployments import (
    authorise,
    create_deployment,
    end,
    end_overdue,
    list_deployments,
    live,
    request_from,
    shipped_calibration,
    show_deployment,
    standing,
    start,
    still_live,
    withdraw,
)
from lfr.errors import (
    AccessDeniedError,
    CalibrationError,
    ConflictError,
    InputError,
    LfrError,
    ModelMismatchError,
    NotAuthorisedError,
    NotFoundError,
    RefusedError,
)
from tests.integration.conftest import Clock, add_force, add_person
from tests.integration.deployments_scene import (
    MODEL,
    Cast,
    authorised,
    calibration,
    cast_of,
    draft,
    fields,
    put_in_field,
    rate,
    request,
    sealed_list,
    started,
    too_few,
)


@pytest.fixture
def cast(store: Store) -> Cast:
    return cast_of(store)


def entries(store: Store, action: str) -> list[AuditEntry]:
    with store.database.read() as session:
        return list(session.scalars(select(AuditEntry).where(AuditEntry.action == action)))


def count_of(store: Store, table: type[Deployment | AuditEntry]) -> int:
    with store.database.read() as session:
        return int(session.scalar(select(func.count()).select_from(table)) or 0)


def list_row(store: Store, deployment_id: str) -> Watchlist:
    with store.database.read() as session:
        row = session.get(Deployment, deployment_id)
        assert row is not None
        watchlist = session.get(Watchlist, row.watchlist_id)
        assert watchlist is not None
        return watchlist


def test_r1_a_deployment_goes_from_draft_to_its_end_with_every_step_in_the_log(
    store: Store, cast: Cast, clock: Clock
) -> None:
    made = draft(store, cast)
    assert standing(store, made) == "draft"
    authorise(store, cast.officer, made, reasons="necessary and proportionate")
    clock.advance(minutes=5)
    start(store, cast.operator, made)
    assert still_live(store, made)
    now_live = live(store, cast.operator, made)
    assert (now_live.threshold, now_live.rule.shots, now_live.rule.fusion) == (0.5, 5, "max")
    assert (now_live.model_digest, now_live.calibration_id) == (MODEL, calibration().digest)
    assert now_live.watchlist_digest == list_row(store, made).digest
    assert (now_live.cameras, now_live.categories) == (("north", "south"), ("wanted-on-warrant",))
    assert now_live.notice is None
    end(store, cast.operator, made)
    assert not still_live(store, made)
    for step in ("create", "authorise", "start", "end"):
        logged = entries(store, f"deployment.{step}")
        assert [entry.object for entry in logged] == [made], step
        assert logged[0].after is not None
        assert cast.author.id not in str(logged[0].details)
    assert entries(store, "deployment.start")[0].details["watchlist_digest"] == now_live.watchlist_digest


def test_r1_nothing_but_a_live_deployment_inside_its_window_can_be_used(store: Store, cast: Cast, clock: Clock) -> None:
    made = draft(store, cast, starts_at=clock.time + timedelta(hours=1))
    with pytest.raises(NotAuthorisedError, match="is draft, not live"):
        live(store, cast.operator, made)
    authorise(store, cast.officer, made, reasons="because")
    with pytest.raises(NotAuthorisedError, match=r"authorised from 2026-03-02T10:00:00Z.*it is 2026-03-02T09:00:00Z"):
        start(store, cast.operator, made)
    clock.advance(hours=1)
    start(store, cast.operator, made)
    live(store, cast.operator, made)
    clock.advance(hours=2, minutes=59, seconds=59)
    assert still_live(store, made)
    clock.advance(seconds=1)
    assert standing(store, made) == "window closed"
    with pytest.raises(NotAuthorisedError, match="its window is"):
        live(store, cast.operator, made)


def test_r1_r16_a_request_without_one_of_its_fields_is_refused_by_name(store: Store, cast: Cast) -> None:
    whole = fields(store, "watchlist-1")
    for name in set(whole) - {"categories", "cameras", "starts_at", "ends_at", "calibration"}:
        for change in ({k: v for k, v in whole.items() if k != name}, {**whole, name: "  "}):
            with pytest.raises(InputError, match=name):
                request_from(change, name="it", folder=Path())
    for name, value in {
        "categories": [],
        "cameras": ["north", "north"],
        "starts_at": "2026-03-02T10:00:00",
        "ends_at": "tomorrow",
        "threshold": 0.3,
    }.items():
        with pytest.raises(InputError, match=name):
            request_from({**whole, name: value}, name="it", folder=Path())
    with pytest.raises(InputError, match="not after starts_at"):
        request_from({**whole, "ends_at": whole["starts_at"]}, name="it", folder=Path())


def test_r16_the_authorisation_carries_name_rank_and_reasons_of_the_officer(store: Store, cast: Cast) -> None:
    made = authorised(store, cast)
    shown = show_deployment(store, cast.author, made).as_dict()
    assert shown["authorisation"] == {
        "officer": cast.officer.id,
        "name": "Made Up",
        "rank": "superintendent",
        "reasons": "necessary and proportionate",
        "at": "2026-03-02T09:00:00Z",
    }
    for name in ("necessity", "proportionality", "why_there", "signage", "dpia", "appropriate_policy_document"):
        assert shown["request"][name]
    assert shown["request"]["equality_impact_assessment"] == "EIA-1"
    assert "Made Up" not in str(entries(store, "deployment.authorise")[0].details)


def test_r16_no_reasons_or_no_name_is_no_authorisation(store: Store, cast: Cast) -> None:
    made = draft(store, cast)
    with pytest.raises(InputError, match="reasons"):
        authorise(store, cast.officer, made, reasons=" ")
    with store.database.write() as session:
        person = session.get(Person, cast.officer.id)
        assert person is not None
        person.name = ""
    with pytest.raises(RefusedError, match="without name and rank"):
        authorise(store, cast.officer, made, reasons="because")
    assert standing(store, made) == "draft"


def test_another_person_of_the_policys_rank_must_authorise(store: Store, cast: Cast) -> None:
    author = replace(cast.officer, roles=frozenset({"authorising_officer", "operator"}))
    made = create_deployment(store, author, request(store, sealed_list(store, cast.manager)))
    # Another key of the same person is the same person.
    with pytest.raises(RefusedError, match="another officer"):
        authorise(store, cast.officer, made, reasons="because")
    sergeant = add_person(store, "authorising_officer", rank="sergeant")
    with pytest.raises(RefusedError, match=r"is sergeant.*superintendent"):
        authorise(store, sergeant, made, reasons="because")
    # The rank is the person's as it is kept, whatever the caller says of them.
    with pytest.raises(RefusedError, match="is sergeant"):
        authorise(store, replace(sergeant, rank="superintendent"), made, reasons="because")
    device = Principal("device-1", "essex", frozenset({"authorising_officer"}))
    with pytest.raises(AccessDeniedError, match="no person"):
        authorise(store, device, made, reasons="because")
    with pytest.raises(AccessDeniedError, match=r"deployment\.authorise"):
        authorise(store, cast.operator, made, reasons="because")
    assert standing(store, made) == "draft"
    assert entries(store, "deployment.authorise") == []


Refusal = tuple[dict[str, Any], type[LfrError], str]
REFUSED: dict[str, Refusal] = {
    "a window longer than the policy's": ({"hours": 13}, InputError, "13 hours; the force's policy allows 12"),
    "a window in the past": ({"hours": 1, "from": -2}, InputError, "in the past"),
    "a category that the policy does not have": ({"categories": ["loiterers"]}, InputError, "loiterers: not in"),
    "entries of a category not asked for": (
        {"categories": ["missing-at-risk"]},
        RefusedError,
        "entries of category wanted-on-warrant",
    ),
    "a controller that is another force": ({"controller_force": "Kent"}, InputError, "Kent: the deployment belongs"),
    "a list of another digest": ({"watchlist_digest": "00"}, ConflictError, "the deployment is for 00"),
    "a model that is not the list's": (
        {"calibration": calibration(model_digest="ef" * 32)},
        ModelMismatchError,
        f"{'ef' * 32}.*{MODEL}",
    ),
    "more shots than calibrated": ({"shots": 6}, RefusedError, "made for 5 shots a track, the deployment asks for 6"),
    "another fusion than calibrated": ({"fusion": "mean"}, RefusedError, "not for their mean"),
    "another quality gate": ({"calibration": calibration(quality_policy="none")}, CalibrationError, "quality gate"),
    "too few data": ({"calibration": too_few()}, RefusedError, "insufficient_data.*demo"),
    "simulated passes": ({"calibration": calibration(simulated=True)}, RefusedError, "simulated"),
    "a verdict that its counts do not bear": (
        {"calibration": calibration(fpir=rate(9, 3_000, "clopper-pearson", high=0.006))},
        CalibrationError,
        "says sufficient, but 9 of 3000",
    ),
    "a demo of more than an hour": ({"demo": True, "hours": 1.5}, RefusedError, "a demo has one"),
}


@pytest.mark.parametrize("case", REFUSED.values(), ids=REFUSED.keys())
def test_a_request_is_refused_for(case: Refusal, store: Store, cast: Cast, clock: Clock) -> None:
    changes, error, message = dict(case[0]), case[1], case[2]
    if "hours" in changes:
        changes["starts_at"] = clock.time + timedelta(hours=changes.pop("from", 0))
        changes["ends_at"] = changes["starts_at"] + timedelta(hours=changes.pop("hours"))
    watchlist_id = sealed_list(store, cast.manager)
    with pytest.raises(error, match=message):
        create_deployment(store, cast.author, request(store, watchlist_id, **changes))
    assert count_of(store, Deployment) == 0
    assert entries(store, "deployment.create") == []


def test_r3_a_list_over_the_calibrated_size_is_refused(store: Store, cast: Cast) -> None:
    watchlist_id = sealed_list(store, cast.manager)
    with pytest.raises(RefusedError, match=f"{watchlist_id}: 2 entries.*made with 1"):
        create_deployment(store, cast.author, request(store, watchlist_id, calibration=calibration(watchlist_size=1)))
    create_deployment(store, cast.author, request(store, watchlist_id, calibration=calibration(watchlist_size=2)))


def test_r3_a_list_over_the_policys_size_is_refused_also_when_the_policy_changed_since(
    store: Store, cast: Cast
) -> None:
    made = draft(store, cast)
    smaller = text("UPDATE force SET policy = :policy")
    with store.database.write() as session:
        session.execute(smaller, {"policy": '{"max_watchlist": 1}'})
    with pytest.raises(RefusedError, match="2 entries; the force's policy allows 1"):
        authorise(store, cast.officer, made, reasons="because")


def test_r9_a_model_that_is_not_the_one_in_the_field_is_used_on_nobody(store: Store, cast: Cast) -> None:
    made, ready = draft(store, cast), authorised(store, cast)
    put_in_field(store, "ef" * 32)
    another = f"model {MODEL} is not the one in the field, {'ef' * 32}"
    with pytest.raises(RefusedError, match=another):
        authorise(store, cast.officer, made, reasons="because")
    with pytest.raises(RefusedError, match=another):
        start(store, cast.operator, ready)
    with store.database.write() as session:
        session.execute(text("DELETE FROM promotion"))
    with pytest.raises(RefusedError, match="not approved for field use: no model was promoted to the field"):
        authorise(store, cast.officer, made, reasons="because")
    assert show_deployment(store, cast.officer, made).state == "draft"


def test_only_a_sealed_list_that_serves_no_other_deployment_can_be_used(store: Store, cast: Cast) -> None:
    unsealed = sealed_list(store, cast.manager, sealed=False)
    with pytest.raises(ConflictError, match="is open, and only a sealed"):
        create_deployment(store, cast.author, request(store, unsealed))
    with pytest.raises(NotFoundError, match="watchlist-0"):
        create_deployment(store, cast.author, request(store, "watchlist-0"))
    made = draft(store, cast)
    taken = list_row(store, made).id
    with pytest.raises(ConflictError, match=f"{taken}: serves {made}"):
        create_deployment(store, cast.author, request(store, taken))


def test_an_image_calibration_serves_more_shots_at_the_sum_of_their_rates_and_says_so(store: Store, cast: Cast) -> None:
    single = calibration(unit="image", shots=1)
    made = started(store, cast, calibration=single, shots=4, fusion="mean")
    shown = show_deployment(store, cast.author, made).as_dict()
    assert shown["request"]["served_fpir"] == pytest.approx(0.004)
    assert entries(store, "deployment.authorise")[0].details["served_fpir"] == pytest.approx(0.004)
    rule = live(store, cast.operator, made).rule
    assert (rule.shots, rule.fusion) == (4, "mean")


def test_a_demo_is_marked_for_good_and_needs_no_sufficient_calibration(store: Store, cast: Cast, clock: Clock) -> None:
    hour = clock.time + timedelta(hours=1)
    made = started(store, cast, calibration=too_few(simulated=True), demo=True, ends_at=hour)
    assert live(store, cast.operator, made).notice == "not approved for field use"
    end(store, cast.operator, made)
    assert show_deployment(store, cast.author, made).as_dict()["notice"] == "not approved for field use"


def test_the_shipped_calibration_can_be_used_for_a_demo_and_nothing_else(
    store: Store, cast: Cast, clock: Clock
) -> None:
    shipped = shipped_calibration()
    watchlist_id = sealed_list(store, cast.manager, model_digest=shipped.model_digest)
    asked: dict[str, object] = {"calibration": "shipped", "ends_at": clock.time + timedelta(hours=1)}
    with pytest.raises(RefusedError, match="only a deployment marked demo"):
        create_deployment(store, cast.author, request(store, watchlist_id, **asked))
    made = create_deployment(store, cast.author, request(store, watchlist_id, demo=True, **asked))
    assert show_deployment(store, cast.author, made).threshold == shipped.threshold


def test_a_deployment_is_authorised_and_started_once(store: Store, cast: Cast) -> None:
    made = started(store, cast)
    with pytest.raises(ConflictError, match="is live; only one that is authorised can be started"):
        start(store, cast.operator, made)
    with pytest.raises(ConflictError, match="is live; only one that is draft can be authorised"):
        authorise(store, cast.officer, made, reasons="again")
    end(store, cast.operator, made)
    for again in (start, end):
        with pytest.raises(ConflictError, match="is ended"):
            again(store, cast.operator, made)
    with pytest.raises(ConflictError, match="is ended"):
        withdraw(store, cast.officer, made, reason="too late")


def test_of_two_starts_at_once_one_is_refused(store: Store, cast: Cast) -> None:
    made = authorised(store, cast)
    errors: list[BaseException] = []
    gate = threading.Barrier(2)

    def begin() -> None:
        gate.wait()
        try:
            start(store, cast.operator, made)
        except ConflictError as error:
            errors.append(error)

    threads = [threading.Thread(target=begin) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(errors) == 1
    assert len(entries(store, "deployment.start")) == 1


def test_a_start_makes_the_data_key_and_one_that_broke_off_can_be_repeated(store: Store, cast: Cast) -> None:
    made = authorised(store, cast)
    assert made not in store.keys.names()
    store.keys.create(made)  # as a start that was killed before its commit leaves it
    start(store, cast.operator, made)
    assert made in store.keys.names()


def test_start_end_and_withdrawal_sign_the_logs_head(store: Store, cast: Cast) -> None:
    first = started(store, cast)
    end(store, cast.operator, first)
    withdraw(store, cast.officer, started(store, cast), reason="court order")
    with store.database.read() as session:
        find = select(AuditCheckpoint.reason).where(AuditCheckpoint.chain == force_chain("essex"))
        reasons = session.scalars(find.order_by(AuditCheckpoint.sequence)).all()
    assert reasons == ["start", "end", "start", "withdraw"]


def test_a_list_whose_content_is_not_what_was_sealed_is_not_started(store: Store, cast: Cast) -> None:
    made = authorised(store, cast)
    with store.database.write() as session:
        session.execute(text("UPDATE entry SET reason = 'another' WHERE subject_id = 'subject-0'"))
    with pytest.raises(NotAuthorisedError, match="authorised was"):
        start(store, cast.operator, made)
    assert standing(store, made) == "authorised"
    assert made not in store.keys.names()


def test_r7_the_end_starts_the_clock_of_the_list(store: Store, cast: Cast, clock: Clock) -> None:
    made = started(store, cast)
    clock.advance(hours=1)
    end(store, cast.operator, made)
    assert list_row(store, made).destroy_after == clock.time + timedelta(hours=24)


def test_r13_a_withdrawn_authorisation_ends_use_and_makes_the_list_due_at_once(
    store: Store, cast: Cast, clock: Clock
) -> None:
    for made in (authorised(store, cast), started(store, cast)):
        with pytest.raises(InputError, match="reason"):
            withdraw(store, cast.officer, made, reason="")
        with pytest.raises(AccessDeniedError):
            withdraw(store, cast.operator, made, reason="because")
        withdraw(store, cast.officer, made, reason="refused by the court")
        assert standing(store, made) == "withdrawn"
        assert list_row(store, made).destroy_after == clock.time
        with pytest.raises(NotAuthorisedError, match="is withdrawn"):
            live(store, cast.operator, made)
        with pytest.raises(ConflictError):
            start(store, cast.operator, made)
    withdrawn = show_deployment(store, cast.author, made).as_dict()["withdrawn"]
    assert withdrawn == {"by": cast.officer.id, "at": "2026-03-02T09:00:00Z", "reason": "refused by the court"}


def test_what_is_past_its_window_is_ended_even_if_it_was_never_used(store: Store, cast: Cast, clock: Clock) -> None:
    made = [draft(store, cast), authorised(store, cast), started(store, cast)]
    later = draft(store, cast, ends_at=clock.time + timedelta(hours=6))
    system = Principal.system("essex")
    assert end_overdue(store, system) == ()
    clock.advance(hours=5)
    assert end_overdue(store, system) == tuple(sorted(made))
    assert end_overdue(store, system) == ()
    assert standing(store, later) == "draft"
    for deployment_id in made:
        assert list_row(store, deployment_id).destroy_after == clock.time + timedelta(hours=23)


def test_another_forces_deployment_is_as_if_it_were_not_there(store: Store, cast: Cast) -> None:
    made = started(store, cast)
    add_force(store, "kent")
    other = cast_of(store, "kent")
    attempts: tuple[Callable[[], object], ...] = (
        lambda: live(store, other.operator, made),
        lambda: authorise(store, other.officer, made, reasons="because"),
        lambda: start(store, other.operator, made),
        lambda: end(store, other.operator, made),
        lambda: withdraw(store, other.officer, made, reason="because"),
        lambda: show_deployment(store, other.operator, made),
    )
    for attempt in attempts:
        with pytest.raises(NotFoundError, match=f"deployment {made}: there is none of that name"):
            attempt()
    assert list_deployments(store, other.operator) == ()
    watchlist_id = sealed_list(store, cast.manager)
    with pytest.raises(NotFoundError, match=watchlist_id):
        create_deployment(store, other.author, request(store, watchlist_id, controller_force="kent"))


def test_deployments_are_listed_by_state_newest_first(store: Store, cast: Cast, clock: Clock) -> None:
    first = started(store, cast)
    second = draft(store, cast, starts_at=clock.time + timedelta(hours=1))
    assert [view.id for view in list_deployments(store, cast.author)] == [second, first]
    assert [view.id for view in list_deployments(store, cast.author, state="live")] == [first]
    with pytest.raises(AccessDeniedError):
        list_deployments(store, Principal("device-1", "essex", frozenset({"field_unit"})))
