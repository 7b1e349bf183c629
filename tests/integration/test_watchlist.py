"""Watchlists: what may be put on one, what lint finds, what a seal holds, and what destruction leaves."""

from __future__ import annotations

import csv
import shutil
import time
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from sqlalchemy import func, select

from lfr.access import ForcePolicy, Principal
from lfr.database import Database, FileKeyStore, Store
from lfr.database.store import new_id
from lfr.database.tables import AuditEntry, Entry, Force, NominalReference, Reference, Watchlist
from lfr.errors import (
    AccessDeniedError,
    ConflictError,
    InputError,
    KeyFileError,
    ManifestError,
    NotAuthorisedError,
    NotFoundError,
    WatchlistError,
)
from lfr.models import Model
from lfr.watchlist import (
    EntryRow,
    alertable,
    approve,
    copy_watchlist,
    create_watchlist,
    demo_cohort,
    destroy,
    import_entries,
    lint,
    load_sealed,
    read_reference,
    read_rows,
    reenrol,
    seal,
    show,
    suspend,
)
from tests.integration.conftest import Clock, add_force, add_person

VALUES = {
    "category": "wanted-on-warrant",
    "reason": "warrant 26/114",
    "legal_basis": "PACE s.24",
    "image_source": "custody image",
    "lawfully_held": "yes",
    "image_date": "2025-06-01",
    "expires_at": "2026-03-31",
    "under_18": "no",
}
FIELDS = ("subject_id", *VALUES)


def row(path: Path | list[Path], subject: str, **changed: Any) -> EntryRow:
    images = tuple(path) if isinstance(path, list) else (path,)
    return EntryRow(f"row of {subject}", {"subject_id": subject, **VALUES, **changed}, images)


@pytest.fixture
def manager(person: Callable[..., Principal]) -> Principal:
    return person("watchlist_manager")


@pytest.fixture
def officer(person: Callable[..., Principal]) -> Principal:
    return person("authorising_officer", "watchlist_manager", rank="superintendent")


@pytest.fixture
def open_list(store: Store, manager: Principal, model: Model, demo_faces: list[Path]) -> str:
    """A list of three made-up people, one with two images, not yet approved."""
    watchlist_id = create_watchlist(store, manager, name="Chelmsford", model=model)
    named = {path.stem: path for path in demo_faces}
    rows = [row([named["s001_a"], named["s001_b"]], "s001"), row(named["s002_a"], "s002"), row(named["s003_a"], "s003")]
    report = import_entries(store, manager, watchlist_id, rows, model)
    assert [item.problems for item in report.rows] == [(), (), ()]
    return watchlist_id


@pytest.fixture
def sealed_list(store: Store, open_list: str, officer: Principal, manager: Principal) -> str:
    assert approve(store, officer, open_list) == 3
    seal(store, manager, open_list)
    return open_list


def digests(store: Store, watchlist_id: str) -> dict[str, str]:
    with store.database.read() as session:
        found = session.get_one(Watchlist, watchlist_id)
    assert found.digest is not None
    return {"digest": found.digest, "model_digest": found.model_digest}


def entry_ids(store: Store, watchlist_id: str) -> dict[str, str]:
    with store.database.read() as session:
        rows = session.execute(select(Entry.subject_id, Entry.id).where(Entry.watchlist_id == watchlist_id))
        return {subject_id: entry_id for subject_id, entry_id in rows}  # noqa: C416 - a row is no pair to mypy


# What may be put on a list (R2)


@pytest.mark.parametrize(
    ("changed", "problem"),
    [
        ({"category": "curiosity"}, "category: 'curiosity' is not one of wanted-on-warrant"),
        ({"reason": "  "}, "reason"),
        ({"legal_basis": ""}, "legal_basis"),
        ({"lawfully_held": "no"}, "lawfully_held"),
        ({"image_date": "2031-01-01"}, "lies in the future"),
        ({"image_date": "yesterday"}, "image_date"),
        ({"expires_at": "2026-01-01"}, "has passed"),
        ({"expires_at": "2026-05-01T10:00:00"}, "zone"),
        ({"under_18": "perhaps"}, "under_18"),
        ({"nickname": "x"}, "nickname"),
        ({"subject_id": "Jane Doe"}, "subject_id"),
    ],
)
def test_r2_a_row_with_a_wrong_field_is_refused_by_its_name(
    changed: dict[str, str], problem: str, store: Store, manager: Principal, model: Model, demo_faces: list[Path]
) -> None:
    watchlist_id = create_watchlist(store, manager, name="x", model=model)
    report = import_entries(store, manager, watchlist_id, [row(demo_faces[0], "s001", **changed)], model)
    assert report.accepted == 0
    assert problem in "; ".join(report.rows[0].problems)
    assert entry_ids(store, watchlist_id) == {}


