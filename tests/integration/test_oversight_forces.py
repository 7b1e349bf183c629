"""What a force may take away, and the destruction of all that is its own."""

from __future__ import annotations

import json
import stat
import tracemalloc
import zipfile
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from sqlalchemy import func, select

from lfr.access import Principal
from lfr.alerts import Envelope, envelope_for_key, envelope_for_passphrase, hold
from lfr.audit import export_chain, force_chain, verify_export
from lfr.database import Store
from lfr.database.tables import Alert, AuditChain, AuditEntry, Deployment, Entry, Person, Reference, Watchlist
from lfr.deployments import end
from lfr.errors import AccessDeniedError, ConflictError, EvidenceError, InputError, KeyFileError
from lfr.oversight import destroy_force, export_force, open_force_export, purge
from tests.integration.conftest import add_force, add_person
from tests.integration.deployments_scene import Cast, cast_of, started
from tests.integration.test_oversight import PROBE, alert
from tests.integration.test_retention_faults import breaking

PASSPHRASE = "a passphrase told another way"


@pytest.fixture
def cast(store: Store) -> Cast:
    return cast_of(store)


@pytest.fixture
def running(store: Store, cast: Cast) -> str:
    return started(store, cast)


@pytest.fixture(scope="module")
def private_key() -> X25519PrivateKey:
    return X25519PrivateKey.generate()


@pytest.fixture
def envelope(private_key: X25519PrivateKey) -> Envelope:
    return envelope_for_key(private_key.public_key().public_bytes_raw().hex().encode())


def opened(path: Path, folder: Path, private_key: X25519PrivateKey, **more: str) -> dict[str, object]:
    return open_force_export(path, folder, private_key=private_key.private_bytes_raw().hex().encode(), **more)


def test_a_force_takes_its_rows_and_images_away_and_nobody_elses(
    store: Store,
    cast: Cast,
    running: str,
    tmp_path: Path,
    person: Callable[..., Principal],
    envelope: Envelope,
    private_key: X25519PrivateKey,
) -> None:
    made = alert(store, cast, running)
    add_force(store, "kent")
    started(store, cast_of(store, "kent"), controller_force="Kent")
    path = tmp_path / "essex.zip"
    done = export_force(store, person("admin"), path, envelope=envelope)
    assert (done["rows"]["deployment"], done["rows"]["alert"], done["rows"]["reference"]) == (1, 1, 2)
    assert (done["images"], done["images_closed"]) == (3, 0)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    manifest = opened(path, tmp_path / "out", private_key, signed_by=store.signing.public_hex)
    assert manifest["rows"] == done["rows"]
    assert (tmp_path / "out" / "images" / made).read_bytes() == PROBE
    with store.database.read() as session:
        references = session.scalars(select(Reference.id).join(Watchlist).where(Watchlist.force_id == "essex")).all()
    assert {(tmp_path / "out" / "images" / name).read_bytes() for name in references} == {b"image"}
    (row,) = map(json.loads, (tmp_path / "out" / "alert.jsonl").read_text().splitlines())
    assert (row["id"], row["deployment_id"], "image" in row) == (made, running, False)
    text = "".join(file.read_text() for file in (tmp_path / "out").glob("*.jsonl"))
    assert "kent" not in text
    assert '"template"' not in text
    assert '"secret_hash"' not in text
    assert verify_export(tmp_path / "out" / "audit.jsonl", public_key=store.signing.public_hex).complete
    assert sorted(child.name for child in tmp_path.iterdir() if child.name.startswith("essex")) == ["essex.zip"]


def test_nothing_of_an_export_can_be_read_on_the_way(
    store: Store, cast: Cast, running: str, tmp_path: Path, person: Callable[..., Principal], envelope: Envelope
) -> None:
    alert(store, cast, running)
    export_force(store, person("admin"), tmp_path / "essex.zip", envelope=envelope)
    with zipfile.ZipFile(tmp_path / "essex.zip") as archive:
        for name in archive.namelist():
            content = archive.read(name)
            assert PROBE not in content
            assert b"Made Up" not in content, "a person's name"
            if name.startswith("rows/"):
                assert b"wanted-on-warrant" not in content
    with pytest.raises(InputError, match="another key"):
        opened(tmp_path / "essex.zip", tmp_path / "out", X25519PrivateKey.generate())
    assert not (tmp_path / "out").exists()


