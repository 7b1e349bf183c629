"""History holds: what somebody does to an export of the audit log is found, at its place; and what is not, is said."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from lfr.access import Principal, record
from lfr.audit import Anchor, Verdict, checkpoint, export_chain, force_chain, read_anchor, verify_export
from lfr.audit.chain import canonical, checkpoint_message, entry_hash
from lfr.database import SigningKey, Store
from tests.drills.finding import Finding, Length, Problems

__all__ = ["KINDS", "PROMISE", "Verify", "drills", "export_of", "mutations", "uses"]

PROMISE = "History holds"
_ENTRIES, _CHECKPOINTS = 30, (7, 19)
Documents = list[dict[str, Any]]


class Verify:
    """What is drilled: `verify_export`, or in a test one that forgets something."""

    def __call__(self, path: Path, *, public_key: str | None = None, anchor: Anchor | None = None) -> Verdict:
        """Check an export."""
        return verify_export(path, public_key=public_key, anchor=anchor)


@dataclass(frozen=True)
class Touched:
    """An export that somebody touched.

    Attributes
    ----------
    documents
        Its lines.
    line
        The line, from 1, at which that must be found; None: anywhere.
    """

    documents: Documents
    line: int | None


@dataclass(frozen=True)
class Kind:
    """A way to touch an export.

    Attributes
    ----------
    what
        As the table says it.
    touch
        Given the lines, the place of an entry among them, a key that is not the log's and any number, returns the
        touched lines.
    seen_without_key, seen_by_key, seen_by_anchor
        Whether it is found with nothing, with the public key, and with a head that somebody kept.
    """

    what: str
    touch: Callable[[Documents, int, SigningKey, int], Touched]
    seen_without_key: bool
    seen_by_key: bool
    seen_by_anchor: bool = True


def drills(folder: Path, store: Store, length: Length, *, verify: Verify | None = None) -> Iterator[Finding]:
    """Touch an export of a chain in every way, so many times each, at places that hypothesis chooses."""
    examples = {"short": 15, "normal": 100, "long": 1_000}[length]
    path = export_of(store, folder)
    for kind in KINDS:
        yield mutations(path, store.signing.public_hex, kind, examples=examples, verify=verify or Verify())
    yield older(store, folder, verify or Verify())


def export_of(store: Store, folder: Path) -> Path:
    """Log thirty deeds in a chain of its own, with two checkpoints, and export it."""
    operator = Principal("person-1", "drilled", frozenset({"operator"}), person_id="person-1", rank="constable")
    for number in range(1, _ENTRIES + 1):
        with store.database.write() as session:
            record(store, session, operator, "deployment.start", f"deployment-{number}", details={"number": number})
            if number in _CHECKPOINTS:
                checkpoint(store, session, chain=force_chain("drilled"), reason="start")
    path = folder / "export.jsonl"
    export_chain(store, force_chain("drilled"), path)
    return path


def mutations(path: Path, public_key: str, kind: Kind, *, examples: int, verify: Verify) -> Finding:
    """Touch an export in one way at many places, and check it without a key, with the key, and with a kept head."""
    problems = Problems(PROMISE, kind.what)
    original = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    places = [place for place, document in enumerate(original) if document["type"] == "entry"]
    anchor, other = read_anchor(path), SigningKey.create(path.with_name(f"other-{abs(hash(kind.what))}"))
    touched_path = path.with_name("touched.jsonl")

    @seed(20260302)
    @settings(
        max_examples=examples,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(st.sampled_from(places[1:-1]), st.integers(0, 2**16))
    def touch(place: int, number: int) -> None:
        touched = kind.touch([dict(document) for document in original], place, other, number)
        touched_path.write_bytes(b"".join(canonical(document) + b"\n" for document in touched.documents))
        ways = {
            "without a key": (verify(touched_path), kind.seen_without_key),
            "with the key": (verify(touched_path, public_key=public_key), kind.seen_by_key),
            "with a kept head": (verify(touched_path, anchor=anchor), kind.seen_by_anchor),
        }
        for how, (verdict, seen) in ways.items():
            expected = verdict.intact is not seen
            problems.expect(expected, f"line {place + 1}, {how}: {verdict.text}")
            at_place = touched.line is None or f"line {touched.line}:" in (verdict.problem or "")
            if seen and how != "with a kept head":  # which may see it only at the end
                problems.expect(at_place, f"line {place + 1}, {how}: found elsewhere, {verdict.problem}")

    touch()
    found = [how for how, seen in (("with nothing", kind.seen_without_key), ("key", kind.seen_by_key)) if seen]
    return problems.finding(f"found {' and '.join(found) if kind.seen_without_key else 'only by key or kept head'}")


def older(store: Store, folder: Path, verify: Verify) -> Finding:
    """Hand in an earlier, genuine export for a later one: its signature is right, and only a kept head shows it."""
    problems = Problems(PROMISE, "an earlier export handed in for the latest")
    early = folder / "early.jsonl"
    export_chain(store, force_chain("drilled"), early)
    before = read_anchor(early)
    operator = Principal("person-1", "drilled", frozenset({"operator"}), person_id="person-1", rank="constable")
    with store.database.write() as session:
        record(store, session, operator, "deployment.end", "deployment-1")
    late = folder / "late.jsonl"
    export_chain(store, force_chain("drilled"), late)
    problems.expect(verify(early, public_key=store.signing.public_hex).intact, "a genuine export is refused")
    problems.expect(not verify(early, anchor=read_anchor(late)).intact, "a kept head did not show it")
    problems.expect(verify(late, anchor=before).intact, "a genuine later export is refused")
    return problems.finding("a key cannot show it; a head that somebody kept does")


def uses(store: Store, folder: Path, force: str, *, alerts: set[str], verify: Verify | None = None) -> Finding:
    """Check a use's own chain: it verifies, and every alert of the use is in it exactly once."""
    problems = Problems(PROMISE, "the chain of the use itself, each alert logged once")
    path = folder / "use.jsonl"
    export_chain(store, force_chain(force), path)
    verdict = (verify or Verify())(path, public_key=store.signing.public_hex)
    problems.expect(verdict.complete, verdict.text)
    entries = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    logged = [entry["object"] for entry in entries if entry.get("action") == "alert.raise"]
    for alert in alerts:
        problems.expect(logged.count(alert) == 1, f"{alert} is logged {logged.count(alert)} times")
    return problems.finding(f"{verdict.entries:,} entries, {len(alerts):,} alerts")


