"""Run the drills and print what held: `make drills`, `make drills LONG=1`."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from rich.console import Console

from lfr.cli.console import as_interrupt
from tests.drills.catalogue import DRILLS
from tests.drills.finding import Finding, Length, documents, table
from tests.drills.ground import Ground

__all__ = ["main"]


def main() -> int:
    """Run drills; returns 0 where everything held, else 1."""
    parser = argparse.ArgumentParser(prog="python -m tests.drills", description=__doc__)
    length = parser.add_mutually_exclusive_group()
    length.add_argument("--short", action="store_const", dest="length", const="short", help="a minute or two")
    length.add_argument("--long", action="store_const", dest="length", const="long", help="about two hours")
    parser.add_argument("--only", action="append", choices=sorted(DRILLS), help="this promise; may be repeated")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the findings there too")
    asked = parser.parse_args()
    said = Console(stderr=True)
    with as_interrupt(), Ground() as ground:
        findings = list(_run(ground, asked.only or list(DRILLS), asked.length or "normal", said))
    Console().print(table(findings))
    if asked.json:
        asked.json.write_text(json.dumps(documents(findings), indent=2) + "\n", encoding="utf-8")
    broken = [one for one in findings if one.held is False]
    return 1 if broken else 0


def _run(ground: Ground, names: list[str], length: Length, said: Console) -> Iterator[Finding]:
    for name in names:
        began = time.monotonic()
        said.print(f"[dim]{name} …[/]")
        for finding in _found(ground, name, length):
            took_s, began = time.monotonic() - began, time.monotonic()
            said.print(f"[dim]{name}: {finding.drill}: {finding.verdict}, {finding.tries:,} tries, {took_s:.0f} s[/]")
            if finding.held is False:
                said.print(f"  {finding.detail}", markup=False)
            yield finding


def _found(ground: Ground, name: str, length: Length) -> Iterator[Finding]:
    """Yield what a drill finds; one that breaks off has not held, and the others are tried all the same."""
    try:
        yield from DRILLS[name](ground, length)
    except Exception as error:  # noqa: BLE001 - whatever it is, it stands in the table
        yield Finding(name, "broke off before its end", 0, False, f"{type(error).__name__}: {error}")


if __name__ == "__main__":
    sys.exit(main())
