"""The audit log: exported, verified offline, and found out where it was touched."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lfr.access import Principal, record
from lfr.audit import (
    Anchor,
    append,
    checkpoint,
    export_chain,
    force_chain,
    read_anchor,
    seal_chain,
    verify_export,
)
from lfr.audit.chain import canonical, checkpoint_message, entry_hash
from lfr.database import SigningKey, Store
from lfr.errors import ConflictError, InputError, NotFoundError
from tests.integration.conftest import add_force, add_person

CHAIN = force_chain("essex")


@pytest.fixture
def exported(store: Store, tmp_path: Path) -> Path:
    """An export of twelve entries with a checkpoint after the fifth."""
    for i in range(12):
        with store.database.write() as session:
            append(
                store,
                session,
                chain=CHAIN,
                actor="person-1",
                role="operator",
                action="deployment.start",
                object_id=f"deployment-{i}",
                details={"number": i, "text": "it's ü"},
            )
            if i == 4:
                checkpoint(store, session, chain=CHAIN, reason="start")
    path = tmp_path / "export.jsonl"
    assert export_chain(store, CHAIN, path) == 12
    return path


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def rewritten(path: Path, documents: list[dict[str, Any]]) -> Path:
    path.write_bytes(b"".join(canonical(document) + b"\n" for document in documents))
    return path


def test_r8_a_whole_export_verifies_and_says_what_it_cannot_show(store: Store, exported: Path) -> None:
    verdict = verify_export(exported)
    assert (verdict.intact, verdict.complete, verdict.entries) == (True, False, 12)
    assert verdict.text.startswith("internally consistent, completeness not shown")
    signed = verify_export(exported, public_key=store.signing.public_hex)
    assert (signed.intact, signed.complete) == (True, True)


def test_any_changed_byte_is_found(exported: Path) -> None:
    content = exported.read_bytes()
    rng = random.Random(0)
    for position in rng.sample(range(len(content)), 150):
        changed = bytearray(content)
        changed[position] ^= 1
        exported.write_bytes(bytes(changed))
        verdict = verify_export(exported)
        assert not verdict.intact, f"byte {position}"


@pytest.mark.parametrize(
    ("touch", "problem"),
    [
        (lambda d: d[3].update(action="deployment.end"), r"line 4: entry 3 was changed"),
        (lambda d: d.pop(4), r"line 5: entry 4 is missing; found 5"),
        (lambda d: d.insert(2, d.pop(3)), r"line 3: entry 2 is missing; found 3"),
        (lambda d: d.insert(3, dict(d[2])), r"line 4: entry 3 is out of order; found 2"),
        (lambda d: d.pop(), r"the trailer is missing; the last entry is 12"),
        (lambda d: d.pop(-2), r"the trailer disagrees with entry 11"),
        (lambda d: d.append(dict(d[1])), r"something follows the trailer"),
        (lambda d: d[6].update(head="0" * 64), r"line 7: the checkpoint disagrees with entry 5"),
        (lambda d: d[6].update(signature="00" * 64), r"line 7: the checkpoint's signature is wrong"),
        (lambda d: d.pop(0), r"line 1: no header"),
    ],
)
def test_what_was_touched_is_named(
    touch: Callable[[list[dict[str, Any]]], object], problem: str, exported: Path
) -> None:
    documents = lines(exported)
    touch(documents)
    verdict = verify_export(rewritten(exported, documents))
    assert not verdict.intact
    assert verdict.problem is not None
    assert re.search(problem, verdict.problem)


def recomputed(store: Store, documents: list[dict[str, Any]], key: SigningKey) -> list[dict[str, Any]]:
    """The chain as somebody with the database would forge it: cut and hashed anew, signed with another key."""
    entries = [dict(d) for d in documents if d["type"] == "entry"][:8]
    head = "0" * 64
    for entry in entries:
        entry["actor"], entry["previous_hash"] = "person-2", head
        head = entry["hash"] = entry_hash({k: v for k, v in entry.items() if k not in {"type", "hash"}})
    time = documents[-1]["time"]
    trailer = {
        "type": "trailer",
        "chain": CHAIN,
        "sequence": 8,
        "count": 8,
        "head": head,
        "time": time,
        "reason": "export",
        "signing_key": key.public_hex,
        "signature": key.sign(checkpoint_message(CHAIN, 8, head, time, "export")),
    }
    return [documents[0], *entries, trailer]


def test_a_chain_cut_or_computed_anew_shows_only_against_a_key_or_an_anchor(
    store: Store, exported: Path, tmp_path: Path
) -> None:
    anchor = read_anchor(exported)
    assert anchor.sequence == 12
    documents = lines(exported)
    early = Anchor(CHAIN, 5, next(d["head"] for d in documents if d["type"] == "checkpoint"))
    forged = rewritten(
        tmp_path / "forged.jsonl", recomputed(store, documents, SigningKey.create(tmp_path / "other-key"))
    )
    assert verify_export(forged).intact
    by_key = verify_export(forged, public_key=store.signing.public_hex)
    assert by_key.problem is not None
    assert "signed with another key" in by_key.problem
    beyond = verify_export(forged, anchor=anchor)
    assert beyond.problem is not None
    assert "cut off: the anchor stands at entry 12" in beyond.problem
    within = verify_export(forged, anchor=early)
    assert within.problem is not None
    assert "computed anew" in within.problem


def test_an_anchor_of_another_chain_or_a_file_without_one_is_refused(exported: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="the anchor is of chain"):
        verify_export(exported, anchor=Anchor("force:kent", 1, "0" * 64))
    (tmp_path / "nothing").write_text("hello\n")
    with pytest.raises(InputError, match="holds no checkpoint"):
        read_anchor(tmp_path / "nothing")
    with pytest.raises(InputError, match="cannot read the export"):
        verify_export(tmp_path / "missing")


def test_an_export_holds_one_forces_chain_only(store: Store, tmp_path: Path) -> None:
    add_force(store, "kent")
    for force in ("essex", "kent"):
        with store.database.write() as session:
            record(store, session, add_person(store, "auditor", force=force), "audit.export", f"of-{force}")
    export_chain(store, CHAIN, tmp_path / "essex.jsonl")
    text = (tmp_path / "essex.jsonl").read_text()
    assert "of-essex" in text
    assert "kent" not in text
    with pytest.raises(NotFoundError):
        export_chain(store, "force:sussex", tmp_path / "x.jsonl")
    assert not list(tmp_path.glob("x.jsonl*"))


def test_a_sealed_chain_takes_nothing_more(store: Store, exported: Path) -> None:
    with store.database.write() as session:
        seal_chain(store, session, chain=CHAIN)
    with pytest.raises(ConflictError, match="is sealed"), store.database.write() as session:
        append(store, session, chain=CHAIN, actor="x", role="admin", action="x", object_id="x")
    export_chain(store, CHAIN, exported)
    assert lines(exported)[-2]["reason"] == "sealed"
    assert verify_export(exported).intact


def test_a_thousand_entries_bring_a_signed_checkpoint(store: Store, tmp_path: Path) -> None:
    with store.database.write() as session:
        for i in range(1_001):
            append(store, session, chain=CHAIN, actor="x", role="operator", action="x", object_id=str(i))
    path = tmp_path / "many.jsonl"
    export_chain(store, CHAIN, path)
    assert [d["sequence"] for d in lines(path) if d["type"] == "checkpoint"] == [1_000]
    assert verify_export(path, public_key=store.signing.public_hex).complete


def test_r8_start_end_and_verification_are_entries_of_who_and_what(
    store: Store, person: Callable[..., Principal], tmp_path: Path
) -> None:
    officer = person("authorising_officer", rank="superintendent")
    with store.database.write() as session:
        record(store, session, officer, "deployment.withdraw", "deployment-1", details={"watchlist": "ab"})
    path = tmp_path / "e.jsonl"
    export_chain(store, CHAIN, path)
    (entry,) = [d for d in lines(path) if d["type"] == "entry"]
    assert (entry["actor"], entry["role"], entry["action"]) == (
        officer.id,
        "authorising_officer",
        "deployment.withdraw",
    )
    assert "Made Up" not in path.read_text()
