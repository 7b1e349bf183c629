"""Key files: the master key, the data keys it wraps, and the key that signs the audit log.

Wrapped keys are never in the database, because its journal, dead rows,
replicas and backups would keep them: each is a file of its own, so that
destroying the file destroys what the key encrypted, wherever copies of the
database lie. On file systems that copy on write, overwriting does not reach
old blocks; there the master key must be kept on another device.
"""

from __future__ import annotations

import hashlib
import os
import re
import secrets
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from lfr.database.encryption import KEY_BYTES, DataKey
from lfr.errors import ConflictError, KeyFileError

__all__ = ["FileKeyStore", "KeyStore", "MasterKey", "SigningKey", "verify_signature"]

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,80}")
_SUFFIX = ".key"
_MAGIC = b"lfr-key-1\n"


@dataclass(frozen=True)
class MasterKey:
    """The key that wraps data keys.

    Attributes
    ----------
    path
        Its file, which only its owner may read.
    secret
        32 bytes.
    """

    path: Path
    secret: bytes = field(repr=False)

    @property
    def id(self) -> str:
        """16 hexadecimal digits that tell which key it is and nothing else of it."""
        return hashlib.sha256(b"lfr master key\0" + self.secret).hexdigest()[:16]

    @classmethod
    def create(cls, path: Path) -> MasterKey:
        """Make a new key and its file.

        Raises
        ------
        KeyFileError
            The file is there already, or cannot be written.
        """
        secret = secrets.token_bytes(KEY_BYTES)
        _write_new(path, secret.hex().encode() + b"\n")
        return cls(path, secret)

    @classmethod
    def load(cls, path: Path) -> MasterKey:
        """Read a key.

        Raises
        ------
        KeyFileError
            The file is missing, open to others, or holds no key.
        """
        content = _read_private(path, what="master key")
        try:
            secret = bytes.fromhex(content.decode("ascii").strip())
        except ValueError as error:
            raise KeyFileError(f"{path}: holds no master key (64 hexadecimal digits)") from error
        if len(secret) != KEY_BYTES:
            raise KeyFileError(f"{path}: holds no master key (64 hexadecimal digits)")
        return cls(path, secret)


class KeyStore(Protocol):
    """Where wrapped data keys are: a folder here, a KMS elsewhere."""

    def create(self, name: str) -> DataKey:
        """Make a key and keep it. Raises ConflictError where there is one of that name."""

    def load(self, name: str) -> DataKey:
        """Return a key. Raises KeyFileError where it is gone or does not open."""

    def destroy(self, name: str) -> bool:
        """Destroy a key for good; False where there was none."""

    def names(self) -> tuple[str, ...]:
        """Names of the keys there are, sorted."""

    def age_s(self, name: str) -> float:
        """Seconds since a key was made or wrapped anew; 0 where there is none."""


