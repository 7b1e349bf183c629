"""What is installed is what was packed, and nothing in it is known to be broken, where that can be asked."""

from __future__ import annotations

import base64
import hashlib
import importlib.util
import json
import subprocess
import sys
from collections.abc import Iterable, Iterator
from importlib.metadata import Distribution, distribution, distributions
from pathlib import Path

from tests.drills.finding import Finding, Length, Problems

__all__ = ["drills", "verify"]

_PROMISE = "Nobody gets in"
_AT_THE_DOOR = ("argon2-cffi", "cryptography", "fastapi", "pydantic", "sqlalchemy", "starlette", "uvicorn")
_AUDIT_S = 300


def drills(length: Length) -> Iterator[Finding]:
    """Compare every installed file with the hash it was packed with, and ask for known vulnerabilities."""
    files = Problems(_PROMISE, "every file of installed packages against the hash that it was packed with")
    count = verify(map(distribution, _AT_THE_DOOR) if length == "short" else distributions(), files)
    yield files.finding(f"{count} packages")
    if length != "short":
        yield _known()


def verify(packages: Iterable[Distribution], problems: Problems) -> int:
    """Compare files with the hashes in each package's RECORD; returns how many packages have one.

    Parameters
    ----------
    packages
        To look at; what is installed from a folder that is worked on has no hashes.
    problems
        Where a file goes that is missing or another.
    """
    count = 0
    for package in packages:
        hashed = [file for file in package.files or () if file.hash is not None]
        count += bool(hashed)
        for file in hashed:
            assert file.hash is not None
            try:
                with Path(file.locate()).open("rb") as opened:
                    digest = hashlib.file_digest(opened, file.hash.mode).digest()
            except OSError as error:
                problems.expect(False, f"{package.name}: {file}: {error.strerror}")
                continue
            found = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
            problems.expect(found == file.hash.value, f"{package.name}: {file} was changed")
    return count


def _known() -> Finding:
    """Ask pip-audit, where it is installed and its data can be had."""
    what = "known vulnerabilities of what is installed"
    if importlib.util.find_spec("pip_audit") is None:
        return Finding(_PROMISE, what, 0, None, "not asked: pip-audit is not installed")
    command = [sys.executable, "-m", "pip_audit", "--progress-spinner", "off", "--skip-editable", "--format", "json"]
    try:
        ran = subprocess.run(command, capture_output=True, check=False, timeout=_AUDIT_S)
        asked = json.loads(ran.stdout)["dependencies"]
    except (subprocess.TimeoutExpired, ValueError, KeyError):
        return Finding(_PROMISE, what, 0, None, "not asked: pip-audit could not have its data")
    problems = Problems(_PROMISE, what)
    for package in asked:
        broken = ", ".join(one["id"] for one in package.get("vulns", ()))
        problems.expect(not broken, f"{package['name']} {package.get('version', '')}: {broken}")
    return problems.finding(f"{len(asked)} packages")
