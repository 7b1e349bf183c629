"""``lfr audit verify`` on a long export: how long it takes, and how much memory."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from lfr.audit.chain import CHECKPOINT_EVERY, GENESIS, entry_document, entry_hash, force_chain, signed_head
from lfr.audit.export import checkpoint_line, entry_line, header_line, trailer_line
from lfr.database import SigningKey
from lfr.database.tables import AuditEntry

__all__ = ["audit_rows", "write_long_export"]

TARGET_S = 60.0
_CHAIN = force_chain("made-up")
_BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
_MEMORY_SLACK = 1.1
# A small process between, because a process begins with the peak memory of the one that started it.
_LAUNCHER = """
import resource, subprocess, sys, time
started = time.perf_counter()
printed = subprocess.run(sys.argv[1:], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout.strip()
taken_s = time.perf_counter() - started
sys.stdout.buffer.write(printed + f"\\n{taken_s} {resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss}".encode())
"""


def audit_rows(folder: Path, signing: SigningKey, *, entries: int) -> Iterator[dict[str, Any]]:
    """Verify an export in a process of its own, and one a hundredth as long, to see what memory depends on.

    Yields
    ------
    One row; ``parity`` says whether both were found intact and complete, what
    a changed entry in the middle came to, and the peak memory of each.
    """
    long, short = folder / "long.jsonl", folder / "short.jsonl"
    write_long_export(long, signing, entries=entries)
    write_long_export(short, signing, entries=max(1, entries // 100))
    key = signing.path.with_suffix(".pub")
    _, _, little_mib = _verified(short, key)
    verdict, taken_s, peak_mib = _verified(long, key)
    found = _verified(_damaged(long, at=entries // 2), key)[0]
    constant = peak_mib <= _MEMORY_SLACK * little_mib
    yield {
        "name": f"audit verify, {entries} entries",
        "ours": round(taken_s, 2),
        "peer": TARGET_S,
        "peer_name": "target",
        "ratio": round(taken_s / TARGET_S, 3),
        "unit": "s",
        "parity": {
            "intact_and_complete": bool(verdict["intact"] and verdict["complete"] and verdict["entries"] == entries),
            "damage_found": f"entry {entries // 2} " in str(found["problem"]),
            "peak_mib": round(peak_mib, 1),
            "peak_mib_of_a_hundredth": round(little_mib, 1),
        },
        "target": f"under {TARGET_S:.0f} s, memory that does not grow",
        "met": taken_s < TARGET_S and constant,
        "repeats": 1,
        "ours_spread": [round(taken_s, 2), round(taken_s, 2)],
        "megabytes": round(long.stat().st_size / 1e6, 1),
    }


def write_long_export(path: Path, signing: SigningKey, *, entries: int) -> None:
    """Write an export of made-up entries, with checkpoints and trailer, without a database."""
    head = GENESIS
    with path.open("wb") as file:
        file.write(header_line(_CHAIN) + b"\n")
        for sequence in range(1, entries + 1):
            entry = _entry(sequence, head)
            head = entry.hash = entry_hash(entry_document(entry))
            file.write(entry_line(entry) + b"\n")
            if sequence % CHECKPOINT_EVERY == 0:
                file.write(checkpoint_line(signed_head(signing, _CHAIN, sequence, head, entry.time, "count")) + b"\n")
        trailer = signed_head(signing, _CHAIN, entries, head, _BEGIN, "export")
        file.write(trailer_line(trailer, count=entries) + b"\n")


def _entry(sequence: int, previous_hash: str) -> AuditEntry:
    """An entry of the size that an alert's has."""
    return AuditEntry(
        chain=_CHAIN,
        sequence=sequence,
        time=_BEGIN + timedelta(seconds=sequence),
        actor="person-made-up",
        role="operator",
        action="alert.raise",
        object=f"alert-{sequence:016x}",
        before=None,
        after=previous_hash,
        details={
            "deployment": "deployment-made-up",
            "camera": "north",
            "entry": f"entry-{sequence % 2_000:016x}",
            "reference": f"reference-{sequence % 2_000:016x}",
            "watchlist": GENESIS,
            "model": GENESIS,
            "calibration": GENESIS,
            "score": 0.5 + sequence % 1_000 / 2_000,
            "threshold": 0.5,
            "captured_at": "2026-01-01T00:00:00.000000+00:00",
            "probe_sha256": previous_hash,
            "demo": True,
        },
        previous_hash=previous_hash,
        hash="",
    )


def _damaged(path: Path, *, at: int) -> Path:
    """Change one digit of an entry in the file."""
    with path.open("r+b") as file:
        for line in iter(file.readline, b""):
            if f'"sequence":{at},'.encode() in line and b'"type":"entry"' in line:
                file.seek(file.tell() - len(line) + line.index(b'"object":"alert-') + len(b'"object":"alert-'))
                file.write(b"f")
                return path
    raise ValueError(f"{path}: no entry {at}")


def _verified(path: Path, key: Path) -> tuple[dict[str, Any], float, float]:
    """Run ``lfr audit verify``: what it printed, seconds, and its peak memory in MiB."""
    command = [sys.executable, "-m", "lfr.cli", "audit", "verify", str(path), "--key", str(key), "--json"]
    run = subprocess.run([sys.executable, "-c", _LAUNCHER, *command], capture_output=True, check=True)  # noqa: S603
    printed, measured = run.stdout.rsplit(b"\n", 1)
    taken_s, peak = measured.split()
    return json.loads(printed), float(taken_s), int(peak) * (1 if sys.platform == "darwin" else 1024) / 2**20
