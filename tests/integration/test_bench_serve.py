"""``lfr bench serve`` with small numbers: that both sides did the same, not how fast."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from lfr.cli.app import app
from lfr.evaluation.benchmarks.service import SERVICE_ROWS, service_aims
from tests.support.served import LISTED, walk

CONTRACT = {"name", "ours", "peer", "peer_name", "ratio", "unit", "parity", "repeats", "ours_spread", "peer_spread"}


@pytest.mark.long
@pytest.mark.timeout(900)
def test_every_row_comes_with_the_parity_that_its_run_checked(tmp_path: Path) -> None:
    for index, jpeg in enumerate(walk(LISTED, frames=20)):
        (tmp_path / f"{index}.jpg").write_bytes(jpeg)
    found = CliRunner().invoke(
        app, ["bench", "serve", "--source", str(tmp_path), "--quick", "--threads", "1", "--json"]
    )
    assert found.exit_code == 0, found.output
    document = json.loads(found.stdout)
    assert all(row.keys() >= CONTRACT for row in document["rows"])
    fast, paced, matcher, start, installed = document["rows"]
    for row in (fast, paced):
        assert row["parity"] == {
            "same_frames": True,
            "same_people": True,
            "same_alerts": True,
            "alerts_raised": 1,
            "people": 1,
        }
        assert isinstance(row["reached"], bool)
    assert matcher["name"] == "matcher, 120 references, 1 probe: 99% of calls within"
    assert matcher["parity"] == {"same_scores": True, "same_subjects": True}
    assert start["parity"] == {"same_model": True}
    assert installed["parity"] == {"ran": True}
    assert {row["kind"] for row in document["rows"]} < set(SERVICE_ROWS)
    assert fast["searches_per_frame"] > 0
    assert document["sizing"]["search_core_ms_per_million"] > 0
    assert service_aims(document)
    assert sum(start["start"]["stages_s"].values()) == pytest.approx(start["start"]["total_s"], abs=0.1)
    assert document["sizing"]["resident_mib"].keys() >= {"camera", "detector", "embedder", "interface", "matcher"}
