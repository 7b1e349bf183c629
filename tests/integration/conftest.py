"""A governed store on SQLite and on real PostgreSQL, and people to act in it."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from lfr.access import ForcePolicy, Principal, Role
from lfr.database import Database, Store, create_store
from lfr.database.migrate import migrate
from lfr.database.tables import Force, Person
from lfr.evaluation.benchmarks.postgres import Postgres, postgres_binaries, postgres_cluster


@dataclass
class Clock:
    """A clock that stands until it is moved."""

    time: datetime = field(default_factory=lambda: datetime(2026, 3, 2, 9, 0, tzinfo=UTC))

    def __call__(self) -> datetime:
        return self.time

    def advance(self, **by: float) -> None:
        """Move on, as for `timedelta`."""
        self.time += timedelta(**by)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """One cluster a session. In CI it must be there; elsewhere tests on it skip by name."""
    binaries = postgres_binaries()
    if binaries is None:
        if os.environ.get("CI"):
            pytest.fail("PostgreSQL's server is not installed, and CI must test on it")
        pytest.skip("PostgreSQL's server is not installed")
    with postgres_cluster(binaries) as cluster:
        database = Database(cluster.create("lfr_template"))
        migrate(database)
        database.dispose()
        yield cluster


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """URL of an empty database of each kind."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'lfr.db'}"
        return
    cluster: Postgres = request.getfixturevalue("postgres")
    name = f"lfr_{secrets.token_hex(6)}"
    yield cluster.create(name, template="lfr_template")
    cluster.drop(name)


@pytest.fixture
def clock() -> Clock:
    """The store's clock: Monday 2 March 2026, 09:00 UTC, until a test moves it."""
    return Clock()


@pytest.fixture
def store(database_url: str, tmp_path: Path, clock: Clock) -> Iterator[Store]:
    """A store with one force, ``essex``, on each kind of database."""
    made = create_store(tmp_path / "home", url=database_url, now=clock)
    add_force(made, "essex")
    yield made
    made.close()


@pytest.fixture
def person(store: Store) -> Callable[..., Principal]:
    """Make a person of a force: ``person("operator", rank="constable", force="essex")``."""

    def make(*roles: Role, rank: str = "constable", force: str = "essex") -> Principal:
        return add_person(store, *roles, rank=rank, force=force)

    return make


def add_force(store: Store, force_id: str, policy: ForcePolicy | None = None) -> None:
    """Add a force as the tests need one; what users do is tested beside it."""
    with store.database.write() as session:
        session.add(
            Force(
                id=force_id,
                name=force_id.title(),
                policy=(policy or ForcePolicy()).model_dump(mode="json"),
                created_at=store.now(),
            )
        )


def add_person(store: Store, *roles: Role, rank: str = "constable", force: str = "essex") -> Principal:
    """Add a person and return them as acting with these roles."""
    person_id = f"person-{secrets.token_hex(4)}"
    with store.database.write() as session:
        session.add(Person(id=person_id, force_id=force, name="Made Up", rank=rank, added_at=store.now()))
    return Principal(person_id, force, frozenset(roles), person_id=person_id, rank=rank)
