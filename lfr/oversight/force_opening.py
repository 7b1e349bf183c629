"""Read a force's export: verified and decrypted offline, by whoever it was made for."""

from __future__ import annotations

import hashlib
import json
import os
import re
import struct
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lfr.alerts.envelope import opened_envelope
from lfr.database import DataKey
from lfr.database.keys import verify_signature
from lfr.errors import EvidenceError, InputError
from lfr.oversight.force_export import AUDIT, FORMAT, MANIFEST, SIGNATURE, signed_message

__all__ = ["open_force_export"]

_MOST_MANIFEST = 1 << 26  # some 300,000 images
_MOST_SIGNATURE = 1 << 10
_NAME = re.compile(rf"rows/[a-z_]+\.[0-9]{{4,}}|images/[a-z]+-[0-9a-z-]+|{re.escape(AUDIT)}")


def open_force_export(
    path: Path,
    folder: Path,
    *,
    private_key: bytes | None = None,
    passphrase: str | None = None,
    signed_by: str | None = None,
) -> dict[str, Any]:
    """Verify an export and write what is in it, in the clear, to a new folder.

    Parameters
    ----------
    path
        What `export_force` wrote.
    folder
        Made with mode 0700: JSON lines for each table, ``images/``, and the audit log.
    private_key, passphrase
        Which of them depends on whom it was made for.
    signed_by
        Public key of the installation that must have made it, from elsewhere.

    Returns
    -------
    The manifest.

    Raises
    ------
    EvidenceError
        It is no such export, a byte of it changed, or somebody else signed it.
    InputError
        The file cannot be read, the folder is there already, or the key does not open it.
    """
    if folder.exists():
        raise InputError(f"{folder}: is there already")
    with _archive(path) as archive:
        manifest = _checked(archive, path, signed_by)
        envelope = opened_envelope(manifest["encryption"], private_key=private_key, passphrase=passphrase)
        bound_to = signed_message(str(manifest["force"]).encode())
        key = DataKey("export", envelope.decrypt(bytes.fromhex(manifest["key"]), bound_to=bound_to))
        _check_members(archive, path, manifest)
        (folder / "images").mkdir(mode=0o700, parents=True)
        folder.chmod(0o700)
        for member in manifest["members"]:
            name = member["name"]
            if name == AUDIT:
                with archive.open(name) as source, _private(folder / name) as target:
                    while block := source.read(1 << 20):
                        target.write(block)
                continue
            kind, _, rest = name.partition("/")
            target_path = folder / "images" / rest if kind == "images" else folder / f"{rest.partition('.')[0]}.jsonl"
            with _private(target_path) as target:
                target.write(key.decrypt(archive.read(name), row=name))
    return manifest


@contextmanager
def _archive(path: Path) -> Iterator[zipfile.ZipFile]:
    try:
        with zipfile.ZipFile(path) as archive:
            _check_stored(archive, path)
            yield archive
    except OSError as error:
        raise InputError(f"{path}: {error.strerror or error}") from error
    except (zipfile.BadZipFile, EOFError, NotImplementedError, ValueError, struct.error) as error:
        raise EvidenceError(f"{path}: no export of a force, or changed: {error}") from error


def _check_stored(archive: zipfile.ZipFile, path: Path) -> None:
    """Refuse what would become larger than the file is: before a signature is looked at, anybody may have made it."""
    most = {MANIFEST: _MOST_MANIFEST, SIGNATURE: _MOST_SIGNATURE}
    for member in archive.infolist():
        stored = member.compress_type == zipfile.ZIP_STORED and not member.flag_bits & 1
        if not stored or member.file_size > most.get(member.filename, member.file_size):
            raise EvidenceError(f"{path}: no export of a force: {member.filename!r} is not as lfr writes it")


def _checked(archive: zipfile.ZipFile, path: Path, signed_by: str | None) -> dict[str, Any]:
    try:
        raw, signature = archive.read(MANIFEST), archive.read(SIGNATURE).decode("ascii", "replace")
        manifest: dict[str, Any] = json.loads(raw)
        signer = str(manifest["signing_key"])
        known = manifest["format"] == FORMAT and _is_whole(manifest)
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise EvidenceError(f"{path}: no export of a force") from error
    if not known or not verify_signature(signer, signature, signed_message(raw)):
        raise EvidenceError(f"{path}: {MANIFEST} was changed: its signature does not verify")
    if signed_by is not None and signed_by.strip().lower() != signer:
        raise EvidenceError(f"{path}: signed by {signer}, not by {signed_by.strip().lower()}")
    return manifest


def _is_whole(manifest: Mapping[str, Any]) -> bool:
    """Whether it has what opening it takes: whoever signed it may have written anything."""
    return (
        isinstance(manifest["encryption"], dict)
        and isinstance(manifest["members"], list)
        and all(isinstance(member[name], str) for member in manifest["members"] for name in ("name", "sha256"))
        and bool(bytes.fromhex(manifest["key"]))
        and isinstance(manifest["force"], str)
    )


def _check_members(archive: zipfile.ZipFile, path: Path, manifest: Mapping[str, Any]) -> None:
    """Compare every member with its signed digest before anything is written."""
    names = [member["name"] for member in manifest["members"]]
    if sorted(archive.namelist()) != sorted([*names, MANIFEST, SIGNATURE]):
        raise EvidenceError(f"{path}: its members are not those that were signed")
    for member in manifest["members"]:
        if not _NAME.fullmatch(member["name"]):
            raise EvidenceError(f"{path}: {member['name']}: no name that lfr writes")
        with archive.open(member["name"]) as file:
            if hashlib.file_digest(file, "sha256").hexdigest() != member["sha256"]:  # type: ignore[arg-type]
                raise EvidenceError(f"{path}: {member['name']} was changed")


@contextmanager
def _private(path: Path) -> Iterator[Any]:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "wb") as file:
        yield file