def _change(documents: Documents, place: int, _: SigningKey, number: int) -> Touched:
    """Change any one field; of the sequence and the chain it is found as what it then seems to be."""
    names = sorted(set(documents[place]) - {"type"})
    name = names[number % len(names)]
    was = documents[place][name]
    documents[place][name] = was + 1 + number if isinstance(was, int) else {"number": -number} if was else f"x{number}"
    return Touched(documents, place + 1)


def _drop(documents: Documents, place: int, *_: object) -> Touched:
    del documents[place]
    # Where a checkpoint follows the entry, it is the first that no longer fits.
    return Touched(documents, place + 1)


def _swap(documents: Documents, place: int, *_: object) -> Touched:
    later = next(i for i in range(place + 1, len(documents)) if documents[i]["type"] in {"entry", "trailer"})
    if documents[later]["type"] == "trailer":
        later, place = place, _entry_before(documents, place)
    documents[place], documents[later] = documents[later], documents[place]
    return Touched(documents, place + 1)


def _insert(documents: Documents, place: int, *_: object) -> Touched:
    documents.insert(place, {**documents[place], "actor": "person-2"})
    return Touched(documents, place + 1)


def _unlink(documents: Documents, place: int, *_: object) -> Touched:
    """Drop an entry and number the rest anew, with hashes that are right but for the one link."""
    del documents[place]
    entries = [document for document in documents[place:] if document["type"] == "entry"]
    for entry in entries:
        entry["sequence"] -= 1
        entry["hash"] = _hash(entry)
    return Touched(documents, place + 1)


def _truncate(documents: Documents, place: int, *_: object) -> Touched:
    """Cut the end off, and keep the trailer."""
    kept = [*documents[: place + 1], documents[-1]]
    return Touched(kept, len(kept))


def _truncate_signed(documents: Documents, place: int, key: SigningKey, _: int) -> Touched:
    kept = documents[: place + 1]
    return Touched([*kept, _trailer(documents, kept, key)], len(kept) + 1)


def _fork(documents: Documents, place: int, key: SigningKey, _: int) -> Touched:
    """Tell another story from an entry on, with every hash right; checkpoints after it cannot be kept."""
    return _recomputed(documents, place, key)


def _recompute(documents: Documents, _place: int, key: SigningKey, _: int) -> Touched:
    """Compute all of it anew, with every hash right."""
    return _recomputed(documents, 1, key)


def _recomputed(documents: Documents, place: int, key: SigningKey) -> Touched:
    kept, head = (
        documents[:place],
        next((d["hash"] for d in reversed(documents[:place]) if d["type"] == "entry"), "0" * 64),
    )
    for entry in documents[place:]:
        if entry["type"] == "entry":
            entry["actor"], entry["previous_hash"] = "person-2", head
            head = entry["hash"] = _hash(entry)
            kept.append(entry)
    return Touched([*kept, _trailer(documents, kept, key)], len(kept) + 1)


def _trailer(documents: Documents, kept: Documents, key: SigningKey) -> dict[str, Any]:
    last = next(document for document in reversed(kept) if document["type"] == "entry")
    chain, sequence, head, time = last["chain"], last["sequence"], last["hash"], documents[-1]["time"]
    signature = key.sign(checkpoint_message(chain, sequence, head, time, "export"))
    changed = {"sequence": sequence, "count": sequence, "head": head, "signing_key": key.public_hex}
    return {**documents[-1], **changed, "signature": signature}


def _hash(entry: dict[str, Any]) -> str:
    return entry_hash({name: value for name, value in entry.items() if name not in {"type", "hash"}})


def _entry_before(documents: Documents, place: int) -> int:
    return next(i for i in range(place - 1, 0, -1) if documents[i]["type"] == "entry")


KINDS = (
    Kind("an entry changed", _change, True, True),
    Kind("an entry dropped", _drop, True, True),
    Kind("two entries swapped", _swap, True, True),
    Kind("an entry inserted", _insert, True, True),
    Kind("a link removed, hashes and numbers put right", _unlink, True, True),
    Kind("the end cut off", _truncate, True, True),
    Kind("the end cut off, signed with another key", _truncate_signed, False, True),
    Kind("a fork with every hash right, signed with another key", _fork, False, True),
    Kind("the whole chain computed anew, signed with another key", _recompute, False, True),
)