def test_r2_an_entry_carries_every_field_and_without_one_it_is_refused(
    store: Store, manager: Principal, officer: Principal, model: Model, demo_faces: list[Path]
) -> None:
    watchlist_id = create_watchlist(store, manager, name="x", model=model)
    whole = row(demo_faces[0], "s001")
    for name in FIELDS:
        values = {column: value for column, value in whole.values.items() if column != name}
        report = import_entries(store, manager, watchlist_id, [EntryRow("row", values, whole.images)], model)
        assert report.rows[0].problems == (f"{name}: is missing",)
    assert import_entries(store, manager, watchlist_id, [whole], model).accepted == 1
    approve(store, officer, watchlist_id)
    (entry,) = show(store, manager, watchlist_id, purpose="review")["entries"]
    assert {name: entry[name] for name in FIELDS} == {
        **VALUES,
        "subject_id": "s001",
        "lawfully_held": True,
        "under_18": False,
        "expires_at": "2026-03-31T23:59:59.999999+00:00",
    }
    assert (entry["added_by"], entry["approved_by"]) == (manager.id, officer.id)
    assert entry["references"][0]["quality"].keys() >= {"Sharpness", "HeadPose"}


def test_images_that_cannot_be_used_are_refused_with_what_is_wrong(
    store: Store, manager: Principal, model: Model, demo_faces: list[Path], tmp_path: Path
) -> None:
    watchlist_id = create_watchlist(store, manager, name="x", model=model)
    Image.new("RGB", (200, 200), (120, 130, 140)).save(tmp_path / "wall.png")
    face = Image.open(demo_faces[0])
    both = Image.new("RGB", (480, 240))
    both.paste(face, (8, 8))
    both.paste(face, (248, 8))
    both.save(tmp_path / "two.png")
    Image.fromarray(np.asarray(face.resize((28, 28)).resize((224, 224)))).save(tmp_path / "blurred.png")
    (tmp_path / "broken.jpg").write_bytes(demo_faces[0].read_bytes()[:3000])
    names = ("wall.png", "two.png", "blurred.png", "broken.jpg", "gone.png")
    rows = [row(tmp_path / name, name.split(".")[0]) for name in names]
    rows += [row(demo_faces[3], "s900"), row(demo_faces[3], "s901"), row(demo_faces[6], "s900")]
    report = import_entries(store, manager, watchlist_id, rows, model)
    problems = ["; ".join(item.problems) for item in report.rows]
    for problem, wanted in zip(
        problems,
        ["no face found", "SingleFacePresent", "Sharpness", "truncated", "cannot read", "", "same file", "already"],
        strict=True,
    ):
        assert wanted in problem
    assert entry_ids(store, watchlist_id).keys() == {"s900"}


def test_all_or_nothing_keeps_every_row_off_the_list_where_one_is_bad(
    store: Store, manager: Principal, model: Model, demo_faces: list[Path]
) -> None:
    watchlist_id = create_watchlist(store, manager, name="x", model=model)
    rows = [row(demo_faces[0], "s001"), row(demo_faces[5], "s002", category="curiosity")]
    report = import_entries(store, manager, watchlist_id, rows, model, all_or_nothing=True)
    assert (report.kept, report.accepted) == (False, 0)
    assert entry_ids(store, watchlist_id) == {}


def test_a_csv_is_read_with_its_images_and_a_wrong_one_is_refused(tmp_path: Path, demo_faces: list[Path]) -> None:
    for path in demo_faces[:2]:
        shutil.copy(path, tmp_path)

    def written(fields: tuple[str, ...], *rows: dict[str, str]) -> Path:
        path = tmp_path / "entries.csv"
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, fields)
            writer.writeheader()
            writer.writerows(rows)
        return path

    values = {"subject_id": "s001", **VALUES, "image": "s001_a.jpg; s001_b.jpg"}
    (read,) = read_rows(written((*FIELDS, "image"), values))
    assert [path.name for path in read.images] == ["s001_a.jpg", "s001_b.jpg"]
    assert all(path.is_file() for path in read.images)
    assert read.where == "entries.csv line 2"
    without = {k: v for k, v in values.items() if k != "reason"}
    with pytest.raises(ManifestError, match="no column reason"):
        read_rows(written(tuple(without), without))
    with pytest.raises(ManifestError, match="unknown column colour"):
        read_rows(written((*FIELDS, "image", "colour"), values | {"colour": "red"}))
    with pytest.raises(ManifestError, match="holds no row"):
        read_rows(written((*FIELDS, "image")))
    with pytest.raises(ManifestError, match="cannot be read"):
        read_rows(tmp_path / "nothing.csv")