def test_a_changed_export_is_refused_before_anything_of_it_is_written(
    store: Store,
    cast: Cast,
    running: str,
    tmp_path: Path,
    person: Callable[..., Principal],
    envelope: Envelope,
    private_key: X25519PrivateKey,
) -> None:
    alert(store, cast, running)
    path = tmp_path / "essex.zip"
    export_force(store, person("admin"), path, envelope=envelope)
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    row = next(name for name in members if name.startswith("rows/alert"))
    swapped = bytes([members[row][0] ^ 1]) + members[row][1:]
    dropped = {name: content for name, content in members.items() if not name.startswith("images/")}
    for number, (changed, message) in enumerate((
        ({**members, row: swapped}, f"{row} was changed"),
        (dropped, "members are not those"),
        ({**members, "rows/more.0000": b""}, "members are not those"),
        ({**members, "export.json": members["export.json"].replace(b"essex", b"wessex")}, "signature does not verify"),
        ({"a": b""}, "no export of a force"),
    )):  # fmt: skip
        broken = tmp_path / f"broken-{number}.zip"
        with zipfile.ZipFile(broken, "w") as archive:
            for name, content in changed.items():
                archive.writestr(name, content)
        with pytest.raises(EvidenceError, match=message):
            opened(broken, tmp_path / "out", private_key)
    with pytest.raises(EvidenceError, match="signed by"):
        opened(path, tmp_path / "out", private_key, signed_by="0" * 64)
    assert not (tmp_path / "out").exists()


def test_an_export_after_a_purge_says_how_many_images_it_could_not_open(
    store: Store, cast: Cast, running: str, tmp_path: Path, person: Callable[..., Principal]
) -> None:
    kept = alert(store, cast, running)
    hold(store, cast.operator, kept, reason="case 26/17", review_on=(store.now() + timedelta(days=30)).date())
    end(store, cast.operator, running)
    purge(store, cast.officer, running)
    path, envelope = tmp_path / "essex.zip", envelope_for_passphrase(PASSPHRASE)
    done = export_force(store, person("admin"), path, envelope=envelope)
    assert (done["images"], done["images_closed"]) == (2, 0)  # the held probe and its reference
    open_force_export(path, tmp_path / "out", passphrase=PASSPHRASE)
    assert (tmp_path / "out" / "images" / kept).read_bytes() == PROBE
    store.keys.destroy(f"held-{running}")
    done = export_force(store, person("admin"), tmp_path / "again.zip", envelope=envelope)
    assert (done["images"], done["images_closed"]) == (0, 2)


def test_an_export_is_logged_with_its_digest_and_replaces_nothing(
    store: Store, cast: Cast, running: str, tmp_path: Path, person: Callable[..., Principal], envelope: Envelope
) -> None:
    done = export_force(store, person("admin"), tmp_path / "essex.zip", envelope=envelope)
    with store.database.read() as session:
        entries = session.scalars(
            select(AuditEntry).where(AuditEntry.action == "force.export").order_by(AuditEntry.sequence)
        ).all()
    assert [entry.after for entry in entries] == [None, done["sha256"]]
    with pytest.raises(InputError, match="already"):
        export_force(store, person("admin"), tmp_path / "essex.zip", envelope=envelope)
    with pytest.raises(InputError, match="cannot be written"):
        export_force(store, person("admin"), tmp_path / "nowhere" / "essex.zip", envelope=envelope)
    with pytest.raises(AccessDeniedError, match=r"force\.export"):
        export_force(store, cast.operator, tmp_path / "other.zip", envelope=envelope)


