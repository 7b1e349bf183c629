"""What goes wrong under the store: each is one clear line, exit code 2, and nothing half done."""

from __future__ import annotations

import errno
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import Engine, event, func, select, text

from lfr.alerts import raise_alert
from lfr.database import Store, create_store
from lfr.database.keys import FileKeyStore, MasterKey
from lfr.database.migrate import migrate, newest_revision
from lfr.database.tables import Alert, AuditEntry, Entry, Watchlist
from lfr.deployments import standing
from lfr.errors import KeyFileError, MigrationError, StoreError, StoreUnavailableError
from lfr.evaluation.benchmarks.postgres import Postgres
from tests.integration.alerts_scene import live_scene
from tests.integration.conftest import Clock
from tests.integration.deployments_scene import Cast, CommandLine, cast_of, sealed_list, started


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
    made = CommandLine(store, cast, clock, tmp_path, monkeypatch, capfd)
    assert made("manager", "watchlist", "list")[0] == 0  # its key is in the store before anything goes wrong
    return made


def counted(store: Store) -> tuple[int, ...]:
    """How many of everything there is, and of keys."""
    with store.database.read() as session:
        tables = (Watchlist, Entry, Alert, AuditEntry)
        rows = [session.scalar(select(func.count()).select_from(table)) or 0 for table in tables]
    return (*rows, len(store.keys.names()))


def refused(lfr: CommandLine, *words: object) -> str:
    """Run a command that must fail as every command fails, and return its one line."""
    code, out, err = lfr("manager", *words)
    assert (code, out) == (2, ""), err
    assert err.count("\n") == 1, err
    assert err.startswith("lfr: ")
    return err


def name_of(store: Store) -> str:
    return store.database.url.render_as_string(hide_password=False)


# Keys


def test_a_wrong_or_lost_master_key_is_named_before_anything_is_done(
    lfr: CommandLine, store: Store, cast: Cast, tmp_path: Path
) -> None:
    watchlist_id = sealed_list(store, cast.manager, sealed=False)
    before, master = counted(store), tmp_path / "home" / "master.key"
    kept = master.read_bytes()
    master.unlink()
    assert "cannot read the master key: No such file" in refused(lfr, "watchlist", "seal", watchlist_id)
    MasterKey.create(master)
    assert "wrapped by master key" in refused(lfr, "watchlist", "seal", watchlist_id)
    assert counted(store) == before
    master.write_bytes(kept)
    assert lfr("manager", "watchlist", "seal", watchlist_id)[0] == 0


def test_a_key_that_cannot_be_destroyed_is_an_error_of_lfr_and_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = FileKeyStore(tmp_path / "keys", MasterKey.create(tmp_path / "master.key"))
    sealed = keys.create("watchlist-1").encrypt(b"a template", row="r")

    def broken(*_: object, **__: object) -> None:
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as disk:
        disk.setattr("os.fsync", broken)
        with pytest.raises(KeyFileError, match=r"watchlist-1\.key: cannot be destroyed: Input/output error"):
            keys.destroy("watchlist-1")
    assert keys.names() == ("watchlist-1",)
    with pytest.raises(KeyFileError):  # overwritten already, so it is as good as gone
        keys.load("watchlist-1").decrypt(sealed, row="r")
    assert keys.destroy("watchlist-1")