def test_templates_of_another_model_do_not_get_on_a_list(
    store: Store, manager: Principal, reference_model: Model, open_list: str, demo_faces: list[Path]
) -> None:
    with pytest.raises(WatchlistError, match="its templates are of model"):
        import_entries(store, manager, open_list, [row(demo_faces[9], "s010")], reference_model)


# Seal


def test_r2_an_entry_that_no_second_person_approved_keeps_the_list_open(
    store: Store, open_list: str, manager: Principal
) -> None:
    assert approve(store, manager, open_list) == 0  # nobody approves what they added themselves
    with pytest.raises(WatchlistError, match="not approved by a second person"):
        seal(store, manager, open_list)


def test_r3_a_list_over_the_policys_size_is_not_sealed(
    store: Store, open_list: str, manager: Principal, officer: Principal
) -> None:
    approve(store, officer, open_list)
    set_policy(store, max_watchlist=2)
    with pytest.raises(WatchlistError, match="3 entries, and the force's policy allows 2"):
        seal(store, manager, open_list)


def test_r10_under_18s_are_left_out_unless_authorised_one_by_one(
    store: Store, open_list: str, manager: Principal, officer: Principal, model: Model, demo_faces: list[Path]
) -> None:
    import_entries(store, manager, open_list, [row(demo_faces[20], "s700", under_18="yes")], model)
    approve(store, officer, open_list)
    with pytest.raises(WatchlistError, match="s700 is under 18"):
        seal(store, manager, open_list)
    ids = entry_ids(store, open_list)
    with pytest.raises(InputError, match="no entry of an under-18"):
        approve(store, officer, open_list, minors=(ids["s001"],))
    approve(store, officer, open_list, minors=(ids["s700"],))
    seal(store, manager, open_list)


def test_a_sealed_list_is_loaded_under_its_digest_and_no_other(store: Store, sealed_list: str) -> None:
    loaded = load_sealed(store, sealed_list, **digests(store, sealed_list))
    assert loaded.size == 3
    assert len(loaded.snapshot) == 4
    assert {entry.subject_id for entry in loaded.entries.values()} == {"s001", "s002", "s003"}
    assert set(loaded.snapshot.subjects) == set(loaded.entries)
    with pytest.raises(NotAuthorisedError, match="authorised was 0000"):
        load_sealed(store, sealed_list, **digests(store, sealed_list) | {"digest": "0000"})


def test_what_was_changed_behind_the_seal_is_not_loaded(store: Store, sealed_list: str) -> None:
    known = digests(store, sealed_list)
    with store.database.write() as session:
        session.scalars(select(Entry).where(Entry.subject_id == "s002")).one().category = "missing-at-risk"
    with pytest.raises(NotAuthorisedError, match="authorised was"):
        load_sealed(store, sealed_list, **known)


def test_a_sealed_list_takes_no_entry_and_is_not_sealed_twice(
    store: Store, sealed_list: str, manager: Principal, model: Model, demo_faces: list[Path]
) -> None:
    with pytest.raises(ConflictError, match="is sealed, and must be open"):
        import_entries(store, manager, sealed_list, [row(demo_faces[9], "s010")], model)
    with pytest.raises(ConflictError, match="is sealed, and must be open"):
        seal(store, manager, sealed_list)


def test_suspension_and_expiry_end_an_entrys_alerts_and_leave_the_digest(
    store: Store, sealed_list: str, manager: Principal, clock: Clock
) -> None:
    ids, known = entry_ids(store, sealed_list), digests(store, sealed_list)
    suspend(store, manager, sealed_list, ids["s001"], reason="found")
    assert alertable(store, sealed_list) == {ids["s002"], ids["s003"]}
    with pytest.raises(ConflictError, match="suspended already"):
        suspend(store, manager, sealed_list, ids["s001"], reason="again")
    assert load_sealed(store, sealed_list, **known).size == 3
    clock.advance(days=40)
    assert alertable(store, sealed_list) == frozenset()


def test_r2_a_copy_is_reviewed_anew_and_leaves_out_who_was_suspended(
    store: Store, sealed_list: str, manager: Principal, officer: Principal
) -> None:
    suspend(store, manager, sealed_list, entry_ids(store, sealed_list)["s003"], reason="found")
    copy_id = copy_watchlist(store, manager, sealed_list, name="next week")
    assert entry_ids(store, copy_id).keys() == {"s001", "s002"}
    with pytest.raises(WatchlistError, match="not approved"):
        seal(store, manager, copy_id)
    destroy(store, manager, sealed_list)
    approve(store, officer, copy_id)
    seal(store, manager, copy_id)
    assert len(load_sealed(store, copy_id, **digests(store, copy_id)).snapshot) == 3


