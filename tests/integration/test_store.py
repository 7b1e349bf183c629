"""The ground of the governed store: transactions, migrations, keys, the chain."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import func, select, text

from lfr.access import Principal, record
from lfr.audit import GENESIS, append, entry_hash, force_chain
from lfr.audit.chain import entry_document
from lfr.database import Database, Store, create_store, open_store
from lfr.database.keys import FileKeyStore, MasterKey
from lfr.database.migrate import migrate, newest_revision, revision_of
from lfr.database.tables import AuditEntry, Base, Force
from lfr.errors import (
    AccessDeniedError,
    ConflictError,
    KeyFileError,
    MigrationError,
    StoreError,
    StoreUnavailableError,
)


def test_migrations_give_exactly_the_tables_of_the_code(store: Store) -> None:
    with store.database.read() as session:
        context = MigrationContext.configure(session.connection(), opts={"compare_type": True})
        assert compare_metadata(context, Base.metadata) == []


def test_migrations_go_down_and_up_again_with_data_in_the_tables(store: Store) -> None:
    migrate(store.database, to="base")
    assert revision_of(store.database) is None
    migrate(store.database)
    assert revision_of(store.database) == newest_revision()


def test_a_store_whose_migrations_are_behind_is_refused_with_what_to_do(store: Store, tmp_path: Path) -> None:
    with store.database.write() as session:
        session.execute(text("UPDATE alembic_version SET version_num = '0000'"))
    with pytest.raises(MigrationError, match=rf"at 0000.*needs {newest_revision()}.*lfr store migrate"):
        open_store(tmp_path / "home", url=store.database.url.render_as_string(hide_password=False))


def test_nothing_of_a_transaction_that_fails_is_kept(store: Store) -> None:
    with pytest.raises(RuntimeError, match="on purpose"), store.database.write() as session:
        session.add(Force(id="kent", name="Kent", policy={}, created_at=store.now()))
        append(store, session, chain="installation", actor="x", role="admin", action="force.add", object_id="kent")
        session.flush()
        raise RuntimeError("on purpose")
    with store.database.read() as session:
        assert session.get(Force, "kent") is None
        assert session.scalar(select(func.count()).select_from(AuditEntry)) == 0


def test_the_same_row_twice_is_a_conflict_and_leaves_no_trace(store: Store) -> None:
    with pytest.raises(ConflictError), store.database.write() as session:
        session.add(Force(id="essex", name="again", policy={}, created_at=store.now()))
    with store.database.read() as session:
        force = session.get(Force, "essex")
        assert force is not None
        assert force.name == "Essex"


def test_times_keep_their_zone(store: Store) -> None:
    with store.database.read() as session:
        force = session.get(Force, "essex")
        assert force is not None
        assert force.created_at == store.now()


def test_many_writers_at_once_make_one_unbroken_chain(store: Store) -> None:
    chain = force_chain("essex")

    def write(writer: int) -> None:
        for i in range(10):
            with store.database.write() as session:
                append(store, session, chain=chain, actor=f"w{writer}", role="operator", action="x", object_id=f"{i}")

    writers = [threading.Thread(target=write, args=(n,)) for n in range(4)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    with store.database.read() as session:
        entries = session.scalars(select(AuditEntry).order_by(AuditEntry.sequence)).all()
    assert [entry.sequence for entry in entries] == list(range(1, 41))
    previous = GENESIS
    for entry in entries:
        assert entry.previous_hash == previous
        assert entry.hash == entry_hash(entry_document(entry))
        previous = entry.hash


def test_a_role_that_may_not_leaves_no_entry(store: Store, person: Callable[..., Principal]) -> None:
    operator = person("operator")
    refused = pytest.raises(AccessDeniedError, match=r"watchlist\.seal.*watchlist_manager")
    with refused, store.database.write() as session:
        record(store, session, operator, "watchlist.seal", "watchlist-1")
    with store.database.read() as session:
        assert session.scalar(select(func.count()).select_from(AuditEntry)) == 0


def test_a_read_only_database_says_so(tmp_path: Path) -> None:
    create_store(tmp_path / "home").close()
    read_only = Database(f"sqlite:///file:{tmp_path / 'home' / 'lfr.db'}?mode=ro&uri=true")
    with pytest.raises(StoreUnavailableError, match="readonly"), read_only.write() as session:
        session.add(Force(id="kent", name="Kent", policy={}, created_at=datetime.now(UTC)))


def test_opening_what_is_not_there_says_how_to_make_it(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="lfr access init"):
        open_store(tmp_path / "nothing")


def test_a_store_is_made_once(tmp_path: Path) -> None:
    create_store(tmp_path / "home").close()
    with pytest.raises(ConflictError, match="already"):
        create_store(tmp_path / "home")
    open_store(tmp_path / "home").close()


def test_a_wrong_lost_or_open_master_key_is_refused_at_the_door(tmp_path: Path) -> None:
    home = tmp_path / "home"
    store = create_store(home)
    store.keys.create("watchlist-1")
    master = home / "master.key"
    kept = master.read_bytes()
    master.chmod(0o640)
    with pytest.raises(KeyFileError, match="open to others"):
        open_store(home)
    master.unlink()
    with pytest.raises(KeyFileError, match="cannot read the master key"):
        open_store(home)
    MasterKey.create(master)
    with pytest.raises(KeyFileError, match="wrapped by master key"):
        open_store(home)
    master.write_bytes(kept)
    open_store(home).close()


def test_a_change_of_the_master_key_can_break_off_anywhere_and_be_finished(tmp_path: Path) -> None:
    master = MasterKey.create(tmp_path / "master.key")
    keys = FileKeyStore(tmp_path / "keys", master)
    made = {name: keys.create(name) for name in ("watchlist-1", "watchlist-2", "deployment-1")}
    # As after a crash with one key rewrapped: the successor exists, one file is wrapped by it.
    successor = MasterKey.create(tmp_path / "master.key.next")
    half = FileKeyStore(tmp_path / "keys", successor)
    (tmp_path / "keys" / "watchlist-1.key").write_bytes(half._wrapped(made["watchlist-1"], successor))
    assert {name: keys.load(name) for name in keys.names()} == made
    rotated = keys.rotate_master()
    assert rotated.master.secret == successor.secret
    assert not (tmp_path / "master.key.next").exists()
    assert {name: rotated.load(name) for name in rotated.names()} == made
    with pytest.raises(KeyFileError, match="wrapped by master key"):
        keys.load("watchlist-1")


def test_a_key_that_cannot_be_destroyed_is_said_in_one_line(tmp_path: Path) -> None:
    keys = FileKeyStore(tmp_path / "keys", MasterKey.create(tmp_path / "master.key"))
    (tmp_path / "keys" / "watchlist-1.key").mkdir()
    with pytest.raises(KeyFileError, match=r"watchlist-1.key: cannot be destroyed: Is a directory"):
        keys.destroy("watchlist-1")


def test_what_a_destroyed_key_encrypted_stays_closed(tmp_path: Path) -> None:
    keys = FileKeyStore(tmp_path / "keys", MasterKey.create(tmp_path / "master.key"))
    sealed = keys.create("watchlist-1").encrypt(b"a template", row="reference-1")
    assert keys.load("watchlist-1").decrypt(sealed, row="reference-1") == b"a template"
    with pytest.raises(KeyFileError, match="reference-2"):
        keys.load("watchlist-1").decrypt(sealed, row="reference-2")
    assert keys.destroy("watchlist-1")
    assert not keys.destroy("watchlist-1")
    with pytest.raises(KeyFileError, match="is gone"):
        keys.load("watchlist-1")
    with pytest.raises(KeyFileError, match="does not open"):
        keys.create("watchlist-1").decrypt(sealed, row="reference-1")
