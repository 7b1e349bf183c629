"""The refusals hold, and the drill finds what does not refuse."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from fastapi import FastAPI

from lfr.access import Principal
from lfr.alerts import RaisedAlert, Sighting, raise_alert
from lfr.database import Store
from lfr.serving.api import create_app
from tests.drills import refusals
from tests.drills.catalogue import DRILLS
from tests.drills.ground import Ground, Interface
from tests.integration.alerts_scene import MODEL
from tests.support.findings import Findings


def test_what_is_not_authorised_is_refused(ground: Ground, findings: Findings) -> None:
    findings.all_held(DRILLS["refusals"](ground, "short"))


def test_an_alert_by_any_model_is_found(tmp_path: Path) -> None:
    def raised(store: Store, principal: Principal, sighting: Sighting) -> RaisedAlert | None:
        return raise_alert(store, principal, replace(sighting, model_digest=MODEL))

    found = refusals.unauthorised(tmp_path, raised=raised)
    assert found.held is False
    assert "another model: it was done" in found.detail


def test_a_call_that_searches_for_a_face_is_found(interface: Interface) -> None:
    app: FastAPI = create_app(interface.service)

    @app.post("/v1/faces/{face_id}/search")
    def search(face_id: str) -> None:
        """Whose is it?"""

    assert refusals.no_such_call(app).held is False
