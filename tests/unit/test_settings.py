"""Settings come from the environment, or stop with the variable's name."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from pydantic import ValidationError

from lfr.errors import SettingsError
from lfr.models import DEFAULT_VERSION
from lfr.settings import read_settings


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("LFR_")]:
        monkeypatch.delenv(name)


def test_without_variables_the_defaults_hold() -> None:
    settings = read_settings()
    assert settings.model == DEFAULT_VERSION
    assert (settings.threads, settings.weights, settings.eval_data) == (None, None, None)


def test_variables_are_read_and_converted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LFR_THREADS", "2")
    monkeypatch.setenv("LFR_MODEL", "torch-f32")
    monkeypatch.setenv("LFR_WEIGHTS", "some/folder")
    settings = read_settings()
    assert (settings.threads, settings.model, settings.weights) == (2, "torch-f32", Path("some/folder"))


@pytest.mark.parametrize("value", ["0", "-1", "two", "100000", ""])
def test_a_value_out_of_bounds_is_refused_by_the_name_of_its_variable(
    value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LFR_THREADS", value)
    with pytest.raises(SettingsError, match=r"^LFR_THREADS: [^\n]+$"):
        read_settings()


def test_settings_do_not_change_once_read() -> None:
    settings = read_settings()
    with pytest.raises(ValidationError):
        settings.model = "torch-f32"
