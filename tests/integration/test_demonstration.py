"""Steps of the demonstration on a real registry and a real store: what is wrong in fact, no step calls right."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import update

from lfr.database.log_tables import AuditEntry
from lfr.database.tables import Deployment
from lfr.demonstration import STEPS, Outcome, Stage, Step, go_through, verdict_of
from lfr.evaluation.rehearsal_scene import demo_setup
from lfr.models import Model
from lfr.sources import SceneSettings

BY_NAME = {step.name: step for step in STEPS}
SETTINGS = SceneSettings(duration_s=10)


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with Stage(tmp_path / "out", SETTINGS, folder=tmp_path / "stage") as made:
        made.folder.mkdir()
        yield made


@pytest.fixture
def deployed(stage: Stage, model: Model) -> Stage:
    """A live deployment, with the steps that need no service."""
    stage.model = model
    assert [outcome.why for outcome in tried(stage, "watchlist", "deployment")] == ["", ""]
    return stage


def steps(*names: str) -> tuple[Step, ...]:
    return tuple(BY_NAME[name] for name in names)


def tried(stage: Stage, *names: str) -> list[Outcome]:
    return list(go_through(steps(*names), stage))


def test_a_gate_that_refuses_ends_it_before_anybody_is_looked_for(stage: Stage) -> None:
    # The evaluation is left out, so there is no evidence, and the gate says no.
    outcomes = tried(stage, "register", "promote", "watchlist", "deployment", "serve", "stream", "purge", "stop")
    verdict = verdict_of(steps(*(outcome.step.name for outcome in outcomes)), outcomes)
    assert (verdict["held"], verdict["failed"]) == (False, "promote")
    assert verdict["why"] == "not so: the gate passes it for a demonstration"
    held = {outcome.step.name for outcome in outcomes if outcome.held}
    assert held == {"register", "purge", "stop"}
    assert not stage.folder.exists()


def test_an_audit_entry_that_was_tampered_with_is_not_called_intact(deployed: Stage) -> None:
    assert [outcome.held for outcome in tried(deployed, "audit")] == [True]
    with deployed.store.database.write() as session:
        session.execute(
            update(AuditEntry).where(AuditEntry.action == "deployment.authorise").values(actor="person-somebody-else")
        )
    audit, purge, stop = outcomes = tried(deployed, "audit", "purge", "stop")
    assert (audit.held, purge.held, stop.held) == (False, False, True)
    assert "the force's log is intact and complete" in audit.why
    assert "the log with the purge in it is intact" in purge.why
    assert verdict_of(steps("audit", "purge", "stop"), outcomes)["held"] is False


def test_a_purge_leaves_nothing_and_a_proof_that_stays(deployed: Stage) -> None:
    home = deployed.home
    assert [path.suffix for path in (home / "keys").glob("*.key")].count(".key") >= 2
    purge, stop = tried(deployed, "purge", "stop")
    assert (purge.why, stop.why) == ("", "")
    assert purge.finding is not None
    assert purge.finding.facts["left"] == {"entries": 0, "references": 0, "alert_images": 0, "keys": 0}
    proof = json.loads((deployed.output / "purge.json").read_text())
    listed = len({subject for subject, _ in demo_setup(SETTINGS).references})
    assert (proof["before"]["templates"], proof["after"]["templates"]) == (listed, 0)
    assert not home.exists()


def test_a_deployment_that_cannot_be_purged_does_not_hold(deployed: Stage) -> None:
    with deployed.store.database.write() as session:  # as if it had never been started
        session.execute(update(Deployment).values(state="authorised"))
    (purge,) = tried(deployed, "purge")
    assert not purge.held
    assert "end or withdraw it before a purge" in purge.why


def test_a_folder_too_long_for_the_service_ends_it_and_everything_is_purged(deployed: Stage) -> None:
    # pytest's folders are longer than sockets allow: the service does not start.
    serve, stream, end, purge, stop = tried(deployed, "serve", "stream", "end", "purge", "stop")
    assert [one.held for one in (serve, stream, end, purge, stop)] == [False, False, False, True, True]
    assert "give a shorter folder" in serve.why
    assert stream.why == "not tried: serve did not hold"