def test_a_folder_that_is_a_file_is_no_place_for_a_store_or_its_keys(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot be made"):
        create_store(tmp_path / "file")
    with pytest.raises(KeyFileError, match="cannot be made"):
        FileKeyStore(tmp_path / "file", MasterKey.create(tmp_path / "master.key"))


# The database


@contextmanager
def read_only(store: Store) -> Iterator[str]:
    """URL under which the database takes no writes."""
    if store.database.is_sqlite:
        yield f"sqlite:///file:{store.database.url.database}?mode=ro&uri=true"
        return
    name = store.database.url.database
    with store.database.write() as session:
        session.execute(text(f'ALTER DATABASE "{name}" SET default_transaction_read_only = on'))
    yield name_of(store)


def test_a_read_only_database(lfr: CommandLine, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    before = counted(store)
    with read_only(store) as url:
        monkeypatch.setenv("LFR_DATABASE_URL", url)
        said = refused(lfr, "watchlist", "create", "High street")
    assert "readonly database" in said or "read-only transaction" in said
    # The key is made first, on purpose: an entry without its key would be the worse half. A sweep removes it.
    assert counted(store)[:-1] == before[:-1]


@contextmanager
def full(store: Store) -> Iterator[None]:
    """Let SQLite's file have no page more than it has."""

    def no_more_pages(connection: sqlite3.Connection, _: object) -> None:
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
        connection.execute(f"PRAGMA max_page_count={pages}")

    event.listen(Engine, "connect", no_more_pages)
    store.database.dispose()
    try:
        yield
    finally:
        event.remove(Engine, "connect", no_more_pages)
        store.database.dispose()


# PostgreSQL has no limit of its own: only a full disk would do, and its error takes the same way as this one.
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_full_database(lfr: CommandLine, store: Store, clock: Clock) -> None:
    scene = live_scene(store)
    before = counted(store)
    with full(store):
        with pytest.raises(StoreUnavailableError, match="is full"):
            for _ in range(60):
                raise_alert(store, scene.operator, scene.sighting(probe_jpeg=b"\xff\xd8\xff" + bytes(9_000)))
        alerts, logged = counted(store)[2:4]
        assert alerts - before[2] == logged - before[3]  # those before it was full; each with its entry
        assert "is full" in refused(lfr, "watchlist", "create", "long " * 8_000)
    raise_alert(store, scene.operator, scene.sighting())


@contextmanager
def locked(store: Store, cluster: Callable[[], Postgres]) -> Iterator[None]:
    """Another program holds what every writer needs."""
    if store.database.is_sqlite:
        other = sqlite3.connect(str(store.database.url.database), isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        try:
            yield
        finally:
            other.execute("ROLLBACK")
            other.close()
        return
    with psycopg.connect(cluster().url(str(store.database.url.database))) as holder:
        holder.execute("LOCK TABLE audit_chain, watchlist IN ACCESS EXCLUSIVE MODE")
        yield
        holder.rollback()


def test_a_database_that_another_writer_holds_for_longer_than_anybody_waits(
    lfr: CommandLine, store: Store, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    monkeypatch.setattr("lfr.database.engine._BUSY_TIMEOUT_MS", 200)
    before = counted(store)
    with locked(store, lambda: request.getfixturevalue("postgres")):
        said = refused(lfr, "watchlist", "create", "High street")
    assert "database is locked" in said or "lock timeout" in said
    assert counted(store)[:-1] == before[:-1]
    assert lfr("manager", "watchlist", "create", "High street")[0] == 0


def test_tables_that_are_behind_or_ahead(lfr: CommandLine, store: Store) -> None:
    before = counted(store)
    for revision in ("0000", "9999"):
        with store.database.write() as session:
            session.execute(text(f"UPDATE alembic_version SET version_num = '{revision}'"))
        assert f"at {revision}, this version of lfr needs {newest_revision()}" in refused(
            lfr, "watchlist", "create", "High street"
        )
        with pytest.raises(MigrationError, match=f"'{revision}'"):
            migrate(store.database)
    assert counted(store) == before


def test_a_server_that_is_not_there(lfr: CommandLine, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    if store.database.is_sqlite:
        monkeypatch.setenv("LFR_DATABASE_URL", "sqlite:////nowhere/lfr.db")
        assert "unable to open database file" in refused(lfr, "watchlist", "list")
        return
    monkeypatch.setenv("LFR_DATABASE_URL", "postgresql://somebody:secret@127.0.0.1:1/lfr")
    said = refused(lfr, "watchlist", "list")
    assert "Connection refused" in said
    assert "secret" not in said


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_a_server_that_goes_away_in_the_middle_keeps_nothing_of_the_middle(
    lfr: CommandLine, store: Store, cast: Cast, request: pytest.FixtureRequest
) -> None:
    cluster: Postgres = request.getfixturevalue("postgres")
    deployment_id, before = started(store, cast), counted(store)
    try:
        with pytest.raises(StoreUnavailableError) as broke, store.database.write() as session:
            session.execute(text("UPDATE deployment SET state = 'ended'"))
            cluster.stop()
        assert "\n" not in str(broke.value)
        assert "No such file" in refused(lfr, "watchlist", "list")
    finally:
        cluster.start()
    # The same store goes on: its dead connections are found out.
    assert (counted(store), standing(store, deployment_id)) == (before, "live")
    assert lfr("operator", "deployment", "end", deployment_id)[0] == 0
