"""Asking for the list of commands imports none of them, and says of each what it says of itself."""

from __future__ import annotations

import inspect
import json
import subprocess
import sys

import pytest
import typer
from typer.testing import CliRunner

from lfr.cli.app import _Commands, app
from lfr.cli.late import Late


@pytest.mark.parametrize("name", _Commands.late)
def test_a_command_says_in_the_list_what_it_says_of_itself(name: str) -> None:
    late = _Commands.late[name]
    found = late.load()
    own = found.info.help if isinstance(found, typer.Typer) else inspect.getdoc(found)
    assert isinstance(own, str)
    first = " ".join(own.split("\n\n")[0].split())
    assert late == Late(late.place, first)


@pytest.mark.parametrize("name", _Commands.late)
def test_a_command_is_found_where_the_list_says(name: str) -> None:
    result = CliRunner().invoke(app, [name, "--help"])
    assert result.exit_code == 0, result.output
    assert f"Usage: root {name}" in result.output or f"Usage: lfr {name}" in result.output


def _asked(*arguments: str) -> tuple[str, set[str]]:
    """What a process of its own prints when it is told this, and which modules of lfr it has then."""
    program = (
        "import json, sys; from lfr.cli.app import app\n"
        "try: app(sys.argv[1:], standalone_mode=False)\n"
        "finally: print(json.dumps([n for n in sys.modules if n.startswith('lfr.')]), file=sys.stderr)"
    )
    result = subprocess.run([sys.executable, "-c", program, *arguments], capture_output=True, text=True, check=True)
    return result.stdout, set(json.loads(result.stderr))


def test_the_list_of_commands_imports_none_of_them() -> None:
    printed, loaded = _asked("--help")
    assert "bench" in printed
    assert loaded == {"lfr.cli", "lfr.cli.app", "lfr.cli.late", "lfr.errors"}


def test_a_command_waits_for_no_other_to_be_imported() -> None:
    printed, loaded = _asked("models", "list", "--help")
    assert "models list" in printed
    assert "lfr.cli.models" in loaded
    others = {f"lfr.cli.{late.place.split(':')[0]}" for name, late in _Commands.late.items() if name != "models"}
    assert not loaded & others


def test_a_mistyped_command_is_answered_with_the_one_that_was_meant() -> None:
    result = CliRunner().invoke(app, ["evaluat"])
    assert result.exit_code == 2
    assert "Did you mean 'evaluate'?" in result.output
