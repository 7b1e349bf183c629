"""Check an export of the audit log: offline, in constant memory, without the database.

What a chain of hashes shows is that nothing inside was changed, removed or
reordered. That nothing was cut off its end, or all of it computed anew, only
a head from elsewhere shows: the public key that signed it, or an anchor (an
earlier checkpoint or trailer) that somebody kept.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lfr.audit.chain import GENESIS, canonical, checkpoint_message
from lfr.audit.export import FORMAT
from lfr.database.keys import verify_signature
from lfr.errors import InputError

__all__ = ["Anchor", "Verdict", "read_anchor", "read_public_key", "verify_export"]

_PUBLIC_KEY = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Anchor:
    """A chain's head at one moment, kept by somebody else."""

    chain: str
    sequence: int
    head: str


@dataclass(frozen=True)
class Verdict:
    """What a check found.

    Attributes
    ----------
    intact
        Whether every line is what was written.
    problem
        The first thing that is not; None where there is none.
    chain, entries, head
        What was checked.
    complete
        Whether a key or an anchor shows that nothing was cut off or computed anew.
    """

    intact: bool
    problem: str | None
    chain: str | None
    entries: int
    head: str
    complete: bool

    @property
    def text(self) -> str:
        """The verdict in a line."""
        if self.problem is not None:
            return f"not intact: {self.problem}"
        if self.complete:
            return f"intact and complete: {self.entries} entries, head {self.head[:16]}"
        return f"internally consistent, completeness not shown: {self.entries} entries, head {self.head[:16]}"

    def as_dict(self) -> dict[str, Any]:
        """Return the verdict as JSON has it."""
        return {
            "intact": self.intact,
            "complete": self.complete,
            "problem": self.problem,
            "chain": self.chain,
            "entries": self.entries,
            "head": self.head,
            "verdict": self.text,
        }


class _BrokenError(Exception):
    """The first thing that is wrong; becomes a verdict."""


def verify_export(
    path: Path,
    *,
    public_key: str | None = None,
    anchor: Anchor | None = None,
    progress: Callable[[Iterable[bytes]], Iterable[bytes]] = iter,
) -> Verdict:
    """Check a file that `export_chain` wrote.

    Parameters
    ----------
    path
        The file.
    public_key
        The installation's, 64 hexadecimal digits: every signature must be of it.
    anchor
        A head that must lie on this chain.
    progress
        Wraps the lines.

    Raises
    ------
    InputError
        The file cannot be read, or the anchor is of another chain.
    """
    check = _Check(public_key, anchor)
    try:
        with path.open("rb") as file:
            for number, line in enumerate(progress(file), start=1):
                check.line(number, line)
        check.end()
    except OSError as error:
        raise InputError(f"{path}: cannot read the export: {error.strerror}") from error
    except _BrokenError as broken:
        return Verdict(False, str(broken), check.chain, check.sequence, check.head, False)
    shown = public_key is not None or anchor is not None
    return Verdict(True, None, check.chain, check.sequence, check.head, shown)


def read_anchor(path: Path) -> Anchor:
    """Read an anchor: a checkpoint or a trailer as JSON, or an export, whose last line is taken.

    Raises
    ------
    InputError
        The file cannot be read or holds none.
    """
    try:
        *_, last = _nonempty(path.read_text(encoding="utf-8").splitlines())
        document = json.loads(last)
        return Anchor(str(document["chain"]), int(document["sequence"]), str(document["head"]))
    except OSError as error:
        raise InputError(f"{path}: cannot read the anchor: {error.strerror}") from error
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise InputError(f"{path}: holds no checkpoint or trailer of an audit log") from error


def read_public_key(path: Path) -> str:
    """Read a public key: 64 hexadecimal digits.

    Raises
    ------
    InputError
        The file cannot be read or holds none.
    """
    try:
        text = path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot read the public key") from error
    if not _PUBLIC_KEY.fullmatch(text):
        raise InputError(f"{path}: holds no public key (64 hexadecimal digits)")
    return text