def test_destroying_a_force_takes_two_persons_and_leaves_its_sealed_audit(
    store: Store, cast: Cast, running: str, tmp_path: Path, person: Callable[..., Principal], envelope: Envelope
) -> None:
    alert(store, cast, running)
    add_force(store, "kent")
    theirs = started(store, cast_of(store, "kent"), controller_force="Kent")
    admin = person("admin")
    with pytest.raises(AccessDeniedError, match="authorising officer"):
        destroy_force(store, admin, cast.operator)
    with pytest.raises(AccessDeniedError, match="authorising officer of the same force"):
        destroy_force(store, admin, add_person(store, "authorising_officer", force="kent"))
    with pytest.raises(ConflictError, match="authorised or live"):
        destroy_force(store, admin, cast.officer)
    end(store, cast.operator, running)
    counted = destroy_force(store, admin, cast.officer)
    assert (counted["keys"], counted["deployment"], counted["alert"], counted["watchlist"]) == (2, 1, 1, 1)
    with store.database.read() as session:
        assert session.scalars(select(Deployment.id)).all() == [theirs]
        assert session.scalars(select(Watchlist.force_id)).all() == ["kent"]
        assert set(session.scalars(select(Person.name).where(Person.force_id == "essex"))) == {"destroyed"}
    assert len(store.keys.names()) == 2
    export_chain(store, force_chain("essex"), tmp_path / "essex.jsonl")
    assert verify_export(tmp_path / "essex.jsonl", public_key=store.signing.public_hex).complete
    with pytest.raises(ConflictError, match="is sealed"):
        export_force(store, admin, tmp_path / "late.zip", envelope=envelope)


def test_evidence_that_is_held_keeps_a_force_from_being_destroyed(
    store: Store, cast: Cast, running: str, person: Callable[..., Principal]
) -> None:
    kept = alert(store, cast, running)
    hold(store, cast.operator, kept, reason="case 26/17", review_on=(store.now() + timedelta(days=30)).date())
    end(store, cast.operator, running)
    keys = store.keys.names()
    with pytest.raises(ConflictError, match=f"{kept} is held as evidence"):
        destroy_force(store, person("admin"), cast.officer)
    assert store.keys.names() == keys


def test_a_destruction_that_breaks_off_is_finished_by_the_next(
    store: Store, cast: Cast, running: str, person: Callable[..., Principal]
) -> None:
    alert(store, cast, running)
    end(store, cast.operator, running)
    admin = person("admin")
    failing, _ = breaking(store, break_at=2, after=True)
    with pytest.raises(KeyFileError, match="the disk went away"):
        destroy_force(failing, admin, cast.officer)
    with store.database.read() as session:
        assert session.scalar(select(func.count()).select_from(Alert)) == 1
        chain = session.get(AuditChain, force_chain("essex"))
        assert chain is not None
        assert not chain.sealed
    destroy_force(store, admin, cast.officer)
    assert store.keys.names() == ()
    with store.database.read() as session:
        for table in (Alert, Entry, Reference, Deployment):
            assert session.scalar(select(func.count()).select_from(table)) == 0


@pytest.mark.parametrize("kind", [zipfile.ZIP_DEFLATED, zipfile.ZIP_STORED])
def test_a_manifest_that_would_fill_the_memory_is_refused_before_it_is_read(
    tmp_path: Path, private_key: X25519PrivateKey, kind: int
) -> None:
    path = tmp_path / "bomb.zip"
    with zipfile.ZipFile(path, "w", kind) as archive:
        archive.writestr("export.json", bytes(100_000_000))
        archive.writestr("export.sig", b"00")
    tracemalloc.start()
    try:
        with pytest.raises(EvidenceError, match=r"'export.json' is not as lfr writes it"):
            opened(path, tmp_path / "out", private_key)
        assert tracemalloc.get_traced_memory()[1] < 10_000_000
    finally:
        tracemalloc.stop()
    assert not (tmp_path / "out").exists()