@dataclass(frozen=True)
class FileKeyStore:
    """Wrapped keys as files of a folder.

    Parameters
    ----------
    folder
        Made with mode 0700 where it is missing.
    master
        What wraps the keys.
    """

    folder: Path
    master: MasterKey

    def __post_init__(self) -> None:
        with _as_key_file_error(self.folder, "be made"):
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            mode = stat.S_IMODE(self.folder.stat().st_mode)
        if mode & 0o077:
            raise KeyFileError(f"{self.folder}: open to others (mode {mode:04o}); chmod 700 it")

    def create(self, name: str) -> DataKey:
        """Make a key and keep it on disk before returning it."""
        key = DataKey.generate(name)
        try:
            _write_new(self._path(name), self._wrapped(key, self.master))
        except KeyFileError as error:
            if self._path(name).exists():
                raise ConflictError(f"there is a key of {name} already") from error
            raise
        return key

    def load(self, name: str) -> DataKey:
        """Return a key, also in the middle of a change of the master key."""
        path = self._path(name)
        if not path.exists():
            raise KeyFileError(f"the key of {name} is gone: what it encrypted cannot be read any more")
        content = _read_private(path, what=f"key of {name}")
        head, _, wrapped = content.partition(b"\n\n")
        master_id = head.removeprefix(_MAGIC).decode("ascii", "replace")
        if not content.startswith(_MAGIC):
            raise KeyFileError(f"{path}: not a key file")
        for master in (self.master, *self._next_master()):
            if master.id == master_id:
                return DataKey(name, DataKey(f"master {master.id}", master.secret).decrypt(wrapped, row=name))
        raise KeyFileError(f"{path}: wrapped by master key {master_id}, but {self.master.path} holds {self.master.id}")

    def destroy(self, name: str) -> bool:
        """Overwrite the file, sync it, unlink it, and sync the folder."""
        path = self._path(name)
        with _as_key_file_error(path, "be destroyed"):
            try:
                size = path.stat().st_size
            except FileNotFoundError:
                return False
            with path.open("r+b", buffering=0) as file:
                file.write(secrets.token_bytes(size))
                os.fsync(file.fileno())
            path.unlink(missing_ok=True)
            _sync_folder(self.folder)
        return True

    def names(self) -> tuple[str, ...]:
        """Names of the keys there are, sorted."""
        return tuple(sorted(path.stem for path in self.folder.glob(f"*{_SUFFIX}") if _NAME.fullmatch(path.stem)))

    def age_s(self, name: str) -> float:
        """Seconds since a key was made or wrapped anew; 0 where there is none."""
        try:
            return max(0.0, time.time() - self._path(name).stat().st_mtime)
        except FileNotFoundError:
            return 0.0

    def rotate_master(self) -> FileKeyStore:
        """Wrap every key with a new master key, then put that in the old one's place.

        What is interrupted can be read with either key, and is finished by
        calling this again.
        """
        waiting = self._next_master()
        successor = waiting[0] if waiting else MasterKey.create(self._next_path())
        for name in self.names():
            key = self.load(name)
            path = self._path(name)
            fresh = path.with_suffix(".new")
            with _as_key_file_error(path):
                fresh.unlink(missing_ok=True)
                _write_new(fresh, self._wrapped(key, successor))
                fresh.replace(path)
        with _as_key_file_error(self.master.path):
            _sync_folder(self.folder)
            self._next_path().replace(self.master.path)
            _sync_folder(self.master.path.parent)
        return FileKeyStore(self.folder, MasterKey(self.master.path, successor.secret))

    def _next_path(self) -> Path:
        return self.master.path.with_name(self.master.path.name + ".next")

    def _next_master(self) -> tuple[MasterKey, ...]:
        return (MasterKey.load(self._next_path()),) if self._next_path().exists() else ()

    def _path(self, name: str) -> Path:
        if not _NAME.fullmatch(name):
            raise ValueError(f"no name of a key: {name!r}")
        return self.folder / f"{name}{_SUFFIX}"

    @staticmethod
    def _wrapped(key: DataKey, master: MasterKey) -> bytes:
        sealed = DataKey(f"master {master.id}", master.secret).encrypt(key.secret, row=key.name)
        return _MAGIC + master.id.encode() + b"\n\n" + sealed


@dataclass(frozen=True)
class SigningKey:
    """The Ed25519 key that signs checkpoints of the audit log; it is outside the database.

    Attributes
    ----------
    path
        The private key's file; the public one lies beside it with suffix ``.pub``.
    """

    path: Path
    _private: Ed25519PrivateKey = field(repr=False)

    @classmethod
    def create(cls, path: Path) -> SigningKey:
        """Make a new pair and its files."""
        private = Ed25519PrivateKey.generate()
        _write_new(path, private.private_bytes_raw().hex().encode() + b"\n")
        key = cls(path, private)
        with _as_key_file_error(path.with_suffix(".pub")):
            path.with_suffix(".pub").write_text(key.public_hex + "\n", encoding="ascii")
        return key

    @classmethod
    def load(cls, path: Path) -> SigningKey:
        """Read a key; raises KeyFileError where it is missing, open to others or none."""
        content = _read_private(path, what="signing key of the audit log")
        try:
            private = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(content.decode("ascii").strip()))
        except ValueError as error:
            raise KeyFileError(f"{path}: holds no Ed25519 key (64 hexadecimal digits)") from error
        return cls(path, private)

    @property
    def public_hex(self) -> str:
        """The public key, 64 hexadecimal digits."""
        return self._private.public_key().public_bytes_raw().hex()

    def sign(self, message: bytes) -> str:
        """Return the signature, 128 hexadecimal digits."""
        return self._private.sign(message).hex()


def verify_signature(public_hex: str, signature_hex: str, message: bytes) -> bool:
    """Whether the owner of the public key signed the message."""
    try:
        Ed25519PublicKey.from_public_bytes(bytes.fromhex(public_hex)).verify(bytes.fromhex(signature_hex), message)
    except (InvalidSignature, ValueError):
        return False
    return True


def _read_private(path: Path, *, what: str) -> bytes:
    try:
        with path.open("rb") as file:
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            if mode & 0o077:
                raise KeyFileError(f"{path}: the {what} is open to others (mode {mode:04o}); chmod 600 it")
            return file.read()
    except OSError as error:
        raise KeyFileError(f"{path}: cannot read the {what}: {error.strerror}") from error


def _write_new(path: Path, content: bytes) -> None:
    with _as_key_file_error(path):
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            os.write(handle, content)
            os.fsync(handle)
        finally:
            os.close(handle)
        _sync_folder(path.parent)


@contextmanager
def _as_key_file_error(path: Path, what: str = "be written") -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise KeyFileError(f"{path}: cannot {what}: {error.strerror or type(error).__name__}") from error


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
