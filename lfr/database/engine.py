"""The connection to SQLite or PostgreSQL, and transactions whose failures are lfr's own errors."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import URL, Engine, create_engine, event, make_url
from sqlalchemy.engine import Connection
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import ArgumentError, DBAPIError, IntegrityError, SQLAlchemyError
from sqlalchemy.orm import Session
from sqlalchemy.pool import ConnectionPoolEntry

from lfr.errors import ConflictError, SettingsError, StoreUnavailableError

__all__ = ["Database"]

_BUSY_TIMEOUT_MS = 10_000
"""How long a writer waits for another, on either database."""
_CONNECT_TIMEOUT_S = 10
_DRIVERS = {"sqlite": "sqlite+pysqlite", "postgresql": "postgresql+psycopg"}


class Database:
    """One database.

    Parameters
    ----------
    url
        ``sqlite:///path`` or ``postgresql://user@host/name``.

    Raises
    ------
    SettingsError
        The URL is none, or of another kind of database.
    """

    def __init__(self, url: str) -> None:
        self.url = _parsed(url)
        self.engine = _sqlite(self.url) if self.is_sqlite else _postgresql(self.url)

    @property
    def is_sqlite(self) -> bool:
        """Whether it is SQLite."""
        return self.url.get_backend_name() == "sqlite"

    @property
    def name(self) -> str:
        """The URL without its password."""
        return self.url.render_as_string(hide_password=True)

    @contextmanager
    def write(self) -> Iterator[Session]:
        """Give a transaction that may change rows: all of it is kept at the end, or nothing.

        On SQLite it holds the one write lock from its start, so that what it
        reads does not change under it.

        Raises
        ------
        StoreUnavailableError
            The database cannot be reached, is locked, read-only or full.
        ConflictError
            A row that must be the only one of its kind is there already.
        """
        with self._errors(), Session(self.engine, expire_on_commit=False) as session, session.begin():
            yield session

    @contextmanager
    def read(self) -> Iterator[Session]:
        """Give a transaction that sees one state of the database and changes nothing."""
        with self._errors(), Session(self.engine.execution_options(lfr_read=True), expire_on_commit=False) as session:
            yield session

    def dispose(self) -> None:
        """Close every connection."""
        self.engine.dispose()

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except IntegrityError as error:
            raise ConflictError(f"{self.name}: {_first_line(error)}") from error
        except DBAPIError as error:
            raise StoreUnavailableError(f"{self.name}: {_first_line(error)}") from error
        except SQLAlchemyError as error:
            raise StoreUnavailableError(f"{self.name}: {error}") from error


def _parsed(url: str) -> URL:
    try:
        parsed = make_url(url)
        backend = parsed.get_backend_name()
    except ArgumentError as error:
        raise SettingsError("the database's URL cannot be read; write sqlite:///file or postgresql://…") from error
    if backend not in _DRIVERS:
        raise SettingsError(f"{backend}: not a database that lfr uses; sqlite and postgresql are")
    return parsed.set(drivername=_DRIVERS[backend])


def _sqlite(url: URL) -> Engine:
    engine = create_engine(url, connect_args={"timeout": _BUSY_TIMEOUT_MS / 1000})

    @event.listens_for(engine, "connect")
    def on_connect(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
        # The driver must not begin transactions by itself, so that the listener below decides how.
        connection.isolation_level = None
        cursor = connection.cursor()
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "secure_delete=ON"):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine, "begin")
    def on_begin(connection: Connection) -> None:
        reading = connection.get_execution_options().get("lfr_read", False)
        connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")

    return engine


def _postgresql(url: URL) -> Engine:
    connect = {} if "connect_timeout" in url.query else {"connect_timeout": _CONNECT_TIMEOUT_S}
    engine = create_engine(url, pool_pre_ping=True, connect_args=connect)

    @event.listens_for(engine, "connect")
    def on_connect(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
        # Outside a transaction, because a rollback would take the setting back.
        connection.autocommit = True
        cursor = connection.cursor()
        cursor.execute(f"SET lock_timeout = {_BUSY_TIMEOUT_MS}")
        cursor.close()
        connection.autocommit = False

    return engine


def _first_line(error: DBAPIError) -> str:
    return str(error.orig).strip().splitlines()[0] if str(error.orig).strip() else type(error.orig).__name__
