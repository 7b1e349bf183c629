"""``lfr deployment`` from the template to the end, as its people use it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lfr.database import Store
from lfr.deployments import shipped_calibration, standing
from tests.integration.conftest import Clock
from tests.integration.deployments_scene import Cast, CommandLine, calibration, cast_of, sealed_list


@pytest.fixture
def cast(store: Store) -> Cast:
    return cast_of(store)


@pytest.fixture
def lfr(
    store: Store,
    cast: Cast,
    clock: Clock,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> CommandLine:
    return CommandLine(store, cast, clock, tmp_path, monkeypatch, capfd)


@pytest.fixture
def request_file(lfr: CommandLine, tmp_path: Path) -> Path:
    """The printed template, filled in."""
    code, template, _ = lfr("author", "deployment", "create", "--template")
    assert code == 0
    filled = template.replace('controller_force = ""', 'controller_force = "essex"').replace('= "" ', '= "something" ')
    path = tmp_path / "request.toml"
    path.write_text(filled.replace('= ""\n', '= "something"\n'))
    return path


def test_a_deployment_goes_its_way_on_the_command_line(
    lfr: CommandLine, request_file: Path, store: Store, cast: Cast
) -> None:
    watchlist_id = sealed_list(store, cast.manager, model_digest=shipped_calibration().model_digest)
    asked = ("deployment", "create", request_file, "--watchlist", watchlist_id, "--for", 60)
    code, out, err = lfr("author", *asked, "--json")
    assert code == 0, err
    made = json.loads(out)
    deployment_id = made["deployment"]
    assert (made["state"], made["notice"]) == ("draft", "not approved for field use")
    assert made["calibration"]["id"] == shipped_calibration().digest
    code, out, err = lfr("author", "deployment", "authorise", deployment_id, "--reasons", "mine")
    assert code == 2
    assert "may not do deployment.authorise" in err
    steps = (
        ("officer", "authorise", ("--reasons", "necessary and [proportionate]"), "authorised"),
        ("operator", "start", (), "live"),
        ("operator", "end", (), "ended"),
    )
    for who, step, more, state in steps:
        code, out, err = lfr(who, "deployment", step, deployment_id, *more, "--json")
        assert code == 0, err
        assert json.loads(out) == {"deployment": deployment_id, "state": state}
        assert standing(store, deployment_id) == state
    code, out, err = lfr("author", "deployment", "list", "--json")
    assert [row["deployment"] for row in json.loads(out)["deployments"]] == [deployment_id]
    code, out, err = lfr("author", "deployment", "list", "--state", "live", "--json")
    assert json.loads(out) == {"deployments": []}
    code, out, err = lfr("author", "deployment", "show", deployment_id)
    assert code == 0, err
    for said in ("NOT APPROVED FOR FIELD USE", "necessary and [proportionate]", "by Made Up, superintendent", "north"):
        assert said in out
    code, out, err = lfr("author", "deployment", "list")
    assert "ended (demo)" in out


def test_a_withdrawal_on_the_command_line_carries_its_reason(
    lfr: CommandLine, request_file: Path, store: Store, cast: Cast, tmp_path: Path
) -> None:
    calibration().write(tmp_path / "mine.json")
    watchlist_id = sealed_list(store, cast.manager)
    words = ("--watchlist", watchlist_id, "--calibration", tmp_path / "mine.json", "--for", 30)
    code, out, err = lfr("author", "deployment", "create", request_file, *words)
    assert code == 0, err
    deployment_id = out.split()[0].rstrip(":")
    assert f"lfr deployment authorise {deployment_id} --reasons TEXT" in out
    assert lfr("officer", "deployment", "authorise", deployment_id, "--reasons", "because")[0] == 0
    code, out, err = lfr("officer", "deployment", "withdraw", deployment_id, "--reason", "refused by the court")
    assert (code, out.splitlines()[0]) == (0, f"{deployment_id}: purged"), err
    for said in ("reference images", "nominal references kept: 2", "signed "):
        assert said in out
    code, out, err = lfr("officer", "deployment", "show", deployment_id, "--json")
    assert json.loads(out)["withdrawn"]["reason"] == "refused by the court"
    assert store.keys.names() == ()
    code, out, err = lfr("officer", "deployment", "withdraw", deployment_id, "--reason", "again")
    assert (code, out) == (2, "")
    assert "is purged" in err


def test_a_refusal_is_one_line_and_exit_code_2(
    lfr: CommandLine, request_file: Path, store: Store, cast: Cast, tmp_path: Path
) -> None:
    watchlist_id = sealed_list(store, cast.manager)
    code, out, err = lfr("author", "deployment", "create", request_file, "--watchlist", watchlist_id, "--for", 61)
    assert (code, out) == (2, "")
    assert err.count("\n") == 1
    assert err.startswith("lfr: something: a window of 1.01667 hours; a demo has one at most")
    code, _, err = lfr("author", "deployment", "create", tmp_path / "none.toml")
    assert (code, err) == (2, f"lfr: {tmp_path / 'none.toml'}: cannot read the request: No such file or directory\n")
    assert lfr("author", "deployment", "create")[0] == 2
    code, _, err = lfr("author", "deployment", "show", "deployment-0")
    assert (code, err) == (2, "lfr: deployment deployment-0: there is none of that name\n")
