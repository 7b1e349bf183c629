"""The drills of the audit log hold, and find a check that has forgotten something, and a log that has."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete, select

from lfr.audit import Anchor, Verdict
from lfr.audit import verify as checking
from lfr.database import Store, create_store
from lfr.database.tables import AuditEntry
from tests.drills import history
from tests.drills.catalogue import DRILLS
from tests.drills.ground import Ground, Interface
from tests.support.findings import Findings


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return create_store(tmp_path / "home")


def test_history_holds(ground: Ground, findings: Findings) -> None:
    findings.all_held(DRILLS["history"](ground, "short"))


class WithoutLinks(history.Verify):
    """Checks everything but that an entry follows the one before it."""

    def __call__(self, path: Path, *, public_key: str | None = None, anchor: Anchor | None = None) -> Verdict:
        class Check(checking._Check):
            def _entry(self, where: str, document: dict[str, Any]) -> None:
                self.head = document["previous_hash"]
                super()._entry(where, document)

        checks, checking._Check = checking._Check, Check  # type: ignore[misc]
        try:
            return super().__call__(path, public_key=public_key, anchor=anchor)
        finally:
            checking._Check = checks  # type: ignore[misc]


class WithoutKey(history.Verify):
    """Takes any signature for the log's own."""

    def __call__(self, path: Path, *, public_key: str | None = None, anchor: Anchor | None = None) -> Verdict:
        return super().__call__(path, anchor=anchor)


class AtTheWrongPlace(history.Verify):
    """Finds what was touched, and names another line."""

    def __call__(self, path: Path, *, public_key: str | None = None, anchor: Anchor | None = None) -> Verdict:
        verdict = super().__call__(path, public_key=public_key, anchor=anchor)
        return verdict if verdict.intact else replace(verdict, problem="line 999: entry 998 was changed")


@pytest.mark.parametrize(
    ("verify", "kind", "said"),
    [
        (WithoutLinks(), "a link removed, hashes and numbers put right", "without a key"),
        (WithoutKey(), "the whole chain computed anew, signed with another key", "with the key"),
        (WithoutKey(), "the end cut off, signed with another key", "with the key"),
        (AtTheWrongPlace(), "an entry changed", "found elsewhere"),
    ],
)
def test_a_check_that_forgets_something_is_found(
    store: Store, tmp_path: Path, verify: history.Verify, kind: str, said: str
) -> None:
    path = history.export_of(store, tmp_path)
    (drilled,) = [one for one in history.KINDS if one.what == kind]
    found = history.mutations(path, store.signing.public_hex, drilled, examples=3, verify=verify)
    assert found.held is False
    assert said in found.detail


def test_an_audit_link_that_is_removed_from_the_database_is_found(interface: Interface, tmp_path: Path) -> None:
    alert, _ = interface.alert()["alert"], interface.alert()  # so that another entry follows
    assert history.uses(interface.store, tmp_path, "made-up", alerts={alert}).held
    missing = hashlib.sha256(b"an alert that nobody logged").hexdigest()
    assert history.uses(interface.store, tmp_path, "made-up", alerts={missing}).held is False
    with interface.store.database.write() as session:
        logged = AuditEntry.action == "alert.raise", AuditEntry.object == alert
        removed = session.scalars(select(AuditEntry).where(*logged)).one()
        content = {column.name: getattr(removed, column.key) for column in AuditEntry.__table__.columns}
        session.execute(delete(AuditEntry).where(*logged))
    try:
        found = history.uses(interface.store, tmp_path, "made-up", alerts={alert})
        assert found.held is False
        assert "is missing" in found.detail
    finally:
        with interface.store.database.write() as session:
            session.add(AuditEntry(**content))
