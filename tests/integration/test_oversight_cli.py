"""``lfr deployment sweep|purge|record|pass`` and ``lfr force``, as officers and an admin use them."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from lfr.access import Principal
from lfr.alerts import hold
from lfr.alerts.shadow_counts import ShadowCounts, ShadowVersion, count_shadow
from lfr.database import Store
from lfr.deployments import end, withdraw
from tests.integration import test_alerts_cli
from tests.integration.conftest import Clock, add_person
from tests.integration.deployments_scene import cast_of, started, too_few
from tests.integration.test_alerts_cli import Lfr, key_file_of
from tests.integration.test_oversight import PROBE, alert

lfr = test_alerts_cli.lfr  # the fixture


def test_a_field_trial_from_pass_to_record(store: Store, lfr: Lfr, clock: Clock, tmp_path: Path) -> None:
    clock.time = datetime.now(UTC) - timedelta(minutes=10)
    cast = cast_of(store)
    short = store.now() + timedelta(minutes=50)
    deployment = started(store, cast, demo=True, calibration=too_few(), ends_at=short)
    began = store.now()
    clock.advance(seconds=5)
    alert(store, cast, deployment)
    times = ("--began", began.isoformat(), "--ended", (began + timedelta(seconds=20)).isoformat())
    walked = ("deployment", "pass", deployment, "--camera", "north", "--subject", "subject-0", *times)

    code, document, _ = lfr(cast.operator, *walked, "--json")
    assert (code, document["pass_id"].partition("-")[0]) == (0, "pass")
    code, _, said = lfr(cast.operator, *walked)
    assert (code, "is logged for that time already" in said) == (2, True)
    code, _, said = lfr(cast.operator, *walked[:-1], "yesterday")
    assert (code, "--ended yesterday: no time" in said) == (2, True)

    code, found, _ = lfr(cast.operator, "deployment", "record", deployment, "--json")
    assert (code, found["tpir"]["count"], found["tpir"]["of"]) == (0, 1, 1)
    for kind in ("csv", "json", "html"):
        code, text, _ = lfr(cast.operator, "deployment", "record", deployment, "--format", kind)
        assert (code, "not approved for field use" in text) == (0, True)
    page = tmp_path / "record.html"
    code, text, said = lfr(cast.operator, "deployment", "record", deployment, "--format", "html", "--output", page)
    assert (code, text, "record written to" in said) == (0, "", True)
    assert page.read_text(encoding="utf-8").startswith("<!doctype html>")
    code, _, said = lfr(cast.operator, "deployment", "record", deployment, "--format", "pdf")
    assert (code, "csv, json or html" in said) == (2, True)


def test_counts_of_a_shadow_are_shown_to_who_decides_on_versions(store: Store, lfr: Lfr, clock: Clock) -> None:
    clock.time = datetime.now(UTC)
    cast = cast_of(store)
    deployment, mlops = started(store, cast), add_person(store, "mlops")
    code, text, _ = lfr(mlops, "deployment", "shadow", deployment)
    assert (code, "no version looked on" in text) == (0, True)
    shadow = ShadowVersion("a candidate", "ef" * 32, "12" * 32, 0.41)
    counts = ShadowCounts(frames=9, skipped=1, both=3, only_field=1)
    count_shadow(store, deployment, "north", shadow, counts, enrolled=2, failures_to_enrol=0)
    code, found, _ = lfr(mlops, "deployment", "shadow", deployment, "--json")
    assert (code, found["shadows"][0]["both"], found["shadows"][0]["agreement"]["of"]) == (0, 3, 4)
    code, text, _ = lfr(mlops, "deployment", "shadow", deployment)
    assert (code, "a candidate efefefefefef" in text) == (0, True)
    code, _, said = lfr(cast.manager, "deployment", "shadow", deployment)
    assert (code, "may not do deployment.shadow" in said) == (2, True)


def test_a_withdrawn_deployment_is_purged_and_what_is_held_is_named(store: Store, lfr: Lfr) -> None:
    cast = cast_of(store)
    deployment = started(store, cast)
    kept = alert(store, cast, deployment)
    hold(store, cast.operator, kept, reason="case 26/17", review_on=(store.now() + timedelta(days=30)).date())
    code, _, said = lfr(cast.officer, "deployment", "purge", deployment, "--yes")
    assert (code, "is live; end or withdraw it before a purge" in said) == (2, True)
    withdraw(store, cast.officer, deployment, reason="refused")
    code, text, _ = lfr(cast.officer, "deployment", "purge", deployment, "--yes")
    assert code == 0
    assert f"held: {kept}" in text
    assert "case 26/17" in text
    code, proof, _ = lfr(cast.officer, "deployment", "purge", deployment, "--json")
    assert (code, proof["after"]["templates"], proof["why"]) == (0, 0, "refused")
    code, _, said = lfr(cast.operator, "deployment", "purge", deployment, "--yes")
    assert (code, "may not do deployment.purge" in said) == (2, True)


def test_an_officers_sweep_says_what_it_did_and_exits_with_1_where_something_is_left(
    store: Store, lfr: Lfr, clock: Clock
) -> None:
    clock.time = datetime.now(UTC) - timedelta(hours=60)
    cast = cast_of(store)
    done, stuck = started(store, cast), started(store, cast)
    made, kept = alert(store, cast, done), alert(store, cast, stuck)
    hold(store, cast.operator, kept, reason="case 26/17", review_on=(store.now() + timedelta(days=1)).date())
    withdraw(store, cast.officer, stuck, reason="refused")
    store.keys.destroy(stuck)
    code, report, _ = lfr(cast.officer, "deployment", "sweep", "--json")
    assert code == 1
    assert (report["ended"], report["closed"], report["images_deleted"]) == ([done], [done], [made])
    assert (len(report["lists_destroyed"]), report["reviews_due"]) == (2, [kept])
    assert [line.partition(":")[0] for line in report["failed"]] == [stuck]
    code, text, _ = lfr(cast.officer, "deployment", "sweep")
    assert (code, f"failed: {stuck}: " in text) == (1, True)


def test_a_sweep_with_nothing_due_says_so(store: Store, lfr: Lfr) -> None:
    code, text, _ = lfr(cast_of(store).officer, "deployment", "sweep")
    assert (code, text.strip()) == (0, "nothing was due")


def test_a_force_from_export_to_destruction(
    store: Store, lfr: Lfr, tmp_path: Path, person: Callable[..., Principal]
) -> None:
    cast, admin = cast_of(store), person("admin")
    deployment = started(store, cast)
    made = alert(store, cast, deployment)
    own = X25519PrivateKey.generate()
    private, public = tmp_path / "own.private", tmp_path / "own.public"
    private.write_text(own.private_bytes_raw().hex())
    public.write_text(own.public_key().public_bytes_raw().hex())
    file, folder = tmp_path / "essex.zip", tmp_path / "opened"

    code, _, said = lfr(admin, "force", "export", file)
    assert (code, "give one of --recipient-key and --passphrase-file" in said) == (2, True)
    code, found, _ = lfr(admin, "force", "export", file, "--recipient-key", public, "--json")
    assert (code, found["rows"]["alert"], found["images"]) == (0, 1, 3)
    key = store.signing.public_hex
    opening = ("force", "open-export", file, "--to", folder, "--private-key", private)
    code, document, _ = lfr(None, *opening, "--signed-by", "0" * 64, "--json")
    assert (code, document["verified"], folder.exists()) == (1, False, False)
    code, document, _ = lfr(None, *opening, "--signed-by", key, "--json")
    assert (code, document["force"]) == (0, "essex")
    assert (folder / "images" / made).read_bytes() == PROBE
    assert json.loads((folder / "deployment.jsonl").read_text())["id"] == deployment

    officer = key_file_of(store, cast.officer, tmp_path)
    destroying = ("force", "destroy", "--officer-key", officer, "--yes")
    code, _, said = lfr(admin, *destroying)
    assert (code, "is authorised or live" in said) == (2, True)
    end(store, cast.operator, deployment)
    code, counted, _ = lfr(admin, *destroying, "--json")
    assert (code, counted["deployment"], counted["keys"]) == (0, 1, 2)
    code, _, said = lfr(admin, "deployment", "list")
    assert (code, "the key is not known here" in said or "were destroyed" in said) == (2, True)