def test_another_model_enrols_the_stored_images_again(
    store: Store, open_list: str, manager: Principal, reference_model: Model
) -> None:
    assert reenrol(store, manager, open_list, reference_model) == 4
    with store.database.read() as session:
        assert session.get_one(Watchlist, open_list).model_digest == reference_model.digest
        made_by = set(session.scalars(select(Reference.model_digest)))
    assert made_by == {reference_model.digest}


# Lint


def test_lint_names_look_alikes_old_images_minors_and_who_was_not_approved(
    store: Store, open_list: str, manager: Principal, model: Model, demo_faces: list[Path]
) -> None:
    named = {path.stem: path for path in demo_faces}
    old = (date(2026, 3, 2) - timedelta(days=4_000)).isoformat()
    extra = [row(named["s001_c"], "s800", image_date=old), row(named["s004_a"], "s004", under_18="yes")]
    import_entries(store, manager, open_list, extra, model)
    report = lint(store, manager, open_list)
    found = {(finding.rule, finding.subjects) for finding in report.findings}
    assert ("look-alike", ("s001", "s800")) in found
    assert ("old-image", ("s800",)) in found
    assert ("minor", ("s004",)) in found
    assert ("not-approved", ("s002",)) in found
    assert not report.passed
    assert report.findings[0].severity == "error"


def test_lint_names_a_reference_that_attracts_strangers(
    store: Store, manager: Principal, model: Model, open_list: str
) -> None:
    cohort = demo_cohort(model)
    # A lamb made for the purpose: the mean of many faces is alike to all of them.
    mean = cohort.templates.vectors.mean(axis=0)
    lamb = (mean / np.linalg.norm(mean)).astype(np.float32)
    with store.database.write() as session:
        entry_id = session.scalars(select(Entry.id).where(Entry.subject_id == "s002")).one()
        reference = session.scalars(select(Reference).where(Reference.entry_id == entry_id)).one()
        key = store.keys.load(open_list)
        reference.template = key.encrypt(lamb.tobytes(), row=f"{reference.id}:template")
    report = lint(store, manager, open_list, cohort=cohort)
    lambs = [finding for finding in report.findings if finding.rule == "attracts-strangers"]
    assert ("s002",) in [finding.subjects for finding in lambs]
    assert "strangers (the made-up people of the demo)" in lambs[0].text


# Who may, and who looked (R14)


def test_r14_reading_an_entry_or_an_image_needs_a_purpose_and_is_logged(
    store: Store, open_list: str, manager: Principal, demo_faces: list[Path]
) -> None:
    document = show(store, manager, open_list, purpose="weekly review")
    s002 = next(entry for entry in document["entries"] if entry["subject_id"] == "s002")
    reference_id = s002["references"][0]["reference_id"]
    with pytest.raises(InputError, match="purpose"):
        read_reference(store, manager, reference_id, purpose=" ")
    image = read_reference(store, manager, reference_id, purpose="compare with custody record")
    assert image == next(p for p in demo_faces if p.stem == "s002_a").read_bytes()
    with store.database.read() as session:
        entries = session.scalars(select(AuditEntry).where(AuditEntry.action == "watchlist.image")).all()
    assert [(e.object, e.actor, e.details["purpose"]) for e in entries] == [
        (reference_id, manager.id, "compare with custody record")
    ]


def test_nobody_without_the_role_and_no_other_force_reaches_a_list(store: Store, open_list: str, model: Model) -> None:
    with pytest.raises(AccessDeniedError, match="watchlist_manager"):
        create_watchlist(store, add_person(store, "operator"), name="x", model=model)
    add_force(store, "kent")
    stranger = add_person(store, "watchlist_manager", force="kent")
    for act in (
        lambda: show(store, stranger, open_list, purpose="x"),
        lambda: seal(store, stranger, open_list),
        lambda: destroy(store, stranger, open_list),
        lambda: copy_watchlist(store, stranger, open_list, name="x"),
    ):
        with pytest.raises(NotFoundError, match="there is none of that name"):
            act()


# Destruction (R7)