class _Check:
    """Walks the lines; raises `_BrokenError` at the first that is wrong."""

    def __init__(self, public_key: str | None, anchor: Anchor | None) -> None:
        self._public_key, self._anchor = public_key, anchor
        self.chain: str | None = None
        self.sequence, self.head = 0, GENESIS
        self._anchored = anchor is None or (anchor.sequence == 0 and anchor.head == GENESIS)
        self._ended = False

    def line(self, number: int, text: bytes) -> None:
        """Check one line."""
        where = f"line {number}"
        try:
            document = json.loads(text)
            # One text for one content: not even a space or a letter's case may differ.
            as_written = canonical(document) + b"\n" == text
            kind = document.pop("type")
        except (ValueError, KeyError, AttributeError, TypeError, RecursionError):
            raise _BrokenError(f"{where}: no line of an export") from None
        if self._ended:
            raise _BrokenError(f"{where}: something follows the trailer")
        if number == 1:
            if kind != "header" or document.get("format") != FORMAT:
                raise _BrokenError(f"{where}: no header of an export ({FORMAT})")
            self.chain = document.get("chain")
            if self._anchor is not None and self._anchor.chain != self.chain:
                raise InputError(f"the anchor is of chain {self._anchor.chain}, the export of {self.chain}")
        elif kind == "entry":
            self._entry(where, document)
        elif kind in {"checkpoint", "trailer"}:
            self._signed(where, kind, document)
        else:
            raise _BrokenError(f"{where}: neither entry, checkpoint nor trailer")
        if not as_written:
            raise _BrokenError(f"{where}: says the same in other bytes than an export writes")

    def end(self) -> None:
        """Check that the file ended as an export ends."""
        if self.chain is None:
            raise _BrokenError("the file is empty")
        if not self._ended:
            raise _BrokenError(f"the trailer is missing; the last entry is {self.sequence}")
        if not self._anchored:
            assert self._anchor is not None
            raise _BrokenError(f"cut off: the anchor stands at entry {self._anchor.sequence}, beyond the end")

    def _entry(self, where: str, document: dict[str, Any]) -> None:
        stated = document.pop("hash", None)
        sequence = document.get("sequence")
        if sequence != self.sequence + 1:
            what = "missing" if isinstance(sequence, int) and sequence > self.sequence else "out of order"
            raise _BrokenError(f"{where}: entry {self.sequence + 1} is {what}; found {sequence}")
        if document.get("chain") != self.chain:
            raise _BrokenError(f"{where}: entry {sequence} is of another chain")
        if document.get("previous_hash") != self.head:
            raise _BrokenError(f"{where}: entry {sequence} does not follow the one before it")
        try:
            found = hashlib.sha256(canonical(document)).hexdigest()
        except (ValueError, TypeError):
            raise _BrokenError(f"{where}: entry {sequence} was changed") from None
        if found != stated:
            raise _BrokenError(f"{where}: entry {sequence} was changed")
        self.sequence, self.head = sequence, found
        if self._anchor is not None and self._anchor.sequence == sequence:
            if self._anchor.head != found:
                raise _BrokenError(
                    f"{where}: entry {sequence} is not what the anchor says: the chain was computed anew"
                )
            self._anchored = True

    def _signed(self, where: str, kind: str, document: Mapping[str, Any]) -> None:
        if (document.get("chain"), document.get("sequence"), document.get("head")) != (
            self.chain,
            self.sequence,
            self.head,
        ):
            raise _BrokenError(f"{where}: the {kind} disagrees with entry {self.sequence}")
        if kind == "trailer":
            self._ended = True
            if document.get("count") != self.sequence:
                raise _BrokenError(f"{where}: the trailer counts {document.get('count')} entries of {self.sequence}")
        key, signature = str(document.get("signing_key")), str(document.get("signature"))
        time, reason = str(document.get("time")), str(document.get("reason"))
        message = checkpoint_message(str(self.chain), self.sequence, self.head, time, reason)
        lower = _PUBLIC_KEY.fullmatch(key) and signature == signature.lower()
        if not lower or not verify_signature(key, signature, message):
            raise _BrokenError(f"{where}: the {kind}'s signature is wrong")
        if self._public_key is not None and key != self._public_key:
            raise _BrokenError(f"{where}: the {kind} was signed with another key, {key[:16]}")


def _nonempty(lines: Iterable[str]) -> Iterator[str]:
    found = [line for line in lines if line.strip()]
    if not found:
        raise ValueError("nothing")
    # An export's last line is its trailer; a checkpoint on its own may be spread over lines.
    yield found[-1] if found[-1].lstrip().startswith("{") and found[-1].rstrip().endswith("}") else "\n".join(found)
