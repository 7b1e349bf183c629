"""What is kept of a shadow, on both databases: counts that only rise, and that go with their force."""

from __future__ import annotations

import pytest

from lfr.alerts.shadow_counts import ShadowCounts, ShadowVersion, count_shadow, shadow_records
from lfr.database import Store
from lfr.deployments import end
from lfr.errors import AccessDeniedError, ConflictError, NotFoundError, RefusedError, ServiceError
from lfr.oversight import destroy_force
from lfr.serving.rolling import check_roll
from tests.integration.conftest import Clock, add_force, add_person
from tests.integration.deployments_scene import MODEL, Cast, cast_of, draft, started

OTHER = "ef" * 32
CANDIDATE = ShadowVersion("a candidate", OTHER, "12" * 32, 0.41)


@pytest.fixture
def cast(store: Store) -> Cast:
    return cast_of(store)


def add(store: Store, deployment_id: str, counts: ShadowCounts, *, camera: str = "north") -> None:
    count_shadow(store, deployment_id, camera, CANDIDATE, counts, enrolled=2, failures_to_enrol=1)


def test_counts_add_up_by_camera_and_are_read_by_who_decides_on_versions(store: Store, cast: Cast) -> None:
    running = started(store, cast)
    add(store, running, ShadowCounts(frames=10, skipped=2, passes=3, both=1))
    add(store, running, ShadowCounts(frames=5, failed=1, only_field=1))
    add(store, running, ShadowCounts(frames=1), camera="south")
    for role in ("mlops", "auditor", "operator"):
        north, south = shadow_records(store, add_person(store, role), running)
    assert north.counts == ShadowCounts(frames=15, skipped=2, failed=1, passes=3, both=1, only_field=1)
    assert (north.camera, north.shadow, north.enrolled, north.failures_to_enrol) == ("north", CANDIDATE, 2, 1)
    assert south.counts.frames == 1
    with pytest.raises(AccessDeniedError):
        shadow_records(store, add_person(store, "watchlist_manager"), running)
    add_force(store, "kent")
    with pytest.raises(NotFoundError):
        shadow_records(store, add_person(store, "mlops", force="kent"), running)


def test_nothing_is_counted_outside_a_use_and_no_counter_falls(store: Store, cast: Cast, clock: Clock) -> None:
    with pytest.raises(ConflictError, match="only while it is live"):
        add(store, draft(store, cast), ShadowCounts(frames=1))
    running = started(store, cast)
    with pytest.raises(NotFoundError, match="elsewhere"):
        add(store, running, ShadowCounts(frames=1), camera="elsewhere")
    with pytest.raises(ValueError, match="never fall"):
        add(store, running, ShadowCounts(frames=-1))
    end(store, cast.operator, running)
    add(store, running, ShadowCounts(frames=1))  # the last ones come just after the end
    clock.advance(minutes=2)
    with pytest.raises(ConflictError, match="only while it is live"):
        add(store, running, ShadowCounts(frames=1))
    (kept,) = shadow_records(store, cast.operator, running)
    assert kept.counts == ShadowCounts(frames=1)


def test_counts_go_when_a_force_takes_its_leave(store: Store, cast: Cast) -> None:
    running = started(store, cast)
    add(store, running, ShadowCounts(frames=1))
    end(store, cast.operator, running)
    assert destroy_force(store, add_person(store, "admin"), cast.officer)["shadow_count"] == 1


def unknown() -> str | None:
    raise ServiceError("it is not known which model runs")


def test_another_model_is_refused_while_a_deployment_is_live_without_it(store: Store, cast: Cast) -> None:
    running = started(store, cast)
    with pytest.raises(RefusedError, match=f"deployment {running} is live with model {MODEL}.*{OTHER}"):
        check_roll(store, lambda: MODEL, OTHER)
    with pytest.raises(ServiceError, match="known"):
        check_roll(store, unknown, OTHER)
    check_roll(store, unknown, MODEL)  # whatever runs, the deployment goes on
    check_roll(store, lambda: MODEL, MODEL)
    check_roll(store, lambda: OTHER, MODEL)  # back to what the deployment was authorised with
    check_roll(store, lambda: None, OTHER)  # a first start: what there is can be adjudicated
    end(store, cast.operator, running)
    check_roll(store, lambda: MODEL, OTHER)
