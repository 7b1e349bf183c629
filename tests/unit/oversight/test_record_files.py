"""The published forms of a record, from figures alone."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime, timedelta

from lfr.alerts import AlertCounts
from lfr.oversight import CameraRecord, DeploymentRecord
from lfr.oversight.record_files import record_text
from lfr.oversight.trial import Trial

START = datetime(2026, 3, 2, 10, tzinfo=UTC)
FIGURES = AlertCounts(faces_seen=383_356, frames=9, alerts=61, true_alerts=60, false_alerts=1, outcomes={"arrest": 3})


def record_of(*cameras: str, trial: Trial | None = None, notice: str | None = None) -> DeploymentRecord:
    walked = trial or Trial(())
    return DeploymentRecord(
        deployment_id="deployment-1",
        name="Market day",
        notice=notice,
        force="Essex",
        place="Market Square",
        purpose="find people wanted on warrant",
        state="ended",
        starts_at=START,
        ends_at=START + timedelta(hours=4),
        used_from=START,
        used_to=START + timedelta(hours=4),
        withdrawn_at=None,
        watchlist_size=1_322,
        suspended=0,
        categories=("wanted-on-warrant",),
        model="openvino-f32",
        model_digest="ab" * 32,
        threshold=0.5,
        calibration="cd" * 32,
        calibration_verdict="sufficient",
        authorised_by="person-1 (superintendent)",
        total=CameraRecord("all", FIGURES, walked.tpir()),
        cameras=tuple(CameraRecord(name, FIGURES, walked.tpir(name)) for name in cameras),
        purged_at=None,
        held=0,
        made_at=START + timedelta(days=1),
    )


def test_the_published_example_has_its_published_interval() -> None:
    # Essex to February 2025: 1 false alert of 61, among 383,356 faces.
    (_, row) = csv.DictReader(io.StringIO(record_text(record_of("north"), "csv")))
    assert f"{float(row['false_alerts_per_face_low']):.1e}" == "6.6e-08"
    assert f"{float(row['false_alerts_per_face_high']):.2e}" == "1.45e-05"
    assert f"{float(row['false_alerts_per_alert_low']):.4f}" == "0.0004"
    assert f"{float(row['false_alerts_per_alert_high']):.3f}" == "0.088"


def test_many_cameras_are_shown_in_as_many_tables_as_fit_the_page() -> None:
    page = record_text(record_of(*(f"camera-{number}" for number in range(9))), "html")
    assert page.count('<table class="figures">') == 3
    assert page.count(">all cameras</th>") == 1
    assert all(page.count(f">camera-{number}</th>") == 1 for number in range(9))


def test_the_page_needs_nothing_else() -> None:
    page = record_text(record_of("north", "south"), "html")
    assert not any(word in page for word in ("http:", "https:", "<script", "<link", "src=", "url("))


def test_a_notice_stands_at_the_head_and_at_the_end() -> None:
    page = record_text(record_of("north", notice="not approved for field use"), "html")
    body = page.partition("<body>")[2]
    assert body.count("not approved for field use") == 2
    assert body.index("not approved") < body.index("The use")
    assert body.rindex("not approved") > body.index("What came of it")


def test_a_camera_that_nobody_walked_past_has_no_share() -> None:
    trial = Trial((("north", "subject-1", True), ("north", "subject-2", False)))
    page = record_text(record_of("north", "south", trial=trial), "html")
    assert page.count("<span>1 of 2</span><span>50.00%</span>") == 2  # all cameras, and north
    assert page.count("<span>no trial</span>") == 1
    assert "allowing for passes of one person being alike" in page
    rows = list(csv.DictReader(io.StringIO(record_text(record_of("north", "south", trial=trial), "csv"))))
    assert [row["tpir_of"] for row in rows] == ["2", "", "2"]


def test_a_trial_of_one_pass_each_is_wilsons_interval() -> None:
    trial = Trial(tuple(("north", f"subject-{number}", number < 96) for number in range(188)))
    tpir = trial.tpir("north")
    assert tpir is not None
    assert tpir.low is not None
    assert tpir.high is not None
    assert (f"{tpir.low:.2f}", f"{tpir.high:.2f}") == ("0.44", "0.58")
    assert Trial(()).tpir() is None
