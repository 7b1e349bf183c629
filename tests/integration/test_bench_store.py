"""``lfr bench store`` with small numbers: that both sides did the same, not how fast."""

from __future__ import annotations

import json
import os

from typer.testing import CliRunner

from lfr.cli.app import app
from lfr.errors import InputError
from lfr.evaluation.benchmarks.postgres import postgres_binaries

CONTRACT = {"name", "ours", "peer", "peer_name", "ratio", "unit", "parity"}


def test_every_part_of_the_store_is_measured_on_every_database_with_its_parity() -> None:
    found = CliRunner().invoke(app, ["bench", "store", "--quick", "--threads", "1", "--json"])
    assert found.exit_code == 0, found.output
    document = json.loads(found.stdout)
    parity = {row["name"]: row["parity"] for row in document["rows"]}
    assert all(row.keys() >= CONTRACT for row in document["rows"])
    databases = ["sqlite", "postgresql"]
    if postgres_binaries() is None and not os.environ.get("CI"):
        databases.remove("postgresql")
    for name in databases:
        enrolled = parity.pop(f"import and enrol 12 images, {name}")
        assert enrolled["accepted"] == 12
        assert enrolled["least_cosine_to_peer"] > 0.9999
        assert parity.pop(f"seal and load 60 entries, {name}") == {"templates_unchanged": True, "entries": 60}
        for how in ("one", "16"):
            logged = parity.pop(f"alerts committed, {how} a transaction, {name}")
            assert (logged["each_alert_logged_once"], logged["chain_verifies"]) == (True, True)
            assert logged["alerts"] > 0
    verified = parity.pop("audit verify, 2500 entries")
    assert (verified["intact_and_complete"], verified["damage_found"]) == (True, True)
    assert 0 < verified["peak_mib_of_a_hundredth"] < 400
    assert parity == {}


def test_a_part_that_there_is_not_is_refused_with_those_there_are() -> None:
    found = CliRunner().invoke(app, ["bench", "store", "--only", "everything"])
    assert isinstance(found.exception, InputError)
    assert str(found.exception) == "--only everything: import, seal, alerts, verify"
