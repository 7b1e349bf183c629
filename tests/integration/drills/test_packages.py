"""A file that is not what its package was packed with is found."""

from __future__ import annotations

import base64
import hashlib
from importlib.metadata import Distribution
from pathlib import Path

import pytest

from tests.drills import packages
from tests.drills.finding import Problems

_CODE = b"print('made up')\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where a made-up package is installed."""
    about = tmp_path / "made_up-1.0.dist-info"
    about.mkdir()
    (tmp_path / "made_up.py").write_bytes(_CODE)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: made-up\nVersion: 1.0\n", encoding="utf-8")
    digest = base64.urlsafe_b64encode(hashlib.sha256(_CODE).digest()).rstrip(b"=").decode()
    (about / "RECORD").write_text(
        f"made_up.py,sha256={digest},{len(_CODE)}\nmade_up-1.0.dist-info/RECORD,,\n", encoding="utf-8"
    )
    return tmp_path


def found(folder: Path) -> list[str]:
    problems = Problems("", "")
    assert packages.verify([Distribution.at(folder / "made_up-1.0.dist-info")], problems) == 1
    assert problems.tries == 1
    return problems.found


def test_a_package_as_it_was_packed_is_right(folder: Path) -> None:
    assert found(folder) == []


def test_a_changed_file_is_found(folder: Path) -> None:
    (folder / "made_up.py").write_bytes(_CODE + b"import os\n")
    assert found(folder) == ["made-up: made_up.py was changed"]


def test_a_missing_file_is_found(folder: Path) -> None:
    (folder / "made_up.py").unlink()
    assert found(folder) == ["made-up: made_up.py: No such file or directory"]
