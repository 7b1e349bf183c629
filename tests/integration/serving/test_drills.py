"""The drills of the running service hold, in their short form."""

from __future__ import annotations

from pathlib import Path

import pytest

from lfr.models import Model
from tests.drills import kept, lost, stopping
from tests.support.findings import Findings
from tests.support.service import RunningService


@pytest.mark.timeout(600)
def test_nothing_is_kept(service: RunningService, one_thread_model: Model, findings: Findings) -> None:
    findings.all_held(kept.drills(service, one_thread_model, "short"))


@pytest.mark.timeout(600)
def test_stopped_is_stopped(service: RunningService, one_thread_model: Model, findings: Findings) -> None:
    findings.all_held(stopping.drills(service, one_thread_model, "short"))


@pytest.mark.timeout(600)
def test_nothing_is_lost(service: RunningService, one_thread_model: Model, findings: Findings, tmp_path: Path) -> None:
    findings.all_held(lost.drills(service, one_thread_model, "short", tmp_path))
