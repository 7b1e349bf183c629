"""Migrations: bring the tables to this version's shape, and tell when they are not."""

from __future__ import annotations

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError

from lfr.database.engine import Database
from lfr.errors import MigrationError

__all__ = ["check_schema", "migrate", "newest_revision", "revision_of"]


def migrate(database: Database, *, to: str = "head") -> None:
    """Change the tables, forward or back.

    Parameters
    ----------
    database
        What to change.
    to
        A revision, ``head``, or ``base`` (nothing left).

    Raises
    ------
    MigrationError
        The tables are of a revision that this version does not know, as a newer one leaves them.
    """
    config = _config()
    forward = to == "head" or revision_of(database) is None or _is_ahead(to, revision_of(database))
    with database.write() as session:
        config.attributes["connection"] = session.connection()
        try:
            (command.upgrade if forward else command.downgrade)(config, to)
        except CommandError as error:
            raise MigrationError(f"{database.name}: {error}") from error


def revision_of(database: Database) -> str | None:
    """Return the revision of the tables; None where there are none."""
    with database.read() as session:
        return MigrationContext.configure(session.connection()).get_current_revision()


def newest_revision() -> str:
    """Return the revision that this version of lfr needs."""
    head = _script().get_current_head()
    assert head is not None, "there are migrations, and they end in one"
    return head


def check_schema(database: Database) -> None:
    """Raise MigrationError unless the tables are of this version."""
    found, wanted = revision_of(database), newest_revision()
    if found != wanted:
        raise MigrationError(
            f"{database.name}: its tables are at {found or 'nothing'}, this version of lfr needs {wanted}; "
            "run `lfr store migrate`"
        )


def _is_ahead(to: str, current: str | None) -> bool:
    if to == "base":
        return False
    below = {revision.revision for revision in _script().iterate_revisions(current, "base")}
    return to not in below


def _script() -> ScriptDirectory:
    return ScriptDirectory.from_config(_config())


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", "lfr.database:migrations")
    return config
