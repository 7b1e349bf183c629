"""Whatever byte of an audit export is changed, added or removed, verification refuses it."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lfr.audit import verify_export
from lfr.database import SigningKey
from lfr.evaluation.benchmarks.store_audit import write_long_export


@pytest.fixture(scope="module")
def export(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small export of a header, three entries and a trailer."""
    folder = tmp_path_factory.mktemp("audit")
    write_long_export(folder / "export.jsonl", SigningKey.create(folder / "key"), entries=3)
    assert verify_export(folder / "export.jsonl").intact
    return folder / "export.jsonl"


def intact(export: Path, content: bytes) -> bool:
    changed = export.with_name("changed.jsonl")
    changed.write_bytes(content)
    return verify_export(changed).intact


@given(where=st.floats(0, 1, exclude_max=True), by=st.integers(1, 255))
def test_a_changed_byte_is_refused(where: float, by: int, export: Path) -> None:
    content = bytearray(export.read_bytes())
    content[int(where * len(content))] ^= by
    assert not intact(export, bytes(content))


@given(where=st.floats(0, 1, exclude_max=True), byte=st.binary(min_size=1, max_size=1))
def test_an_added_byte_is_refused(where: float, byte: bytes, export: Path) -> None:
    content = export.read_bytes()
    at = int(where * len(content))
    assert not intact(export, content[:at] + byte + content[at:])


@given(where=st.floats(0, 1, exclude_max=True))
def test_a_missing_byte_is_refused(where: float, export: Path) -> None:
    content = export.read_bytes()
    at = int(where * len(content))
    assert not intact(export, content[:at] + content[at + 1 :])


def test_a_letters_case_a_space_and_the_last_line_break_count(export: Path) -> None:
    content = export.read_bytes()
    at = content.rindex(b'"signature":"') + len(b'"signature":"')
    letter = next(i for i in range(at, at + 128) if content[i : i + 1].isalpha())
    upper = content[:letter] + content[letter : letter + 1].upper() + content[letter + 1 :]
    for changed in (upper, content[:-1], content[:-1] + b" ", content + b"\n", content.replace(b'":"', b'": "', 1)):
        assert not intact(export, changed)
