"""SIGKILL at random moments of import, alerts, sweep and purge: nothing is half done, and a sweep finishes the work."""

from __future__ import annotations

import multiprocessing
import random
import secrets
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerContext
from pathlib import Path

import pytest
from sqlalchemy import func, select

from lfr.access import Principal
from lfr.alerts import Sighting, raise_alert
from lfr.audit import export_chain, force_chain, verify_export
from lfr.database import Store, create_store
from lfr.database.tables import Alert, AuditEntry, Deployment, Entry, Reference, Watchlist
from lfr.deployments import end, live
from lfr.evaluation.benchmarks.postgres import Postgres
from lfr.models import Model
from lfr.oversight import purge, sweep
from lfr.watchlist import create_watchlist
from tests.integration.conftest import add_force, add_person
from tests.integration.deployments_scene import Cast, cast_of, started
from tests.support.drill import PROBE, clock, victim

WORK = ("import", "alerts", "sweep", "purge")
DAY_S = 86_400.0


@pytest.fixture(scope="module")
def forks() -> ForkServerContext:
    """Processes that begin with everything imported, so that a drill takes as long as its work."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.support.drill"])
    return context


@contextmanager
def fresh_store(kind: str, folder: Path, postgres: Postgres | None) -> Iterator[tuple[Store, str]]:
    name = f"drill_{secrets.token_hex(6)}"
    url = f"sqlite:///{folder / 'lfr.db'}" if kind == "sqlite" else ""
    if postgres is not None and kind == "postgresql":
        url = postgres.create(name, template="lfr_template")
    store = create_store(folder / "home", url=url, now=clock(0.0))
    add_force(store, "essex")
    try:
        yield store, url
    finally:
        store.close()
        if postgres is not None and kind == "postgresql":
            postgres.drop(name)
        shutil.rmtree(folder, ignore_errors=True)


def sighting_of(store: Store, operator: Principal, deployment_id: str) -> Sighting:
    current = live(store, operator, deployment_id)
    with store.database.read() as session:
        entry_id = session.scalars(select(Entry.id).where(Entry.watchlist_id == current.watchlist_id)).first()
    assert entry_id is not None
    return Sighting(
        deployment_id=deployment_id,
        camera_id="north",
        track_id=1,
        entry_id=entry_id,
        score=0.7,
        shots_used=1,
        model_digest=current.model_digest,
        watchlist_digest=current.watchlist_digest,
        calibration_id=current.calibration_id,
        captured_at=datetime.now(UTC),
        probe_jpeg=PROBE,
    )


def deployed(store: Store, cast: Cast, *, alerts: int) -> tuple[str, Sighting]:
    deployment_id = started(store, cast)
    sighting = sighting_of(store, cast.operator, deployment_id)
    for _ in range(alerts):
        raise_alert(store, cast.operator, sighting)
    return deployment_id, sighting


def kill_one(
    work: str,
    kind: str,
    folder: Path,
    postgres: Postgres | None,
    model: Model,
    context: ForkServerContext,
    wait_s: float | None,
) -> tuple[bool, float]:
    """Kill one process ``wait_s`` into its work and check what is left.

    Returns whether it was still at it, and for how many seconds it ran. With None it is left to end by itself.
    """
    folder.mkdir()
    with fresh_store(kind, folder, postgres) as (store, url):
        cast = cast_of(store)
        manager = add_person(store, "watchlist_manager")
        principal, about, sighting, ahead_s = cast.operator, "", None, 0.0
        if work == "import":
            principal, about = manager, create_watchlist(store, manager, name="drill", model=model)
        elif work == "alerts":
            about, sighting = deployed(store, cast, alerts=0)
        elif work == "sweep":
            principal, ahead_s = Principal.system("essex"), 3 * DAY_S
            for _ in range(2):
                deployed(store, cast, alerts=4)
        else:
            about, _ = deployed(store, cast, alerts=6)
            principal = cast.officer
            end(store, cast.operator, about)
        ours, theirs = context.Pipe(duplex=False)
        process = context.Process(
            target=victim, args=(work, folder / "home", url, ahead_s, principal, about, sighting, theirs)
        )
        process.start()
        theirs.close()
        assert ours.poll(60.0)
        assert ours.recv() == "begins"
        began = time.perf_counter()
        if wait_s is not None:
            time.sleep(wait_s)
            process.kill()  # SIGKILL
        process.join(60.0)
        ran_s = time.perf_counter() - began
        heard = list(received(ours))
        check(store, folder, work, about, told=[alert for alert in heard if alert.startswith("alert-")])
        finish(store, principal, work, about, ahead_s)
        return "done" not in heard, ran_s


def received(connection: Connection) -> Iterator[str]:
    while True:
        try:
            yield str(connection.recv())
        except EOFError:
            return


def check(store: Store, folder: Path, work: str, about: str, *, told: list[str]) -> None:
    """No alert without its entry or the reverse, none told that is not kept, a chain that verifies, no half import."""
    export_chain(store, force_chain("essex"), folder / "chain.jsonl")
    verdict = verify_export(folder / "chain.jsonl", public_key=store.signing.public_hex)
    assert verdict.complete, verdict.text
    with store.database.read() as session:
        alerts = set(session.scalars(select(Alert.id)))
        logged = set(session.scalars(select(AuditEntry.object).where(AuditEntry.action == "alert.raise")))
        assert alerts == logged
        assert set(told) <= alerts
        if work == "import":
            added = session.scalars(select(AuditEntry.details).where(AuditEntry.action == "watchlist.add")).all()
            on_list = set(session.scalars(select(Entry.id).where(Entry.watchlist_id == about)))
            assert on_list == {entry_id for details in added for entry_id in details["entries"]}
            assert len(on_list) in {0, 8}
            references = session.scalar(
                select(func.count()).select_from(Reference).where(Reference.watchlist_id == about)
            )
            assert references == len(on_list)


def finish(store: Store, principal: Principal, work: str, about: str, ahead_s: float) -> None:
    """Let a sweep, or the purge again, finish; then nothing is left that should be gone, and nothing more is due."""
    later = Store(store.database, store.keys, store.signing, clock(ahead_s))
    system = Principal.system("essex")
    if work == "purge":
        proof = purge(later, principal, about)
        assert proof["before"]["alert_images"] == 6
        assert proof["after"]["keys"] == []
    sweep(later, system)
    again = sweep(later, system)
    assert again.idle, again
    names = set(later.keys.names())
    with later.database.read() as session:
        for watchlist_id in session.scalars(select(Reference.watchlist_id).distinct()):
            assert watchlist_id in names, "images past their key"
        for deployment_id in session.scalars(select(Alert.deployment_id).where(Alert.image.is_not(None)).distinct()):
            assert deployment_id in names, "alert images past their key"
        if work == "sweep":
            assert set(session.scalars(select(Watchlist.state))) == {"destroyed"}
            assert session.scalar(select(func.count()).select_from(Alert).where(Alert.image.is_not(None))) == 0
            assert set(session.scalars(select(Deployment.state))) <= {"ended", "purged"}


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
@pytest.mark.parametrize(
    "kills", [pytest.param(10, id="short"), pytest.param(100, id="full", marks=[pytest.mark.long])]
)
@pytest.mark.timeout(3_600)
def test_a_kill_at_any_moment_leaves_nothing_half_done(
    kills: int,
    kind: str,
    forks: ForkServerContext,
    model: Model,
    tmp_path: Path,
    request: pytest.FixtureRequest,
) -> None:
    postgres: Postgres | None = request.getfixturevalue("postgres") if kind == "postgresql" else None
    moments = random.Random(f"{kind} {kills}")
    at_work = 0
    takes_s: dict[str, float] = {}
    for work in WORK:  # once to the end, so that the kills fall into the work whatever the machine's speed
        killed, takes_s[work] = kill_one(work, kind, tmp_path / work, postgres, model, forks, None)
        assert not killed, work
    for number in range(kills):
        work = WORK[number % len(WORK)]
        wait_s = moments.uniform(0.0, takes_s[work])
        fell_in, _ = kill_one(work, kind, tmp_path / f"{number}", postgres, model, forks, wait_s)
        at_work += fell_in
    # Kills that fall after the work is done prove nothing; enough must have fallen into it.
    assert at_work >= kills // 2, f"{at_work} of {kills} kills fell into the work"