def test_r7_a_destroyed_list_leaves_only_whom_it_named(store: Store, sealed_list: str, manager: Principal) -> None:
    known = digests(store, sealed_list)
    assert destroy(store, manager, sealed_list) == 4
    with store.database.read() as session:
        assert session.scalar(select(func.count()).select_from(Reference)) == 0
        assert session.scalar(select(func.count()).select_from(Entry)) == 0
        nominal = session.scalars(select(NominalReference).order_by(NominalReference.subject_id)).all()
    assert [(n.subject_id, n.category, len(n.image_digests)) for n in nominal] == [
        ("s001", "wanted-on-warrant", 2),
        ("s002", "wanted-on-warrant", 1),
        ("s003", "wanted-on-warrant", 1),
    ]
    assert sealed_list not in store.keys.names()
    with pytest.raises(NotAuthorisedError):
        load_sealed(store, sealed_list, **known)
    with pytest.raises(ConflictError, match="destroyed already"):
        destroy(store, manager, sealed_list)


def test_r7_destruction_that_broke_off_after_the_key_is_finished_by_doing_it_again(
    store: Store, sealed_list: str, manager: Principal
) -> None:
    store.keys.destroy(sealed_list)
    assert destroy(store, manager, sealed_list) == 4


def test_a_copy_of_the_database_from_before_opens_nothing_with_the_master_key_in_hand(
    store: Store, sealed_list: str, manager: Principal, tmp_path: Path
) -> None:
    """The copy is what an attacker or a backup would have: the database with its journal, and the master key."""
    known = digests(store, sealed_list)
    if store.database.is_sqlite:
        kept = tmp_path / "kept"
        kept.mkdir()
        for path in tmp_path.glob("lfr.db*"):
            shutil.copy(path, kept)
        copy = Database(f"sqlite:///{kept / 'lfr.db'}")
        with copy.read() as session:
            rows = session.execute(select(Reference.id, Reference.image, Reference.template)).all()
        copy.dispose()
    else:
        with store.database.read() as session:
            rows = session.execute(select(Reference.id, Reference.image, Reference.template)).all()
    assert len(rows) == 4
    destroy(store, manager, sealed_list)
    assert isinstance(store.keys, FileKeyStore)
    with pytest.raises(KeyFileError, match="is gone"):
        store.keys.load(sealed_list)
    # Neither the master key nor a new key of the same name opens what is in the copy.
    store.keys.create(sealed_list)
    for reference_id, image, template in rows:
        for part, sealed in (("image", image), ("template", template)):
            with pytest.raises(KeyFileError, match="does not open"):
                store.keys.load(sealed_list).decrypt(sealed, row=f"{reference_id}:{part}")
    assert known["digest"]


def test_a_list_of_20_000_entries_is_sealed_and_loaded_in_seconds(
    store: Store, manager: Principal, officer: Principal, model: Model
) -> None:
    """A short form: 2,000 entries, and only that it works; the benchmark has the time."""
    set_policy(store, max_watchlist=20_000)
    watchlist_id = create_watchlist(store, manager, name="large", model=model)
    fill(store, watchlist_id, manager, officer, 2_000, model)
    started = time.monotonic()
    seal(store, manager, watchlist_id)
    loaded = load_sealed(store, watchlist_id, **digests(store, watchlist_id))
    assert loaded.size == 2_000
    assert time.monotonic() - started < 30.0


def fill(store: Store, watchlist_id: str, manager: Principal, officer: Principal, count: int, model: Model) -> None:
    rng = np.random.default_rng(0)
    vectors = rng.standard_normal((count, model.embedding_size)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    key = store.keys.load(watchlist_id)
    with store.database.write() as session:
        for i, vector in enumerate(vectors):
            entry_id, reference_id = new_id("entry"), new_id("reference")
            session.add(
                Entry(
                    id=entry_id,
                    watchlist_id=watchlist_id,
                    subject_id=f"p{i:05d}",
                    category="wanted-on-warrant",
                    reason="x",
                    legal_basis="x",
                    image_source="x",
                    lawfully_held=True,
                    image_date=date(2025, 1, 1),
                    expires_at=store.now() + timedelta(days=10),
                    under_18=False,
                    added_by=manager.id,
                    added_at=store.now(),
                    approved_by=officer.id,
                )
            )
            session.add(
                Reference(
                    id=reference_id,
                    entry_id=entry_id,
                    watchlist_id=watchlist_id,
                    ordinal=0,
                    image_digest=f"{i:064x}",
                    image=key.encrypt(b"image", row=f"{reference_id}:image"),
                    template=key.encrypt(vector.tobytes(), row=f"{reference_id}:template"),
                    model_digest=model.digest,
                    quality={},
                )
            )


def set_policy(store: Store, **changed: Any) -> None:
    with store.database.write() as session:
        session.get_one(Force, "essex").policy = ForcePolicy(**changed).model_dump(mode="json")
