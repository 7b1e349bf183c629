"""``lfr store``: the database and keys as such."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from lfr.cli.console import JsonOption, emit, err, out
from lfr.cli.governed import KeyFileOption, governed

__all__ = ["app"]

app = typer.Typer(
    help="The governed store: migrations, backup, change of the master key, health.", no_args_is_help=True
)


@app.command()
def migrate(json: JsonOption = False) -> None:
    """Bring the tables to the shape that this version needs. Back up first."""
    from lfr.database import Database
    from lfr.database.migrate import migrate as run
    from lfr.database.migrate import revision_of
    from lfr.errors import StoreError
    from lfr.settings import read_settings

    settings = read_settings()
    home = settings.home.absolute()
    url = settings.database_url.get_secret_value() if settings.database_url else f"sqlite:///{home / 'lfr.db'}"
    database = Database(url)
    try:
        if database.is_sqlite and not Path(database.url.database or "").exists():
            raise StoreError(f"{database.name}: there is no store; `lfr access init` makes one")
        before = revision_of(database)
        run(database)
        after = revision_of(database)
    finally:
        database.dispose()
    emit({"before": before, "after": after}, as_json=json, show=lambda: out.print(f"{before or 'nothing'} to {after}"))


@app.command()
def backup(
    output: Annotated[Path, typer.Argument(metavar="FILE", help="A new file for the copy of the database.")],
    key_file: KeyFileOption = None,
    json: JsonOption = False,
) -> None:
    """Copy the database while it is in use. The keys are left out, so that what is destroyed stays destroyed.

    SQLite only; PostgreSQL has pg_dump for this, which leaves the keys out as well.
    """
    from lfr.access import record
    from lfr.audit import INSTALLATION_CHAIN
    from lfr.errors import InputError

    with governed(key_file) as (store, principal):
        if not store.database.is_sqlite:
            raise InputError(
                "this database is PostgreSQL: back it up with pg_dump; the keys folder stays out of it too"
            )
        if output.exists():
            raise InputError(f"{output}: there is such a file already")
        with store.database.write() as session:
            record(store, session, principal, "store.backup", "database", chain=INSTALLATION_CHAIN)
        source = store.database.url.database or ""
        output.touch(mode=0o600)
        with closing(sqlite3.connect(source)) as live, closing(sqlite3.connect(output)) as copy:
            live.backup(copy)
    document = {"file": str(output), "keys_included": False}

    def show() -> None:
        out.print(f"database copied to {output}")
        err.print("Left out: the keys folder and the master key. Without them the copy opens no face.", style="dim")

    emit(document, as_json=json, show=show)


@app.command("rotate-key")
def rotate_key(key_file: KeyFileOption = None, json: JsonOption = False) -> None:
    """Wrap every data key with a new master key. What breaks off is finished by running it again."""
    from lfr.access import record
    from lfr.audit import INSTALLATION_CHAIN
    from lfr.database import FileKeyStore
    from lfr.errors import InputError

    with governed(key_file) as (store, principal):
        principal.require("store.rotate-key")
        if not isinstance(store.keys, FileKeyStore):
            raise InputError("the keys are not in files: change the master key where they are")
        before = store.keys.master.id
        rotated = store.keys.rotate_master()
        with store.database.write() as session:
            record(
                store,
                session,
                principal,
                "store.rotate-key",
                "master-key",
                details={"before": before, "after": rotated.master.id, "keys": len(rotated.names())},
                chain=INSTALLATION_CHAIN,
            )
    document = {"before": before, "after": rotated.master.id, "keys": len(rotated.names())}
    emit(
        document,
        as_json=json,
        show=lambda: out.print(f"{document['keys']} keys wrapped by master key {document['after']}"),
    )


@app.command()
def health(key_file: KeyFileOption = None, json: JsonOption = False) -> None:
    """Count what each force has, and nothing of what it is."""
    from lfr.access import installation_health

    with governed(key_file) as (store, principal):
        document = installation_health(store, principal)

    def show() -> None:
        table = Table("force", "keys", "watchlists", "deployments", "")
        for row in document["forces"]:
            state = "destroyed" if row["destroyed"] else ""
            table.add_row(row["force_id"], str(row["keys"]), str(row["watchlists"]), str(row["deployments"]), state)
        out.print(table)

    emit(document, as_json=json, show=show)
