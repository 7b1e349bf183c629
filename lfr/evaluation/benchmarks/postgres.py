"""A PostgreSQL cluster of one's own, for benchmarks and tests: made, started and removed, on a socket and no port."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psycopg

__all__ = ["Postgres", "postgres_binaries", "postgres_cluster"]

_PLACES = ("/usr/lib/postgresql", "/usr/local/pgsql", "/opt/homebrew/opt/postgresql")


@dataclass(frozen=True)
class Postgres:
    """A running cluster."""

    folder: Path
    user: str
    binaries: Path

    def url(self, database: str) -> str:
        """URL of a database in it."""
        return f"postgresql://{self.user}@/{database}?host={self.folder}"

    def create(self, database: str, *, template: str = "template1") -> str:
        """Make a database and return its URL."""
        with psycopg.connect(f"user={self.user} host={self.folder} dbname=postgres", autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{database}" TEMPLATE "{template}"'.encode())
        return self.url(database)

    def drop(self, database: str) -> None:
        """Remove a database with whoever is connected to it."""
        with psycopg.connect(f"user={self.user} host={self.folder} dbname=postgres", autocommit=True) as connection:
            connection.execute(f'DROP DATABASE IF EXISTS "{database}" WITH (FORCE)'.encode())

    def stop(self) -> None:
        """Stop it at once, as a machine that goes down does; its data stay."""
        self._run("pg_ctl", "-D", str(self._data), "-m", "immediate", "-w", "stop")

    def start(self) -> None:
        """Start it, on its socket only."""
        options = f"-c listen_addresses='' -c unix_socket_directories='{self.folder}' -c max_connections=60"
        self._run("pg_ctl", "-D", str(self._data), "-l", str(self.folder / "log"), "-o", options, "-w", "start")

    def make(self) -> None:
        """Make its data folder."""
        self._run("initdb", "-D", str(self._data), "-U", self.user, "-A", "trust", "--no-sync")

    @property
    def _data(self) -> Path:
        return self.folder / "data"

    def _run(self, *arguments: str) -> None:
        subprocess.run(  # noqa: S603 # its own programs, with arguments made here
            [str(self.binaries / arguments[0]), *arguments[1:]],
            user=self.user if os.geteuid() == 0 else None,
            cwd=self.folder,
            check=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=60,
        )


def postgres_binaries() -> Path | None:
    """Return the folder of ``initdb`` and ``pg_ctl``; None where there is no server."""
    found = shutil.which("initdb")
    if found:
        return Path(found).parent
    candidates = [path for place in _PLACES for path in Path(place).glob("**/initdb")]
    return max(candidates).parent if candidates else None


@contextmanager
def postgres_cluster(binaries: Path) -> Iterator[Postgres]:
    """Run a cluster; PostgreSQL refuses to run as root, so then it runs as the user that its package made."""
    root = os.geteuid() == 0
    user = "postgres" if root else pwd.getpwuid(os.geteuid()).pw_name
    # A short path: the name of a socket has room for 107 bytes.
    folder = Path(tempfile.mkdtemp(prefix="lfr-pg-"))
    if root:
        shutil.chown(folder, user)

    cluster = Postgres(folder, user, binaries)
    try:
        cluster.make()
        cluster.start()
        try:
            yield cluster
        finally:
            with suppress(subprocess.CalledProcessError):  # a test may have stopped it
                cluster.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
