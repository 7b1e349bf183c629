"""The store: database, keys and clock, opened together and checked against each other."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from lfr.database.engine import Database
from lfr.database.keys import FileKeyStore, KeyStore, MasterKey, SigningKey
from lfr.database.migrate import check_schema, migrate
from lfr.database.tables import Installation
from lfr.errors import ConflictError, KeyFileError, StoreError

__all__ = ["Store", "create_store", "new_id", "open_store", "utc_now"]

_SIGNING_KEY_FILE = "audit-signing-key"


def utc_now() -> datetime:
    """Return the time in UTC."""
    return datetime.now(UTC)


def new_id(kind: str) -> str:
    """Return a new identifier, such as ``watchlist-9f2c41d07ab35e18``."""
    return f"{kind}-{secrets.token_hex(8)}"


@dataclass(frozen=True)
class Store:
    """What every governed operation works on.

    Attributes
    ----------
    database
        Where rows are.
    keys
        Where the wrapped data keys are: outside the database.
    signing
        Signs checkpoints of the audit log.
    now
        The clock that windows and retention run on, in UTC: times of another zone are turned into it, or 24 hours
        after would be 23 or 25 where that zone changes to summer time and back.
    """

    database: Database
    keys: KeyStore
    signing: SigningKey
    now: Callable[[], datetime] = utc_now

    def __post_init__(self) -> None:
        clock = self.now
        if clock is not utc_now:
            object.__setattr__(self, "now", lambda: clock().astimezone(UTC))

    def close(self) -> None:
        """Close every connection."""
        self.database.dispose()


def create_store(
    home: Path, *, url: str | None = None, master_key_file: Path | None = None, now: Callable[[], datetime] = utc_now
) -> Store:
    """Make a new store: folder, keys, tables.

    Parameters
    ----------
    home
        Folder of everything lfr keeps; made with mode 0700.
    url
        The database; None: ``lfr.db`` in ``home``.
    master_key_file
        File of the master key, made where it is missing; None: ``master.key`` in ``home``.
    now
        The clock.

    Raises
    ------
    ConflictError
        There is a store already.
    KeyFileError
        A key file cannot be written or is open to others.
    StoreError
        The folder cannot be made, or the database not be reached.
    """
    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        home.chmod(0o700)
    except OSError as error:
        raise StoreError(f"{home}: cannot be made: {error.strerror}") from error
    database = Database(url or _default_url(home))
    migrate(database)
    with database.read() as session:
        if _installation(session) is not None:
            raise ConflictError(f"{database.name}: there is a store already")
    master_file = master_key_file or _default_master_file(home)
    master = MasterKey.load(master_file) if master_file.exists() else MasterKey.create(master_file)
    keys = FileKeyStore(home / "keys", master)
    signing_file = home / "keys" / _SIGNING_KEY_FILE
    signing = SigningKey.load(signing_file) if signing_file.exists() else SigningKey.create(signing_file)
    with database.write() as session:
        session.add(Installation(id=1, installation_id=new_id("lfr"), signing_key=signing.public_hex, created_at=now()))
    return Store(database, keys, signing, now)


def open_store(
    home: Path, *, url: str | None = None, master_key_file: Path | None = None, now: Callable[[], datetime] = utc_now
) -> Store:
    """Open the store that `create_store` made.

    Raises
    ------
    StoreError
        There is none.
    MigrationError
        Its tables are not those of this version.
    KeyFileError
        The master key or the signing key is missing, or is not this store's.
    StoreUnavailableError
        The database cannot be reached.
    """
    if url is None and not (home / "lfr.db").exists():
        raise StoreError(f"{home}: there is no store; `lfr access init` makes one")
    with _closed_on_error(Database(url or _default_url(home))) as database:
        check_schema(database)
        with database.read() as session:
            installation = _installation(session)
        if installation is None:
            raise StoreError(f"{database.name}: there is no store; `lfr access init` makes one")
        keys = FileKeyStore(home / "keys", MasterKey.load(master_key_file or _default_master_file(home)))
        signing = SigningKey.load(home / "keys" / _SIGNING_KEY_FILE)
        if signing.public_hex != installation.signing_key:
            raise KeyFileError(f"{signing.path}: not the key that signs this store's audit log")
        for name in keys.names()[:1]:
            keys.load(name)  # a wrong master key shows here, and not in the middle of something
        return Store(database, keys, signing, now)


@contextmanager
def _closed_on_error(database: Database) -> Iterator[Database]:
    try:
        yield database
    except BaseException:
        database.dispose()
        raise


def _installation(session: Session) -> Installation | None:
    return session.scalars(select(Installation)).one_or_none()


def _default_url(home: Path) -> str:
    return f"sqlite:///{home / 'lfr.db'}"


def _default_master_file(home: Path) -> Path:
    return home / "master.key"
