"""``lfr alerts`` from list to evidence, as an operator and an officer use it."""

from __future__ import annotations

import json
import secrets
import stat
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from lfr.access import Principal
from lfr.access.principal import hash_secret
from lfr.alerts import raise_alert
from lfr.cli import main
from lfr.database import Store
from lfr.database.tables import AccessKey
from tests.integration.alerts_scene import PROBE, REFERENCE, live_scene
from tests.integration.conftest import Clock

Lfr = Callable[..., tuple[int, Any, str]]


@pytest.fixture
def lfr(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], clock: Clock
) -> Lfr:
    """Run a command as a principal: exit code, document or text, and standard error."""
    clock.time = datetime.now(UTC) - timedelta(seconds=1)
    monkeypatch.setenv("LFR_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("LFR_DATABASE_URL", store.database.url.render_as_string(hide_password=False))
    monkeypatch.setenv("COLUMNS", "200")
    files: dict[str, Path] = {}

    def run(who: Principal | None, *words: object) -> tuple[int, Any, str]:
        given = list(map(str, words))
        if who is not None:
            if who.id not in files:
                files[who.id] = key_file_of(store, who, tmp_path)
            given += ["--key-file", str(files[who.id])]
        monkeypatch.setattr("sys.argv", ["lfr", *given])
        code = 0
        try:
            main()
        except SystemExit as ended:
            code = int(ended.code or 0)
        out, err = capfd.readouterr()
        return code, json.loads(out) if "--json" in given and out else out, err

    return run


def key_file_of(store: Store, who: Principal, folder: Path) -> Path:
    """A file with a new key of a person."""
    key_id, secret = secrets.token_hex(4), secrets.token_hex(8)
    with store.database.write() as session:
        session.add(
            AccessKey(
                id=f"key-{key_id}",
                force_id=who.force_id,
                person_id=who.person_id,
                device=None,
                roles=sorted(who.roles),
                secret_hash=hash_secret(secret),
                created_at=store.now(),
                expires_at=datetime.now(UTC) + timedelta(days=1),
                revoked_at=None,
            )
        )
    file = folder / f"{key_id}.key"
    file.write_text(f"lfr_{key_id}_{secret}\n")
    return file


def test_an_alert_from_the_list_to_evidence(
    store: Store, person: Callable[..., Principal], lfr: Lfr, tmp_path: Path
) -> None:
    scene, officer = live_scene(store, demo=True), person("authorising_officer", rank="superintendent")
    operator = scene.operator
    raised = raise_alert(store, operator, scene.sighting())
    assert raised is not None
    alert = raised.id

    code, listed, _ = lfr(operator, "alerts", "list", "--state", "new", "--json")
    assert (code, [row["id"] for row in listed["alerts"]]) == (0, [alert])
    assert listed["alerts"][0]["demo"]
    code, text, _ = lfr(operator, "alerts", "list")
    assert "not approved for field use" in text

    for flags, content in (((), PROBE), (("--reference",), REFERENCE)):
        file = tmp_path / f"image{len(flags)}.jpg"
        code, _, _ = lfr(operator, "alerts", "image", alert, "--to", file, "--purpose", "adjudication", *flags)
        assert (code, file.read_bytes()) == (0, content)
        assert stat.S_IMODE(file.stat().st_mode) == 0o600

    words = ("--subject", "same scar", "--system", "sharp", "--environment", "daylight")
    assert lfr(operator, "alerts", "adjudicate", alert, "viable", *words)[:2] == (0, f"{alert}: viable\n")
    assert lfr(operator, "alerts", "retract", alert, "--json")[1] == {"alert": alert, "state": "new"}
    assert lfr(operator, "alerts", "adjudicate", alert, "viable", *words)[0] == 0
    code, _, err = lfr(operator, "alerts", "adjudicate", alert, "not_viable", *words)
    assert (code, err.count("\n")) == (2, 1)
    assert "cannot be adjudicated again" in err
    assert lfr(operator, "alerts", "outcome", alert, "engaged")[0] == 0
    code, after, _ = lfr(operator, "alerts", "outcome", alert, "confirmed_true", "--kind", "arrest", "--json")
    assert after == {"alert": alert, "state": "confirmed_true", "kind": "arrest"}

    review = (datetime.now(UTC) + timedelta(days=30)).strftime("%Y-%m-%d")
    code, held, _ = lfr(operator, "alerts", "hold", alert, "--reason", "42/26", "--review", review, "--json")
    assert (code, held["review_on"]) == (0, review)
    code, shown, _ = lfr(operator, "alerts", "show", alert, "--json")
    assert (shown["summary"]["held"], shown["outcomes"][-1]["kind"]) == (True, "arrest")
    assert "adjudication: person id" in lfr(operator, "alerts", "show", alert)[1]

    recipient = X25519PrivateKey.generate()
    (tmp_path / "pub").write_text(recipient.public_key().public_bytes_raw().hex())
    (tmp_path / "own").write_text(recipient.private_bytes_raw().hex())
    evidence = tmp_path / "alert.evidence"
    giving = ("alerts", "hand-over", alert, "--to", "prosecution", "--reason", "disclosure", "--file", evidence)
    code, _, err = lfr(officer, *giving)
    assert (code, "give one of --recipient-key and --passphrase-file" in err) == (2, True)
    code, given, _ = lfr(officer, *giving, "--recipient-key", tmp_path / "pub", "--json")
    assert (code, given["file"]) == (0, str(evidence))
    assert lfr(officer, *giving, "--recipient-key", tmp_path / "pub")[0] == 2  # the file is there already

    opening = ("alerts", "open-evidence", evidence, "--private-key", tmp_path / "own")
    out = tmp_path / "opened"
    code, opened, _ = lfr(None, *opening, "--signed-by", given["signed_by"], "--to", out, "--json")
    assert (code, opened["verified"], opened["trusted"]) == (0, True, True)
    assert (out / "probe.jpg").read_bytes() == PROBE
    assert "was not checked" in lfr(None, *opening)[1]
    code, no, _ = lfr(None, *opening, "--signed-by", "00" * 32, "--json")
    assert (code, no["verified"]) == (1, False)
    changed = bytearray(evidence.read_bytes())
    changed[-1] ^= 1
    evidence.write_bytes(changed)
    code, _, err = lfr(None, *opening)
    assert (code, "was changed" in err) == (1, True)

    assert lfr(operator, "alerts", "release", alert, "--reason", "closed", "--json")[1] == {
        "alert": alert,
        "held": False,
    }


def test_a_passphrase_in_a_file_does_as_well(
    store: Store, person: Callable[..., Principal], lfr: Lfr, tmp_path: Path
) -> None:
    scene, officer = live_scene(store), person("authorising_officer")
    raised = raise_alert(store, scene.operator, scene.sighting())
    assert raised is not None
    secret, evidence = tmp_path / "secret", tmp_path / "e"
    secret.write_text("a dozen words would be better\n")
    words = (raised.id, "--to", "defence", "--reason", "disclosure", "--file", evidence, "--passphrase-file", secret)
    assert lfr(officer, "alerts", "hand-over", *words)[0] == 0
    assert lfr(None, "alerts", "open-evidence", evidence, "--passphrase-file", secret)[0] == 0
    secret.write_text("another one altogether")
    assert lfr(None, "alerts", "open-evidence", evidence, "--passphrase-file", secret)[0] == 2


def test_bad_use_is_one_line_and_leaves_nothing(store: Store, lfr: Lfr, tmp_path: Path) -> None:
    scene = live_scene(store)
    for who, words, said in (
        (None, ("list",), "acts for a person"),
        (scene.operator, ("list", "--state", "old"), "are the choices"),
        (scene.operator, ("show", "alert-0"), "none of that name"),
        (scene.operator, ("image", "alert-0", "--to", tmp_path / "no" / "x", "--purpose", "x"), "there is no folder"),
        (scene.operator, ("hold", "alert-0", "--reason", "x", "--review", "2020-01-01"), "must come after today"),
        (None, ("open-evidence", tmp_path / "none"), "cannot be read"),
    ):
        code, _, err = lfr(who, "alerts", *words)
        assert (code, err.count("\n")) == (2, 1), words
        assert said in err
        assert "Traceback" not in err
    (tmp_path / "not").write_bytes(b"not evidence")
    assert lfr(None, "alerts", "open-evidence", tmp_path / "not")[0] == 1


@pytest.mark.parametrize(
    "command",
    ["list", "show", "image", "adjudicate", "retract", "outcome", "hold", "release", "hand-over", "open-evidence"],
)
def test_every_command_explains_itself(lfr: Lfr, command: str) -> None:
    code, text, _ = lfr(None, "alerts", command, "--help")
    assert code == 0
    assert "--json" in text
